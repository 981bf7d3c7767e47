"""One taken job: its clock, its steps, its end. What `workers._stage.Work` promises is kept here."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from schemas.bus import Delivery, Ending, Outcome, Seen, Working
from schemas.clock import Clock, Micros
from schemas.errors import BusError
from schemas.events import Cause, Event, StageExpired, StageFailed
from schemas.jobs import Job, SttJob, TtsJob
from schemas.process.backoff import A_POOL, Backoff
from workers._metrics import WorkerMetrics
from workers._stage import StageBus

log = logging.getLogger("antiphon.worker")


class JobBus(StageBus, Working, Protocol):
    """What becomes of a job, and what its stage needs meanwhile."""


class TakenJob:
    """A job this worker owns, until `left` says how it went.

    `left`: "" while it is ours; then done, failed, expired, released, or why it was taken away: lost, stale, closed.
    """

    def __init__(
        self, bus: JobBus, consumer: str, delivery: Delivery, time: Micros, clock: Clock, metrics: WorkerMetrics
    ):
        """`time`: the log's, µs, when the job was taken."""
        self.bus: StageBus = bus
        self._log: Working = bus
        self.delivery = delivery
        self.cancelled = asyncio.Event()
        self.queued = max(0.0, (time - delivery.enqueued) / 1e6)
        self.seen: Seen | None = None
        self.provider = delivery.job.provider if isinstance(delivery.job, SttJob | TtsJob) else ""
        self.left = ""
        self._allowed = (delivery.deadline - time) / 1e6
        self._clock = clock
        self._taken = clock.now()
        self._consumer = consumer
        self._metrics = metrics
        self._next_step = delivery.last_step + 1
        self._committing = asyncio.Lock()

    # ── what a stage sees ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def job(self) -> Job:
        return self.delivery.job

    @property
    def cause(self) -> Cause:
        return Cause(job=self.job.id, attempt=self.delivery.attempt)

    def elapsed(self) -> float:
        return self._clock.now() - self._taken

    def remaining(self) -> float:
        return self._allowed - self.elapsed()

    async def step(self, events: Sequence[Event], jobs: Sequence[Job] = ()) -> Outcome:
        return await self._commit("step", events, jobs, "")

    async def finish(self, events: Sequence[Event] = (), jobs: Sequence[Job] = ()) -> Outcome:
        return await self._commit("final", events, jobs, "done")

    async def fail(self, code: str, message: str) -> Outcome:
        if self.is_hint:
            return await self._commit("final", [], [], "failed")
        return await self._commit("dead", [self._failed(code, message, will_retry=False)], [], "failed")

    # ── what the runtime does with it ────────────────────────────────────────────────────────────────────────────────

    async def will_retry(self, code: str, message: str) -> Outcome:
        """Say in the log that this went wrong and is tried again; renews the lease on the way."""
        return await self.step([self._failed(code, message, will_retry=True)])

    async def expire(self, message: str) -> Outcome:
        """The deadline passed: recorded, unless it was but a hint."""
        index, utterance, phrase = self._subject
        expired = StageExpired(
            stage=self.job.stage, message=message, job=self.job.id, index=index, utterance=utterance, phrase=phrase
        )
        self.cancelled.set()
        return await self._commit("final", [] if self.is_hint else [expired], [], "expired")

    async def release(self) -> None:
        """Hand it back, uncounted. BusError: it stays ours until the lease runs out."""
        async with self._committing:
            if not self.left:
                await self._log.release(self.job.stage, self._consumer, self.delivery)
                self._leave("released")
                self.cancelled.set()

    def renewed(self, outcome: Outcome) -> None:
        """What the log answered to the renewal. A commit under way knows better: its own answer decides then."""
        if outcome is not Outcome.OK and not self.left and not self._committing.locked():
            self._taken_away(outcome)

    # ── commits ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _commit(self, ending: Ending, events: Sequence[Event], jobs: Sequence[Job], left: str) -> Outcome:
        """Ask until there is an answer: an unknown one is asked again and then is DUP, or LOST to whoever took over."""
        async with self._committing:
            decided = self._clock.now()
            delays = Backoff(0.05, 0.5, A_POOL)
            while not self.left:
                late = self._clock.now() - decided
                try:
                    reply = await self._log.commit(
                        self.job.stage,
                        self._consumer,
                        self.delivery,
                        self._next_step,
                        ending,
                        [self._stamped(event, late) for event in events],
                        jobs,
                        self.seen,
                    )
                except BusError as error:
                    self._metrics.log_failed("commit")
                    log.debug(
                        "commit unanswered, asked again: %s",
                        error,
                        extra={"job": self.job.id, "session": self.job.session},
                    )
                    await asyncio.sleep(next(delays))
                    continue
                if reply.outcome not in (Outcome.OK, Outcome.DUP):
                    self._taken_away(reply.outcome, "commit refused")
                    return reply.outcome
                self._next_step += 1
                self._metrics.committed(events, self.provider)
                if reply.outcome is Outcome.OK and self.seen is not None:
                    self.seen = Seen(reply.seq, reply.at)
                if ending != "step":
                    self._leave(left)
                return reply.outcome
            return Outcome.LOST

    def _taken_away(self, outcome: Outcome, what: str = "job taken away") -> None:
        """REWOUND and MISSING are LOST to a worker: whoever is the owner now will see to it."""
        name = outcome.lower() if outcome in (Outcome.STALE, Outcome.CLOSED) else "lost"
        log.log(
            logging.INFO if name == "lost" else logging.DEBUG,
            "%s: %s",
            what,
            outcome,
            extra={"job": self.job.id, "session": self.job.session, "attempt": self.delivery.attempt},
        )
        self._leave(name)
        self.cancelled.set()

    def _leave(self, how: str) -> None:
        self.left = how
        self._metrics.left(how, self.elapsed())

    def _stamped(self, event: Event, late: float) -> Event:
        """Fill in what every event of this job shares, where the stage left it open."""
        job = self.job
        return event.model_copy(
            update={
                "ago": event.ago + late,
                "by": event.by or self._consumer,
                "cause": event.cause or self.cause,
                "turn": job.turn if event.turn is None else event.turn,
                "generation": job.generation if event.generation is None else event.generation,
                "trace": event.trace or job.trace,
            }
        )

    @property
    def is_hint(self) -> bool:
        """A partial transcript is nobody's loss."""
        return isinstance(self.job, SttJob) and self.job.partial

    @property
    def _subject(self) -> tuple[int | None, str | None, str | None]:
        """Sentence index, utterance, phrase: what the job was about."""
        job = self.job
        if isinstance(job, TtsJob):
            return job.index, None, job.phrase
        return None, job.utterance if isinstance(job, SttJob) else None, None

    def _failed(self, code: str, message: str, *, will_retry: bool) -> StageFailed:
        index, utterance, phrase = self._subject
        return StageFailed(
            stage=self.job.stage,
            code=code,
            message=message,
            will_retry=will_retry,
            job=self.job.id,
            index=index,
            utterance=utterance,
            phrase=phrase,
        )
