"""Sessions as files: taken out whole or as sound, and taken in from elsewhere."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
import soundfile

from api.house import House
from ops.jobs.worker import JobsWorker
from schemas.config.settings import Settings
from tests.api.replay.conftest import Finish, keep
from tests.api.sessions import open_session
from tests.golden.decided import cut_in


async def uploaded(client: httpx2.AsyncClient, content: bytes, name: str = "call.zip") -> str:
    answer = await client.post("/v1/uploads", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    assert answer.json()["bytes"] == len(content)
    return str(answer.json()["upload"])


def left(settings: Settings) -> list[str]:
    """Uploads that lie about."""
    from schemas.archive.place import place_of

    folder = Path(place_of(settings).blobs) / "uploads"
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


async def test_what_is_taken_out_can_be_taken_in(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish, settings: Settings
) -> None:
    """The very session, under another name; the file is gone afterwards."""
    await keep(house, "s1", cut_in())
    answer = await client.get("/v1/sessions/s1/export")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="s1.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert "events.jsonl" in file.namelist()
    upload = await uploaded(client, answer.content)
    assert left(settings) == [upload]
    job = await finish(await client.post("/v1/imports", json={"upload": upload, "name": "s1.zip", "called": "again"}))
    assert (job["state"], job["error"]) == ("done", "")
    assert job["result"]["session"] == "again"
    found = (await client.get("/v1/compare", params={"a": "s1", "b": "again"})).json()
    assert found["divergence"] is None
    assert left(settings) == []
    twice = await finish(await client.post("/v1/imports", json={"upload": upload, "name": "s1.zip", "called": "third"}))
    assert twice["state"] == "failed"
    assert "not here" in twice["error"]


async def test_a_recording_with_captions_becomes_a_session(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """What its people say is what the captions tell."""
    wav = io.BytesIO()
    soundfile.write(wav, np.zeros((16_000, 2), np.float32), 16_000, format="WAV")
    upload = await uploaded(client, wav.getvalue(), "their call.wav")
    captions = await uploaded(client, b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ann>Hello there\n", "their.vtt")
    job = await finish(
        await client.post("/v1/imports", json={"upload": upload, "captions": captions, "name": "their call.wav"})
    )
    assert job["state"] == "failed"
    assert job["error"].startswith("their call.wav: nobody speaks in it")


@pytest.mark.parametrize("content", [b"no sound at all", b"PK\x03\x04 broken", b"RIFF\xff\xff\xff\xffWAVEfmt "])
async def test_what_is_no_call_is_said_in_a_sentence(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish, settings: Settings, content: bytes
) -> None:
    """Without a place of ours in it, and nothing is left of it."""
    upload = await uploaded(client, content, "../../etc/passwd")
    job = await finish(await client.post("/v1/imports", json={"upload": upload, "name": "../../etc/passwd"}))
    assert job["state"] == "failed"
    assert "etc_passwd" in job["error"]
    assert "/tmp" not in job["error"]
    assert left(settings) == []


async def test_an_upload_is_bounded(client: httpx2.AsyncClient, settings: Settings) -> None:
    """By what it announces, and by what comes; and nothing is left of it."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(100_000)

    announced = await client.post("/v1/uploads", params={"name": "x"}, content=bytes((1 << 20) + 1))
    came = await client.post("/v1/uploads", params={"name": "x"}, content=endless())
    for answer in (announced, came):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "API_UPLOAD_MIB" in answer.text
    assert (await client.post("/v1/uploads", params={"name": "x"}, content=b"")).status_code == 422
    assert (await client.post("/v1/uploads", content=b"x")).status_code == 422
    assert (await client.post("/v1/imports", content=bytes(300_000))).status_code == 413
    assert left(settings) == []


@pytest.mark.parametrize(
    "ask",
    [
        {"upload": "../../x", "name": "x"},
        {"upload": "0" * 32},
        {"upload": "0" * 32, "name": "x", "called": "../x"},
        {"upload": "0" * 32, "name": "x", "captions": "/etc/passwd"},
        {"upload": "0" * 32, "name": "x", "folder": "/"},
    ],
)
async def test_nothing_but_an_upload_is_taken_in(client: httpx2.AsyncClient, house: House, ask: dict[str, str]) -> None:
    assert (await client.post("/v1/imports", json=ask)).status_code == 422


@pytest.mark.parametrize(("kind", "begins"), [("opus", b"OggS"), ("flac", b"fLaC"), ("wav", b"RIFF")])
async def test_the_sound_of_a_session_as_one_file(
    client: httpx2.AsyncClient, house: House, kind: str, begins: bytes
) -> None:
    """Callers left, the agent right, as long as the session."""
    await keep(house, "s1", cut_in())
    answer = await client.get("/v1/sessions/s1/recording", params={"format": kind})
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    seconds = (await client.get("/v1/sessions/s1")).json()["row"]["duration_s"]
    assert sound.shape[1] == 2
    assert len(sound) / rate == pytest.approx(seconds, abs=1.5)


async def test_of_a_call_that_goes_on_there_is_no_recording_yet(client: httpx2.AsyncClient, house: House) -> None:
    await open_session(house, "live")
    assert (await client.get("/v1/sessions/live/recording")).status_code == 409
    assert (await client.get("/v1/sessions/nobody/recording")).status_code == 404
    assert (await client.get("/v1/sessions/live/recording", params={"format": "mp3"})).status_code == 422
    assert (await client.get("/v1/sessions/nobody/export")).status_code == 404


async def test_who_takes_a_session_out_is_recorded(client: httpx2.AsyncClient, house: House) -> None:
    """It leaves this place with it."""
    await keep(house, "s1", cut_in())
    await client.get("/v1/sessions/s1/export")
    await client.get("/v1/sessions/s1/recording")
    deeds = (await client.get("/v1/audit")).json()["deeds"]
    assert {one["action"] for one in deeds} >= {
        "GET /v1/sessions/{session}/export",
        "GET /v1/sessions/{session}/recording",
    }
