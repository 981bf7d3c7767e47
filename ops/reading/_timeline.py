"""`antiphon show`: a session as a timeline in words, and each answered turn's waterfall."""

from typing import Any

from rich.console import Console
from rich.text import Text

from ops import console
from schemas.bus import Reading
from schemas.codec import event_to_json
from schemas.events import Event
from schemas.session.fold import SessionState, fold
from schemas.session.history import answered_turns, events_of, waterfall_after
from schemas.session.waterfall import PARTS, Waterfall
from schemas.session.words import Line, line

_BAR, _NARROW_BAR = 36, 18  # columns of a waterfall's bars; the second where the terminal has fewer than 105
_STYLES = {"user": "cyan", "agent": "green", "stage": "", "system": "dim", "trouble": "red"}
_NAMES = {
    "soft_end": ("pause", "silence that may be the end"),
    "stt": ("STT", "finding the words"),
    "llm": ("LLM", "the first sentence"),
    "tts": ("TTS", "its first sound"),
    "commit_wait": ("commit", "making sure that it was the end"),
    "playout": ("playout", "on its way out"),
}
_WORTH_TELLING = 0.0045  # seconds a job waited for a worker
_FROM = {
    "voice": "from the user's last word to the agent's first sound",
    "text": "from the typed message to the agent's first sound",
    "own": "from the agent's decision to speak to its first sound",
}


async def show(
    log: Reading, session: str, *, follow: bool = False, json: bool = False, out: Console | None = None
) -> None:
    """Print a session: every event in words, and under each answered turn why it took as long as it did.

    `follow`: go on with what is appended, until the session ends; `json`: an object per event while following, else one
    object at the end.
    """
    out = out or console.out
    state = SessionState()
    collected: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    async for event in events_of(log, session, follow=follow):
        if event.seq <= state.seq:  # the log lost its tail and is read again
            state = SessionState()
        state = fold(state, event)
        shape = waterfall_after(state, event)
        if not json:
            _print_row(event, state, out)
            if shape is not None:
                print_waterfall(shape, out)
            continue
        if follow:
            console.emit(event_to_json(event) | ({"waterfall": shape.view()} if shape else {}))
        else:
            collected.append(event_to_json(event))
        if shape is not None:
            shapes.append(shape.view())
    if json and not follow:
        console.emit({"session": session, "ended": state.ended, "events": collected, "waterfalls": shapes})
    elif not json:
        _print_sum(session, state, out)


async def print_waterfalls(log: Reading, session: str, out: Console | None = None) -> None:
    """Every answered turn: what was said, what was heard, and the bars of its waterfall."""
    out = out or console.out
    for number, (shape, state) in enumerate(await answered_turns(log, session)):
        if number:
            out.print()
        turn = state.turns[shape.turn]
        said = f"“{turn.text}” → " if turn.text else ""
        console.hang("", f"{said}“{turn.heard}”" if turn.heard else said.removesuffix(" → "), out)
        print_waterfall(shape, out)


def print_waterfall(shape: Waterfall, out: Console) -> None:
    """A bar for each part, where it lies in time: light while it waited for a worker, full while something was done.

    The milliseconds add up to those of the whole: each is rounded to where the part ends, not by itself.
    """
    console.hang("    ", Text(f"turn {shape.turn}: {_ms(shape.total)} {_FROM[shape.kind]}", style="bold"), out)
    columns = _BAR if not out.is_terminal or out.width >= 105 else _NARROW_BAR
    scale = columns / shape.total if shape.total else 0.0
    passed = 0.0
    for part in PARTS:
        seconds, queued = shape.parts[part], shape.queued.get(part, 0.0)
        if seconds:
            name, meaning = _NAMES[part]
            waited = f", {_ms(queued)} of it queued" if queued >= _WORTH_TELLING else ""
            bar = _bar(passed * scale, queued * scale, seconds * scale, columns)
            took = round((passed + seconds) * 1e3) - round(passed * 1e3)
            console.hang(f"    {name:<8}{bar} {took:>5} ms  ", meaning + waited, out)
        passed += seconds


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def _bar(before: float, queued: float, whole: float, columns: int) -> str:
    """`before`, `queued` and `whole` in columns; whatever took time shows at least a mark."""
    start = min(round(before), columns - 1)
    end = min(max(round(before + whole), start + 1), columns)
    light = min(round(queued), end - start)
    return " " * start + "░" * light + "█" * (end - start - light) + " " * (columns - end)


def _print_row(event: Event, state: SessionState, out: Console) -> None:
    made: Line = line(event, state)
    since = event.happened - state.started_at / 1e6
    head = Text(f"{event.seq:>4} {since:>7.2f} s  ", style="dim")
    head.append(f"{made.who:<8}  ", style=f"bold {_STYLES[made.style]}")
    text = Text(made.text, style=_STYLES[made.style])
    if made.detail:
        text.append(f"  {made.detail}", style="dim")
    console.hang(head, text, out)


def _print_sum(session: str, state: SessionState, out: Console) -> None:
    totals = state.totals
    out.print()
    turns = "1 turn" if totals.turns == 1 else f"{totals.turns} turns"
    console.hang(
        f"{session}: ",
        f"{turns}, {totals.interrupted} interrupted · {totals.speech:.1f} s transcribed · "
        f"{totals.prompt_tokens} + {totals.completion_tokens} tokens · {totals.sound:.1f} s of voice · "
        f"{totals.failures} failures · {'ended' if state.ended else 'open'}",
        out,
    )
    hint = Text(f"{console.me()} state {session} --at {max(1, state.seq // 2)}", style="dim")
    console.hang(Text("as it was at any event: ", style="dim"), hint, out)
