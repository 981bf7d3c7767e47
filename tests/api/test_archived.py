"""Sessions that the log has no more are told as they were, out of the archive."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
import soundfile

from api.house import House
from api.main import house_of
from api.routes import files
from ops.jobs.recordings import keep_recording
from schemas.archive import Archive, Both, archive_session
from schemas.archive.store import follow_up_id
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import ArchiveUnavailable
from schemas.log import MemoryBus
from schemas.session.summary import Gist
from tests.schemas.archive.calls import call, ended
from tests.tables import opened


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with opened(f"sqlite:///{tmp_path / 'archive.sqlite'}", str(tmp_path / "sound")) as made:
        yield made


@pytest.fixture
def log() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def house(settings: Settings, log: MemoryBus, archive: Archive) -> House:
    async def there() -> Archive:
        return archive

    made = house_of(settings, log, Both(log, there))
    made.waits_for = ""
    return made


async def _rows(client: httpx2.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    """All pages of them."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await client.get("/v1/sessions", params={"limit": 2, "cursor": cursor, **asked})).json()
        rows += page["sessions"]
        if (cursor := page["next"] or "") == "":
            return rows


async def test_pages_have_each_once_wherever_it_is(
    client: httpx2.AsyncClient, house: House, log: MemoryBus, archive: Archive
) -> None:
    """In the order in which they began, whether they go on, ended, were archived before we looked or while we did."""
    await ended(log, "early", 1)
    await archive_session(log, archive, "early")
    await call(log, "goes-on", 1, over=False)
    await ended(log, "in-the-log", 1)
    await ended(log, "meanwhile", 1)
    await house.sessions.look()
    await house.sessions.index.read_stored()
    await archive_session(log, archive, "meanwhile")
    before = await _rows(client)
    assert [row["session"] for row in before] == ["meanwhile", "in-the-log", "goes-on", "early"]
    assert [row["session"] for row in await _rows(client, state="closed")] == ["meanwhile", "in-the-log", "early"]
    assert [row["session"] for row in await _rows(client, state="open")] == ["goes-on"]
    assert [row["session"] for row in await _rows(client, q="EARLY", agent="default")] == ["early"]
    await archive_session(log, archive, "in-the-log")
    assert await _rows(client) == before
    assert (await client.get("/v1/sessions?cursor=x")).status_code == 422


async def test_a_session_is_told_whole_as_before(client: httpx2.AsyncClient, log: MemoryBus, archive: Archive) -> None:
    """Its turns, its state at any event, its events, its words, its sound."""
    await ended(log, "s1", 2)
    paths = (
        "",
        "/state",
        "/state?at=9",
        "/events?limit=200",
        "/events?after=7&limit=5",
        "/transcript.json",
        "/audio.wav",
        "/peaks",
    )
    told = {path: await client.get(f"/v1/sessions/s1{path}") for path in paths}
    await archive_session(log, archive, "s1")
    assert await log.info("s1") is None
    for path, before in told.items():
        now = await client.get(f"/v1/sessions/s1{path}")
        assert (now.status_code, now.content) == (before.status_code, before.content), path
    assert told[""].status_code == 200
    assert (await client.get("/v1/sessions/nobody")).status_code == 404


async def test_another_process_tells_it_alike(
    client: httpx2.AsyncClient, house: House, log: MemoryBus, archive: Archive
) -> None:
    """One that began after it was archived; its answers count in what is told of latency."""
    await ended(log, "s1", 2)
    told = (await client.get("/v1/sessions/s1")).json()
    await archive_session(log, archive, "s1")

    async def there() -> Archive:
        return archive

    house.sessions = house_of(house.settings, log, Both(log, there)).sessions
    await house.sessions._read_stored()
    assert (await client.get("/v1/sessions/s1")).json() == told
    ((session, answers),) = house.sessions.index.answers(0, "")
    assert (session, len(answers)) == ("s1", 2)


async def test_what_was_erased_is_in_no_list(
    client: httpx2.AsyncClient, house: House, log: MemoryBus, archive: Archive
) -> None:
    """Nor is it told to whoever asks by name."""
    for name in ("s1", "s2"):
        await ended(log, name, 1)
        await archive_session(log, archive, name)
    await house.sessions._read_stored()
    await house.sessions.index._sweep()
    await archive.condemn(["s1"], "person", "ann")
    await archive.purge("s1")
    await house.sessions.index._sweep()
    assert [row["session"] for row in await _rows(client)] == ["s2"]
    assert (await client.get("/v1/sessions/s1")).status_code == 404


async def test_who_erases_by_another_clock_is_heard_of(
    log: MemoryBus, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A jobs worker whose clock is hours behind ours deletes what no list has any more, either."""
    await ended(log, "s1", 1)
    await archive_session(log, archive, "s1")
    since, gone = await archive.erased(None)
    assert gone == set()
    behind = Micros(await archive.now() - 7_200_000_000)

    async def earlier() -> Micros:
        return behind

    monkeypatch.setattr(archive, "now", earlier)
    await archive.condemn(["s1"], "session", "ann")
    since, gone = await archive.erased(since)
    assert (since, gone) == (behind, {hashlib.sha256(b"s1").hexdigest()})
    assert await archive.erased(since) == (since, set())


async def test_without_an_archive_that_answers_calls_are_told(
    client: httpx2.AsyncClient, house: House, log: MemoryBus, caplog: pytest.LogCaptureFixture
) -> None:
    """What only it has can't be had for now; what the log has can."""

    async def away() -> Archive:
        raise ArchiveUnavailable("ARCHIVE_URL=postgresql://db: the archive does not answer; is it up?")

    house.sessions = house_of(house.settings, log, Both(log, away)).sessions
    await call(log, "s1", 1, over=False)
    await house.sessions.look()
    assert (await client.get("/v1/sessions/s1")).status_code == 200
    assert [row["session"] for row in await _rows(client)] == ["s1"]
    answer = await client.get("/v1/sessions/other")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive_away")
    assert "postgresql" not in answer.text
    assert "postgresql://db" in caplog.text


async def test_what_it_was_about_is_told(
    client: httpx2.AsyncClient, house: House, log: MemoryBus, archive: Archive
) -> None:
    """Once a model has said so: of the session, and in its row."""
    await ended(log, "s1", 1)
    await house.sessions.look()
    row = (await client.get("/v1/sessions/s1")).json()["row"]
    assert (row["summary"], row["topics"]) == ("", [])
    await archive_session(log, archive, "s1", follows=lambda _: [("summary", "")])
    one = await archive.take_up(follow_up_id("s1", "summary"), 60.0)
    assert one is not None
    await archive.put_gist(one, Gist("They spoke of tables.", ("tables",)))
    row |= {"summary": "They spoke of tables.", "topics": ["tables"]}
    assert (await client.get("/v1/sessions/s1")).json()["row"] == row
    assert await _rows(client) == [row]


async def test_what_follows_is_told(client: httpx2.AsyncClient, log: MemoryBus, archive: Archive) -> None:
    """Nothing while the log has it; then each with what became of it."""
    await ended(log, "s1", 1)
    place = "/v1/sessions/s1/follow-ups"
    assert (await client.get(place)).json() == {"archived": False, "follow_ups": []}
    follows: list[tuple[Literal["summary", "webhook", "recording"], str]] = [
        ("summary", ""), ("webhook", "session.ended"), ("recording", ""),
    ]  # fmt: skip
    await archive_session(log, archive, "s1", follows=lambda _: follows)
    webhook = await archive.take_up(follow_up_id("s1", "webhook", "session.ended"), 60.0)
    summary = await archive.take_up(follow_up_id("s1", "summary"), 60.0)
    assert webhook is not None
    assert summary is not None
    await archive.follow_failed(webhook, "example.com: it answered 500", None)
    await archive.put_gist(summary, Gist("They spoke of tables.", ("tables",)))
    told = (await client.get(place)).json()
    assert told["archived"] is True
    found = {one["kind"]: one for one in told["follow_ups"]}
    assert (found["webhook"]["state"], found["webhook"]["tries"], found["webhook"]["about"]) == (
        "failed", 1, "session.ended",
    )  # fmt: skip
    assert found["webhook"]["error"] == "example.com: it answered 500"
    assert (found["summary"]["state"], found["summary"]["done_at"] is None) == ("done", False)
    assert (found["recording"]["state"], found["recording"]["next_at"] is None) == ("pending", False)
    assert (await client.get("/v1/sessions/nobody/follow-ups")).status_code == 404


async def test_the_etag_of_sound_names_its_bytes(
    client: httpx2.AsyncClient, log: MemoryBus, archive: Archive, house: House
) -> None:
    """Of an archived session it is another once some of the sound is gone; parts are gone on with only of the same."""
    await ended(log, "s1", 2)
    await archive_session(log, archive, "s1")
    place = "/v1/sessions/s1/audio.wav"
    whole = await client.get(place)
    tag = whole.headers["etag"]
    assert not tag.startswith("W/")
    assert (await client.head(place)).headers["etag"] == tag
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await client.get(place, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    part = await client.get(place, headers={"Range": "bytes=1000-1999", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])
    for other in (f"W/{tag}", '"x"', "Fri, 27 Nov 2026 17:00:00 GMT"):
        answer = await client.get(place, headers={"Range": "bytes=1000-1999", "If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole.content)
    await archive.drop_sound("s1")
    silent = await client.get(place, headers={"Range": "bytes=1000-1999", "If-Range": tag, "If-None-Match": tag})
    assert (silent.status_code, len(silent.content)) == (200, len(whole.content))
    assert silent.headers["etag"] != tag


async def _record(archive: Archive, codec: Literal["flac", "opus"]) -> bytes:
    """The session's, kept with it."""
    one = await archive.take_up(follow_up_id("s1", "recording"), 60.0)
    assert one is not None
    assert await keep_recording(archive, one, codec)
    kept = await archive.recording("s1")
    assert kept is not None
    return await archive._objects.get(kept.object)


async def test_a_recording_that_is_kept_is_sent_as_it_is(
    client: httpx2.AsyncClient, log: MemoryBus, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is encoded anew, of another format but; by ranges, and by an ETag that is its hash; HEAD says how long it is."""
    await ended(log, "s1", 1)
    await archive_session(log, archive, "s1", follows=lambda _: [("recording", "")])
    place = "/v1/sessions/s1/recording"
    head = await client.head(place)
    assert (head.status_code, head.headers["content-type"]) == (200, "audio/ogg")
    assert "content-length" not in head.headers
    body = await _record(archive, "flac")

    async def anew(*_: object) -> None:
        raise AssertionError("encoded anew")

    with monkeypatch.context() as patched:
        patched.setattr(files, "recorded", anew)
        whole = await client.get(place)
        assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, body, "audio/flac")
        assert whole.headers["content-disposition"] == 'attachment; filename="s1.flac"'
        assert (await client.get(place, params={"format": "flac"})).content == body
        tag = whole.headers["etag"]
        assert tag.strip('"') == hashlib.sha256(body).hexdigest()[:32]
        head = await client.head(place)
        assert (head.headers["etag"], head.headers["content-length"]) == (tag, str(len(body)))
        part = await client.get(place, headers={"Range": "bytes=-7", "If-Range": tag})
        assert (part.status_code, part.content) == (206, body[-7:])
        assert part.headers["content-range"] == f"bytes {len(body) - 7}-{len(body) - 1}/{len(body)}"
        assert (await client.get(place, headers={"Range": "bytes=1-2", "If-Range": '"x"'})).content == body
        assert (await client.get(place, headers={"Range": f"bytes={len(body)}-"})).status_code == 416
        assert (await client.get(place, headers={"If-None-Match": tag})).status_code == 304
    other = await client.get(place, params={"format": "wav"})
    assert (other.content[:4], "etag" in other.headers) == (b"RIFF", False)


@pytest.mark.parametrize("damage", ["other", "gone"])
async def test_a_recording_that_is_damaged_is_not_sent(
    client: httpx2.AsyncClient, log: MemoryBus, archive: Archive, damage: str
) -> None:
    """Its sounds are there yet: it is made of them anew."""
    await ended(log, "s1", 1)
    await archive_session(log, archive, "s1", follows=lambda _: [("recording", "")])
    body = await _record(archive, "flac")
    kept = await archive.recording("s1")
    assert kept is not None
    if damage == "gone":
        await archive.delete_objects([kept.object])
    else:
        await archive.put_object(kept.object, body[:-1] + b"x")
    answer = await client.get("/v1/sessions/s1/recording", params={"format": "flac"})
    sound, _ = soundfile.read(io.BytesIO(answer.content))
    was, _ = soundfile.read(io.BytesIO(body))
    assert (sound == was).all()
