"""Any OpenAI-compatible transcription endpoint, played here by a small real HTTP server."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from aiohttp import BodyPartReader, web

from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from tests.workers.stt.speech import SECOND, SttContractOnSpeech, speech
from workers.providers import Hearing
from workers.stt.openai import OpenAiStt


class ListeningServer:
    """Hears "N samples" in every WAV. `answers`: what to do instead."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers = "text"
        self.url = ""
        self.released = asyncio.Event()
        self.busy = self.busiest = 0

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/audio/transcriptions", self._listen)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    async def _listen(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization"))
        fields: dict[str, Any] = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            assert part.name is not None
            fields[part.name] = bytes(await part.read()) if part.filename else await part.text()
            if part.filename:
                fields["filename"] = part.filename
        self.asked.append(fields)
        if self.answers.isdigit():
            return web.json_response({"error": {"message": "no\nsuch thing " * 100}}, status=int(self.answers))
        if self.answers == "hangs":
            await self.released.wait()
        if self.answers == "breaks":
            assert request.transport is not None
            request.transport.close()
        if self.answers == "page":
            return web.Response(text="<html>welcome</html>", content_type="text/html")
        if self.answers == "together":
            self.busy += 1
            self.busiest = max(self.busy, self.busiest)
            if self.busiest >= 3:
                self.released.set()
            await self.released.wait()
            self.busy -= 1
        with wave.open(io.BytesIO(fields["file"])) as sound:
            return web.json_response({"text": f" {sound.getnframes()} samples\n"})


@pytest.fixture
async def server() -> AsyncIterator[ListeningServer]:
    server = ListeningServer()
    runner = await server.start()
    yield server
    server.released.set()
    await runner.cleanup()


def settings(server: ListeningServer, **given: Any) -> Settings:
    given = {"stt_base_url": server.url, **given}
    return Settings(_env_file=None, stt_provider="openai", **given)


@pytest.fixture
async def provider(server: ListeningServer) -> AsyncIterator[OpenAiStt]:
    provider = OpenAiStt(settings(server, stt_model="large", stt_language="fr", stt_api_key="sesame"))
    yield provider
    await provider.aclose()


@pytest.mark.models
class TestContract(SttContractOnSpeech):
    @pytest.fixture
    async def provider(self, server: ListeningServer) -> AsyncIterator[OpenAiStt]:
        provider = OpenAiStt(settings(server))
        await provider.warm_up()
        yield provider
        await provider.aclose()


async def test_the_request_is_openais(server: ListeningServer, provider: OpenAiStt) -> None:
    """The endpoint gets a multipart form: a WAV of exactly the samples, the model, the language, the key."""
    pcm = speech(1.1, 2.9)
    (heard,) = await provider.transcribe([Hearing(pcm, "de")])

    (asked,) = server.asked
    with wave.open(io.BytesIO(asked.pop("file"))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (SECOND, 1, 2)
        assert np.array_equal(np.frombuffer(sound.readframes(-1), "<i2"), pcm)
    assert asked.pop("filename").endswith(".wav")
    assert float(asked.pop("temperature")) == 0
    assert asked == {"model": "large", "language": "de", "response_format": "json"}
    assert server.keys == ["Bearer sesame"]
    assert (heard.text, heard.language) == (f"{len(pcm)} samples", "de")


async def test_language_falls_back_to_the_settings(server: ListeningServer, provider: OpenAiStt) -> None:
    """A job without a language is heard in STT_LANGUAGE; without either the endpoint detects it."""
    await provider.transcribe([Hearing(speech(1.1, 2.9))])
    detecting = OpenAiStt(settings(server))
    await detecting.transcribe([Hearing(speech(1.1, 2.9))])
    await detecting.aclose()

    assert [asked.get("language") for asked in server.asked] == ["fr", None]
    assert server.asked[1]["model"] == "whisper-1"


async def test_an_agents_model_and_options_are_sent(server: ListeningServer, provider: OpenAiStt) -> None:
    """An agent's own model takes the place of STT_MODEL, for its utterance alone, and its options are fields of the form."""
    own = Hearing(speech(1.1, 2.9), model="small", options={"prompt": "Antiphon, fugue", "temperature": 0.2})
    await provider.transcribe([own])
    await provider.transcribe([Hearing(speech(1.1, 2.9))])

    first, second = server.asked
    assert (first["model"], first["prompt"], float(first["temperature"])) == ("small", "Antiphon, fugue", 0.2)
    assert (second["model"], float(second["temperature"])) == ("large", 0)
    assert "prompt" not in second


async def test_silence_is_not_sent(server: ListeningServer, provider: OpenAiStt) -> None:
    """Nobody is asked, or paid, to hear digital silence."""
    assert (await provider.transcribe([Hearing(np.zeros(SECOND, np.int16))]))[0].text == ""
    assert server.asked == []


async def test_a_batch_is_asked_side_by_side(server: ListeningServer, provider: OpenAiStt) -> None:
    """The utterances of a batch are heard at the same time and answered in order."""
    server.answers = "together"
    sounds = [speech(1.1, 2.9), speech(2.9, 4.7), speech(5.0, 8.5)]
    heard = await provider.transcribe([Hearing(pcm) for pcm in sounds])

    assert [each.text for each in heard] == [f"{len(pcm)} samples" for pcm in sounds]
    assert server.busiest == 3


@pytest.mark.parametrize(
    ("answers", "kind", "code", "says"),
    [
        ("401", Permanent, "refused", "STT_API_KEY"),
        ("403", Permanent, "refused", "STT_API_KEY"),
        ("404", Permanent, "model_missing", "STT_MODEL=large"),
        ("400", Permanent, "bad_request", "answers 400"),
        ("429", Transient, "bad_status", "answers 429"),
        ("500", Transient, "bad_status", "answers 500"),
        ("503", Transient, "bad_status", "answers 503"),
        ("breaks", Transient, "broken_stream", "broke"),
        ("page", Permanent, "bad_answer", "transcription endpoint"),
    ],
)
async def test_trouble_is_one_sentence(
    server: ListeningServer, provider: OpenAiStt, answers: str, kind: type[ProviderError], code: str, says: str
) -> None:
    """Whatever the endpoint does wrong is one short line that names STT_BASE_URL and says whether it may pass."""
    server.answers = answers
    with pytest.raises(kind, match=says) as caught:
        await provider.transcribe([Hearing(speech(1.1, 2.9))])

    assert caught.value.code == code
    message = str(caught.value)
    assert message.startswith(f"STT_BASE_URL={server.url}")
    assert "\n" not in message
    assert "sesame" not in message
    assert len(message) < 400
    assert len(server.asked) == 1, "retries belong to the runtime"


async def test_silence_of_the_endpoint_is_a_timeout(server: ListeningServer) -> None:
    """An endpoint that never answers costs STT_TIMEOUT, not for ever."""
    server.answers = "hangs"
    provider = OpenAiStt(settings(server, stt_timeout=0.05))
    with pytest.raises(Transient, match="STT_TIMEOUT") as caught:
        await provider.transcribe([Hearing(speech(1.1, 2.9))])
    await provider.aclose()

    assert caught.value.code == "timeout"


def test_no_url_is_one_sentence(server: ListeningServer) -> None:
    """Without STT_BASE_URL the provider says what is missing, and shows one."""
    with pytest.raises(Permanent, match=r"^STT_BASE_URL=: .*http://127\.0\.0\.1:8000/v1$"):
        OpenAiStt(settings(server, stt_base_url=""))


async def test_nobody_there_may_pass(server: ListeningServer) -> None:
    """An endpoint that isn't up yet is waited for: the error is one that may pass, and never shows a password."""
    provider = OpenAiStt(settings(server, stt_base_url="http://user:secret@127.0.0.1:9/v1"))
    with pytest.raises(Transient, match="cannot be reached") as caught:
        await provider.transcribe([Hearing(speech(1.1, 2.9))])
    await provider.aclose()

    assert "secret" not in str(caught.value)
