"""What one line says of a session: who, where, how it goes, how long its answers took. Told event by event, as the log grows."""

import math
import statistics
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, overload, runtime_checkable

from schemas.bus import FORK
from schemas.clock import Micros, iso
from schemas.config.agent import AgentSpec
from schemas.events import Event, TurnEnded
from schemas.session.callers import caller_of
from schemas.session.fold import fold, fold_all
from schemas.session.state import How, Participant, SessionState, Turn
from schemas.session.unanswered import asked, unanswered
from schemas.session.waterfall import PARTS, Kind, Waterfall, waterfall_of

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

Activity = Literal["waiting", "listening", "thinking", "speaking", "ended"]
"""waiting: nobody speaks · listening: a user does, or what was said is not answered yet · thinking: the agent has the floor and
nothing of it is heard · speaking: it is heard · ended."""
_LET_WAIT = ("session", "overload")
"""Reasons of turns that ended because nobody waits any more, or because nobody could be asked."""
_PATIENCE = AgentSpec.model_fields["patience"].default
"""Seconds, of who waits for an agent that has none set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn that was answered aloud. `at`: µs, from where it is counted; `total`: seconds; `parts`: seconds of each of PARTS, in
    their order; `how` it ended: some answers are but begun."""

    turn: int
    kind: Kind
    at: Micros
    total: float
    parts: tuple[float, ...]
    how: How = "played"

    @property
    def worst_part(self) -> str:
        """Where most of it went."""
        return max(zip(self.parts, PARTS, strict=True))[1]


@dataclass(frozen=True, slots=True)
class Gist:
    """What models made of a session: what it was about ("": nothing), and the agent's result, or why there is none."""

    text: str
    topics: tuple[str, ...] = ()
    result: Mapping[str, Any] | None = None
    result_error: str = ""


@runtime_checkable
class Summarized(Protocol):
    """What keeps sessions, and what a model said of them."""

    async def gist(self, session: str) -> Gist | None:
        """None: nothing (yet)."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`seq` and `at`: of the last event; `started_at`, `ended_at`: µs; `duration`: seconds, as the state has it; `last`,
    `median`, `worst`: seconds from the user's last word to the agent's first sound; `restarts`: turns that were taken back and
    answered anew; `ended`: why; `failed`: turns that could not be answered; `cut_off`: turns the session's end cut off;
    `unanswered`: turns in which somebody was let wait for nothing: until the end longer than the agent's patience, or at all
    where nothing was answered; `troubles`: times a stage gave up; `gist`, `topics`: what a model made of it afterwards
    (SUMMARIES); `variant`: which of the agent's it had; `fields`: what was collected, by name; `result`: what a model filled the
    agent's schema with, `result_error`: why it could not; `brings`: what is to be made of it once it is over."""

    session: str
    seq: int
    at: Micros
    agent: str
    room: str
    transport: str
    gateway: str
    people: tuple[Participant, ...]
    started_at: Micros
    ended_at: Micros | None
    duration: float
    turns: int
    interrupted: int
    restarts: int
    failed: int
    cut_off: int
    unanswered: int
    troubles: int
    activity: Activity
    ended: str | None
    last: float | None
    median: float | None
    worst: float | None
    gist: str = ""
    topics: tuple[str, ...] = ()
    variant: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    result_error: str = ""
    brings: tuple[Literal["result", "memory"], ...] = ()

    @property
    def wrong(self) -> bool:
        """Something in it went wrong."""
        bad = self.failed or self.unanswered or self.troubles
        return bad > 0 or self.ended in ("error", "gateway_lost")

    def view(self) -> dict[str, Any]:
        """As JSON values, named as in the API's rows. `*_s`: seconds, `*_ms`: milliseconds, `*_at`: ISO 8601, UTC."""
        return {
            "session": self.session,
            "state": "open" if self.ended_at is None else "closed",
            "agent": self.agent,
            "room": self.room,
            "transport": self.transport,
            "gateway": self.gateway,
            "participants": [
                {
                    "identity": one.identity,
                    "name": one.name,
                    "kind": one.kind,
                    "present": one.present,
                    "speaking": one.speaking,
                }
                for one in self.people
            ],
            "started_at": iso(self.started_at),
            "ended_at": iso(self.ended_at) if self.ended_at is not None else None,
            "last_at": iso(self.at),
            "duration_s": round(self.duration, 3),
            "turns": self.turns,
            "last_ms": _ms(self.last),
            "p50_ms": _ms(self.median),
            "worst_ms": _ms(self.worst),
            "activity": self.activity,
            "ended": self.ended,
            "interrupted": self.interrupted,
            "restarts": self.restarts,
            "failed": self.failed,
            "cut_off": self.cut_off,
            "unanswered": self.unanswered,
            "troubles": self.troubles,
            "events": self.seq,
            "summary": self.gist,
            "topics": list(self.topics),
            "variant": self.variant,
            "fields": dict(self.fields),
            "result": None if self.result is None else dict(self.result),
            "result_error": self.result_error,
        }


@overload
def _ms(seconds: float) -> float: ...
@overload
def _ms(seconds: float | None) -> float | None: ...
def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows. `since`: µs, when it began at the earliest; `slow`: seconds, its worst answer took as long at least;
    `caller`: part of a participant's name; `text`: part of any name in it; `forks`: replays of others, or all but those;
    `variant`: of the agent, by its whole name."""

    state: Literal["open", "closed"] | None = None
    agent: str = ""
    caller: str = ""
    transport: str = ""
    since: int = 0
    slow: float = 0.0
    failed: bool | None = None
    text: str = ""
    forks: bool | None = None
    variant: str = ""

    def finds(self, told: Summary, names: str = "") -> bool:
        """`names`: `names_of(told)`, from whoever keeps it for many to search."""
        if self.state is not None and (told.ended_at is None) != (self.state == "open"):
            return False
        if told.started_at < self.since or not self.finds_slow(told.worst):
            return False
        if (self.agent and told.agent != self.agent) or (self.transport and told.transport != self.transport):
            return False
        if self.variant and told.variant != self.variant:
            return False
        if self.failed is not None and told.wrong != self.failed:
            return False
        if self.forks is not None and is_fork(told.session) != self.forks:
            return False
        if self.caller and not _named(told, self.caller):
            return False
        return not self.text or self.text in (names or names_of(told))

    def finds_slow(self, worst: float | None) -> bool:
        """As it is told, to a tenth of a millisecond: who asks for what a list says finds it."""
        return not self.slow or (worst is not None and _ms(worst) >= _ms(self.slow))


def is_fork(session: str) -> bool:
    """Whether it is a replay of another, by its id."""
    return session.startswith(FORK)


def names_of(told: Summary) -> str:
    """Every name in it, a line each, without case."""
    people = (name for one in told.people for name in (one.identity, one.name))
    return "\n".join((told.session, told.room, told.agent, told.gateway, *people)).casefold()


def _named(told: Summary, part: str) -> bool:
    return any(part in one.identity.casefold() or part in one.name.casefold() for one in told.people)


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
