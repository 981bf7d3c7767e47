"""A recorded call with real sound in a real log, and simulated pools that work on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from ops.replay.scripted import Says, held
from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Bus
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.config.settings import load
from schemas.events import STAGES, ClipReady, Event, SessionEnded, Stage, UtteranceCaptured
from schemas.session.promises import violations
from workers._stage import StageHandler
from workers.llm import LlmStage
from workers.runtime import Worker
from workers.simulated import SimulatedLlm, SimulatedStt, SimulatedTts, Simulation
from workers.stt import SttStage
from workers.tts import TtsStage

AGENT = AgentSpec(greeting="", filler="", patience=0.0)
SCRIPT = (
    Says(1.0, "What is the news today?", ("Nothing much.", "It rains.")),
    Says(6.0, "And what about tomorrow?", ("It will rain again.",)),
    Says(11.0, "Thank you very much.", ("You are welcome.",)),
)
QUICK = Simulation(stt_ms=5, llm_ms=5, llm_token_ms=0.2, tts_ms=3)
SLOW = QUICK.model_copy(update={"llm_ms": 30_000.0})
"""Nobody waits for their replies."""


async def recorded_call(
    bus: Bus, session: str = "script", script: Sequence[Says] = SCRIPT, *, agent: AgentSpec = AGENT, until: float = 16.0,
    speech: Pcm | None = None, ended: Micros | None = None,
) -> list[Event]:  # fmt: skip
    """Its log, taken in, with a sound of its own for each utterance and sentence. `speech`: what each utterance is, from 0.4 s
    on; noise when not given; `ended`: when, else as every script."""
    events = held(script, agent, until=until)
    if ended is not None:
        later = ended - events[-1].at
        events = [event.model_copy(update={"at": Micros(event.at + later)}) for event in events]
    own: list[Event] = []
    dice = np.random.default_rng(7)
    for event in events:
        update: dict[str, Any] = {}
        if isinstance(event, UtteranceCaptured):
            update["audio"] = [await _sound(bus, session, ref, dice, speech) for ref in event.audio]
        elif isinstance(event, ClipReady):
            update["audio"] = await _sound(bus, session, event.audio, dice)
        own.append(event.model_copy(update=update))

    async def page() -> AsyncIterator[Sequence[Event]]:
        yield own

    await bus.take_in(session, page())
    return own


async def _sound(bus: Bus, session: str, ref: Any, dice: np.random.Generator, speech: Pcm | None = None) -> Any:
    name = ref.key.rpartition("/")[2]
    pcm = dice.integers(-3000, 3000, ref.samples).astype("<i2")
    if speech is not None:
        pcm[:] = 0
        begin = round(0.4 * HEARING_RATE)
        said = speech[: max(0, ref.samples - begin)]
        pcm[begin : begin + len(said)] = said
    return ref.model_copy(update={"key": await bus.put_blob(session, name, pcm.tobytes())})


@asynccontextmanager
async def serving(
    bus: Bus, stages: Iterable[Stage] = STAGES, simulation: Simulation = QUICK,
    models: Mapping[Stage, str] | None = None, **handlers: StageHandler,
) -> AsyncIterator[dict[Stage, Worker]]:  # fmt: skip
    """One worker a stage, until the end of the block. `models`: what those call themselves, by stage; `handlers`: others than the
    simulated ones."""
    settings = load()

    def named(stage: Stage, provider: Any) -> Any:
        provider.model = (models or {}).get(stage, provider.model)
        return provider

    made: dict[Stage, Callable[[], StageHandler]] = {
        "stt": lambda: SttStage(named("stt", SimulatedStt(settings, simulation)), settings),
        "llm": lambda: LlmStage(named("llm", SimulatedLlm(settings, simulation)), settings),
        "tts": lambda: TtsStage(named("tts", SimulatedTts(settings, simulation)), settings),
    }
    workers = {stage: Worker(bus, handlers.get(stage) or made[stage]()) for stage in stages}
    tasks = [asyncio.create_task(worker.run()) for worker in workers.values()]
    while not set(workers) <= {one.stage for one in await bus.stages() if one.workers}:
        await asyncio.sleep(0.01)
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.stop()
        await asyncio.gather(*tasks, return_exceptions=True)


async def at_rest(bus: Bus) -> None:
    """Waits until no stage has a job."""
    async with asyncio.timeout(20):
        while any(one.queued + one.running for one in await bus.stages()):
            await asyncio.sleep(0.02)


async def at_work(bus: Bus, stage: Stage = "llm") -> None:
    """Waits until a worker of the stage has a job in hand."""
    async with asyncio.timeout(20):
        while not any(one.running for one in await bus.stages() if one.stage == stage):
            await asyncio.sleep(0.02)


def benches() -> list[str]:
    """Of the forks that are being made in this process."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("reading fork-")]


async def broken_off(bus: Bus, original: str = "script") -> str:
    """The one fork there is, which has an end that says that it was stopped; nothing of it goes on."""
    await at_rest(bus)
    assert benches() == []
    assert await bus.sessions() == []
    (fork,) = [one.session for one in await bus.closed() if one.session.startswith(f"fork-{original}")]
    events = await bus.read(fork)
    assert isinstance(events[-1], SessionEnded)
    assert events[-1].reason == "broken_off"
    assert violations(events) == []
    return fork


def seconds(events: Sequence[Event]) -> float:
    return (events[-1].at - events[0].at) / 1e6


__all__ = [
    "AGENT", "HEARING_RATE", "QUICK", "SCRIPT", "SLOW", "at_rest", "at_work", "benches", "broken_off", "recorded_call", "seconds",
    "serving",
]  # fmt: skip
