"""`antiphon show --html`: one session on one page, to be sent to somebody who has nothing of ours: who said what and when, why
each answer took as long as it did, what went wrong, and the sound of it."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from api.sessions.shapes import (
    LetterView,
    NoteView,
    SentenceView,
    SessionRow,
    ToolView,
    TurnView,
    UtteranceView,
    WordView,
    row_of,
)
from api.sessions.story import Story
from ops.replay import _html as html
from ops.replay._html import Sound, text
from schemas.bus import Reading
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file
from schemas.session import ends, words
from schemas.session.history import Step, events_of, steps_of

__all__ = ["write_page"]

MOST_SOUND = 30_000_000
"""Bytes of sound a page holds: an hour and more of a telephone call."""
MOST_EVENTS = 5_000
"""Events a page lists; of a longer session, what `antiphon show` prints is read better there."""
_SIDE = "a"
_NAMED_BAD = ("failed", "expired", "rewound")


async def write_page(log: Reading, session: str, file: Path, *, most_sound: int = MOST_SOUND) -> Sound:
    """Write the session's page to `file`; answers what became of its sound. It appears only when it is complete. AntiphonError:
    it can't be written."""
    story = Story(session)
    async for event in events_of(log, session):
        story.add(event)
    with whole_file(file, AntiphonError) as part, html.sound_folder() as folder:
        sound = await html.sound_of(log, session, story.score, folder, "sound.opus", most_sound)
        with part.open("w", encoding="utf-8") as out:
            await asyncio.to_thread(_write, out, session, story, sound)
            await _write_events(out, log, session)
            out.write(html.end())
    return sound


def _write(out: TextIO, session: str, story: Story, sound: Sound) -> None:
    row = row_of(story.telling.summary())
    turns = sorted(story.turns(), key=lambda turn: turn.began_s)
    out.write(html.begin(f"{session} · Antiphon"))
    out.write("".join(_head(session, row, story)))
    marks = [turn.ended_s for turn in turns if turn.ended_s is not None and _wrong(turn)]
    html.write_player(out, _SIDE, sound, (_callers(row), row.agent), marks)
    if story.notes:
        out.write(f'<ul class="notes of-all">{"".join(_note(note, _SIDE) for note in story.notes)}</ul>\n')
    for turn in turns:
        out.writelines(turn_lines(turn, _SIDE, row.agent))


def _head(session: str, row: SessionRow, story: Story) -> Iterator[str]:
    state = story.state
    ended = f"ended: {ends.in_words(state.ended)}" if state.ended is not None else "still open when this was written"
    when = html.date(state.started_at)
    facts = [when, f"agent “{row.agent}”", f"with {_callers(row)}", row.transport, ended]
    yield f'<div class="top"><div><h1>{text(session)}</h1><p class="sub">{text(" · ".join(facts))}</p></div>'
    yield '<button type="button" class="theme">light / dark</button></div>\n<ul class="facts">'
    figures = [
        ("length", html.clock(row.duration_s), False),
        ("turns", str(row.turns), False),
        ("p50 to answer", _ms(row.p50_ms), False),
        ("worst", _ms(row.worst_ms), False),
        ("interrupted", str(row.interrupted), False),
        ("unanswered", str(row.failed + row.unanswered), row.failed + row.unanswered > 0),
        ("troubles", str(row.troubles), row.troubles > 0),
    ]
    for name, value, bad in figures:
        kind = ' class="bad"' if bad else ""
        yield f"<li{kind}><b>{text(value)}</b><span>{name}</span></li>"
    yield "</ul>\n"


def _callers(row: SessionRow) -> str:
    return ", ".join(one.name or one.identity for one in row.participants if one.kind != "agent") or "nobody"


def _wrong(turn: TurnView) -> bool:
    return turn.how in ("interrupted", "failed", "expired")


# ── a turn ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def turn_lines(turn: TurnView, side: str, agent: str) -> Iterator[str]:
    """One turn: what was said by whom, why the answer took as long as it did, how it ended."""
    total = (
        f'<span class="total">{_ms(turn.total_ms)}</span>' if turn.total_ms is not None and turn.kind != "own" else ""
    )
    yield f'<article class="turn" id="{side}{turn.turn}"><header><span class="number">turn {turn.turn}</span>'
    yield f"{html.moment(side, turn.began_s)}{_badge(turn)}{total}</header>\n"
    said = [(one.start_s, _said(one.name, _utterance(one, side), "caller")) for one in turn.utterances]
    said += [(one.at_s, _letter(one)) for one in turn.letters]
    yield from (line for _, line in sorted(said))
    yield from _answer(turn, side, agent)
    yield from _bars(turn, side)
    if turn.notes:
        yield f'<ul class="notes">{"".join(_note(note, side) for note in turn.notes)}</ul>\n'
    yield "</article>\n"


def _answer(turn: TurnView, side: str, agent: str) -> Iterator[str]:
    """What the agent said; each tool stands before what was said once it had returned."""
    tools = sorted(turn.tools, key=_returned)
    said: list[str] = []

    def spoken() -> Iterator[str]:
        if said:
            yield _said(agent, " ".join(said), "agent")
        said.clear()

    for sentence in turn.sentences:
        while tools and sentence.start_s is not None and _returned(tools[0]) <= sentence.start_s:
            yield from spoken()
            yield _said("tool", _tool(tools.pop(0), side), "caller")
        said.append(_sentence(sentence, side))
    yield from spoken()
    yield from (_said("tool", _tool(tool, side), "caller") for tool in tools)


def _returned(tool: ToolView) -> float:
    return math.inf if tool.took_ms is None else tool.at_s + tool.took_ms / 1000


def _badge(turn: TurnView) -> str:
    how = words.ended_turn(turn.how, turn.reason) if turn.ended_s is not None else turn.how
    if turn.kind == "own" and turn.how == "played":
        how = f"the agent's own: {turn.why}"
    kind = {"interrupted": " warn", "failed": " bad", "expired": " bad"}.get(turn.how, "")
    return f'<span class="badge{kind}">{text(how)}</span>'


def _said(who: str, said: str, kind: str) -> str:
    return f'<div class="said {kind}"><b>{text(who)}</b><p>{said}</p></div>\n'


def _letter(one: LetterView) -> str:
    if one.note:
        return _said("note", text(one.text), "caller")
    return _said(one.name, f"types “{text(one.text)}”", "caller")


def _utterance(one: UtteranceView, side: str) -> str:
    if one.words:
        return _words(one.words, side)
    said = one.text if one.text is not None else "(not understood)" if one.lost else "(not transcribed)"
    return html.seekable(said or "(no words)", side, one.start_s, one.end_s)


def _sentence(one: SentenceView, side: str) -> str:
    if one.words:
        return _words(one.words, side)
    if one.start_s is None:
        return html.seekable(one.text, side, None, kind="word unheard")
    return html.seekable(one.text, side, one.start_s, one.end_s)


def _words(found: Sequence[WordView], side: str) -> str:
    return " ".join(
        html.seekable(one.word, side, one.start_s, one.end_s, "word" if one.heard else "word unheard") for one in found
    )


def _tool(one: ToolView, side: str) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in one.arguments.items())
    came = f" ✗ {one.error}" if one.error else f" → {one.result}" if one.took_ms is not None else " …"
    took = f" ({_ms(one.took_ms)})" if one.took_ms is not None else ""
    return html.seekable(f"{one.name}({arguments}){came[:500]}{took}", side, one.at_s, kind="tool")


def _bars(turn: TurnView, side: str) -> Iterator[str]:
    if not turn.bars:
        return
    total = max(one.begins_s + one.seconds for one in turn.bars)
    yield '<table class="bars">'
    for one in turn.bars:
        drawn = html.bar(side, turn.began_s, one.part, one.begins_s, one.queued_s, one.seconds, total)
        yield f'<tr><th>{text(one.name)}</th><td class="bar">{drawn}</td><td class="ms">{one.ms} ms</td>'
        yield f'<td class="meaning">{text(one.meaning)}</td></tr>'
    yield "</table>\n"


def _note(note: NoteView, side: str) -> str:
    bad = ' class="bad"' if note.kind in _NAMED_BAD else ""
    return f"<li{bad}>{html.moment(side, note.at_s)} {text(note.text)}</li>"


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:,.0f} ms"


# ── every event ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _write_events(out: TextIO, log: Reading, session: str) -> None:
    """All of the log in words, in its order, up to `MOST_EVENTS`."""
    out.write('<details><summary>Every event</summary>\n<table class="events">\n')
    count = 0
    async for step in steps_of(log, session):
        count += 1
        if count <= MOST_EVENTS:
            out.write(_row(step))
    out.write("</table>\n")
    if count > MOST_EVENTS:
        out.write(f'<p class="note">{count - MOST_EVENTS:,} more: antiphon show {text(session)} --all</p>\n')
    out.write("</details>\n")


def _row(step: Step) -> str:
    made = step.line
    detail = f' <span class="dim">{text(made.detail)}</span>' if made.detail else ""
    return (
        f"<tr><td>{step.event.seq}</td><td>{html.moment(_SIDE, step.since)}</td>"
        f'<td class="{made.style}">{text(made.who)}</td><td class="{made.style}">{text(made.text)}{detail}</td></tr>\n'
    )
