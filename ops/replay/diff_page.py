"""`antiphon diff --html`: two sessions side by side on one page, each with its sound, the place where they part marked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ops.replay import _html as html
from ops.replay._html import Sound, text
from ops.replay.recording import score_of
from schemas.bus import Reading
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file
from schemas.session import ends
from schemas.session.comparing import Compared, Diff, Pair, Session, Told
from schemas.session.waterfall import name_of
from schemas.text.clean import json_line

__all__ = ["write_diff_page"]

MOST_SOUND = 15_000_000
"""Bytes of sound on each side."""
_SIDES = ("a", "b")
_NAMES = {
    "turns": "turns",
    "interrupted": "interrupted",
    "dropped": "dropped",
    "failed": "failed",
    "p50_ms": "p50 to answer, ms",
    "worst_ms": "worst, ms",
}


async def write_diff_page(
    found: Diff, logs: tuple[Reading, Reading], file: Path, *, most_sound: int = MOST_SOUND
) -> tuple[Sound, Sound]:
    """Write the page to `file`; answers what became of both sounds. `logs`: where each session lies. AntiphonError: it can't be
    written."""
    with whole_file(file, AntiphonError) as part, html.sound_folder() as folder:
        sounds = []
        for side, log, session in zip(_SIDES, logs, (found.first, found.second), strict=True):
            name = session.summary.session
            score = await score_of(log, name)
            sounds.append(await html.sound_of(log, name, score, folder, f"{side}.opus", most_sound))
        both = (sounds[0], sounds[1])
        with part.open("w", encoding="utf-8") as out:
            await asyncio.to_thread(_write, out, found, both)
    return both


def _write(out: TextIO, found: Diff, sounds: tuple[Sound, Sound]) -> None:
    first, second = found.first.summary.session, found.second.summary.session
    out.write(html.begin(f"{first} ↔ {second} · Antiphon", "two"))
    out.write(f'<div class="top"><h1>{text(first)} ↔ {text(second)}</h1>')
    out.write('<button type="button" class="theme">light / dark</button></div>\n')
    out.write("".join(_parting(found)))
    out.write('<div class="sides players">')
    for place, (side, session) in enumerate(zip(_SIDES, (found.first, found.second), strict=True)):
        out.write(f'<div class="side"><h3>{text(_title(place, session))}</h3><p class="sub">{text(_sub(session))}</p>')
        marks = [
            turn.at for pair in found.pairs if pair.parts and (turn := (pair.first, pair.second)[place]) is not None
        ]
        html.write_player(out, side, sounds[place], (_callers(session), session.summary.agent), marks)
        out.write("</div>\n")
    out.write("</div>\n")
    out.write("".join(_figures(found)))
    out.write("".join(_settings(found)))
    out.write("<h2>Turn by turn</h2>\n")
    for pair in found.pairs:
        out.writelines(_pair(pair, first=pair is found.divergence))
    out.write(html.end())


def _title(place: int, session: Session) -> str:
    return f"{'AB'[place]} · {session.summary.session}"


def _sub(session: Session) -> str:
    told = session.summary
    when = html.date(told.started_at)
    ended = f"ended: {ends.in_words(told.ended)}" if told.ended is not None else "open"
    facts = [when, html.clock(told.duration), f"agent “{told.agent}”", f"with {_callers(session)}", ended]
    if session.forked_from:
        facts.append(f"forked from {session.forked_from.get('session', '?')}")
    return " · ".join(facts)


def _callers(session: Session) -> str:
    return ", ".join(one.shown for one in session.summary.people) or "nobody"


def _parting(found: Diff) -> Iterator[str]:
    parting = found.divergence
    if parting is None:
        yield '<div class="parting none"><p><b>They do not part.</b> What was heard, decided and said is the same.</p></div>\n'
        return
    yield f'<div class="parting"><p><b>They part in {text(parting.name)}</b>, {html.clock(parting.at)} after the beginning. B'
    yield "</p><ul>"
    for one in parting.differences:
        if one.parts:
            yield f"<li>{text(one.text)}</li>"
    yield "</ul></div>\n"


def _figures(found: Diff) -> Iterator[str]:
    yield '<h2>In figures</h2>\n<table class="table"><tr><th></th><th>A</th><th>B</th></tr>'
    yield f"<tr><th>words heard otherwise</th><td></td><td>{found.wer:.1%}</td></tr>"
    for name, (before, after) in found.figures().items():
        yield f"<tr><th>{_NAMES[name]}</th><td>{_number(before)}</td><td>{_number(after)}</td></tr>"
    yield "</table>\n"


def _settings(found: Diff) -> Iterator[str]:
    if not found.settings:
        return
    yield '<h2>Settings that differ</h2>\n<table class="table"><tr><th></th><th>A</th><th>B</th></tr>'
    for one in found.settings:
        yield f"<tr><th>{text(one.name)}</th><td>{text(_value(one.before))}</td><td>{text(_value(one.after))}</td></tr>"
    yield "</table>\n"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else "–" if value is None else json_line(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


# ── a turn ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pair(pair: Pair, *, first: bool) -> Iterator[str]:
    kind = f"pair{' parts' if pair.parts else ''}{' first' if first else ''}"
    mark = '<span class="badge warn">here they part</span>' if first else ""
    yield f'<article class="{kind}"><header><span class="number">{text(pair.name)}</span>{mark}</header>'
    yield '<div class="sides">'
    for place, turn in enumerate((pair.first, pair.second)):
        yield "<div>"
        yield from _side(turn, pair, place)
        yield "</div>"
    yield "</div>"
    yield from _latency(pair)
    if pair.differences:
        yield '<ul class="differences">'
        for one in pair.differences:
            yield f"<li{' class=parts' if one.parts else ''}>B {text(one.text)}</li>"
        yield "</ul>"
    yield "</article>\n"


def _side(turn: Told | None, pair: Pair, place: int) -> Iterator[str]:
    if turn is None:
        yield '<p class="empty">has no such turn</p>'
        return
    side = _SIDES[place]
    total = f'<span class="total">{turn.total * 1e3:,.0f} ms</span>' if turn.total is not None else ""
    kind = {"interrupted": " warn", "failed": " bad", "expired": " bad"}.get(turn.how, "")
    yield f'<header>{html.moment(side, turn.at)}<span class="badge{kind}">{text(turn.end)}</span>{total}</header>'
    if turn.own:
        yield f'<p class="note">{text(turn.why.replace("_", " "))}</p>'
    elif turn.said or not pair.heard.same:
        yield f'<div class="said caller"><b>heard</b><p>{_marked(pair.heard, place)}</p></div>'
    if turn.reply or not pair.said.same:
        yield f'<div class="said agent"><b>agent</b><p>{_marked(pair.said, place)}</p></div>'
    if turn.how == "interrupted":
        yield f'<div class="said agent"><b>of it</b><p>{text(turn.heard) or "nothing"}</p></div>'
    for tool in turn.tools:
        yield f'<div class="said"><b>tool</b><p class="tool">{text(tool)}</p></div>'


def _marked(found: Compared, place: int) -> str:
    """One side's words, with a mark on what the other has otherwise."""
    tag = ("del", "ins")[place]
    said = []
    for one in found.stretches:
        here = (one.before, one.after)[place]
        if here:
            said.append(text(here) if one.kind == "same" else f"<{tag}>{text(here)}</{tag}>")
    return " ".join(said) or '<span class="empty">nothing</span>'


def _latency(pair: Pair) -> Iterator[str]:
    """Both waterfalls on one scale."""
    turns = [turn if turn is not None and turn.total is not None else None for turn in (pair.first, pair.second)]
    longest = max((turn.shape.total for turn in turns if turn is not None and turn.shape is not None), default=0.0)
    if longest <= 0:
        return
    yield '<div class="sides">'
    for side, turn in zip(_SIDES, turns, strict=True):
        yield '<table class="bars">'
        if turn is not None and turn.shape is not None:
            for one in turn.shape.bars():
                drawn = html.bar(side, turn.since, one.part, one.begins, one.queued, one.seconds, longest)
                took = f'<td class="ms">{one.milliseconds} ms</td>'
                yield f'<tr><th>{text(name_of(one.part))}</th><td class="bar">{drawn}</td>{took}</tr>'
        yield "</table>"
    yield "</div>"
