"""Short ways to say things to a log in tests."""

from typing import Any

from schemas.audio import AudioRef
from schemas.bus import Bus, Delivery, Publication, Receipt
from schemas.config.agent import AgentSpec
from schemas.events import (
    Event,
    ReplySentence,
    SayRequested,
    SessionStarted,
    SpeechStarted,
    Stage,
    StageFailed,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

SOUND = AudioRef(key="{p00}:blob:x", rate=16000, samples=160)
STARTED = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g1")
SPEECH = SpeechStarted(participant="ann")
SENTENCE = ReplySentence(index=0, text="Hello.")
SAY = SayRequested(text="Hello.")
FAILED = StageFailed(stage="llm", code="deliveries", message="gave up")


def llm(name: str, session: str = "s", generation: int = 0, **more: Any) -> LlmJob:
    return LlmJob(id=name, session=session, turn=1, generation=generation, **more)


def stt(utterance: str, session: str = "s", participant: str = "ann", **more: Any) -> SttJob:
    return SttJob(
        id=f"stt/{utterance}",
        session=session,
        utterance=utterance,
        participant=participant,
        audio=[SOUND],
        **more,
    )


def tts(name: str, session: str = "s", generation: int | None = 0) -> TtsJob:
    return TtsJob(id=name, session=session, generation=generation, index=0, text="Hello.")


class Gateway:
    """One session's gateway: it counts its operations."""

    def __init__(self, bus: Bus, session: str = "s", epoch: int = 1) -> None:
        self.bus, self.session, self.epoch, self.operation = bus, session, epoch, 0

    async def open(self, *jobs: Job) -> "Gateway":
        await self.bus.open(self.session, "g1", "request", [STARTED], jobs, ticket="ticket")
        return self

    async def publish(self, *jobs: Job, events: tuple[Event, ...] = (), **more: Any) -> Receipt:
        self.operation += 1
        return await self.bus.publish(self.session, self.epoch, Publication(self.operation, events, jobs, **more))


async def take(
    bus: Bus, stage: Stage, consumer: str = "w1", count: int = 10, *, reclaim: bool = True
) -> list[Delivery]:
    taken = []
    for partition in range(bus.partitions):
        taken += (await bus.take(stage, partition, consumer, count, reclaim=reclaim)).deliveries
    return taken


async def take_one(bus: Bus, stage: Stage, consumer: str = "w1") -> Delivery:
    [delivery] = await take(bus, stage, consumer)
    return delivery
