"""The shipped suites can fail: each is given a provider that breaks one promise."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from schemas.audio import Pcm
from schemas.config.settings import Settings
from workers.providers import ChatRequest, Delta, Hearing, Sound, Speaking, Transcript
from workers.simulated import SimulatedLlm, SimulatedStt, SimulatedTts, Simulation
from workers.testing.contracts import LlmContract, SttContract, TtsContract

SETTINGS = Settings(_env_file=None)
FAST = Simulation(stt_ms=0, llm_ms=0, llm_token_ms=0, tts_ms=0)
SOUND: Pcm = np.random.default_rng(1).integers(-9_000, 9_000, 3 * 16_000).astype(np.int16)


class Mixed(SimulatedStt):
    """Answers a batch in another order than it was asked."""

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        return (await super().transcribe(batch))[::-1]


class Stammering(SimulatedLlm):
    """Begins a reply anew that it was to continue."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        return super().stream(replace(request, prefill=""))


class Swallowing(SimulatedTts):
    """Leaves out a word, or says no end."""

    def __init__(self, fault: str):
        super().__init__(SETTINGS, FAST)
        self._fault = fault

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        async for sound in super().synthesize(request):
            loud = replace(sound, pcm=sound.pcm * 2)
            faulty = {"word": replace(loud, words=loud.words[1:]), "end": replace(loud, last=False)}
            yield faulty.get(self._fault, loud)


async def test_answers_in_another_order_are_found() -> None:
    """A recognizer that gives one caller's words to another fails; one that keeps the order passes."""
    nothing = np.zeros(0, np.int16)
    utterances = [nothing if n in (1, 4, 8) else SOUND[: 4_000 * (n + 1)] for n in range(10)]
    await SttContract().test_company_changes_nothing(SimulatedStt(SETTINGS, FAST), utterances)
    with pytest.raises(AssertionError):
        await SttContract().test_company_changes_nothing(Mixed(SETTINGS, FAST), utterances)


async def test_a_reply_said_twice_is_found() -> None:
    """An LLM that says it continues a reply, and begins it anew, fails; one that continues it passes."""
    await LlmContract().test_prefill_goes_on(SimulatedLlm(SETTINGS, FAST))
    with pytest.raises(AssertionError):
        await LlmContract().test_prefill_goes_on(Stammering(SETTINGS, FAST))


async def test_a_lost_word_is_found() -> None:
    """A voice whose clip lacks a written word fails, or one that never says that this was all; a whole one passes."""
    text = "Of course, I can help you with that."
    suite = TtsContract()
    await suite.test_every_written_word_is_timed(Swallowing(""), text)
    with pytest.raises(AssertionError):
        await suite.test_every_written_word_is_timed(Swallowing("word"), text)
    await suite.test_clip_is_whole(Swallowing(""), text)
    with pytest.raises(AssertionError):
        await suite.test_clip_is_whole(Swallowing("end"), text)
