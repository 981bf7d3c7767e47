"""`antiphon bench peers`: our models behind the OpenAI protocol, and what a peer's words about turns mean."""

import io
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from aiohttp import ClientSession, FormData, web
from aiohttp.test_utils import TestServer

from ops.bench import _harm, _peers
from ops.bench._harm import Taken
from ops.bench.peers import PEERS, table
from ops.bench.speech_server import app
from schemas.config.settings import Settings
from workers.providers import Hearing, Sound, Speaking, Stt, Transcript, Tts


class _Hears(Stt):
    """Says how long what it heard was, in ms."""

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        return [Transcript(f"{len(hearing.pcm) // 16} ms in {hearing.language}") for hearing in batch]


class _Speaks(Tts):
    """A second of a tone for each word."""

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        words = request.text.split()
        for number, _ in enumerate(words):
            tone = (np.sin(np.arange(22_050) / 8) * 9000).astype(np.int16)
            yield Sound(tone, 22_050, number == len(words) - 1)


@pytest.fixture
async def server() -> AsyncGenerator[str, None]:
    """The address of a server over these two."""
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    async with TestServer(app(_Hears(settings), _Speaks(settings))) as running:
        yield f"http://127.0.0.1:{running.port}/v1"


async def test_our_hearing_is_an_endpoint(server: str) -> None:
    """A recording of any rate and any number of channels is heard at 16 kHz; a form without one is refused."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros((24_000, 2), np.int16), 48_000, format="WAV")
    async with ClientSession() as http:
        form = FormData({"model": "whisper-1"})
        form.add_field("file", file.getvalue(), filename="said.wav")
        async with http.post(f"{server}/audio/transcriptions", data=form) as answer:
            assert (await answer.json())["text"] == "500 ms in en"
        async with http.post(f"{server}/audio/transcriptions", data={"model": "whisper-1"}) as answer:
            assert answer.status == web.HTTPBadRequest.status_code


async def test_our_voice_is_an_endpoint(server: str) -> None:
    """A text is spoken as int16 at 24 kHz, to its last sample."""
    async with ClientSession() as http:
        asked = {"model": "tts-1", "input": "two words", "voice": "alloy", "response_format": "pcm"}
        async with http.post(f"{server}/audio/speech", json=asked) as answer:
            sound = np.frombuffer(await answer.read(), "<i2")
    assert len(sound) == pytest.approx(48_000, abs=50)
    assert np.abs(sound).max() > 8000


def test_what_was_not_answered_yet_is_answered_with_what_follows() -> None:
    """Words that no sound had answered when more came are one turn with them; behind a sound they are the next."""
    told = [
        {"at": 0.5, "said": "Before."}, {"at": 1.0, "said": "I'd like"}, {"at": 1.5, "said": "a table"},
        {"at": 2.0, "speaks": True}, {"at": 3.0, "said": "for four."}, {"at": 3.4, "speaks": True}, {"at": 9.0, "said": "Later."},
    ]  # fmt: skip
    found = _peers.taken_of(told, 0.9, 5.0)
    assert found == [Taken(1, "I'd like a table", 1.5, 2.0), Taken(2, "for four.", 3.0, 3.4)]
    assert _harm.is_spoilt([(0.9, 2.9)], found)


def test_without_an_index_it_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be fetched it says what could not be, where it should go, and what it needs."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(_peers.PeersError, match=r"could not be installed into .*peers.*needs a package index") as error:
        _peers.installed(tmp_path / "peers")
    assert "\n" not in str(error.value)


def test_the_lock_has_hashes_and_no_addresses() -> None:
    """What is installed is what was looked at; where from is each machine's own setting. Both peers are pinned."""
    lock = (_peers.HERE / "peers.lock").read_text("utf-8")
    pinned = [line for line in lock.splitlines() if "==" in line]
    assert "://" not in lock
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert {"livekit-agents", "pipecat-ai"} <= {line.partition("==")[0] for line in pinned}
    assert all((_peers.HERE / peer.script).is_file() for peer in PEERS)


def test_the_table_has_a_row_for_each() -> None:
    """Who, and the figures of the issue's table."""
    row = {
        "p50_ms": 1,
        "p90_ms": 2,
        "cut_ins": 0,
        "spoilt": 0,
        "talk_over_s": 0.0,
        "restarts": 0,
        "unanswered": 0,
        "turns": 3,
    }
    assert table({"peers": [{"who": "Antiphon", **row}, {"who": "Pipecat", **row}]}).row_count == 2
