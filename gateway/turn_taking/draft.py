"""The working copy of one step: what changes, what is decided, and the facts that go into the next publication."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.turn_taking import answers
from gateway.turn_taking.heard import heard
from gateway.turn_taking.interface import Capture, Decision, Publish, Stop, Tell
from gateway.turn_taking.state import (
    NEVER,
    Bundle,
    Committed,
    Own,
    Person,
    Sent,
    State,
    Turn,
)
from schemas.client import ToClient
from schemas.events import (
    CommitReason,
    Event,
    SessionResumed,
    SessionRewound,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

MOST_FACTS = 100
"""Events of a publication to which further ones are added: the log answers nobody else while it writes them."""
KEPT = 5.0
"""Seconds for which our own facts are kept, in case the log loses its tail."""


@dataclass(slots=True)
class Draft:
    state: State
    now: float
    decisions: list[Decision] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    captures: list[Capture] = field(default_factory=list)
    raises: int | None = None
    starts: bool = False
    closes: str | None = None

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def time(self) -> float:
        """Turn time."""
        return self.state.turn_time(self.now)

    def due(self, moment: float) -> bool:
        """Whether a moment of turn time has come; none does while nobody is there to hear."""
        return self.state.away_since is None and moment <= self.time + 1e-9

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, turn: Turn) -> Turn:
        self.state.turns[turn.id] = turn
        return turn

    def person(self, person: Person) -> Person:
        self.state.people[person.name] = person
        return person

    def new_turn(self, **fields: Any) -> Turn:
        turn = Turn(id=self.state.next_turn, touched=self.time, **fields)
        self.state.next_turn += 1
        return self.put(turn)

    def new_utterance_id(self) -> str:
        self.state.next_utterance += 1
        return f"u{self.state.next_utterance - 1}"

    def want(self, own: Own) -> None:
        """Say this when the floor is free. Of a fixed phrase one is enough."""
        if own.phrase is None or own not in self.state.wanted:
            self.state.wanted = (*self.state.wanted, own)

    # ── the publication ──────────────────────────────────────────────────────────────────────────────────────────────

    def fact(self, event: Callable[..., Event], *, ago: float = 0.0, **fields: Any) -> None:
        """Append an event, with the decision's `clock` and what it `saw`."""
        made = event(clock=self.now, saw=self.state.saw, ago=max(0.0, round(ago, 4)), **fields)
        self.events.append(made)

    def append(self, event: Event) -> None:
        self.events.append(event)

    def enqueue(self, job: Job) -> None:
        self.jobs.append(job)

    def raise_generation(self) -> int:
        self.state.generation += 1
        self.raises = self.state.generation
        return self.state.generation

    def void(self, turn: Turn) -> Turn:
        """The reply of `turn`, if one may be in flight, will not be heard: the generation rises, unsent jobs are dropped."""
        if turn.reply is None:
            return turn
        dead = turn.reply.generation
        self.raise_generation()
        self.jobs = list(_without(self.jobs, turn.id, dead))
        self.state.outbox = tuple(
            replace(bundle, jobs=tuple(_without(bundle.jobs, turn.id, dead))) for bundle in self.state.outbox
        )
        return self.put(replace(turn, reply=None))

    def commit(self, turn: Turn, why: CommitReason, *, spoken: float | None = None, **inputs: Any) -> Turn:
        """The floor is the agent's."""
        delay = 0.0 if spoken is None or spoken == -NEVER else max(0.0, self.time - spoken)
        generation = turn.reply.generation if turn.reply else self.state.generation
        self.fact(
            TurnCommitted, turn=turn.id, generation=generation, why=why, delay=round(delay, 4), inputs=inputs or None
        )
        return self.put(replace(turn, phase=Committed(why), touched=self.time, committed=self.time))

    def end_turn(self, turn: Turn, how: str, reason: str) -> None:
        """The one end of a turn: silence if it was sounding, the generation rises if something of it may still come."""
        turn = self._with_position(turn)
        reply = turn.reply
        in_flight = reply is not None and (
            not reply.complete or any(not s.complete and not s.failed for s in reply.sentences)
        )
        void = in_flight or how == "interrupted" or (how == "dropped" and reply is not None)
        generation = reply.generation if reply else None
        if void:
            self.void(turn)
        self.fact(
            TurnEnded,
            turn=turn.id,
            generation=generation,
            how=how,
            reason=reason,
            heard=heard(reply.sentences) if reply else "",
            unheard=[i for i, s in enumerate(reply.sentences) if s.failed and s.ended] if reply else [],
        )
        del self.state.turns[turn.id]
        for utterance in turn.utterances:
            self.state.stored.pop(utterance.id, None)
        for other in tuple(self.state.turns.values()):
            self.put(replace(answers.after(turn, other), touched=self.time))  # it has been waiting for this one
        if self.state.playback is not None and self.state.playback.turn == turn.id:
            self.state.playback = None
            self.decisions.append(Stop(turn.id))

    def _with_position(self, turn: Turn) -> Turn:
        playback = self.state.playback
        if playback is None or playback.turn != turn.id or turn.reply is None or not playback.begun:
            return turn
        sentence = replace(turn.reply.sentences[playback.index], heard=playback.position)
        return replace(turn, reply=turn.reply.with_sentence(playback.index, sentence))

    def tell(self, message: ToClient) -> None:
        self.decisions.append(Tell(message))

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def quiet(self) -> bool:
        """Nothing is on the way to the log: what is published now goes out at once."""
        return self.state.flight is None and not self.state.outbox

    def seal(self) -> None:
        """This step's facts join the outbox; if nothing is in flight, the next publication goes out."""
        if self.raises is not None:
            self._mark_raise()
        if self.events or self.jobs or self.captures or self.raises is not None:
            made = Bundle(
                self.now,
                tuple(self.events),
                tuple(self.jobs),
                self.raises,
                tuple(self.captures),
                self.starts,
                self.closes,
            )
            outbox = self.state.outbox
            if outbox and not outbox[-1].jobs and outbox[-1].closes is None and len(outbox[-1].events) < MOST_FACTS:
                self.state.outbox = (*outbox[:-1], _joined(outbox[-1], made))
            else:
                self.state.outbox = (*outbox, made)
        if self.state.flight is None and self.state.outbox:
            bundle, *rest = self.state.outbox
            self.state.outbox = tuple(rest)
            self._send(bundle)

    def _send(self, bundle: Bundle) -> None:
        state = self.state
        state.operation += 1
        state.flight = Sent(state.operation, bundle)
        events = tuple(_older(event, self.now) for event in bundle.events)
        captures = tuple(self._behind(capture) for capture in bundle.captures)
        self.decisions.append(
            Publish(state.operation, events, bundle.jobs, bundle.raises, captures, bundle.closes is not None)
        )

    def _behind(self, capture: Capture) -> Capture:
        """Blobs an utterance carries again are known only when the publication that stored them has been answered."""
        return replace(capture, behind=self.state.stored.get(capture.carries, ())) if capture.carries else capture

    def _mark_raise(self) -> None:
        """The event that raises the generation says so: the one that made the reply void."""
        raising: tuple[type[Event], ...] = (TurnEnded, UtteranceCaptured, TurnCommitted)
        for recovery in (SessionResumed, SessionRewound):
            if any(isinstance(event, recovery) for event in self.events):
                raising = (recovery,)
        for index, event in enumerate(self.events):
            if isinstance(event, raising) and event.raises is None:
                self.events[index] = event.model_copy(update={"raises": self.raises})
                return
        raise AssertionError("a generation rises only with a fact that says why")


def _older(event: Event, now: float) -> Event:
    """`ago` is as of the sending, however long the fact has waited."""
    clock: float | None = getattr(event, "clock", None)
    return (
        event if clock is None or clock == now else event.model_copy(update={"ago": round(event.ago + now - clock, 4)})
    )


def _joined(first: Bundle, second: Bundle) -> Bundle:
    return Bundle(
        first.made,
        first.events + second.events,
        second.jobs,
        second.raises if second.raises is not None else first.raises,
        first.captures + second.captures,
        first.starts or second.starts,
        second.closes,
    )


def _serves(job: Job, turn: int, generation: int) -> bool:
    return isinstance(job, LlmJob | TtsJob) and job.turn == turn and job.generation == generation


def _without(jobs: Sequence[Job], turn: int, generation: int) -> Iterator[Job]:
    for job in jobs:
        if _serves(job, turn, generation):
            continue
        if isinstance(job, SttJob) and job.then is not None and _serves(job.then, turn, generation):
            yield job.model_copy(update={"then": None})
        else:
            yield job
