"""The three pools in one task, over any Bus: they answer at once, from a script, and remember what they were asked."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.audio import AudioRef
from schemas.bus import Bus, Delivery
from schemas.config.agent import AgentSpec
from schemas.events import (
    STAGES,
    Cause,
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    StageFailed,
    TranscriptFinal,
    TranscriptPartial,
    Word,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

CLIP_RATE = 16_000


class Pools:
    """`hears`: transcripts, in order, the last one for ever; `says`: the sentences of every reply; `seconds`: of sound for each;
    `parts`: into how many a clip is cut; `failing`: stages that give up on every job; `held`: those that take none for now."""

    def __init__(
        self,
        bus: Bus,
        hears: Sequence[str] = ("hello there.",),
        says: Sequence[str] = ("I hear you.", "Go on."),
        *,
        seconds: float = 1.0,
        parts: int = 1,
        failing: Sequence[str] = (),
        end_of_turn: float | None = 0.95,
    ):
        self.bus = bus
        self.hears, self.says, self.seconds, self.parts = list(hears), list(says), seconds, parts
        self.failing = set(failing)
        self.held = set[str]()
        self.end_of_turn = end_of_turn
        self.jobs: list[Job] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Pools":
        self._tasks = [asyncio.create_task(self._serve(stage)) for stage in STAGES]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, stage: str) -> None:
        while True:
            for partition in range(self.bus.partitions) if stage not in self.held else ():
                taken = await self.bus.take(stage, partition, f"pool-{stage}", 100)  # type: ignore[arg-type]
                for delivery in taken.deliveries:
                    if not (isinstance(delivery.job, SttJob) and delivery.job.partial):
                        self.jobs.append(delivery.job)
                    events, jobs = await self._answer(delivery)
                    await self.bus.commit(stage, f"pool-{stage}", delivery, 0, "final", events, jobs)  # type: ignore[arg-type]
            await asyncio.sleep(0.005)

    async def _answer(self, delivery: Delivery) -> tuple[list[Event], list[Job]]:
        job = delivery.job
        common = {"turn": job.turn, "generation": job.generation, "cause": Cause(job=job.id, attempt=delivery.attempt)}
        if job.stage in self.failing:
            index = job.index if isinstance(job, TtsJob) else None
            utterance = job.utterance if isinstance(job, SttJob) else None
            phrase = job.phrase if isinstance(job, TtsJob) else None
            failed = StageFailed(
                **common, stage=job.stage, code="down", message=f"{job.stage} is down", job=job.id, index=index,
                utterance=utterance, phrase=phrase,
            )  # fmt: skip
            return [failed], []
        match job:
            case SttJob():
                if job.partial:
                    return [
                        TranscriptPartial(
                            **common, utterance=job.utterance, participant=job.participant, text=self.hears[0]
                        )  # type: ignore[arg-type]
                    ], []
                text = self.hears[0] if len(self.hears) == 1 else self.hears.pop(0)
                heard = TranscriptFinal(
                    **common,
                    utterance=job.utterance,
                    participant=job.participant,
                    text=text,
                    end_of_turn=self.end_of_turn,
                )
                return [heard], [job.then] if job.then and text else []
            case LlmJob():
                sentences = [ReplySentence(**common, index=index, text=text) for index, text in enumerate(self.says)]
                assert job.turn is not None
                assert job.generation is not None
                jobs = [
                    TtsJob.sentence(AgentSpec(), job.session, job.turn, job.generation, index, text)
                    for index, text in enumerate(self.says)
                ]
                return [*sentences, ReplyFinished(**common, sentences=len(sentences))], list(jobs)
            case TtsJob():
                return await self._speak(job, common), []

    def sound(self, samples: int, index: int, part: int) -> NDArray[np.int16]:
        """What a part of a sentence sounds like: a level that tells which it is."""
        return np.full(samples, 1000 * (index + 1) + part, np.int16)

    async def _speak(self, job: TtsJob, common: dict[str, object]) -> list[Event]:
        samples = int(self.seconds * CLIP_RATE / self.parts)
        clips: list[Event] = []
        for part in range(self.parts):
            pcm = self.sound(samples, job.index, part)
            key = await self.bus.put_blob(job.session, f"{job.id}-{part}", pcm.tobytes())
            ref = AudioRef(key=key, rate=CLIP_RATE, samples=samples)
            clips.append(
                ClipReady(
                    **common,
                    index=job.index,
                    part=part,
                    last=part == self.parts - 1,
                    audio=ref,
                    duration=ref.duration,  # type: ignore[arg-type]
                    text=job.text,
                    words=[Word(text=job.text, start=0, end=ref.duration)],
                    phrase=job.phrase,
                )
            )
        return clips
