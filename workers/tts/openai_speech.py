"""Any endpoint that speaks OpenAI's `/v1/audio/speech`, streamed as PCM. It tells no timings: words are estimated from
their length, mouth shapes are none."""

from collections.abc import AsyncIterator

import aiohttp
import numpy as np

from schemas.errors import Permanent, Transient
from schemas.settings import Settings
from workers.providers import Pcm, Sound, Speaking
from workers.tts._estimate import Estimate
from workers.tts._sound import leading_silence
from workers.tts._text import written_words

_PARTS = (0.24, 0.6, 1.5)
"""Seconds of the first parts; all later ones are as long as the last."""
_PASSING = {408, 409, 425, 429}
_DEFAULT_VOICE = "alloy"
_PIPER_DEFAULT = Settings.model_fields["tts_voice"].default
"""TTS_VOICE where nobody set it: a voice that no such endpoint has."""
_SHOWN = 200
"""Characters of an endpoint's complaint that are passed on."""


class OpenAiTts:
    """Provider `openai`: TTS_BASE_URL, TTS_MODEL, TTS_API_KEY, TTS_VOICE, TTS_RATE, TTS_TIMEOUT."""

    def __init__(self, settings: Settings) -> None:
        if not settings.tts_base_url:
            raise Permanent(
                "TTS_BASE_URL is empty; TTS_PROVIDER=openai wants a speech endpoint, such as http://127.0.0.1:8880/v1",
                "url_missing",
            )
        self.model = settings.tts_model
        self._voice = _DEFAULT_VOICE if settings.tts_voice == _PIPER_DEFAULT else settings.tts_voice
        self._rate = settings.tts_rate
        self._url = settings.tts_base_url.rstrip("/") + "/audio/speech"
        self._key = settings.tts_api_key.get_secret_value()
        self._timeout = settings.tts_timeout
        self._session: aiohttp.ClientSession | None = None

    async def warm_up(self) -> None:
        async for _ in self.synthesize(Speaking("Hello.")):
            pass

    async def synthesize(self, request: Speaking) -> AsyncIterator[Sound]:
        """Parts as they come in. Transient on timeouts, broken streams and 5xx; Permanent on a refused request."""
        words = written_words(request.text, request.language)
        text = " ".join(word.spoken for word in words if word.spoken)
        if not text:
            yield Sound(np.zeros(0, np.int16), self._rate, True)
            return
        estimate = Estimate([word.text for word in words], request.speed, self._rate)
        try:
            async for pcm, last in self._parts(text, request):
                yield Sound(pcm, self._rate, last, estimate.part(len(pcm), last=last))
        except TimeoutError:
            raise Transient(f"{self._url}: silent for {self._timeout:g} s (TTS_TIMEOUT)", "timeout") from None
        except (aiohttp.InvalidURL, aiohttp.InvalidUrlClientError, aiohttp.NonHttpUrlClientError):
            raise Permanent(f"TTS_BASE_URL={self._url}: no address; expected http://host:port/v1", "bad_url") from None
        except aiohttp.ClientError as error:
            raise Transient(f"{self._url}: {error or type(error).__name__} (TTS_BASE_URL)", "connection") from None

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _parts(self, text: str, request: Speaking) -> AsyncIterator[tuple[Pcm, bool]]:
        """PCM in parts, and whether it is the last: a part is given on when at least one sample after it is there."""
        pending = bytearray()
        sizes = [round(seconds * self._rate) * 2 for seconds in _PARTS]
        begun = False
        async with self._client().post(self._url, json=self._body(text, request)) as response:
            await self._check(response)
            async for chunk in response.content.iter_any():
                pending += chunk
                if not begun:
                    del pending[: leading_silence(_samples(pending), self._rate) * 2]
                while len(pending) >= sizes[0] + 2:
                    begun = True
                    yield _samples(pending[: sizes[0]]), False
                    del pending[: sizes[0]]
                    sizes = sizes[1:] or sizes
        if not begun and len(pending) < 2:
            raise Transient(f"{self._url}: sent no sound for {request.text[:40]!r}", "empty")
        yield _samples(pending), True

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=self._timeout)
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(timeout=timeout, headers=headers)
        return self._session

    def _body(self, text: str, request: Speaking) -> dict[str, object]:
        return {
            "model": self.model,
            "voice": request.voice or self._voice,
            "input": text,
            "speed": request.speed,
            "response_format": "pcm",
        }

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 400:
            kind = response.content_type
            if kind.startswith("text/") or kind == "application/json":
                raise Permanent(
                    f"{self._url}: answered {kind} instead of PCM; is TTS_BASE_URL a speech endpoint?", "not_audio"
                )
            return
        said = (await response.text(errors="replace"))[:_SHOWN].strip()
        message = f"{self._url}: answered {response.status} {said!r}"
        if response.status >= 500 or response.status in _PASSING:
            raise Transient(message, "bad_status")
        raise Permanent(f"{message}; check TTS_BASE_URL, TTS_MODEL, TTS_VOICE and TTS_API_KEY", "bad_status")


def _samples(raw: bytearray) -> Pcm:
    """The whole samples in `raw`."""
    return np.frombuffer(bytes(raw[: len(raw) // 2 * 2]), "<i2").astype(np.int16, copy=False)


__all__ = ["OpenAiTts"]
