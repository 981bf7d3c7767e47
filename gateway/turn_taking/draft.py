"""The working copy of one step: what changes, what is decided, and the facts that go into the next publication."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.turn_taking import facts
from gateway.turn_taking.heard import heard
from gateway.turn_taking.interface import Capture, Decision, Publish, Stop, Tell
from gateway.turn_taking.moments import LONG_AGO
from gateway.turn_taking.people import Person
from gateway.turn_taking.state import Bundle, Committed, Own, Reply, Sent, State, Turn
from schemas.client import ToClient
from schemas.clock import Now, TurnTime
from schemas.events import CommitReason, Event, GatewayEvent, TurnCommitted, TurnEnded
from schemas.jobs import HookJob, Job, LlmJob, SttJob, TtsJob

MOST_FACTS = 100
"""Events of a publication to which further ones are added: the log answers nobody else while it writes them."""
_TOLD = 8_000
"""Characters that a hook is told of a reply."""
KEPT = 5.0
"""Seconds for which our own facts are kept, in case the log loses its tail."""


@dataclass(slots=True)
class Draft:
    state: State
    now: Now
    decisions: list[Decision] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    captures: list[Capture] = field(default_factory=list)
    raises: int | None = None
    starts: bool = False
    closes: str | None = None

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def time(self) -> TurnTime:
        return self.state.turn_time(self.now)

    def due(self, moment: TurnTime) -> bool:
        """Whether a moment of turn time has come; none does while nobody is there to hear."""
        return self.state.away_since is None and moment <= self.time + 1e-9

    # ── what no log holds ────────────────────────────────────────────────────────────────────────────────────────────

    def put_turn(self, turn: Turn) -> Turn:
        self.state.turns[turn.id] = turn
        return turn

    def put_person(self, person: Person) -> Person:
        self.state.people[person.name] = person
        return person

    def new_utterance_id(self) -> str:
        self.state.next_utterance += 1
        return f"u{self.state.next_utterance - 1}"

    def want(self, own: Own) -> None:
        """Say this when the floor is free."""
        facts.want(self.state, own)

    # ── the publication ──────────────────────────────────────────────────────────────────────────────────────────────

    def fact(self, event: Callable[..., Event], *, ago: float = 0.0, raises: bool = False, **fields: Any) -> None:
        """Write a fact, with the decision's `clock` and what it `saw`; and apply it. `raises`: the generation rises with it, for
        a reply that may be in flight will not be heard."""
        raised = self.state.generation + 1 if raises else None
        if raised is not None:
            self.raises = raised
            self._drop_jobs_before(raised)
        self.write(event(clock=self.now, saw=self.state.saw, ago=max(0.0, round(ago, 4)), raises=raised, **fields))

    def write(self, event: Event) -> None:
        """Append a fact as it stands, and apply it."""
        self.events.append(event)
        facts.apply(self.state, event, self.now)

    def enqueue(self, job: Job) -> None:
        self.jobs.append(job)

    def _drop_jobs_before(self, generation: int) -> None:
        """What is not sent yet need not be sent any more."""
        self.jobs = list(_standing(self.jobs, generation))
        self.state.outbox = tuple(
            replace(bundle, jobs=tuple(_standing(bundle.jobs, generation))) for bundle in self.state.outbox
        )

    def commit(
        self, turn: Turn, why: CommitReason, *, spoken: TurnTime = LONG_AGO, raises: bool = False, **inputs: Any
    ) -> None:
        """The floor is the agent's."""
        delay = 0.0 if spoken == LONG_AGO else max(0.0, self.time - spoken)
        generation = self.state.generation
        if raises:
            generation += 1
        elif turn.reply is not None:
            generation = turn.reply.generation
        self.fact(
            TurnCommitted, turn=turn.id, generation=generation, why=why, delay=round(delay, 4), inputs=inputs or None,
            raises=raises,
        )  # fmt: skip

    def end_turn(self, turn: Turn, how: str, reason: str, *, into: int | None = None, **inputs: Any) -> None:
        """The one end of a turn: silence if it was sounding, the generation rises if something of it may still come. A filler
        that bridges the wait for it and is not heard yet ends first. `into`: the turn that goes on with what was said in it."""
        filler = self.state.filler
        if turn.bridged and filler is not None and isinstance(filler.phase, Committed):
            self.end_turn(filler, "dropped", "replaced")
        turn = self.state.as_heard(turn)
        reply = turn.reply
        in_flight = reply is not None and (not reply.complete or any(not s.settled for s in reply.sentences))
        self.fact(
            TurnEnded,
            turn=turn.id,
            generation=reply.generation if reply else None,
            how=how,
            reason=reason,
            heard=heard(reply.sentences) if reply else "",
            unheard=[i for i, s in enumerate(reply.sentences) if s.failed and s.ended] if reply else [],
            into=into,
            inputs=inputs or None,
            raises=reply is not None and (in_flight or how in ("interrupted", "dropped")),
        )
        if self.state.playback is not None and self.state.playback.turn == turn.id:
            self.state.playback = None
            self.decisions.append(Stop(turn.id))
        if reply is not None and into is None and reason != "session":
            self._tell_hook(turn, reply, interrupted=how == "interrupted")

    def _tell_hook(self, turn: Turn, reply: Reply, *, interrupted: bool) -> None:
        """on_agent_turn, of what was heard at all. (What bridged a wait is nothing the agent had to say.)"""
        agent, said = self.state.agent, " ".join(sentence.text for sentence in reply.sentences)
        words = heard(reply.sentences)
        if "on_agent_turn" in agent.hooked and words and (turn.own is None or turn.own.why in ("greeting", "say")):
            about = {"said": said[:_TOLD], "heard": words[:_TOLD], "interrupted": interrupted}
            call = f"on_agent_turn/{turn.id}"
            self.enqueue(HookJob.of(agent, self.state.session, "on_agent_turn", call, turn=turn.id, **about))

    def dismiss_own(self, *, again: bool = False) -> None:
        """The agent's own words that nobody has heard yet give way, but for those that nobody interrupts; a request waits again,
        and `again` all of them, whatever they were (but for a filler, which has nothing to bridge any more)."""
        for turn in tuple(self.state.turns.values()):
            gives_way = turn.own is not None and (again or turn.own.interruptible)
            if turn.own is not None and gives_way and isinstance(turn.phase, Committed):
                waits = {"again": True} if again and turn.own.why != "filler" else {}
                self.end_turn(turn, "dropped", "replaced", **waits)

    def tell(self, message: ToClient) -> None:
        self.decisions.append(Tell(message))

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def quiet(self) -> bool:
        """Nothing is on the way to the log: what is published now goes out at once."""
        return self.state.flight is None and not self.state.outbox

    def seal(self) -> None:
        """This step's facts join the outbox; if nothing is in flight, the next publication goes out."""
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


def _older(event: Event, now: Now) -> Event:
    """`ago` is as of the sending, however long the fact has waited."""
    clock = event.clock if isinstance(event, GatewayEvent) else None
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


def _standing(jobs: Sequence[Job], generation: int) -> Iterator[Job]:
    """Without those for a reply of an older generation."""
    for job in jobs:
        if _is_before(job, generation):
            continue
        if isinstance(job, SttJob) and job.then is not None and _is_before(job.then, generation):
            yield job.model_copy(update={"then": None})
        else:
            yield job


def _is_before(job: Job, generation: int) -> bool:
    return isinstance(job, LlmJob | TtsJob) and job.generation is not None and job.generation < generation
