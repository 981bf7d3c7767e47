"""Sessions that the log has no more are told as they were, out of the archive."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.house import House
from api.main import house_of
from schemas.archive import Archive, Both, archive_session, open_archive
from schemas.archive.store import follow_up_id
from schemas.config.settings import Settings
from schemas.errors import ArchiveUnavailable
from schemas.log import MemoryBus
from schemas.session.summary import Gist
from tests.schemas.archive.calls import call, ended


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(
        f"sqlite:///{tmp_path / 'archive.sqlite'}", str(tmp_path / "sound"), upgrade=True
    ) as opened:
        yield opened


@pytest.fixture
def log() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
async def house(settings: Settings, log: MemoryBus, archive: Archive) -> House:
    async def opened() -> Archive:
        return archive

    made = house_of(settings, log, Both(log, opened))
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

    async def opened() -> Archive:
        return archive

    house.sessions = house_of(house.settings, log, Both(log, opened)).sessions
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
