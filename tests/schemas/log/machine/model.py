"""What the model knows of sessions and jobs: whose each is, which is void."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from schemas.audio import AudioRef
from schemas.bus import Delivery, Outcome
from schemas.events import STAGES
from schemas.jobs import Job, SttJob

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
