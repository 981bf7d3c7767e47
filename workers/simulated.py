"""Providers of fixed cost, for benchmarks and chaos: `STT_PROVIDER=simulated`, and so for llm and tts.

They run through the same runtime and stage handlers as real models and answer the same for the same input. The cost is a
sleep, as if a GPU worked: what remains is the price of everything around it.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.config.settings import Settings, read
from schemas.errors import Permanent, SettingsError, Transient
from schemas.events import Stage, Usage, Viseme, Word
from workers import rehearsed
from workers.providers import CalledTool, ChatRequest, Delta, Hearing, Llm, Sound, Speaking, Stt, Transcript, Tts

__all__ = ["SimulatedLlm", "SimulatedStt", "SimulatedTts", "Simulation", "pitch"]

Trouble = Literal["", "transient", "permanent", "hang", "empty"]


class Simulation(BaseSettings):
    """Environment variables, all beginning with SIMULATED_: milliseconds, unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="SIMULATED_", frozen=True)

    stt_ms: float = Field(100.0, ge=0)
    """A batch, whatever its size; one at a time."""
    stt_text: str = ""
    """Every transcript; "" derives one from the sound."""
    llm_ms: float = Field(30.0, ge=0)
    """Until the first token."""
    llm_token_ms: float = Field(5.0, ge=0)
    llm_sentences: int = Field(2, ge=1)
    llm_calls: str = ""
    """A tool that is called once in each reply, without arguments, where the agent has it; then the reply is said."""
    llm_rules: Path | None = None
    """A file of rules by which it answers (workers/rehearsed.py); what none fits is answered as without."""
    tts_ms: float = Field(30.0, ge=0)
    """A sentence."""
    tts_rate: int = Field(16_000, ge=8_000, le=48_000)
    """Hz."""
    tts_char_ms: float = Field(60.0, gt=0)
    """Sound per character of text."""
    stt_trouble: Trouble = ""
    """What goes wrong, every time: an error that may pass, one that won't, no answer ever, an answer with nothing in it."""
    llm_trouble: Trouble = ""
    tts_trouble: Trouble = ""


async def _fails(stage: Stage, trouble: Trouble) -> bool:
    """Fail as asked; answers whether the answer is to be empty."""
    if trouble == "transient":
        raise Transient(f"SIMULATED_{stage.upper()}_TROUBLE=transient: fails as asked", "simulated")
    if trouble == "permanent":
        raise Permanent(f"SIMULATED_{stage.upper()}_TROUBLE=permanent: fails as asked", "simulated")
    if trouble == "hang":
        await asyncio.Event().wait()
    return trouble == "empty"


class _Simulated:
    model = "simulated"

    def __init__(self, settings: Settings, simulation: Simulation | None = None):
        self._simulation = simulation or read(Simulation)


class SimulatedStt(_Simulated, Stt):
    """Hears "sound number N of S seconds": N from the samples. Silence is ""."""

    read_again = False

    def __init__(self, settings: Settings, simulation: Simulation | None = None):
        super().__init__(settings, simulation)
        self._device = asyncio.Lock()

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        empty = await _fails("stt", self._simulation.stt_trouble)
        async with self._device:
            await asyncio.sleep(self._simulation.stt_ms / 1e3)
        return [Transcript("") if empty else self._heard(hearing) for hearing in batch]

    def _heard(self, hearing: Hearing) -> Transcript:
        pcm = hearing.pcm
        if not len(pcm) or int(np.abs(pcm.astype(np.int32)).max()) < 100:
            return Transcript("", hearing.language)
        seconds = len(pcm) / 16_000
        text = (
            self._simulation.stt_text or f"Sound number {zlib.crc32(pcm.tobytes()) % 10_000} of {seconds:.1f} seconds."
        )
        return Transcript(
            text,
            hearing.language or "en",
            confidence=1.0,
            words=_evenly(text, seconds),
            end_of_turn=0.95 if hearing.end_of_turn else None,
        )


class SimulatedLlm(_Simulated, Llm):
    """Says what it was told last and how many messages it was given, then fixed sentences; or answers by rules."""

    prefills = True

    def __init__(self, settings: Settings, simulation: Simulation | None = None):
        """Permanent: the file of rules can't be read, and why."""
        super().__init__(settings, simulation)
        path = self._simulation.llm_rules
        try:
            self._rules = rehearsed.load(path) if path is not None else rehearsed.Rules()
        except SettingsError as error:
            raise Permanent(str(error), "simulated") from None

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        empty = await _fails("llm", self._simulation.llm_trouble)
        calls = self._simulation.llm_calls
        last = request.messages[-1].get("role") if request.messages else ""
        if last == "user" and any(tool["function"]["name"] == calls for tool in request.tools):
            yield Delta(finish="tool", calls=(CalledTool(calls, {}),))
            return
        names = [str(tool["function"]["name"]) for tool in request.tools]
        answer = self._rules.answer(request.messages, names) if self._rules.rule and not empty else None
        await asyncio.sleep(self._simulation.llm_ms / 1e3)
        reply = "" if empty else answer.says if answer is not None else self._reply(request.messages)
        rest = reply.removeprefix(request.prefill)
        tokens = [token for token in rest.split(" ") if token]
        for number, token in enumerate(tokens):
            if number:
                await asyncio.sleep(self._simulation.llm_token_ms / 1e3)
            yield Delta(token if number == 0 and not request.prefill else f" {token}")
        if answer is not None and answer.call is not None:
            yield Delta(finish="tool", calls=(CalledTool(*answer.call),))
            return
        yield Delta(finish="stop", usage=Usage(prompt_tokens=len(request.messages), completion_tokens=len(tokens)))

    def _reply(self, messages: list[dict[str, Any]]) -> str:
        said = next((str(m["content"]) for m in reversed(messages) if m.get("role") == "user"), "nothing")
        said = " ".join(said.split()).rstrip(".!?") or "nothing"
        sentences = [f"I heard you say {said}."]
        sentences += [
            f"This is sentence number {number} to {len(messages)} messages."
            for number in range(2, self._simulation.llm_sentences + 1)
        ]
        return " ".join(sentences)


class SimulatedTts(_Simulated, Tts):
    """A quiet tone, as long as the text, of the text's own pitch."""

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        empty = await _fails("tts", self._simulation.tts_trouble)
        await asyncio.sleep(self._simulation.tts_ms / 1e3)
        rate = self._simulation.tts_rate
        seconds = 0.0 if empty else len(request.text) * self._simulation.tts_char_ms / 1e3 / request.speed
        time = np.arange(int(seconds * rate)) / rate
        pcm = (2_000 * np.sin(2 * np.pi * pitch(request.text) * time)).astype(np.int16)
        words = _evenly(request.text, seconds)
        visemes = [Viseme(shape="aa", start=word.start, end=word.end) for word in words]
        yield Sound(pcm, rate, last=True, words=words, visemes=visemes)


def pitch(text: str) -> int:
    """Hz of the tone that says `text`, one of 64: whoever listens can tell what was said, and whether it was said before."""
    return 400 + 50 * (zlib.crc32(text.encode()) % 64)


def _evenly(text: str, seconds: float) -> list[Word]:
    words = text.split()
    each = seconds / max(1, len(words))
    return [
        Word(text=word, start=round(place * each, 3), end=round((place + 1) * each, 3))
        for place, word in enumerate(words)
    ]
