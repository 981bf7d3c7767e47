"""A recorded call with real sound in a real log, and simulated pools that work on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from ops.replay.scripted import Says, held
from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Bus
from schemas.config.agent import AgentSpec
from schemas.config.settings import load
from schemas.events import STAGES, ClipReady, Event, Stage, UtteranceCaptured
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


async def recorded_call(
    bus: Bus, session: str = "script", script: Sequence[Says] = SCRIPT, *, agent: AgentSpec = AGENT, until: float = 16.0,
    speech: Pcm | None = None,
) -> list[Event]:  # fmt: skip
    """Its log, taken in, with a sound of its own for each utterance and sentence. `speech`: what each utterance is, from 0.4 s
    on; noise when not given."""
    events = held(script, agent, until=until)
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
    bus: Bus, stages: Iterable[Stage] = STAGES, simulation: Simulation = QUICK, **handlers: StageHandler
) -> AsyncIterator[dict[Stage, Worker]]:
    """One worker a stage, until the end of the block. `handlers`: others than the simulated ones, by stage."""
    settings = load()
    made: dict[Stage, Callable[[], StageHandler]] = {
        "stt": lambda: SttStage(SimulatedStt(settings, simulation), settings),
        "llm": lambda: LlmStage(SimulatedLlm(settings, simulation), settings),
        "tts": lambda: TtsStage(SimulatedTts(settings, simulation), settings),
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


def seconds(events: Sequence[Event]) -> float:
    return (events[-1].at - events[0].at) / 1e6


__all__ = ["AGENT", "HEARING_RATE", "QUICK", "SCRIPT", "recorded_call", "seconds", "serving"]
