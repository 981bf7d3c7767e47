"""One job through a stage with a provider of yours, on a log in memory: by the real runtime, from warm-up to close.

    events = await hear(MyStt(load()), pcm)
    assert [event.text for event in events] == ["Hello there."]      # a TranscriptFinal

Each answers the events that the stage appended: of trouble a `stage.failed`, which says whether it was tried again. An error that
kept the worker from getting ready is raised as it is. The provider is closed afterwards, as a worker closes it.
"""

import asyncio
from collections.abc import Sequence

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings, load
from schemas.events import Event, SessionStarted, TranscriptFinal, UtteranceCaptured
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.log import MemoryBus
from workers._stage import StageHandler
from workers.llm import LlmStage
from workers.providers import Llm, Stt, Tts
from workers.runtime import Worker
from workers.stt import SttStage
from workers.tts import TtsStage

__all__ = ["answer", "hear", "speak"]

_SESSION, _YOU = "s", "you"
_WITHIN = 60.0


async def hear(
    provider: Stt,
    pcm: Pcm,
    agent: AgentSpec | None = None,
    *,
    settings: Settings | None = None,
    within: float = _WITHIN,
) -> list[Event]:
    """Of an utterance. `pcm`: int16 mono at 16 kHz, shape (n,); `within`: seconds, then TimeoutError."""
    agent, bus = agent or AgentSpec(), MemoryBus()
    key = await bus.put_blob(_SESSION, "u1", pcm.astype("<i2").tobytes())
    audio = [AudioRef(key=key, rate=HEARING_RATE, samples=len(pcm))]
    job = SttJob.of(agent, _SESSION, 1, "u1", _YOU).model_copy(update={"audio": audio})
    captured = UtteranceCaptured(
        turn=1, utterance="u1", participant=_YOU, audio=audio, duration=len(pcm) / HEARING_RATE
    )
    return await _served(SttStage(provider, settings or load()), bus, agent, [captured], job, within)


async def answer(
    provider: Llm,
    text: str,
    agent: AgentSpec | None = None,
    *,
    settings: Settings | None = None,
    within: float = _WITHIN,
) -> list[Event]:
    """Of the reply to `text`, which somebody has just said to `agent`."""
    agent = agent or AgentSpec()
    facts: list[Event] = [
        UtteranceCaptured(turn=1, utterance="u1", participant=_YOU, audio=[], duration=1.0),
        TranscriptFinal(turn=1, utterance="u1", participant=_YOU, text=text),
    ]
    job = LlmJob.of(agent, _SESSION, 1, 0, committed=False)
    return await _served(LlmStage(provider, settings or load()), MemoryBus(), agent, facts, job, within)


async def speak(
    provider: Tts,
    text: str,
    agent: AgentSpec | None = None,
    *,
    bus: MemoryBus | None = None,
    settings: Settings | None = None,
    within: float = _WITHIN,
) -> list[Event]:
    """Of a sentence of a reply, spoken by the agent's voice. `bus`: give one to read the sound from it afterwards."""
    agent = agent or AgentSpec()
    job = TtsJob.sentence(agent, _SESSION, 1, 0, 0, text)
    return await _served(TtsStage(provider, settings or load()), bus or MemoryBus(), agent, [], job, within)


async def _served(
    handler: StageHandler, bus: MemoryBus, agent: AgentSpec, facts: Sequence[Event], job: Job, within: float
) -> list[Event]:
    """What the stage appended once `job`, of a session in which `facts` happened, is no longer in the log's queue."""
    started = SessionStarted(room="testing", transport="memory", agent=agent, gateway="testing")
    await bus.open(_SESSION, "testing", "open", [started, *facts], [job])
    worker = Worker(bus, handler)
    serving = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(within):
            while await bus.queued(handler.stage) and not serving.done():
                await asyncio.sleep(0.01)
            worker.stop()
            await serving
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await handler.aclose()
    return (await bus.read(_SESSION))[1 + len(facts) :]
