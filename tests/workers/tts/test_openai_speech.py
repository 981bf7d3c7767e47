"""Any OpenAI-compatible speech endpoint, played here by a small real HTTP server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from workers.providers import Speaking, Tts
from workers.testing.contracts.tts import TtsContract, WholeClip, spoken
from workers.tts.openai_speech import OpenAiTts

RATE = 24_000


class SpeechServer:
    """Says 70 ms of noise per letter, after a fifth of a second of silence, in chunks of odd length. `answers`: what to do
    instead."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers = "sound"
        self.url = ""
        self.more = asyncio.Event()

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/v1/audio/speech", self._speak)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization"))
        if self.answers.isdigit():
            return web.Response(status=int(self.answers), text="no such\nvoice" * 100)
        if self.answers == "page":
            return web.Response(text="<html>welcome</html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        sound = self.sound(body["input"], body["speed"]).tobytes()
        if self.answers == "nothing":
            sound = b""
        for at in range(0, len(sound), 4_999):
            await response.write(sound[at : at + 4_999])
            if self.answers == "hangs":
                await self.more.wait()
            if self.answers == "breaks" and at > 40_000:
                assert request.transport is not None
                request.transport.close()
                return response
        await response.write_eof()
        return response

    @staticmethod
    def sound(text: str, speed: float) -> np.ndarray:
        noise = np.random.Generator(np.random.PCG64(1)).normal(0, 6_000, round(len(text) * 0.07 * RATE / speed))
        return np.concatenate([np.zeros(RATE // 5), noise]).astype("<i2")


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    server = SpeechServer()
    runner = await server.start()
    yield server
    server.more.set()
    await runner.cleanup()


@pytest.fixture
async def openai(server: SpeechServer) -> AsyncIterator[OpenAiTts]:
    provider = OpenAiTts(settings(server.url))
    yield provider
    await provider.aclose()


def settings(url: str, **values: Any) -> Settings:
    return Settings(_env_file=None, tts_base_url=url, **values)


class TestContract(TtsContract):
    mouth = False

    @pytest.fixture
    def provider(self, openai: OpenAiTts) -> Tts:
        return openai


async def test_the_request_is_openais(server: SpeechServer) -> None:
    """Model, voice, speed, key and plain text go out as the API has them; a job's voice goes before the worker's."""
    provider = OpenAiTts(settings(server.url, tts_model="kokoro", tts_voice="af_sky", tts_api_key="k", tts_rate=RATE))
    await spoken(provider, "**Hi** there", speed=1.5)
    await spoken(provider, "Hi", voice="nova")
    await provider.aclose()

    asked = {"model": "kokoro", "voice": "af_sky", "input": "Hi there", "speed": 1.5, "response_format": "pcm"}
    assert server.asked == [asked, asked | {"voice": "nova", "input": "Hi", "speed": 1.0}]
    assert server.keys == ["Bearer k", "Bearer k"]


async def test_an_agents_model_and_options_are_sent(server: SpeechServer, openai: OpenAiTts) -> None:
    """An agent's own model takes the place of TTS_MODEL, and its options are fields of the request."""
    own = Speaking("Hi.", model="gpt-4o-mini-tts", options={"instructions": "Whisper.", "lang_code": ["a"]})
    async for _ in openai.synthesize(own):
        pass
    await spoken(openai, "Hi.")

    first, second = server.asked
    asked = {"model": "gpt-4o-mini-tts", "instructions": "Whisper.", "lang_code": ["a"]}
    assert first == second | asked
    assert "instructions" not in second


async def test_only_english_is_written_out(server: SpeechServer, openai: OpenAiTts) -> None:
    """An endpoint gets English as it is said; of other languages, told or seen, it gets the text and reads it its own way."""
    for text, language in (
        ("It is $5 at 3:30.", "en-US"),
        ("It is $5 at 3:30.", ""),
        ("Es kostet 5 € um 3:30, z. B. am 3.4.", "de"),
        ("Es kostet 5 € um 3:30, z. B. am 3.4.", ""),
    ):
        async for _ in openai.synthesize(Speaking(text, language=language)):
            pass

    said = "It is five dollars at three thirty."
    german = "Es kostet 5 € um 3:30, z. B. am 3.4."
    assert [one["input"] for one in server.asked] == [said, said, german, german]


async def test_the_sound_is_given_on_while_it_comes(server: SpeechServer, openai: OpenAiTts) -> None:
    """The first part is out while the endpoint still speaks; together the parts are what it sent, without the silence
    before."""
    server.answers = "hangs"
    sounds = openai.synthesize(Speaking("It was a dark and stormy night."))
    first = asyncio.ensure_future(anext(sounds))
    while not first.done():  # one chunk at a time, until a part is there
        server.more.set()
        await asyncio.sleep(0)
        server.more.clear()
    server.more.set()
    parts = [await first, *[sound async for sound in sounds]]

    sent = server.sound("It was a dark and stormy night.", 1.0)
    clip = WholeClip(parts)
    assert len(parts) >= 3
    assert np.array_equal(clip.pcm, sent[len(sent) - len(clip.pcm) :])
    assert abs(len(sent) - len(clip.pcm) - RATE // 5) < RATE // 100


@pytest.mark.parametrize(
    ("answers", "error", "code"),
    [
        ("500", Transient, "bad_status"),
        ("503", Transient, "bad_status"),
        ("429", Transient, "bad_status"),
        ("401", Permanent, "refused"),
        ("404", Permanent, "model_missing"),
        ("page", Permanent, "not_audio"),
        ("nothing", Transient, "empty"),
        ("breaks", Transient, "broken_stream"),
        ("hangs", Transient, "timeout"),
    ],
)
async def test_trouble_has_a_name(server: SpeechServer, answers: str, error: type[ProviderError], code: str) -> None:
    """What may pass is Transient, what won't is Permanent; one sentence says which endpoint and what it did."""
    server.answers = answers
    patience = {"tts_timeout": 0.2} if answers == "hangs" else {}
    provider = OpenAiTts(settings(server.url, **patience))
    with pytest.raises(error) as caught:
        await spoken(provider, "It was a dark and stormy night.")
    await provider.aclose()

    assert type(caught.value) is error
    assert caught.value.code == code
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


async def test_an_endpoint_that_is_not_there(unused_tcp_port: int) -> None:
    """A refused connection may pass, and names TTS_BASE_URL."""
    provider = OpenAiTts(settings(f"http://127.0.0.1:{unused_tcp_port}/v1"))
    with pytest.raises(Transient, match="TTS_BASE_URL"):
        await provider.warm_up()
    await provider.aclose()


def test_an_address_is_needed() -> None:
    """Without TTS_BASE_URL the provider says what to set."""
    with pytest.raises(Permanent, match="TTS_BASE_URL is empty"):
        OpenAiTts(settings(""))


def test_no_address_at_all() -> None:
    """A TTS_BASE_URL that is no address is refused with what is expected."""
    with pytest.raises(Permanent, match=r"TTS_BASE_URL=127\.0\.0\.1:8880: expected a URL such as http"):
        OpenAiTts(settings("http://unused/v1").model_copy(update={"tts_base_url": "127.0.0.1:8880"}))
