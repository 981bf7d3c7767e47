"""Sessions as files: taken out whole or as sound, and taken in from elsewhere."""

import asyncio
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
from schemas.archive.store import Archive
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.session.export import Export
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


async def test_what_is_archived_is_not_written_over(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish, archive: Archive
) -> None:
    """An export of a call that is in the archive already, whatever was made of it meanwhile: refused, and the call stays as it
    was."""
    await keep(house, "s1", cut_in())
    content = (await client.get("/v1/sessions/s1/export")).content
    async with asyncio.timeout(30):
        while await house.bus.info("s1") is not None:
            await asyncio.sleep(0.05)
    before = await archive.standing("s1")
    assert before is not None
    assert before.state == "done"
    upload = await uploaded(client, content)
    job = await finish(await client.post("/v1/imports", json={"upload": upload, "name": "s1.zip"}))
    assert (job["state"], job["error"]) == (
        "failed", "s1: there is a session of this name already; give it another under “Name of the session”",
    )  # fmt: skip
    assert await archive.standing("s1") == before
    assert await house.bus.info("s1") is None


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


async def test_what_is_refused_is_said_in_words_of_the_app(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Whoever drops a file there has no command line: what they can do stands in the form."""
    await keep(house, "s1", cut_in())
    content = (await client.get("/v1/sessions/s1/export")).content
    wav = io.BytesIO()
    soundfile.write(wav, np.zeros((16_000, 1), np.float32), 16_000, format="WAV")
    captions = await uploaded(client, b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ann>Hello there\n", "their.vtt")
    cases: list[tuple[bytes, str, dict[str, str], str]] = [
        (content[: len(content) // 2], "s1.zip", {}, "; choose “Salvage” to take what is sound"),
        (b"PK\x03\x04 broken", "x.zip", {}, "x.zip: no export file; give a .zip as it was exported"),
        (content, "s1.zip", {}, "give it another under “Name of the session”"),
        (
            wav.getvalue(), "call.wav", {"captions": captions, "agent_voice": "Bob"},
            "“What captions call the agent” Bob: the captions have Ann",
        ),
    ]  # fmt: skip
    for sent, name, more, says in cases:
        upload = await uploaded(client, sent, name)
        job = await finish(await client.post("/v1/imports", json={"upload": upload, "name": name, **more}))
        assert job["state"] == "failed"
        assert says in job["error"]
        assert "antiphon" not in job["error"]
        assert "--" not in job["error"]


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


async def test_uploads_are_bounded_together(client: httpx2.AsyncClient, house: House, settings: Settings) -> None:
    """Those that lie there, and those that come; what is refused says what to do, and leaves nothing."""
    from schemas.archive.place import place_of
    from schemas.archive.uploads import Uploads

    house.settings = settings.model_copy(update={"api_uploads_gib": 1.5 / 1024})
    first = await uploaded(client, bytes(1 << 20))

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield bytes(100_000)

    for content in (bytes(1 << 20), endless()):
        refused = await client.post("/v1/uploads", params={"name": "x"}, content=content)
        assert (refused.status_code, refused.json()["code"]) == (503, "uploads_full")
        assert "API_UPLOADS_GIB" in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "60"
    small = await uploaded(client, bytes(1 << 18))
    assert left(settings) == sorted([first, small])
    coming, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        coming.set()
        await go_on.wait()

    sending = asyncio.create_task(
        client.post("/v1/uploads", params={"name": "x"}, content=slow(), headers={"Content-Length": str(1 << 17)})
    )
    await coming.wait()
    refused = await client.post("/v1/uploads", params={"name": "x"}, content=bytes((1 << 17) + 1))
    assert refused.json()["code"] == "uploads_full"
    go_on.set()
    assert (await sending).status_code == 201
    await Uploads(place_of(settings).blobs).drop(first)
    await uploaded(client, bytes(1 << 20))


async def test_exports_are_bounded(
    client: httpx2.AsyncClient, house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many at once; who comes then is told to try again, and does not wait for long."""
    house.settings = settings.model_copy(update={"api_exports": 1})
    await keep(house, "s1", cut_in())
    begun, go_on, plain = asyncio.Event(), asyncio.Event(), Export.chunks

    async def slow(self: Export) -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        async for chunk in plain(self):
            yield chunk

    monkeypatch.setattr(Export, "chunks", slow)
    first = asyncio.create_task(client.get("/v1/sessions/s1/export"))
    await begun.wait()
    refused = await client.get("/v1/sessions/s1/export")
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "exports", "10")
    assert "API_EXPORTS" in refused.json()["detail"]
    go_on.set()
    assert (await first).status_code == 200
    assert (await client.get("/v1/sessions/s1/export")).status_code == 200
    assert house.exports == 0


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


async def test_a_session_of_thirty_years_is_no_burden(client: httpx2.AsyncClient, house: House) -> None:
    """By the times of some stranger's file: its waveform takes what sounded, and a file of all its silence is not made."""
    events, later = cut_in(), 30 * 31_536_000_000_000
    half = len(events) // 2
    moved = [event.model_copy(update={"at": Micros(event.at + later)}) for event in events[half:]]
    await keep(house, "s1", [*events[:half], *moved])
    peaks = (await client.get("/v1/sessions/s1/peaks", params={"points": 500})).json()
    assert peaks["duration_s"] > later / 1e6
    assert len(peaks["caller"]) == 500
    assert max(peaks["caller"]) > 0
    for kind in ("opus", "wav"):
        answer = await client.get("/v1/sessions/s1/recording", params={"format": kind})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_long")


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
