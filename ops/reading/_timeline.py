"""`antiphon show`: a session as a timeline in words, and each answered turn's waterfall."""

from typing import Any

from rich.console import Console
from rich.text import Text

from ops import console
from schemas.bus import Reading
from schemas.codec import event_to_json
from schemas.session.fold import SessionState
from schemas.session.history import Step, answered_turns, steps_of
from schemas.session.waterfall import Waterfall
from schemas.session.words import totals

_BAR, _NARROW_BAR = 36, 18  # columns of a waterfall's bars; the second where the terminal has fewer than 105
_STYLES = {"user": "cyan", "agent": "green", "stage": "", "system": "dim", "trouble": "red"}


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
    async for step in steps_of(log, session, follow=follow):
        state, shape = step.state, step.waterfall
        if not json:
            _print_row(step, out)
            if shape is not None:
                print_waterfall(shape, out)
            continue
        if follow:
            console.emit(event_to_json(step.event) | ({"waterfall": shape.view()} if shape else {}))
        else:
            collected.append(event_to_json(step.event))
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
    """A bar for each part, where it lies in time: light while it waited for a worker, full while something was done."""
    console.hang("    ", Text(shape.headline, style="bold"), out)
    columns = _BAR if not out.is_terminal or out.width >= 105 else _NARROW_BAR
    scale = columns / shape.total if shape.total else 0.0
    for bar in shape.bars():
        drawn = _bar(bar.begins * scale, bar.queued * scale, bar.seconds * scale, columns)
        console.hang(f"    {bar.name:<8}{drawn} {bar.milliseconds:>5} ms  ", bar.meaning, out)


def _bar(before: float, queued: float, whole: float, columns: int) -> str:
    """`before`, `queued` and `whole` in columns; whatever took time shows at least a mark."""
    start = min(round(before), columns - 1)
    end = min(max(round(before + whole), start + 1), columns)
    light = min(round(queued), end - start)
    return " " * start + "░" * light + "█" * (end - start - light) + " " * (columns - end)


def _print_row(step: Step, out: Console) -> None:
    made = step.line
    head = Text(f"{step.event.seq:>4} {step.since:>7.2f} s  ", style="dim")
    head.append(f"{made.who:<8}  ", style=f"bold {_STYLES[made.style]}")
    text = Text(made.text, style=_STYLES[made.style])
    if made.detail:
        text.append(f"  {made.detail}", style="dim")
    console.hang(head, text, out)


def _print_sum(session: str, state: SessionState, out: Console) -> None:
    out.print()
    console.hang(f"{session}: ", totals(state), out)
    hint = Text(f"{console.me()} state {session} --at {max(1, state.seq // 2)}", style="dim")
    console.hang(Text("as it was at any event: ", style="dim"), hint, out)
