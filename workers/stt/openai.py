"""Any endpoint that speaks OpenAI's `/v1/audio/transcriptions`: speaches, vLLM, LocalAI, OpenAI, Groq, …"""

import asyncio
import contextlib
import io
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.audio import HEARING_RATE, Pcm
from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from schemas.text.clean import well_formed
from workers._answers import json_value, opened, read_some
from workers._http import TROUBLE, Base, explained
from workers._refusals import error_event
from workers.providers import Hearing, Stt, Transcript
from workers.stt._guards import silent
from workers.stt.turn_ends import TurnEnds

__all__ = ["OpenAiStt"]

_PACKAGED = Settings.model_fields["stt_model"].default
"""STT_MODEL where nobody set it: a model that such endpoints know by other names."""
_MODEL = "whisper-1"
_MOST = 4 << 20
"""Bytes of an answer that are read."""


class OpenAiStt(Stt):
    """Provider `openai`: STT_BASE_URL, STT_MODEL, STT_API_KEY, STT_LANGUAGE, STT_TIMEOUT. One request an utterance, a
    batch's side by side; the end of turn is judged here. An agent's `stt.options` go into the form as they are."""

    takes_options = True

    def __init__(self, settings: Settings) -> None:
        self.model = self.asked_for(settings)
        self._language = settings.stt_language
        self._timeout = settings.stt_timeout
        base = Base(
            "STT", settings.stt_base_url, settings.stt_api_key, model=self.model, example="http://127.0.0.1:8000/v1"
        )
        self._endpoint, self._client = base.endpoint, base.client()
        self._turn_ends = TurnEnds()

    @staticmethod
    def asked_for(settings: Settings) -> str:
        """The model that is asked for where no agent has its own."""
        return _MODEL if settings.stt_model == _PACKAGED else settings.stt_model

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "STT_BASE_URL", settings.stt_base_url

    @staticmethod
    def answers_within(settings: Settings) -> tuple[str, float]:
        return "STT_TIMEOUT", settings.stt_timeout

    async def warm_up(self) -> None:
        """Ask for a second of a low hum: a cold endpoint loads its model now, not in a call."""
        await self._turn_ends.warm_up()
        await self._text(Hearing(_hum()))

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        """Transient on timeouts and 5xx; Permanent on a refused request. Silence is not sent."""
        ends = asyncio.ensure_future(self._turn_ends.judge(batch))
        answers = await asyncio.gather(*(self._text(h) for h in batch), return_exceptions=True)
        judged = await ends
        transcripts: list[Transcript] = []
        for hearing, answer, end in zip(batch, answers, judged, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            language = (hearing.language or self._language) if answer else ""
            transcripts.append(Transcript(answer, language, end_of_turn=end))
        return transcripts

    async def aclose(self) -> None:
        await self._client.close()
        await self._turn_ends.aclose()

    async def _text(self, hearing: Hearing) -> str:
        """Transient also where the answer is empty, or breaks off; Permanent where it is no transcript."""
        if silent(hearing.pcm):
            return ""
        asked: dict[str, Any] = {"response_format": "json", "temperature": 0.0, "extra_body": hearing.options}
        asked["model"] = hearing.model or self.model
        if language := hearing.language or self._language:
            asked["language"] = language
        try:
            async with asyncio.timeout(self._timeout):
                file = ("speech.wav", _wav(hearing.pcm), "audio/wav")
                response = await opened(
                    self._client.audio.transcriptions.with_streaming_response.create(file=file, **asked)
                )
                async with contextlib.aclosing(response):
                    body = await read_some(response, _MOST)
        except TROUBLE as error:
            raise explained(error, self._endpoint, f"within {self._timeout:g} s (STT_TIMEOUT)") from None
        return well_formed(self._read(body)).strip()

    def _read(self, body: bytes) -> str:
        if not body.strip():
            raise Transient(f"{self._endpoint.where}: answered with nothing at all", "empty")
        value = json_value(body)
        if isinstance(value, dict) and value.get("error"):
            raise error_event(self._endpoint, value["error"])
        text = value.get("text", value) if isinstance(value, dict) else value
        if text is None and value is not None:
            return ""
        if not isinstance(text, str):
            raise Permanent(
                f"{self._endpoint.where}: expected a transcript, got {self._endpoint.beginning(body)}; "
                "is it a transcription endpoint?",
                "bad_answer",
            )
        return text


def _wav(pcm: Pcm) -> bytes:
    """16-bit mono WAV at 16 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(HEARING_RATE)
        out.writeframes(pcm.astype("<i2", copy=False).tobytes())
    return file.getvalue()


def _hum() -> Pcm:
    return (np.sin(np.arange(HEARING_RATE) / 20.0) * 1000).astype(np.int16)
