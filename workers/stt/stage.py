"""The stt stage: utterances in, transcripts out, a batch of any sessions at once.

The commit that appends a transcript enqueues what the job says follows it, unless nothing was said. A partial is a hint: it
is the first thing dropped under load, without a word in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from schemas.audio import HEARING_RATE, Pcm
from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.events import Stage, TranscriptFinal, TranscriptPartial
from schemas.jobs import SttJob
from schemas.text.endings import OVER, ending
from workers import registry
from workers._stage import Work
from workers.providers import Hearing, Stt, Transcript
from workers.registry import Opened
from workers.stt.completeness import Completeness

__all__ = ["SttStage"]

DEFAULT_BATCH = 8
DEFAULT_SLOTS = 2
"""Batches at once: a lone utterance must not wait until a batch before it is done."""
HINT_PATIENCE = 0.3
"""Seconds a partial may have waited: longer, and there are more utterances than free slots."""

_Item = TypeVar("_Item")


class SttStage:
    """Built with the worker's own provider; a job that names another has that one opened once and kept."""

    stage: Stage = "stt"

    def __init__(
        self,
        provider: Stt,
        settings: Settings,
        open_provider: Callable[[str], Stt] | None = None,
        completeness: Completeness | None = None,
    ) -> None:
        self.batch = settings.worker_batch or DEFAULT_BATCH
        self.slots = settings.worker_slots or DEFAULT_SLOTS
        opening = open_provider or (lambda name: registry.provider("stt", name, settings))
        self._providers = Opened(provider, settings.stt_provider, opening)
        self._completeness = completeness or Completeness()
        self._loads_completeness = provider.read_again and settings.stt_complete
        self._in_hand = 0

    async def warm_up(self) -> None:
        waking: list[Awaitable[None]] = [self._providers.own.warm_up()]
        if self._loads_completeness:
            waking.append(self._completeness.warm_up())
        await _all(waking)

    async def run(self, works: Sequence[Work]) -> None:
        """Transcribe `works` together; one whose sound is missing or broken fails by itself.

        Transient or Permanent: the provider failed; the runtime then runs the ones without an end each by itself.
        """
        self._in_hand += len(works)
        try:
            wanted = await self._without_hints_under_load(works)
            reads = len(wanted) < max(2, self.batch)  # of a full batch none is read again: others wait
            heard = await _all(self._heard(work) for work in wanted)
            groups: dict[str, list[tuple[Work, Hearing]]] = {}
            for work, hearing in zip(wanted, heard, strict=True):
                if hearing is not None:
                    groups.setdefault(_job(work).provider, []).append((work, hearing))
            await _all(self._transcribe(name, group, reads) for name, group in groups.items())
        finally:
            self._in_hand -= len(works)

    async def aclose(self) -> None:
        await self._providers.aclose()
        await self._completeness.aclose()

    async def _without_hints_under_load(self, works: Sequence[Work]) -> list[Work]:
        """All but the partials that stand in the way of somebody's reply: those are ended, nothing appended."""
        if not any(_job(work).partial for work in works):
            return list(works)
        busy = len(works) >= self.batch
        if not busy:
            elsewhere = await works[0].bus.queued("stt") - self._in_hand
            busy = elsewhere >= self.batch
        wanted: list[Work] = []
        for work in works:
            if _job(work).partial and (busy or work.queued > HINT_PATIENCE or work.remaining() <= 0):
                await work.finish()
            else:
                wanted.append(work)
        return wanted

    async def _heard(self, work: Work) -> Hearing | None:
        """The job's sound; None when it is void, or ended here because the sound is not there."""
        job = _job(work)
        wrong = [ref.rate for ref in job.audio if ref.rate != HEARING_RATE]
        if wrong:
            await work.fail("bad_audio", f"{job.id}: expected sound at {HEARING_RATE} Hz, found {wrong[0]} Hz")
            return None
        parts = await _all(work.bus.get_blob(ref.key) for ref in job.audio)
        if work.cancelled.is_set():
            return None
        for ref, part in zip(job.audio, parts, strict=True):
            if part is None:
                await work.fail(
                    "blob_missing",
                    f"{job.id}: the sound {ref.key} is no longer stored; it outlived its time or BLOB_URL differs",
                )
                return None
        return Hearing(
            _joined([part for part in parts if part is not None]),
            job.language,
            job.partial,
            job.end_of_turn and not job.partial,
            job.model,
            job.options,
            job.keyterms,
        )

    async def _transcribe(self, name: str, group: Sequence[tuple[Work, Hearing]], reads: bool) -> None:
        """`reads`: there is time to have read what leaves open whether it was all. Nobody need judge the melody of what will be:
        it tells nothing more (docs/architecture.md), and takes as long."""
        provider, called = self._providers.named(name), name or self._providers.own_name
        group = [(work, hearing) for work, hearing in group if not await _refused(provider, called, work)]
        if not group:
            return
        reads = reads and provider.read_again
        wanted = [reads and _job(work).complete and not _job(work).partial for work, _ in group]
        asked = [
            replace(hearing, end_of_turn=False) if read and self._completeness.reads(hearing.language) else hearing
            for (_, hearing), read in zip(group, wanted, strict=True)
        ]
        transcripts = await provider.transcribe(asked)
        if len(transcripts) != len(group):
            raise Permanent(
                f"STT_PROVIDER={called}: expected {len(group)} transcripts, got {len(transcripts)}",
                "bad_answer",
            )
        await _all(
            self._tell(work, transcript, _job(work).model or provider.model, read)
            for (work, _), transcript, read in zip(group, transcripts, wanted, strict=True)
            if not work.cancelled.is_set()
        )

    async def _tell(self, work: Work, transcript: Transcript, model: str, read: bool) -> None:
        """End the job; `read`: once it is known how complete its words are, if they leave it open. No other's waits for it."""
        complete, text = None, transcript.text.strip()
        if read and text and ending(text) not in OVER:
            complete = await self._completeness.judge(text, transcript.language or _job(work).language)
        if not work.cancelled.is_set():
            await _finish(work, transcript, complete, model)


async def _all(doing: Iterable[Awaitable[_Item]]) -> list[_Item]:
    """Everything at once and to its end; then the first error, if any: nobody's work is left half done by another's."""
    done = await asyncio.gather(*doing, return_exceptions=True)
    results: list[_Item] = []
    for result in done:
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results


async def _refused(provider: Stt, name: str, work: Work) -> bool:
    """Whether the job failed because the provider doesn't obey what the agent asks of it."""
    why = registry.unheeded(provider, "stt", name, _job(work).model, _job(work).options)
    if why:
        await work.fail("options", why)
    return bool(why)


async def _finish(work: Work, transcript: Transcript, complete: float | None, model: str) -> None:
    job = _job(work)
    text = transcript.text.strip()
    if job.partial:
        partial = TranscriptPartial(
            utterance=job.utterance,
            participant=job.participant,
            text=text,
            language=transcript.language,
            took=work.elapsed(),
            queued=work.queued,
        )
        await work.finish([partial])
        return
    final = TranscriptFinal(
        utterance=job.utterance,
        participant=job.participant,
        text=text,
        language=transcript.language,
        confidence=transcript.confidence,
        words=transcript.words if text else [],
        end_of_turn=transcript.end_of_turn,
        complete=None if complete is None else round(complete, 4),
        took=work.elapsed(),
        queued=work.queued,
        model=model,
    )
    await work.finish([final], [job.then] if text and job.then is not None else [])


def _job(work: Work) -> SttJob:
    job = work.job
    assert isinstance(job, SttJob)
    return job


def _joined(parts: Sequence[bytes]) -> Pcm:
    """Whole samples of all parts, one after the other."""
    pcm = b"".join(part[: len(part) // 2 * 2] for part in parts)
    return np.frombuffer(pcm, "<i2").astype(np.int16, copy=False)
