"""`antiphon simulate --html`: every scenario on one page: what was expected, what came of it, the conversation, and its sound."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from api.sessions.story import Story
from ops.replay import _html as html
from ops.replay._html import text
from ops.replay.page import MOST_SOUND, turn_lines
from schemas.bus import Reading
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file
from schemas.session.history import events_of

__all__ = ["write_simulated_page"]

_MOST = 200
"""Conversations a page tells turn by turn; those that failed come first."""


async def write_simulated_page(
    agent: str,
    results: Sequence[Mapping[str, Any]],
    log: Reading,
    file: Path,
    *,
    sounds: bool,
    most_sound: int = MOST_SOUND,
) -> None:
    """`results`: as `antiphon simulate --json` tells them, their sessions in `log`; `sounds`: there is something to listen to.
    AntiphonError: it can't be written."""
    ranked = sorted(results, key=lambda result: bool(result["passed"]))
    with (
        whole_file(file, AntiphonError) as part,
        html.sound_folder() as folder,
        part.open("w", encoding="utf-8") as out,
    ):
        out.writelines(_head(agent, ranked))
        left = most_sound
        for number, result in enumerate(ranked):
            side = f"s{number}"
            out.writelines(_checks(result, number))
            if result["session"] and number < _MOST:
                left -= await _conversation(out, result["session"], side, log, folder, left if sounds else None)
            out.write("</section>\n")
        out.write(html.end())


def _head(agent: str, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    failed = sum(not result["passed"] for result in results)
    yield html.begin(f"{agent}, simulated · Antiphon")
    yield f'<div class="top"><div><h1>{text(agent)}, simulated</h1><p class="sub">{len(results)} scenarios</p></div>'
    yield '<button type="button" class="theme">light / dark</button></div>\n<ul class="facts">'
    yield f"<li><b>{len(results) - failed}</b><span>passed</span></li>"
    yield f"<li{' class=bad' if failed else ''}><b>{failed}</b><span>failed</span></li></ul>\n"
    yield '<table class="table"><tr><th></th><th>lines</th><th>p95 to answer</th><th>took</th><th></th></tr>'
    for number, result in enumerate(results):
        p95 = "–" if result["latency_p95"] is None else f"{result['latency_p95']:.2f} s"
        yield f'<tr><th><a href="#n{number}">{text(result["scenario"])}</a></th><td>{result["turns"]}</td><td>{p95}</td>'
        yield f"<td>{result['seconds']:.1f} s</td><td>{_badge(result['passed'])} {text(_first_failure(result))}</td></tr>"
    yield "</table>\n"


def _first_failure(result: Mapping[str, Any]) -> str:
    return next((check["what"] for check in result["checks"] if not check["passed"]), "")


def _badge(passed: bool, undecided: bool = False) -> str:
    if passed:
        return '<span class="badge">passed</span>'
    return '<span class="badge bad">undecided</span>' if undecided else '<span class="badge bad">failed</span>'


def _checks(result: Mapping[str, Any], number: int) -> Iterator[str]:
    yield f'<section id="n{number}"><h2>{text(result["scenario"])} {_badge(result["passed"])}</h2>\n<ul class="notes of-all">'
    for check in result["checks"]:
        kind = "" if check["passed"] else ' class="bad"'
        why = f": {check['why']}" if check["why"] else ""
        mark = "✓" if check["passed"] else "?" if check["undecided"] else "✗"
        yield f"<li{kind}>{mark} {text(check['what'] + why)}</li>"
    yield "</ul>\n"


async def _conversation(out: TextIO, session: str, side: str, log: Reading, folder: str, most: int | None) -> int:
    """Turn by turn, with its sound where there is room for it; answers how many bytes that took."""
    story = Story(session)
    async for event in events_of(log, session):
        story.add(event)
    agent, size = story.state.agent.name, 0
    if most is not None:
        sound = await html.sound_of(log, session, story.score, folder, f"{side}.opus", max(0, most))
        size = sound.file.stat().st_size if sound.file is not None else 0
        html.write_player(out, side, sound, ("the caller", agent), [])
    for turn in sorted(story.turns(), key=lambda turn: turn.began_s):
        out.writelines(turn_lines(turn, side, agent))
    return size
