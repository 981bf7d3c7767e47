"""How the machine makes what it does: events, jobs, and publications of which the model is told."""

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from schemas.bus import Delivery, Publication, Seen
from schemas.events import Event
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from tests.schemas.log.harness import Harness
from tests.schemas.log.machine.model import CLOSED, OK, SOUND, JobModel, SessionModel


class Making(RuleBasedStateMachine):
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
