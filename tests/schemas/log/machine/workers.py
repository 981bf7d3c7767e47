"""What workers do to the log, the dead, the slow and the mistaken among them, and what each of them must be told."""

import itertools
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.bus import DeadLetter, Delivery, Outcome
from schemas.events import STAGES, ClipReady, Event, ReplySentence, StageFailed, TranscriptFinal
from schemas.jobs import Job, SttJob
from tests.schemas.log.machine.gateways import Gateways
from tests.schemas.log.machine.model import (
    CLOSED,
    COMMITTED_TWICE,
    CONSUMERS,
    DUP,
    HAPPENS,
    LOST,
    NOT_THE_OWNERS,
    OK,
    SOUND,
    STAGE,
    STALE,
    SUCCESSOR,
    JobModel,
    SessionModel,
    Token,
    token,
)


class Workers(Gateways):
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
