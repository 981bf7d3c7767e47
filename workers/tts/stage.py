"""The tts stage: a sentence in, its clip out, part by part, each part one step in the log.

A clip is begun once and continued, never repeated: whoever takes over an interrupted job reads from the log how much of
the sound is there, synthesizes again and appends what follows.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from weakref import WeakSet, WeakValueDictionary

from schemas.audio import AudioRef
from schemas.bus import Outcome
from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.events import ClipReady, Stage
from schemas.jobs import TtsJob
from workers import registry
from workers._stage import Work
from workers.providers import Sound, Speaking, Tts
from workers.registry import Opened
from workers.tts._clips import Repeats, after, joined

__all__ = ["TtsStage"]

_Key = tuple[str, str, str, str, float, str, str]
"""What a sound depends on: provider, model, options (as JSON), voice, speed, language, text."""
DEFAULT_SLOTS = 2
"""Sentences at once: the next is under way while the first still computes; more would delay each other's first sound."""


class TtsStage:
    """Built with the worker's own provider; a job that names another has that one opened once and kept."""

    stage: Stage = "tts"
    batch = 1

    def __init__(self, provider: Tts, settings: Settings, open_provider: Callable[[str], Tts] | None = None) -> None:
        self.slots = settings.worker_slots or DEFAULT_SLOTS
        opening = open_provider or (lambda name: registry.provider("tts", name, settings))
        self._providers = Opened(provider, settings.tts_provider, opening)
        self._repeats = Repeats()
        self._begun: WeakSet[Work] = WeakSet()
        self._making: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        """Held by whoever has a phrase's sound made; kept while somebody holds it or waits for it."""

    async def warm_up(self) -> None:
        await self._providers.own.warm_up()

    async def run(self, works: Sequence[Work]) -> None:
        for work in works:
            await self._speak(work)

    async def aclose(self) -> None:
        await self._providers.aclose()

    async def _speak(self, work: Work) -> None:
        job = work.job
        assert isinstance(job, TtsJob)
        if job.phrase is None or self._repeats.get(_key(job)) is not None:
            await self._append(work, job)
            return
        making = self._making.setdefault(_key(job), asyncio.Lock())
        async with making:  # of sessions that begin together the first has it made, for all
            await self._append(work, job)

    async def _append(self, work: Work, job: TtsJob) -> None:
        """Append the clip of one sentence. Stops between parts once the job is void."""
        part, delivered = await self._delivered(work)
        self._begun.add(work)
        common = job.phrase is not None or self._repeats.get(_key(job)) is not None
        async with aclosing(self._sounds(job)) as sounds:
            async for sound in after(sounds, delivered):
                if work.cancelled.is_set():
                    return
                event = await self._clip_ready(work, job, part, sound, common=common)
                if sound.last:
                    await work.finish([event])
                    return
                if await work.step([event]) not in (Outcome.OK, Outcome.DUP):
                    return
                part += 1
        raise Permanent(
            f"TTS_PROVIDER={job.provider or self._providers.own_name}: the sound of a sentence ended without a last part",
            "empty",
        )

    async def _delivered(self, work: Work) -> tuple[int, float]:
        """What of the clip the log has already: the next part's number and the seconds of sound before it."""
        if work.delivery.last_step < 0 and work not in self._begun:
            return 0, 0.0
        events = await work.bus.read(work.job.session, after=work.job.answers)
        mine = [e for e in events if isinstance(e, ClipReady) and e.cause is not None and e.cause.job == work.job.id]
        return max((e.part + 1 for e in mine), default=0), sum(e.duration for e in mine)

    async def _clip_ready(self, work: Work, job: TtsJob, part: int, sound: Sound, *, common: bool) -> ClipReady:
        """Store the part's sound beside the log and say where it is. `common`: other sessions have it, too."""
        pcm = sound.pcm.astype("<i2", copy=False).tobytes()
        if common:
            key = await work.bus.put_shared_blob(job.session, pcm)
        else:
            key = await work.bus.put_blob(job.session, f"{job.id}.{work.delivery.attempt}.{part}", pcm)
        return ClipReady(
            turn=job.turn,
            generation=job.generation,
            cause=work.cause,
            index=job.index,
            part=part,
            last=sound.last,
            audio=AudioRef(key=key, rate=sound.rate, samples=len(sound.pcm)),
            duration=len(sound.pcm) / sound.rate,
            text=job.text,
            words=sound.words,
            visemes=sound.visemes,
            phrase=job.phrase,
            took=work.elapsed(),
            queued=work.queued,
            model=job.voice or job.model or self._providers.named(job.provider).model,
        )

    async def _sounds(self, job: TtsJob) -> AsyncGenerator[Sound, None]:
        """The clip's parts; one part when it was spoken before (greetings, fallbacks)."""
        known = self._repeats.get(_key(job))
        if known is not None:
            yield known
            return
        parts: list[Sound] = []
        provider, called = self._providers.named(job.provider), job.provider or self._providers.own_name
        if why := registry.unheeded(provider, "tts", called, job.model, job.options):
            raise Permanent(why, "options")
        request = Speaking(job.text, job.voice, job.speed, job.language, job.model, job.options)
        async with aclosing(provider.synthesize(request)) as sounds:
            async for sound in sounds:
                parts.append(sound)
                if sound.last:
                    self._repeats.offer(_key(job), joined(parts), fixed=job.phrase is not None)
                yield sound


def _key(job: TtsJob) -> _Key:
    options = json.dumps(job.options, sort_keys=True, default=str)
    return job.provider, job.model, options, job.voice, job.speed, job.language, job.text
