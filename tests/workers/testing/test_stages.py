"""What is shipped to try a provider with: one job through its stage, and asyncio in virtual time."""

import asyncio
import subprocess
import sys

import numpy as np
import pytest

from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.events import ClipReady, ReplyFinished, ReplySentence, StageFailed, TranscriptFinal
from schemas.log import MemoryBus
from workers.simulated import SimulatedLlm, SimulatedStt, SimulatedTts, Simulation
from workers.testing import Stuck, VirtualLoop, answer, hear, simulate, speak, virtually

SETTINGS = Settings(_env_file=None)
FAST = Simulation(stt_ms=0, llm_ms=0, llm_token_ms=0, tts_ms=0, tts_char_ms=1)


class ClosedOnce(SimulatedStt):
    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def test_an_utterance_becomes_a_transcript() -> None:
    """A provider's transcript of one utterance stands in the log as the stage wrote it; then the provider is closed."""
    provider = ClosedOnce(SETTINGS, FAST.model_copy(update={"stt_text": "Hello there."}))
    (event,) = await hear(provider, np.full(16_000, 500, np.int16), settings=SETTINGS)
    assert isinstance(event, TranscriptFinal)
    assert (event.text, event.model, event.turn, event.participant) == ("Hello there.", "simulated", 1, "you")
    assert provider.closed == 1


async def test_a_question_becomes_a_reply() -> None:
    """The LLM is given what was said, and its reply stands in the log sentence by sentence, with its end."""
    events = await answer(SimulatedLlm(SETTINGS, FAST), "Good morning!", settings=SETTINGS)
    said = next(event.text for event in events if isinstance(event, ReplySentence))
    assert said == "I heard you say Good morning."
    assert isinstance(events[-1], ReplyFinished)


async def test_a_sentence_becomes_a_clip() -> None:
    """The sound of a sentence lies where its clip says."""
    bus = MemoryBus()
    (event,) = await speak(SimulatedTts(SETTINGS, FAST), "Good morning.", bus=bus, settings=SETTINGS)
    assert isinstance(event, ClipReady)
    assert [word.text for word in event.words] == ["Good", "morning."]
    sound = await bus.get_blob(event.audio.key)
    assert sound is not None
    assert len(sound) == 2 * event.audio.samples > 0


async def test_a_providers_trouble_is_told() -> None:
    """A provider that fails for good has its sentence in the log; one that can't be warmed up raises it."""

    class Cold(SimulatedStt):
        async def warm_up(self) -> None:
            raise Permanent("STT_MODEL=x: no such model", "model_missing")

    failing = SimulatedStt(SETTINGS, FAST.model_copy(update={"stt_trouble": "permanent"}))
    (event,) = await hear(failing, np.zeros(16_000, np.int16), settings=SETTINGS)
    assert isinstance(event, StageFailed)
    assert (event.message, event.will_retry) == ("SIMULATED_STT_TROUBLE=permanent: fails as asked", False)
    with pytest.raises(Permanent, match="STT_MODEL=x"):
        await hear(Cold(SETTINGS, FAST), np.zeros(16_000, np.int16), settings=SETTINGS)


@virtually
async def test_an_hour_costs_nothing() -> None:
    """On the virtual loop sleeping an hour is an hour of its time, and none of ours."""
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() - before == pytest.approx(3600)


def test_waiting_for_nothing_is_an_error() -> None:
    """A test that waits for what never comes fails at once instead of hanging."""

    @virtually
    async def hangs() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        hangs()


def test_a_seed_is_an_order() -> None:
    """What is ready at once runs in the order of the seed: the same each time, and of other seeds another."""

    async def order(_: VirtualLoop) -> list[int]:
        seen: list[int] = []

        async def one(number: int) -> None:
            seen.append(number)

        await asyncio.gather(*(one(number) for number in range(8)))
        return seen

    assert simulate(1, order) == simulate(1, order)
    assert len({tuple(simulate(seed, order)) for seed in range(10)}) > 5


def test_only_the_contracts_need_pytest() -> None:
    """A worker, and what is shipped for tests but the suites, run where pytest isn't installed."""
    code = "import sys, workers.main, workers.testing, workers.simulated; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
