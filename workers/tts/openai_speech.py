"""Any endpoint that speaks OpenAI's `/v1/audio/speech`, streamed as PCM. It tells no timings: words are estimated from
their length, mouth shapes are none."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

import httpx2
import numpy as np

from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from workers._answers import json_value, opened, read_some
from workers._http import TROUBLE, Base, explained
from workers._refusals import error_event
from workers.providers import Sound, Speaking, Tts
from workers.tts._opening import NoSound, opening
from workers.tts._sound import leading_silence
from workers.tts.estimate import Estimate
from workers.tts.written import written_words

log = logging.getLogger("antiphon.tts")

_PARTS = (0.24, 0.6, 1.5)
"""Seconds of the first parts; all later ones are as long as the last."""
_DEFAULT_VOICE = "alloy"
_PIPER_DEFAULT = Settings.model_fields["tts_voice"].default
"""TTS_VOICE where nobody set it: a voice that no such endpoint has."""
_ENDLESS, _A_LETTER = 20.0, 0.5
"""Seconds of sound, and more for each letter, beyond which an endpoint never ends."""
_TOLD = 64 << 10


class OpenAiTts(Tts):
    """Provider `openai`: TTS_BASE_URL, TTS_MODEL, TTS_API_KEY, TTS_VOICE, TTS_RATE, TTS_TIMEOUT. An agent's `tts.options` go
    into the request as they are."""

    takes_options = True

    def __init__(self, settings: Settings) -> None:
        if not settings.tts_base_url:
            raise Permanent(
                "TTS_BASE_URL is empty; TTS_PROVIDER=openai wants a speech endpoint, such as http://127.0.0.1:8880/v1",
                "url_missing",
            )
        self.model = settings.tts_model
        self._voice = self.asked_for(settings)
        self._rate = settings.tts_rate
        self._timeout = settings.tts_timeout
        base = Base(
            "TTS", settings.tts_base_url, settings.tts_api_key, model=self.model, example="http://127.0.0.1:8880/v1"
        )
        self._endpoint, self._client = base.endpoint, base.client()

    @staticmethod
    def asked_for(settings: Settings) -> str:
        """The voice that is asked for where no agent has its own."""
        return _DEFAULT_VOICE if settings.tts_voice == _PIPER_DEFAULT else settings.tts_voice

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "TTS_BASE_URL", settings.tts_base_url

    @staticmethod
    def answers_within(settings: Settings) -> tuple[str, float]:
        return "TTS_TIMEOUT", settings.tts_timeout

    async def warm_up(self) -> None:
        async for _ in self.synthesize(Speaking("Hello.")):
            pass

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        """Parts as they come in. Transient on timeouts, broken streams and 5xx; Permanent on a refused request."""
        words = written_words(request.text, request.language)
        text = " ".join(word.spoken for word in words if word.spoken)
        if not text:
            yield Sound(np.zeros(0, np.int16), self._rate, True)
            return
        estimate: Estimate | None = None
        try:
            async with contextlib.aclosing(self._parts(text, request)) as parts:
                async for pcm, rate, last in parts:
                    estimate = estimate or Estimate([word.text for word in words], request.speed, rate)
                    yield Sound(pcm, rate, last, estimate.part(len(pcm), last=last))
        except NoSound as error:
            raise Permanent(
                f"{self._endpoint.where}: sent {error} where 16-bit mono PCM was asked for; is it a speech endpoint that "
                "takes response_format pcm?",
                "not_audio",
            ) from None
        except TROUBLE as error:
            raise explained(error, self._endpoint, f"within {self._timeout:g} s (TTS_TIMEOUT)") from None

    async def aclose(self) -> None:
        await self._client.close()

    async def _parts(self, text: str, request: Speaking) -> AsyncGenerator[tuple[Pcm, int, bool]]:
        """PCM in parts, its rate, and whether it is the last: a part is given on when at least one sample after it is there."""
        pending = bytearray()
        rate, sizes = 0, [0]
        begun = False
        async with contextlib.aclosing(self._body(text, request)) as body:
            async for kind, chunk in body:
                pending += chunk
                if not rate:
                    found = opening(bytes(pending), whole=False, kind=kind)
                    if found is None:
                        continue
                    del pending[: found.skip]
                    rate = found.rate or self._rate
                    sizes = [round(seconds * rate) * 2 for seconds in _PARTS]
                if not begun:
                    del pending[: leading_silence(_samples(pending), rate) * 2]
                while len(pending) >= sizes[0] + 2:
                    begun = True
                    yield _samples(pending[: sizes[0]]), rate, False
                    del pending[: sizes[0]]
                    sizes = sizes[1:] or sizes
        if not rate:
            found = opening(bytes(pending), whole=True)
            del pending[: found.skip if found else 0]
        if not begun and len(pending) < 2:
            raise Transient(f"{self._endpoint.where}: sent no sound for {request.text[:40]!r}", "empty")
        yield _samples(pending), rate or self._rate, True

    async def _body(self, text: str, request: Speaking) -> AsyncGenerator[tuple[str, bytes]]:
        """The body's type, and its bytes as they come, each within the timeout; cut where they would never end."""
        now = asyncio.get_running_loop().time
        asked = self._client.audio.speech.with_streaming_response.create(
            model=request.model or self.model,
            voice=request.voice or self._voice,
            input=text,
            speed=request.speed,
            response_format="pcm",
            extra_body=request.options,
        )
        left = round((_ENDLESS + _A_LETTER * len(text) / request.speed) * max(self._rate, 48_000) * 2)
        async with asyncio.timeout(self._timeout):
            response = await opened(asked)
        try:
            kind = await self._check(response)
            body = response.aiter_bytes()
            while left > 0:
                async with asyncio.timeout_at(now() + self._timeout):  # never around a yield
                    chunk = await anext(body, None)
                if chunk is None:
                    return
                left -= len(chunk)
                yield kind, chunk
            log.warning("%s: sends sound without end for %r; cut", self._endpoint.where, request.text[:40])
        finally:
            await response.aclose()

    async def _check(self, response: httpx2.Response) -> str:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("text/") and kind != "application/json":
            return kind
        async with asyncio.timeout(self._timeout):
            body = await read_some(response, _TOLD)
        value = json_value(body)
        if isinstance(value, dict) and value.get("error"):
            raise error_event(self._endpoint, value["error"])
        raise NoSound(f"{kind} ({self._endpoint.beginning(body)})")


def _samples(raw: bytearray) -> Pcm:
    """The whole samples in `raw`."""
    return np.frombuffer(bytes(raw[: len(raw) // 2 * 2]), "<i2").astype(np.int16, copy=False)


__all__ = ["OpenAiTts"]
