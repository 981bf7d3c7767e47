"""`antiphon show`: a session as a timeline in words, and each answered turn's waterfall."""

from collections import deque
from collections.abc import Iterable, Sequence
from json import dumps
from typing import Any

from rich.console import Console
from rich.text import Text

from ops import console
from ops.reading import _table
from schemas.bus import Reading
from schemas.clock import Micros, iso
from schemas.codec import event_to_json
from schemas.session import ends
from schemas.session.fold import SessionState
from schemas.session.history import Step, answered_turns, steps_of
from schemas.session.listing import Kept
from schemas.session.summary import Gist, Summarized
from schemas.session.unanswered import Unanswered, unanswered
from schemas.session.waterfall import Waterfall
from schemas.session.words import is_bookkeeping, totals

_BAR, _NARROW_BAR = 36, 18  # columns of a waterfall's bars; the second where the terminal has fewer than 105
_STYLES = {"user": "cyan", "agent": "green", "stage": "", "system": "dim", "trouble": "red"}


async def show(
    log: Kept,
    session: str,
    *,
    follow: bool = False,
    last: int | None = None,
    everything: bool = False,
    json: bool = False,
    called: str = "",
    out: Console | None = None,
) -> None:
    """Print a session in words, in order of time, and under each turn why its answer took as long as it did, or what it waited
    for in vain.

    `follow`: go on with what is appended, as it comes, until the session ends; `last`: only so many lines of what there is;
    `everything`: also what is but bookkeeping; `json`: a line for each event, in the order of the log, instead; `called`: what
    whoever asks calls it by, where that is not its id.
    """
    if json:
        await _show_json(log, session, follow=follow, last=last)
        return
    out = out or console.out
    told = _Told(out, everything=everything)
    there = await log.info(session) if follow else None
    held: list[Step] | None = []  # of what there is already; None once that has been told
    state = SessionState()
    async for step in steps_of(log, session, follow=follow):
        if step.event.seq <= state.seq:
            held = None if held is None else []
            told.again()
        state = step.state
        if held is None:
            told.tell(step)
            continue
        held.append(step)
        if there is not None and step.event.seq >= there.seq:
            told.tell_all(held, last)
            held = None
    if held is not None:
        told.tell_all(held, last)
        told.tell_waiting(state, await _waited_until(log, session))
    gist = await log.gist(session) if isinstance(log, Summarized) else None
    told.sum(session, state, called or session, gist)


async def _waited_until(log: Kept, session: str) -> Micros:
    """Now; but what a gateway left behind waited no longer than until its lease ran out."""
    now, info = await log.now(), await log.info(session)
    return now if info is None else max(info.last_activity, min(now, info.lease_ends))


async def _show_json(log: Reading, session: str, *, follow: bool, last: int | None) -> None:
    there = await log.info(session) if follow else None
    held: deque[dict[str, Any]] | None = None if last is None else deque(maxlen=last)
    async for step in steps_of(log, session, follow=follow):
        line = _as_json(step)
        if held is None:
            console.emit(line)
            continue
        held.append(line)
        if there is not None and step.event.seq >= there.seq:
            _emit_all(held)
            held = None
    _emit_all(held or ())


def _as_json(step: Step) -> dict[str, Any]:
    event, state = step.event, step.state
    line = event_to_json(event) | {"time": iso(Micros(round(event.happened * 1e6)))}
    if step.waterfall:
        line["waterfall"] = step.waterfall.view()
    if step.unanswered:
        line["unanswered"] = step.unanswered.view()
    if state.ended_at is not None:
        lasted = round(state.duration, 3)
        line |= {"started_at": iso(state.started_at), "ended_at": iso(state.ended_at), "duration_s": lasted}
    return line


def _emit_all(lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        console.emit(line)


class _Told:
    """What was printed of a session, and how many events were not."""

    def __init__(self, out: Console, *, everything: bool) -> None:
        self._out, self._everything = out, everything
        self._left_out = 0
        self._waited_in_vain = False

    def tell_all(self, steps: Sequence[Step], last: int | None) -> None:
        """In order of time: the log has what took time behind what followed it."""
        if steps:
            self._head(steps[-1].state)
        shown = [step for step in sorted(steps, key=lambda step: step.since) if self._is_shown(step)]
        for step in shown if last is None else shown[-last:]:
            self._print(step)

    def _head(self, state: SessionState) -> None:
        how = f"ended: {ends.in_words(state.ended)}" if state.ended is not None else "open"
        people = ", ".join(one.shown for one in state.participants.values() if one.kind != "agent")
        facts = [
            _table.begun(state.started_at),
            f"{_table.length(state.duration)} long",
            f'agent "{state.agent.name}"',
            *([f"with {people}"] if people else []),
            how,
        ]
        console.hang("", Text(" · ".join(facts), style="bold"), self._out)
        self._out.print()

    def tell_waiting(self, state: SessionState, now: Micros) -> None:
        """What the turns that go on wait for."""
        for turn in state.turns.values():
            if turn.end is None and (waits := unanswered(turn, now)):
                self._print_unanswered(waits)

    def tell(self, step: Step) -> None:
        if self._is_shown(step):
            self._print(step)

    def again(self) -> None:
        self._left_out = 0
        console.hang("", Text("The log has lost its tail; all is told again.", style="red"), self._out)

    def _is_shown(self, step: Step) -> bool:
        if self._everything or not is_bookkeeping(step.event):
            return True
        self._left_out += 1
        return False

    def _print(self, step: Step) -> None:
        _print_row(step, self._out)
        if step.waterfall is not None:
            print_waterfall(step.waterfall, self._out)
        if step.unanswered is not None:
            self._print_unanswered(step.unanswered)

    def _print_unanswered(self, shape: Unanswered) -> None:
        self._waited_in_vain = self._waited_in_vain or shape.jobs > 0
        print_waterfall(shape, self._out)

    def sum(self, session: str, state: SessionState, called: str, gist: Gist | None = None) -> None:
        out = self._out
        out.print()
        console.hang(f"{session}: ", totals(state), out)
        if state.variant:
            console.hang("variant: ", Text(state.variant), out)
        for name, one in state.fields.items():
            sure = "" if one.confirmed else " (not confirmed)"
            console.hang(f"{name}: ", Text(f"{one.value}{sure}"), out)
        if gist is not None and gist.result is not None:
            console.hang("result: ", Text(dumps(gist.result, ensure_ascii=False)), out)
        if gist is not None and gist.result_error:
            console.hang("no result: ", Text(gist.result_error, style="yellow"), out)
        if gist is not None and gist.text:
            topics = f" ({', '.join(gist.topics)})" if gist.topics else ""
            console.hang("what it was about: ", Text(f"{gist.text}{topics}"), out)
        if self._waited_in_vain:
            top = Text(f"{console.me()} top --once", style="dim")
            console.hang(Text("which workers there are now: ", style="dim"), top, out)
        if self._left_out:
            events = "1 event of bookkeeping" if self._left_out == 1 else f"{self._left_out} events of bookkeeping"
            console.hang(
                Text(f"{events} too: ", style="dim"), Text(f"{console.me()} show {called} --all", style="dim"), out
            )
        hint = Text(f"{console.me()} state {called} --at {max(1, state.seq // 2)}", style="dim")
        console.hang(Text("as it was at any event: ", style="dim"), hint, out)


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
    style = "bold red" if isinstance(shape, Unanswered) else "bold"
    console.hang("    ", Text(shape.headline, style=style), out)
    columns = _BAR if not out.is_terminal or out.width >= 105 else _NARROW_BAR
    scale = columns / shape.total if shape.total else 0.0
    for bar in shape.bars():
        drawn = _bar(bar.begins * scale, bar.queued * scale, bar.seconds * scale, columns)
        console.hang(f"    {bar.name:<8}{drawn} {bar.milliseconds:>5} ms  ", bar.meaning, out)


def _bar(before: float, queued: float, whole: float, columns: int) -> str:
    """`before`, `queued` and `whole` in columns; whatever took time shows at least a mark."""
    start = min(round(before), columns - 1)
    end = min(max(round(before + whole), start + 1), columns)
    light = end - start if queued >= whole else min(round(queued), end - start)
    return " " * start + "░" * light + "█" * (end - start - light) + " " * (columns - end)


def _print_row(step: Step, out: Console) -> None:
    made = step.line
    head = Text(f"{step.event.seq:>4} {step.since:>7.2f} s  ", style="dim")
    head.append(f"{made.who:<8}  ", style=f"bold {_STYLES[made.style]}")
    text = Text(made.text, style=_STYLES[made.style])
    if made.detail:
        text.append(f"  {made.detail}", style="dim")
    console.hang(head, text, out)
