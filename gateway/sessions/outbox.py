"""One session's way into the log: sound becomes blobs, a decision becomes one atomic publication, repeated until answered."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.metrics import GatewayMetrics
from gateway.sessions.log_away import insist
from gateway.turn_taking import Capture, Publish, Published
from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Gatekeeping, Outcome, Publication, Receipt, Seen, Snapshot, Storing
from schemas.clock import Clock, Now
from schemas.codec import encode_event, encode_job
from schemas.errors import EventError
from schemas.events import Event, Stage, UtteranceCaptured
from schemas.jobs import Job, SttJob

log = logging.getLogger("antiphon.gateway.log")

Cut = tuple[Capture, Pcm]


def traceparent(session: str, turn: int | None) -> str:
    """W3C traceparent of a turn: the same on whatever gateway, before and after a take-over."""
    digest = hashlib.blake2b(f"{session}/{turn}".encode(), digest_size=24).hexdigest()
    return f"00-{digest[:32]}-{digest[32:]}-01"


class Publishing(Gatekeeping, Storing, Protocol):
    """Facts, and the sound they refer to."""


class Outbox:
    """`epoch`: our fence; `by`: this process in the log; `limit`: queue length from which a job's stage is FULL."""

    def __init__(
        self, bus: Publishing, session: str, epoch: int, *, by: str, limit: int, clock: Clock, metrics: GatewayMetrics
    ):
        self.epoch = epoch
        self._bus, self._session, self._by = bus, session, by
        self._limits: Mapping[Stage, int] = {"stt": limit, "llm": limit, "tts": limit}
        self._clock, self._metrics = clock, metrics
        self._blobs = 0

    async def send(
        self, publish: Publish, cuts: Sequence[Cut], made: Now, seen: Seen | None, snapshot: Snapshot | None
    ) -> Published:
        """Store `cuts`, then publish what was decided at `made` (our clock); over a broken log, again and again.

        The same operation is sent each time, with `ago` as of then: a lost answer comes back as DUP.
        """
        audio = {capture.job: await self._store(capture, pcm) for capture, pcm in cuts}
        events, jobs = publish.events, publish.jobs

        async def once() -> Receipt:
            late = max(0.0, self._clock.now() - made)
            publication = Publication(
                publish.operation,
                [self._event(event, audio, publish.captures, late) for event in events],
                [self._job(job, audio) for job in jobs],
                publish.raises,
                {} if not jobs else self._limits,
                snapshot,
                seen,
            )
            call = self._bus.close if publish.close else self._bus.publish
            return await call(self._session, self.epoch, publication)

        began = self._clock.now()
        what = "close" if publish.close else "publish"
        try:
            receipt = await insist(what, once, self._metrics)
        except EventError:  # one that can't be written must not take the rest with it, nor the session
            events = tuple(event for event in events if self._can_be_written(event))
            jobs = tuple(job for job in jobs if self._can_be_written(job))
            receipt = await insist(what, once, self._metrics)
        self._metrics.publish_seconds.observe(self._clock.now() - began)
        self._metrics.publishes.labels(receipt.outcome).inc()
        if gone(receipt.outcome):
            log.info("publish refused: %s", receipt.outcome, extra={"session": self._session})
        return Published(publish.operation, receipt.outcome, receipt.seq, audio)

    def _can_be_written(self, item: Event | Job) -> bool:
        try:
            encode_job(item) if isinstance(item, Job) else encode_event(item)
        except EventError as error:
            log.error("left out of the log: %s", error, extra={"session": self._session})
            self._metrics.unwritable.inc()
            return False
        return True

    async def _store(self, capture: Capture, pcm: Pcm) -> tuple[AudioRef, ...]:
        if not len(pcm):
            return capture.behind
        self._blobs += 1
        name = f"{capture.utterance}-{self.epoch}.{self._blobs}"
        data = pcm.astype("<i2").tobytes()
        key = await insist("put_blob", lambda: self._bus.put_blob(self._session, name, data), self._metrics)
        return (*capture.behind, AudioRef(key=key, rate=HEARING_RATE, samples=len(pcm)))

    def _event(
        self, event: Event, audio: Mapping[str, tuple[AudioRef, ...]], captures: Sequence[Capture], late: float
    ) -> Event:
        changes: dict[str, object] = {"by": self._by, "trace": traceparent(self._session, event.turn)}
        if late > 0.0005:
            changes["ago"] = round(event.ago + late, 6)
        if isinstance(event, UtteranceCaptured):
            for capture in captures:
                if capture.utterance == event.utterance and not capture.partial:
                    blobs = audio[capture.job]
                    changes["audio"] = list(blobs)
                    changes["duration"] = round(sum(blob.duration for blob in blobs), 4)
        return event.model_copy(update=changes)

    def _job(self, job: Job, audio: Mapping[str, tuple[AudioRef, ...]]) -> Job:
        changes: dict[str, object] = {"trace": traceparent(self._session, job.turn)}
        if isinstance(job, SttJob):
            if job.id in audio:
                changes["audio"] = list(audio[job.id])
            if job.then is not None:
                changes["then"] = job.then.model_copy(update={"trace": changes["trace"]})
        return job.model_copy(update=changes)


def gone(outcome: Outcome) -> bool:
    """Whether an answer says that the session is not ours any more."""
    return outcome in (Outcome.LOST, Outcome.CLOSED, Outcome.MISSING)
