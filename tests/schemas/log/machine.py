"""The log's promises as a small model, driven against an implementation by Hypothesis.

The model knows no stream and no lane as such: it knows which job is whose, which is void, and what the log must say. What it
promises is written in `_check_taken`, `_expected` and `end_in_order`.
"""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.audio import AudioRef
from schemas.bus import DeadLetter, Delivery, Hold, Outcome, Publication, Seen, Snapshot
from schemas.config.agent import AgentSpec
from schemas.events import (
    STAGES,
    ClipReady,
    EndRequested,
    Event,
    ReplySentence,
    SayRequested,
    SessionEnded,
    SessionStarted,
    SpeechStarted,
    StageFailed,
    TranscriptFinal,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from tests.schemas.log.harness import Harness

OK, DUP, LOST, STALE, CLOSED = Outcome.OK, Outcome.DUP, Outcome.LOST, Outcome.STALE, Outcome.CLOSED
SOUND = AudioRef(key="{p00}:blob:x", rate=16000, samples=160)
SESSIONS = st.sampled_from(["a", "b", "cé"])
GATEWAYS = st.sampled_from(["g1", "g2"])
CONSUMERS = st.sampled_from(["w1", "w2", "w3"])
STAGE = st.sampled_from(STAGES)
HAPPENS = ["step", "final", "dead", "release", "renew", "again", "barge", "replace", "stall", "retire", "retry"]
SUCCESSOR = st.sampled_from(["", "same", "next"])
Token = tuple[str, int, str]
"""Consumer, attempt, entry."""
NOT_THE_OWNERS = "a commit went through of somebody who does not own the job, or no longer"
COMMITTED_TWICE = "the same commit, sent again, was not told DUP and the first answer"


@dataclass
class JobModel:
    job: Job
    place: float
    answers: int
    owner: Token | None = None
    lapsed: bool = False
    deliveries: int = 0
    ended: bool = False
    replaced: bool = False
    step: int = -1
    by: Token | None = None
    first_seq: int = 0
    buried: bool = False
    """A dead letter of it is kept."""


@dataclass
class SessionModel:
    owner: str
    log: list[str] = field(default_factory=list)
    """`by` of each event: every event of a run has another."""
    generation: int = 0
    epoch: int = 1
    lapsed: bool = False
    closed: bool = False
    operation: int = 0
    operation_seq: int = 0
    jobs: dict[str, JobModel] = field(default_factory=dict)
    snapshot: int = 0
    positions: dict[str, Any] = field(default_factory=dict)
    requests: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def void(self, m: JobModel) -> bool:
        if isinstance(m.job, SttJob):
            return m.replaced
        return m.job.generation is not None and m.job.generation != self.generation

    def live(self, m: JobModel) -> bool:
        return not (m.ended or self.closed or self.void(m))


def token(consumer: str, delivery: Delivery) -> Token:
    return consumer, delivery.attempt, delivery.entry


class LogMachine(RuleBasedStateMachine):
    """Subclasses give `harness`."""

    def harness(self) -> Harness:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.h = self.harness()
        self.count = itertools.count(1)
        self.sessions: dict[str, SessionModel] = {}
        self.inboxes: dict[str, list[tuple[str, str]]] = {"g1": [], "g2": []}
        self.hands: list[tuple[str, Delivery]] = []
        """What workers believe to hold, zombies too."""
        self.saved: tuple[object, Any] | None = None
        self.seen: dict[str, list[Seen]] = {}
        """Of every event anyone ever read, per session."""
        self.last_publish: tuple[str, int, Publication] | None = None
        self.last_commit: tuple[Any, ...] | None = None
        self.open("a", "g1", "r1")

    # ── how things are made ──────────────────────────────────────────────────────────────────────────────────────────

    def name(self) -> str:
        return f"n{next(self.count)}"

    def appended(self, session: str, events: Sequence[Event]) -> None:
        s = self.sessions[session]
        s.log += [event.by for event in events]
        self.inboxes[s.owner] += [(session, event.by) for event in events]

    def enqueued(self, s: SessionModel, jobs: Sequence[Job]) -> None:
        for job in jobs:
            m = JobModel(job, float(next(self.count)), len(s.log))
            if isinstance(job, SttJob) and job.replaces:
                for other in s.jobs.values():
                    if isinstance(other.job, SttJob) and other.job.utterance == job.replaces and s.live(other):
                        other.replaced = True
                        m.place = other.place
            elif s.void(m):
                m.ended = True  # void at birth: never enqueued
            s.jobs[job.id] = m

    def stt(self, session: str, replaces: str | None = None) -> SttJob:
        name = self.name()
        return SttJob(
            id=f"stt/{name}",
            session=session,
            utterance=name,
            participant="ann\nlee",
            audio=[SOUND],
            replaces=replaces,
        )

    def llm(self, session: str, generation: int) -> LlmJob:
        return LlmJob(id=f"llm/{self.name()}", session=session, turn=1, generation=generation)

    def tts(self, session: str, generation: int | None) -> TtsJob:
        return TtsJob(id=f"tts/{self.name()}", session=session, generation=generation, index=0, text="x")

    def publish(self, session: str, events: Sequence[Event] = (), jobs: Sequence[Job] = (), **more: Any) -> None:
        """As its owner does it, in its epoch; the model is told."""
        s = self.sessions[session]
        publication = Publication(s.operation + 1, events, jobs, **more)
        before = len(s.log)
        reply = self.h.run(self.h.bus.publish(session, s.epoch, publication))
        if s.closed:
            assert reply.outcome is CLOSED
            return
        assert reply.outcome is OK
        self.last_publish = (session, s.epoch, publication)
        s.operation += 1
        self.appended(session, events)
        s.generation = publication.raises or s.generation
        self.enqueued(s, jobs)
        s.operation_seq = len(s.log)
        s.snapshot = publication.snapshot.seq if publication.snapshot else s.snapshot
        assert reply.seq == len(s.log) == before + len(events)

    def any_session(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.sessions)), "session")

    # ── gateways ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(session=SESSIONS, gateway=GATEWAYS, request=st.sampled_from(["r1", "r2"]))
    def open(self, session: str, gateway: str, request: str) -> None:
        """A session opens once; the same request again hears the first answer."""
        event = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway=gateway, by=self.name())
        claimed = self.h.run(self.h.bus.open(session, gateway, request, [event], ticket="ticket"))
        s = self.sessions.get(session)
        if s is None:
            s = self.sessions[session] = SessionModel(gateway)
            self.appended(session, [event])
            s.requests["open", request] = (1, 1)
            assert (claimed.receipt.outcome, claimed.epoch) == (OK, 1)
        elif ("open", request) in s.requests:
            assert (claimed.receipt.outcome, claimed.receipt.seq, claimed.epoch) == (DUP, 1, 1)
        else:
            assert claimed.receipt.outcome is Outcome.EXISTS

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), replaces=st.booleans(), twice=st.booleans())
    def utterance(self, data: st.DataObject, replaces: bool, twice: bool) -> None:
        """Somebody spoke, perhaps going on with what was captured before."""
        session = self.any_session(data)
        s = self.sessions[session]
        said = [m.job.utterance for m in s.jobs.values() if isinstance(m.job, SttJob) and not m.replaced]
        replaced = data.draw(st.sampled_from(said), "replaced") if replaces and said else None
        jobs = [self.stt(session, replaced)] + ([self.stt(session)] if twice else [])
        self.publish(session, [SpeechStarted(participant="ann\nlee", by=self.name())], jobs)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), of=st.sampled_from(["this", "this", "old"]))
    def reply(self, data: st.DataObject, of: str) -> None:
        """The gateway asks for a reply; one of a voided generation is never enqueued."""
        session = self.any_session(data)
        now = self.sessions[session].generation
        generations = {"this": now, "old": now - 1}
        self.publish(session, jobs=[self.llm(session, generations[of])])

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def phrase(self, data: st.DataObject) -> None:
        """A fixed phrase is fenced by nothing."""
        session = self.any_session(data)
        self.publish(session, jobs=[self.tts(session, None)])

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), again=st.booleans())
    def barge_in(self, data: st.DataObject, again: bool) -> None:
        """The generation rises; with it may come the next reply."""
        session = self.any_session(data)
        raises = self.sessions[session].generation + 1
        jobs = [self.llm(session, raises)] if again else []
        snapshot = Snapshot(len(self.sessions[session].log), 1, b"state")
        event = SpeechStarted(participant="x", by=self.name(), raises=raises)
        self.publish(session, [event], jobs, raises=raises, snapshot=snapshot)

    @precondition(lambda self: self.last_publish)
    @rule()
    def publish_again(self) -> None:
        """A publish whose reply was lost changes nothing when it is sent again, and hears its first answer."""
        assert self.last_publish
        session, epoch, publication = self.last_publish
        s = self.sessions.get(session)
        if s is None or s.operation < publication.operation:  # rewound: it would be new
            return
        reply = self.h.run(self.h.bus.publish(session, epoch, publication))
        if epoch != s.epoch:
            assert reply.outcome is LOST
        elif s.operation == publication.operation:
            assert (reply.outcome, reply.seq) == (DUP, s.operation_seq)
        else:
            assert reply.outcome is DUP

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), what=st.sampled_from(["epoch", "full", "raises", "seen"]))
    def refused(self, data: st.DataObject, what: str) -> None:
        """A publish of another epoch, to a full queue, or with a generation not above the present one writes nothing."""
        session = self.any_session(data)
        s = self.sessions[session]
        if s.closed:
            return
        event = SpeechStarted(participant="x", by=self.name())
        job, epoch, expected = self.stt(session), s.epoch, LOST
        publication = Publication(s.operation + 1, [event], [job])
        if what == "epoch":
            epoch = s.epoch - 1
        elif what == "full":
            job = job.model_copy(update={"then": self.llm(session, s.generation)})
            publication = Publication(s.operation + 1, [event], [job], limits={"llm": 0})
            expected = Outcome.FULL
        elif what == "raises":
            publication = Publication(s.operation + 1, [event], [job], raises=s.generation)
            expected = STALE
        else:
            publication = Publication(s.operation + 1, [event], [job], seen=Seen(len(s.log), 7))
            expected = Outcome.REWOUND
        reply = self.h.run(self.h.bus.publish(session, epoch, publication))
        assert (reply.outcome, reply.seq) == (expected, len(s.log))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), gateway=GATEWAYS)
    def hold(self, data: st.DataObject, gateway: str) -> None:
        """A hold renews what is the gateway's, and says so of what is not."""
        names = sorted(self.sessions)
        position = {"index": next(self.count)}
        for partition in range(self.h.bus.partitions):
            mine = [name for name in names if self.h.bus.partition(name) == partition]
            holds = [Hold(name, self.sessions[name].epoch, position) for name in mine]
            held = self.h.run(self.h.bus.hold(gateway, partition, holds))
            for name, reply in zip(mine, held.receipts, strict=True):
                s = self.sessions[name]
                expected = LOST if s.owner != gateway else CLOSED if s.closed else OK
                assert (reply.outcome, reply.seq) == (expected, len(s.log))
                if expected is OK:
                    s.lapsed, s.positions = False, position

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def gateway_dies(self, data: st.DataObject) -> None:
        session = self.any_session(data)
        if not self.sessions[session].closed:
            self.h.lapse_session(session)
            self.sessions[session].lapsed = True

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), gateway=GATEWAYS, ticket=st.sampled_from(["", "ticket", "wrong"]), again=st.booleans())
    def claim(self, data: st.DataObject, gateway: str, ticket: str, again: bool) -> None:
        """A session is taken over when its lease ran out or with its ticket, never with a wrong one; its positions come along."""
        session = self.any_session(data)
        s = self.sessions[session]
        old = sorted(request for kind, request in s.requests if kind == "claim")
        request = old[-1] if again and old else self.name()
        claimed = self.h.run(self.h.bus.claim(session, gateway, request, ticket))
        first = s.requests.get(("claim", request))
        if first:
            assert (claimed.receipt.outcome, claimed.receipt.seq, claimed.epoch) == (DUP, *first)
        elif ticket == "wrong":
            assert claimed.receipt.outcome is Outcome.DENIED
        elif s.closed:
            assert claimed.receipt.outcome is CLOSED
        elif s.lapsed or ticket == "ticket":
            s.epoch, s.owner, s.lapsed, s.operation = s.epoch + 1, gateway, False, 0
            s.requests["claim", request] = (len(s.log), s.epoch)
            assert (claimed.receipt.outcome, claimed.epoch) == (OK, s.epoch)
            assert claimed.positions == s.positions
        else:
            assert claimed.receipt.outcome is Outcome.HELD

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), request=st.sampled_from(["p1", "p2", "p3"]))
    def post(self, data: st.DataObject, request: str) -> None:
        """An operator's request is appended once."""
        session = self.any_session(data)
        s = self.sessions[session]
        event: Event = SayRequested(text="x", by=self.name())
        if request == "p3":
            event = EndRequested(by=self.name())
        reply = self.h.run(self.h.bus.post(session, request, event))
        first = s.requests.get(("post", request))
        if first:
            assert (reply.outcome, reply.seq) == (DUP, first[0])
        elif s.closed:
            assert reply.outcome is CLOSED
        else:
            self.appended(session, [event])
            s.requests["post", request] = (len(s.log), s.epoch)
            assert (reply.outcome, reply.seq) == (OK, len(s.log))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), sure=st.integers(0, 3))
    def hang_up(self, data: st.DataObject, sure: int) -> None:
        """After its last event a session takes no more."""
        session = self.any_session(data)
        s = self.sessions[session]
        if sure or s.closed:  # seldom, or nothing else would be tried
            return
        event = SessionEnded(reason="hang_up", by=self.name())
        reply = self.h.run(self.h.bus.close(session, s.epoch, Publication(s.operation + 1, [event])))
        self.appended(session, [event])
        s.operation += 1
        s.operation_seq = len(s.log)
        s.closed = True
        assert (reply.outcome, reply.seq) == (OK, len(s.log))

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data(), consumer=CONSUMERS, count=st.integers(1, 3), reclaim=st.booleans())
    def take(self, data: st.DataObject, consumer: str, count: int, reclaim: bool) -> None:
        """Nobody is given a job that is another's, void, ended, or behind another in its lane."""
        stage: Any
        for stage, partition in itertools.product(STAGES, range(self.h.bus.partitions)):
            taken = self.h.run(self.h.bus.take(stage, partition, consumer, count, reclaim=reclaim))
            self._given(data, stage, consumer, taken.deliveries, count, reclaim)

    @rule(data=st.data(), consumer=CONSUMERS, stage=STAGE, count=st.integers(1, 3))
    def wait(self, data: st.DataObject, consumer: str, stage: Any, count: int) -> None:
        """Who waits is given new jobs only, and none that became void while nobody waited."""
        ids = dict.fromkeys(range(self.h.bus.partitions), "0-0")
        handed = self.h.run(self.h.bus.wait(stage, consumer, ids, count, 0.001))
        self._given(data, stage, consumer, handed.deliveries, count, False)

    def _given(
        self, data: st.DataObject, stage: str, consumer: str, given: list[Delivery], count: int, reclaim: bool
    ) -> None:
        assert len(given) <= count
        for delivery in given:
            self._check_taken(stage, consumer, delivery, reclaim)
            self.hands.append((consumer, delivery))
        for delivery in given:
            self._work(data, consumer, delivery)

    def _work(self, data: st.DataObject, consumer: str, delivery: Delivery) -> None:
        """What may happen to a job in somebody's hands."""
        session = delivery.job.session
        for what in data.draw(st.lists(st.sampled_from(HAPPENS), max_size=4)):
            if what == "barge":
                generation = self.sessions[session].generation + 1
                self.publish(session, jobs=[self.llm(session, generation)], raises=generation)
            elif what == "replace" and isinstance(delivery.job, SttJob):
                self.publish(session, jobs=[self.stt(session, delivery.job.utterance)])
            elif what == "stall":
                self.stalls(consumer)
            elif what == "retire":
                self.retire(consumer, delivery.job.stage)
            elif what in ("step", "final", "dead"):
                self._commit(consumer, delivery, what, data.draw(SUCCESSOR))
            elif what == "release":
                self._release(consumer, delivery)
            elif what == "renew":
                self._renew(consumer, delivery)
            elif what == "retry" and self._buried():
                self._retry(data)
            elif what == "again" and self.last_commit:
                self.commit_again(data.draw(st.booleans()))

    def _check_taken(self, stage: str, consumer: str, delivery: Delivery, reclaim: bool) -> None:
        job = delivery.job
        s = self.sessions[job.session]
        m = s.jobs[job.id]
        assert job == m.job.model_copy(update={"answers": m.answers})
        assert job.stage == stage
        assert s.live(m), "void, ended or closed"
        assert m.owner is None or (m.lapsed and reclaim), "another's"
        assert delivery.attempt == m.deliveries + 1
        assert delivery.last_step == m.step
        for other in s.jobs.values():
            if other is not m and job.lane and other.job.lane == job.lane and s.live(other):
                assert other.owner is None, "two in one lane"
                assert other.place > m.place, "out of order"
        m.owner, m.lapsed, m.deliveries = token(consumer, delivery), False, delivery.attempt

    def _in_hand(self, data: st.DataObject) -> tuple[str, Delivery]:
        """Somebody and what they believe to hold; of a session that a rewind undid nobody speaks any more."""
        known = [(who, delivery) for who, delivery in self.hands if delivery.job.session in self.sessions]
        assume(known)
        return data.draw(st.sampled_from(known), "in hand")

    def _expected(self, s: SessionModel, m: JobModel | None, token: Token) -> set[Outcome]:
        """What the log may say to whoever holds `token` of a job; of a void one, `take` may have made an end before."""
        if m is None or m.ended or m.owner != token:
            return {LOST}
        if s.closed:
            return {CLOSED, LOST}
        return {STALE, LOST} if s.void(m) else {OK}

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """Only the owner renews, and is told when to stop."""
        self._renew(*self._in_hand(data))

    def _renew(self, consumer: str, delivery: Delivery) -> None:
        s, m = self._known(delivery)
        [outcome] = self.h.run(self.h.bus.renew(delivery.job.stage, consumer, [delivery]))
        assert outcome in self._expected(s, m, token(consumer, delivery))
        if m and outcome is OK:
            m.lapsed = False
        elif m and outcome in (STALE, CLOSED):
            m.ended = True

    def _known(self, delivery: Delivery) -> tuple[SessionModel, JobModel | None]:
        s = self.sessions[delivery.job.session]
        return s, s.jobs.get(delivery.job.id)

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), ending=st.sampled_from(["step", "final", "dead"]))
    def commit(self, data: st.DataObject, ending: Any) -> None:
        """Only the owner of a live job appends, and each step once; a void successor is left out."""
        self._commit(*self._in_hand(data), ending, data.draw(SUCCESSOR))

    def _commit(self, consumer: str, delivery: Delivery, ending: Any, successor: str) -> None:
        s, m = self._known(delivery)
        job, step = delivery.job, (m.step + 1 if m else 0)
        events = [self._event_of(job, ending)]
        jobs: list[Job] = []
        if successor:
            generation = s.generation if successor == "same" else s.generation - 1
            jobs = [self.tts(job.session, generation) if job.stage == "llm" else self.llm(job.session, generation)]
        arguments = (job.stage, consumer, delivery, step, ending, events, jobs)
        reply = self.h.run(self.h.bus.commit(*arguments))
        expected = self._expected(s, m, token(consumer, delivery))
        assert reply.outcome in expected, NOT_THE_OWNERS if expected == {LOST} else (reply.outcome, expected)
        if m and reply.outcome is OK:
            self.appended(job.session, events)
            self.enqueued(s, jobs)
            m.step, m.by, m.lapsed, m.ended = step, token(consumer, delivery), False, ending != "step"
            m.buried = ending == "dead"
            m.first_seq = len(s.log)
            self.last_commit = arguments
        elif m and reply.outcome in (STALE, CLOSED):
            m.ended = True
        assert reply.seq == len(s.log)

    def _buried(self) -> set[tuple[str, str]]:
        return {(name, job) for name, s in self.sessions.items() for job, m in s.jobs.items() if m.buried}

    @precondition(lambda self: self._buried())
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        """A letter that is put away is gone, and no other."""
        letter, m = self._a_letter(data)
        assert self.h.run(self.h.bus.discard(letter.id))
        m.buried = False

    @precondition(lambda self: self._buried())
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """A dead job comes back if its session still wants it: behind the others of its lane, as a first delivery, from the last
        step on; its letter is gone then, and stays where it is else."""
        self._retry(data)

    def _retry(self, data: st.DataObject) -> None:
        letter, m = self._a_letter(data)
        s = self.sessions[letter.session]
        outcome = self.h.run(self.h.bus.retry(letter.id))
        passed_by = isinstance(m.job, SttJob) and any(
            isinstance(other.job, SttJob) and other.place > m.place for other in s.jobs.values()
        )
        assert outcome is (CLOSED if s.closed else STALE if s.void(m) or passed_by else OK)
        if outcome is OK:
            m.buried = m.ended = m.lapsed = False
            m.owner, m.deliveries, m.place = None, 0, float(next(self.count))

    def _a_letter(self, data: st.DataObject) -> tuple[DeadLetter, JobModel]:
        """One of those there are: each dead job has one."""
        letters = {(one.session, one.job): one for one in self.h.run(self.h.bus.dead_letters(1000))}
        buried = self._buried()
        assert {key for key in letters if key[0] in self.sessions} == buried
        session, job = data.draw(st.sampled_from(sorted(buried)), "letter")
        return letters[session, job], self.sessions[session].jobs[job]

    def _event_of(self, job: Job, ending: str) -> Event:
        name = self.name()
        if ending == "dead":
            return StageFailed(stage=job.stage, code="deliveries", message="died", by=name)
        if job.stage == "stt":
            return TranscriptFinal(utterance=job.utterance, participant="ann", text="x", by=name)
        if job.stage == "llm":
            return ReplySentence(index=0, text="x", by=name)
        return ClipReady(index=0, audio=SOUND, duration=1.0, by=name)

    @precondition(lambda self: self.last_commit)
    @rule(other=st.booleans())
    def commit_again(self, other: bool) -> None:
        """A commit whose reply was lost changes nothing when it is sent again; from anyone else it is LOST."""
        assert self.last_commit
        stage, consumer, delivery, step, ending, events, jobs = self.last_commit
        s = self.sessions.get(delivery.job.session)
        m = s.jobs.get(delivery.job.id) if s else None
        if s is None or m is None or m.step < step or m.by != token(consumer, delivery):  # rewound or outrun
            return
        asks = "someone" if other else consumer
        reply = self.h.run(self.h.bus.commit(stage, asks, delivery, step, ending, events, jobs))
        if other:
            assert reply.outcome is LOST, NOT_THE_OWNERS
        else:
            assert (reply.outcome, reply.seq) == (DUP, m.first_seq), COMMITTED_TWICE

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """What is handed back can be taken at once, and this delivery did not count."""
        self._release(*self._in_hand(data))

    def _release(self, consumer: str, delivery: Delivery) -> None:
        s, m = self._known(delivery)
        outcome = self.h.run(self.h.bus.release(delivery.job.stage, consumer, delivery))
        assert outcome in self._expected(s, m, token(consumer, delivery))
        if m and outcome is OK:
            m.owner, m.deliveries = None, delivery.attempt - 1
        elif m and outcome in (STALE, CLOSED):
            m.ended = True

    @rule(consumer=CONSUMERS)
    def stalls(self, consumer: str) -> None:
        """A worker stops or dies: its leases lapse. It may come back and believe to hold what it held."""
        self.h.lapse_jobs(consumer)
        for s in self.sessions.values():
            for m in s.jobs.values():
                if m.owner and m.owner[0] == consumer:
                    m.lapsed = True

    @rule(consumer=CONSUMERS)
    def crash(self, consumer: str) -> None:
        self.stalls(consumer)
        self.hands = [(who, delivery) for who, delivery in self.hands if who != consumer]

    @rule(consumer=CONSUMERS, stage=STAGE)
    def retire(self, consumer: str, stage: Any) -> None:
        """A consumer that owns a job is never deleted, nor its job with it."""
        for partition in range(self.h.bus.partitions):
            retired = self.h.run(self.h.bus.retire(stage, partition, consumer))
            owned = [
                m
                for name, s in self.sessions.items()
                if self.h.bus.partition(name) == partition
                for m in s.jobs.values()
                if m.job.stage == stage and s.live(m) and m.owner and m.owner[0] == consumer
            ]
            assert not (retired and owned)

    # ── the log loses its tail ───────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def save(self) -> None:
        self._look()
        self.saved = (self.h.save(), copy.deepcopy((self.sessions, self.inboxes)))

    @precondition(lambda self: self.saved)
    @rule()
    def rewind(self) -> None:
        """A failover lost a suffix of everything: whoever saw a lost event is told so, and goes on from what is left."""
        assert self.saved
        self._look()
        before = {name: (s.generation, len(s.log)) for name, s in self.sessions.items()}
        self.h.restore(self.saved[0])
        self.sessions, self.inboxes = copy.deepcopy(self.saved[1])
        for name, s in self.sessions.items():
            generation, length = before[name]
            if s.closed or length == len(s.log):
                continue
            lost = Publication(s.operation + 1, [], seen=self.seen[name][length - 1])
            assert self.h.run(self.h.bus.publish(name, s.epoch, lost)).outcome is Outcome.REWOUND
            [reply] = self.h.run(
                self.h.bus.hold(
                    s.owner, self.h.bus.partition(name), [Hold(name, s.epoch, seen=self.seen[name][length - 1])]
                )
            ).receipts
            assert reply.outcome is Outcome.REWOUND
            s.lapsed = False
            event = SpeechStarted(participant="x", by=self.name())
            self.publish(name, [event], raises=max(generation, s.generation) + 1, seen=self._seen_last(name))

    def _seen_last(self, name: str) -> Seen:
        last = self.h.run(self.h.bus.read(name))[-1]
        return Seen(last.seq, last.at)

    def _look(self) -> None:
        """Somebody reads every log."""
        for name in self.sessions:
            self.seen[name] = [Seen(event.seq, event.at) for event in self.h.run(self.h.bus.read(name))]

    # ── what always holds ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_log_says_what_was_promised(self) -> None:
        for name, s in getattr(self, "sessions", {}).items():
            events = self.h.run(self.h.bus.read(name))
            assert [event.by for event in events] == s.log
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert [event.at for event in events] == sorted(event.at for event in events)

    def teardown(self) -> None:
        if hasattr(self, "h"):
            try:
                self.end_in_order()
            finally:
                self.h.close()

    def end_in_order(self) -> None:
        """Every job that is still to be done can be done, in the order of its lane, and nothing stays behind."""
        for _ in range(200):
            taken = False
            for consumer in ("w1", "w2", "w3", "-"):
                self.stalls(consumer)
            for stage, partition in itertools.product(STAGES, range(self.h.bus.partitions)):
                for delivery in self.h.run(self.h.bus.take(stage, partition, "w1", 5)).deliveries:  # type: ignore[arg-type]
                    taken = True
                    self._check_taken(stage, "w1", delivery, True)
                    s = self.sessions[delivery.job.session]
                    m = s.jobs[delivery.job.id]
                    events = [self._event_of(delivery.job, "final")]
                    reply = self.h.run(
                        self.h.bus.commit(delivery.job.stage, "w1", delivery, m.step + 1, "final", events)
                    )
                    assert reply.outcome is OK
                    self.appended(delivery.job.session, events)
                    m.ended = True
            if not taken:
                break
        for s in self.sessions.values():
            assert not [m.job.id for m in s.jobs.values() if s.live(m)], "a job was lost"
        for stage in STAGES:
            assert self.h.run(self.h.bus.queued(stage)) == 0  # type: ignore[arg-type]
        for gateway, expected in self.inboxes.items():
            ids = dict.fromkeys(range(self.h.bus.partitions), "0-0")
            entries, _ = self.h.run(self.h.bus.inbox(gateway, ids, 0.001))
            for name in self.sessions:
                got = [entry.event.by for entry in entries if entry.session == name]
                assert got == [by for session, by in expected if session == name], "the inbox misses something"
        self._check_listing()

    def _check_listing(self) -> None:
        for name, s in self.sessions.items():
            info = self.h.run(self.h.bus.info(name))
            assert info
            assert (info.seq, info.state, info.owner, info.epoch, info.generation) == (
                len(s.log),
                "closed" if s.closed else "open",
                s.owner,
                s.epoch,
                s.generation,
            )
            snapshot = self.h.run(self.h.bus.snapshot(name))
            assert (snapshot.seq if snapshot else 0) == s.snapshot
        listed = {info.session for info in self.h.run(self.h.bus.sessions())}
        assert listed == {name for name, s in self.sessions.items() if not s.closed}
        for partition in range(self.h.bus.partitions):
            expired = set(self.h.run(self.h.bus.expired(partition, 100)))
            here = {name for name in self.sessions if self.h.bus.partition(name) == partition}
            lapsed = {name for name, s in self.sessions.items() if s.lapsed and not s.closed}
            assert expired == here & lapsed
