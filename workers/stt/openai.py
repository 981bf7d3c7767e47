"""Any endpoint that speaks OpenAI's `/v1/audio/transcriptions`: speaches, vLLM, LocalAI, OpenAI, Groq, …"""

import asyncio
import io
import wave
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import openai
from openai import AsyncOpenAI

from schemas.audio import HEARING_RATE
from schemas.errors import Permanent, ProviderError, Transient
from schemas.settings import Settings
from workers.providers import Hearing, Pcm, Transcript
from workers.stt._ears import Ears
from workers.stt._guards import silent

__all__ = ["OpenAiStt"]

_CONNECT = 3.0  # seconds
_PACKAGED = Settings.model_fields["stt_model"].default
"""STT_MODEL where nobody set it: a model that such endpoints know by other names."""
_MODEL = "whisper-1"
_PASSING = {408, 409, 425, 429}
_SHOWN = 200
"""Characters of an endpoint's complaint that are passed on."""


class OpenAiStt:
    """Provider `openai`: STT_BASE_URL, STT_MODEL, STT_API_KEY, STT_LANGUAGE, STT_TIMEOUT. One request an utterance, a
    batch's side by side; the end of turn is judged here."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.stt_base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Permanent(
                f"STT_BASE_URL={settings.stt_base_url}: STT_PROVIDER=openai expects a URL such as "
                "http://127.0.0.1:8000/v1",
                "bad_url",
            )
        self.model = _MODEL if settings.stt_model == _PACKAGED else settings.stt_model
        self._where = f"STT_BASE_URL={url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}{url.path}"
        self._language = settings.stt_language
        self._timeout = settings.stt_timeout
        self._client = AsyncOpenAI(
            base_url=settings.stt_base_url,
            api_key=settings.stt_api_key.get_secret_value() or "none",
            max_retries=0,  # the runtime retries, and says so in the log
            timeout=httpx2.Timeout(self._timeout, connect=_CONNECT),
        )
        self._ears = Ears()

    async def warm_up(self) -> None:
        """Ask for a second of a low hum: a cold endpoint loads its model now, not in a call."""
        await self._ears.warm_up()
        await self._text(Hearing(_hum()))

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        """Transient on timeouts and 5xx; Permanent on a refused request. Silence is not sent."""
        ends = asyncio.ensure_future(self._ears.judge(batch))
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
        await self._ears.aclose()

    async def _text(self, hearing: Hearing) -> str:
        if silent(hearing.pcm):
            return ""
        asked: dict[str, Any] = {}
        if language := hearing.language or self._language:
            asked["language"] = language
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.audio.transcriptions.create(
                    file=("speech.wav", _wav(hearing.pcm), "audio/wav"),
                    model=self.model,
                    response_format="json",
                    temperature=0.0,
                    **asked,
                )
        except (TimeoutError, openai.APITimeoutError):
            raise Transient(f"{self._where}: no answer within {self._timeout:g} s (STT_TIMEOUT)", "timeout") from None
        except openai.APIError as error:
            raise self._explained(error) from None
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            raise Permanent(
                f"{self._where}: answered without a text; is STT_BASE_URL a transcription endpoint?", "bad_answer"
            )
        return text.strip()

    def _explained(self, error: openai.APIError) -> ProviderError:
        """Which setting to change, and whether it may pass by itself. Never what a refused key looked like."""
        if not isinstance(error, openai.APIStatusError):
            return Transient(f"{self._where}: cannot be reached; start the endpoint, or correct the URL", "connect")
        status, said = error.status_code, " ".join(str(error.message).split())[:_SHOWN]
        if status in (401, 403):
            return Permanent(
                f"{self._where} answers {status}: STT_API_KEY is missing, wrong, or may not use the model", "refused"
            )
        if status == 404:
            return Permanent(
                f"{self._where} answers 404: no such path, or STT_MODEL={self.model} is not known there ({said})",
                "model_missing",
            )
        if status >= 500 or status in _PASSING:
            return Transient(f"{self._where} answers {status}: {said}", "bad_status")
        return Permanent(f"{self._where} answers {status}: {said}", "bad_request")


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
