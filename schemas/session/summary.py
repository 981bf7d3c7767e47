"""What one line says of a session: who, where, how it goes, how long its answers took. Told event by event, as the log grows."""

import math
import statistics
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Literal

from schemas.config.agent import AgentSpec
from schemas.events import Event, TurnEnded
from schemas.session.callers import caller_of
from schemas.session.fold import fold, fold_all
from schemas.session.row import (
    PARTS,
    Activity,
    Answer,
    Gist,
    How,
    Summarized,
    Summary,
    Wanted,
    is_fork,
    names_of,
)
from schemas.session.state import SessionState, Turn
from schemas.session.unanswered import asked, unanswered
from schemas.session.waterfall import Waterfall, waterfall_of

__all__ = [
    "Activity",
    "Answer",
    "Gist",
    "Summarized",
    "Summary",
    "Telling",
    "Wanted",
    "activity",
    "answer_of",
    "is_fork",
    "names_of",
]

_LET_WAIT = ("session", "overload")
"""Reasons of turns that ended because nobody waits any more, or because nobody could be asked."""
_PATIENCE = AgentSpec.model_fields["patience"].default
"""Seconds, of who waits for an agent that has none set."""


class Telling:
    """Follows one session's log. `state`: its fold; `answers`: every turn that answered somebody, in order."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.state = SessionState()
        self.answers: list[Answer] = []
        self._totals: list[float] = []
        self._failed = self._cut_off = self._restarts = 0
        self._waited: list[float] = []

    @classmethod
    def resumed(cls, session: str, state: SessionState) -> "Telling | None":
        """From a kept fold, if that still holds all of its turns."""
        if len(state.turns) != state.totals.turns:
            return None
        telling = cls(session)
        telling.state = state
        for turn in state.turns.values():
            if turn.end is not None:
                telling._turn_ended(turn)
        return telling

    def apart(self) -> "Telling":
        """The same up to here, to be gone on with apart from it."""
        twin = Telling(self.session)
        twin.state, twin._failed, twin._cut_off = self.state, self._failed, self._cut_off
        twin._restarts = self._restarts
        twin.answers, twin._totals, twin._waited = [*self.answers], [*self._totals], [*self._waited]
        return twin

    def add(self, event: Event) -> None:
        self.state = fold(self.state, event)
        if isinstance(event, TurnEnded):
            self._ended(event)

    def add_all(self, events: Sequence[Event]) -> None:
        """The same of many, twice as fast."""
        begins = 0
        for place, event in enumerate(events, 1):
            if isinstance(event, TurnEnded):
                self.state = fold_all(events[begins:place], self.state)
                self._ended(event)
                begins = place
        self.state = fold_all(events[begins:], self.state)

    def _ended(self, event: TurnEnded) -> None:
        turn = self.state.turns.get(event.turn)
        if turn is not None:
            self._turn_ended(turn)

    def _turn_ended(self, turn: Turn) -> None:
        assert turn.end is not None
        self._cut_off += turn.end.reason == "session" and turn.end.how != "played"
        self._restarts += turn.taken_back
        self._failed += turn.end.how in ("failed", "expired") and turn.end.reason != "session"
        if turn.end.reason in _LET_WAIT and asked(turn) and (waits := unanswered(turn, turn.end.at)):
            self._waited.append(math.inf if turn.end.reason == "overload" else waits.total)
        shape = waterfall_of(turn)
        if shape is None or shape.kind == "own" or shape.restart:  # nobody waited for it, or it answered nothing
            return
        self.answers.append(answer_of(shape, turn.end.how))
        insort(self._totals, shape.total)

    def summary(self) -> Summary:
        """The session as it is after the last event that was added."""
        state = self.state
        patience = state.agent.patience or _PATIENCE
        return Summary(
            session=self.session,
            seq=state.seq,
            at=state.at,
            agent=state.agent.name,
            room=state.room,
            transport=state.transport,
            gateway=state.gateway,
            people=tuple(one for one in state.participants.values() if one.kind != "agent"),
            started_at=state.started_at,
            ended_at=state.ended_at,
            duration=state.duration,
            turns=state.totals.turns,
            interrupted=state.totals.interrupted,
            restarts=self._restarts,
            failed=self._failed,
            cut_off=self._cut_off,
            unanswered=sum(seconds >= patience or not self.answers for seconds in self._waited),
            troubles=state.totals.failures,
            activity=activity(state),
            ended=state.ended,
            last=self.answers[-1].total if self.answers else None,
            median=statistics.median(self._totals) if self._totals else None,
            worst=self._totals[-1] if self._totals else None,
            variant=state.variant,
            fields={name: one.value for name, one in state.fields.items()},
            brings=_brings(self.session, state),
        )


def _brings(session: str, state: SessionState) -> tuple[Literal["result", "memory"], ...]:
    """Nothing of what only replays another: that was said already, and nobody was there. A result is of the agent that has the
    session last, a memory of the one with which it began."""
    if is_fork(session):
        return ()
    result: tuple[Literal["result", "memory"], ...] = ("result",) if state.agent.result.schema else ()
    remembers = state.memory is not None if state.agents else state.agent.memory.on
    return (*result, "memory") if remembers and caller_of(state) else result


def answer_of(shape: Waterfall, how: How) -> Answer:
    """What is kept of a waterfall where many are counted, and of `how` its turn ended."""
    return Answer(shape.turn, shape.kind, shape.began_at, shape.total, tuple(shape.parts[part] for part in PARTS), how)


def activity(state: SessionState) -> Activity:
    """What is going on after its last event."""
    if state.ended is not None:
        return "ended"
    if any(person.speaking for person in state.participants.values() if person.kind != "agent"):
        return "listening"
    floor = state.floor
    if floor == "agent":
        return "speaking" if _sounds(state.turns) else "thinking"
    return "listening" if floor == "user" else "waiting"


def _sounds(turns: Mapping[int, Turn]) -> bool:
    return any(turn.end is None and turn.started_at is not None for turn in turns.values())
