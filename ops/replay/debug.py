"""A session walked through, event by event, with the state it has there: forwards, backwards, to where something happens."""

import cmd
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO, Any

from ops.replay._expressions import Expression, ExpressionError, plain
from schemas.codec import EVENT_TYPES, event_to_json
from schemas.errors import AntiphonError
from schemas.events import Event
from schemas.session.chat import messages
from schemas.session.fold import SessionState, fold
from schemas.session.words import floor, line
from schemas.text.clean import printable

_KEPT_EVERY = 200
"""Events from one kept state to the next: as far as a step back has to fold."""


class WalkError(AntiphonError):
    """There is no way there."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where to stop: at events of a type (`turn.*`), where something holds, or both."""

    kind: str = ""
    condition: Expression | None = None

    def meets(self, event: Event, names: dict[str, Any]) -> bool:
        fits = not self.kind or fnmatchcase(event.type, self.kind)
        return fits and (self.condition is None or self.condition.holds(names))

    def __str__(self) -> str:
        condition = f"if {self.condition.text}" if self.condition is not None else ""
        return f"{self.kind} {condition}".strip()


class Walk:
    """`place`: how many events have happened; `state`: the session after them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.breaks: list[Break] = []
        self.place, self.state = 0, SessionState()
        self._kept: dict[int, SessionState] = {0: self.state}

    @property
    def event(self) -> Event | None:
        """The one that happened last."""
        return self.events[self.place - 1] if self.place else None

    @property
    def names(self) -> dict[str, Any]:
        """What a condition may look at: the event, the state after it, and the event's turn there."""
        event = self.event
        turn = self.state.turns.get(event.turn) if event is not None and event.turn is not None else None
        return {"event": event, "state": self.state, "turn": turn}

    def step(self) -> bool:
        """The next event happens. False: there is none."""
        if self.place == len(self.events):
            return False
        self.state = fold(self.state, self.events[self.place])
        self.place += 1
        if self.place % _KEPT_EVERY == 0:
            self._kept[self.place] = self.state
        return True

    def go(self, place: int) -> None:
        """To where `place` events have happened, or as near as there is a way."""
        place = max(0, min(place, len(self.events)))
        if place < self.place:
            kept = max(known for known in self._kept if known <= place)
            self.place, self.state = kept, self._kept[kept]
        while self.place < place:
            self.step()

    def to(self, seq: int) -> None:
        """To just after event `seq`. WalkError."""
        for place, event in enumerate(self.events, 1):
            if event.seq == seq:
                self.go(place)
                return
        raise WalkError(f"there is no event {seq}; there are {self.events[0].seq} to {self.events[-1].seq}")

    def run(self) -> Break | None:
        """To the next event at which one stops; None: to the end."""
        while self.step():
            event, names = self.event, self.names
            assert event is not None
            met = next((one for one in self.breaks if one.meets(event, names)), None)
            if met is not None:
                return met
        return None


def parse_break(text: str) -> Break:
    """`turn.ended`, `turn.* if event.how == "interrupted"`, `if len(state.turns) > 3`. WalkError, ExpressionError."""
    kind, word, condition = text.strip().partition("if ") if text.startswith("if ") else text.strip().partition(" if ")
    kind = kind.strip()
    if not kind and not condition.strip():
        raise WalkError("expected a type such as turn.ended or turn.*, a condition such as if event.turn == 3, or both")
    if kind and not any(fnmatchcase(known, kind) for known in EVENT_TYPES):
        raise WalkError(f"no event is called {kind}; there are {', '.join(EVENT_TYPES)}")
    return Break(kind, Expression(condition) if word else None)


class Shell(cmd.Cmd):
    """`answer`: prints one, as text or as JSON values; `asks`: somebody types, and is asked for more. `failed`: something was
    asked that can't be answered."""

    def __init__(
        self,
        walk: Walk,
        answer: Callable[[str, Mapping[str, Any]], None],
        *,
        stdin: IO[str],
        stdout: IO[str],
        asks: bool,
    ) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.walk = walk
        self.failed = False
        self.use_rawinput = self._asks = asks
        self._answer = answer
        self._prompt()

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _prompt(self) -> None:
        self.prompt = f"{self.walk.place}/{len(self.walk.events)}> " if self._asks else ""

    def _where(self) -> None:
        event = self.walk.event
        if event is None:
            self._answer("before the first event", {"seq": 0})
            return
        told = line(event, self.walk.state)
        since = (event.at - self.walk.events[0].at) / 1e6
        detail = f" · {told.detail}" if told.detail else ""
        text = f"{event.seq:5} {since:9.3f} s  {event.type:20} {told.who}: {told.text}{detail}"
        self._answer(text, {"event": event_to_json(event), "since": round(since, 6), "told": told.text})

    def onecmd(self, line: str) -> bool:
        try:
            stop = super().onecmd(line)
        except AntiphonError as error:
            self._wrong(str(error))
            stop = False
        self._prompt()
        return bool(stop)

    def _wrong(self, text: str) -> None:
        self.failed = True
        self._answer(f"! {text}", {"error": text})

    def default(self, line: str) -> None:
        self._wrong(f'"{printable(line[:80])}": no such command; `help` lists them')

    def emptyline(self) -> bool:
        """What an empty line does in other debuggers: nothing here, so that scripts may have some."""
        return False

    def do_help(self, arg: str) -> None:
        """What can be asked."""
        for name in (
            "next",
            "back",
            "at",
            "continue",
            "break",
            "delete",
            "event",
            "print",
            "state",
            "turns",
            "chat",
            "quit",
        ):
            told = getattr(self, f"do_{name}").__doc__ or ""
            self._answer(f"  {told}", {"command": name, "does": told})

    # ── walking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def do_next(self, arg: str) -> None:
        """next [N]: the next event happens, or the next N"""
        for _ in range(_number(arg, 1)):
            if not self.walk.step():
                self._answer("that was the last event", {"end": True})
                return
            self._where()

    do_n = do_step = do_s = do_next

    def do_back(self, arg: str) -> None:
        """back [N]: to before the last event, or the last N"""
        self.walk.go(self.walk.place - _number(arg, 1))
        self._where()

    do_b = do_back

    def do_at(self, arg: str) -> None:
        """at SEQ: to just after that event"""
        self.walk.to(_number(arg, None))
        self._where()

    def do_continue(self, arg: str) -> None:
        """continue: to the next event at which to stop, or to the end"""
        met = self.walk.run()
        self._where()
        if met is None:
            self._answer("that was the last event", {"end": True})
        else:
            self._answer(f"stopped: {met}", {"stopped": str(met)})

    do_c = do_continue

    def do_break(self, arg: str) -> None:
        """break TYPE, break if CONDITION, break TYPE if CONDITION: stop there; alone: list them"""
        if arg.strip():
            self.walk.breaks.append(parse_break(arg))
        for number, one in enumerate(self.walk.breaks, 1):
            self._answer(f"{number:3} {one}", {"break": number, "where": str(one)})

    def do_delete(self, arg: str) -> None:
        """delete N: stop there no more"""
        number = _number(arg, None)
        if not 1 <= number <= len(self.walk.breaks):
            raise WalkError(f"there is no break {number}; there are {len(self.walk.breaks)}")
        gone = self.walk.breaks.pop(number - 1)
        self._answer(f"no more: {gone}", {"deleted": str(gone)})

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def do_event(self, arg: str) -> None:
        """event: the one that happened last, whole"""
        event = self.walk.event
        value = event_to_json(event) if event is not None else {}
        self._answer(_pretty(value), {"event": value})

    do_e = do_event

    def do_print(self, arg: str) -> None:
        """print WHAT: a part of event, state or turn, such as state.turns[2].text"""
        if not arg.strip():
            raise WalkError("expected what to print, such as state.floor, event.ago or turn.reply")
        value = plain(Expression(arg).value(self.walk.names))
        self._answer(_pretty(value), {"value": value})

    do_p = do_print

    def do_state(self, arg: str) -> None:
        """state: what the session amounts to here, in a few lines"""
        state = self.walk.state
        people = ", ".join(person.shown for person in state.participants.values() if person.present)
        value = {"seq": state.seq, "floor": state.floor, "generation": state.generation, "ended": state.ended}
        text = f"after event {state.seq}: {floor(state)}; generation {state.generation}; here: {people or 'nobody'}"
        self._answer(text, {**value, "people": people, "turns": list(state.turns)})

    def do_turns(self, arg: str) -> None:
        """turns: those that are known here"""
        for turn in self.walk.state.turns.values():
            how = f"{turn.end.how} ({turn.end.reason})" if turn.end else "open"
            why = f", committed by {turn.commit.why}" if turn.commit else ""
            text = f"turn {turn.id}: {how}{why}: {turn.text!r} → {turn.heard!r}"
            self._answer(text, {"turn": turn.id, "how": how, "text": turn.text, "heard": turn.heard})

    def do_chat(self, arg: str) -> None:
        """chat: as the LLM would be given it here"""
        state = self.walk.state
        last = max(state.turns, default=0)
        for message in messages(state, last + 1):
            self._answer(f"{message['role']}: {message.get('content') or ''}", {"message": message})

    def do_quit(self, arg: str) -> bool:
        """quit: leave"""
        return True

    do_q = do_EOF = do_quit


def _number(text: str, otherwise: int | None) -> int:
    if not text.strip() and otherwise is not None:
        return otherwise
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise WalkError(f'"{printable(text.strip()[:40])}": expected a whole number from 1')
    return number


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


__all__ = ["Break", "ExpressionError", "Shell", "Walk", "WalkError", "parse_break"]
