"""Live or archived, a session is read alike; and nobody waits for a database who needs none."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.archive import Archive, Both, archive_session, open_archive
from schemas.archive._revisions import HEAD
from schemas.archive.both import Nothing, opening
from schemas.archive.place import archive_of, belongs_to, place_of
from schemas.config.settings import Settings
from schemas.errors import ArchiveTooNew
from schemas.log import MemoryBus
from schemas.session.cache import folded
from schemas.session.fold import fold_all
from schemas.session.history import events_of
from schemas.session.listing import Kept, Rows
from schemas.session.summary import Wanted
from tests.schemas.archive.calls import call, ended


def both_of(log: MemoryBus, archive: Archive) -> Both:
    async def opened() -> Archive:
        return archive

    return Both(log, opened)


async def test_a_session_is_read_alike_before_and_after(small: Archive, log: MemoryBus) -> None:
    """Its events, its state at any of them, its sound, what is said of it in short."""
    before = await ended(log, "s1", 30)
    both: Kept = both_of(log, small)
    for archived in (False, True):
        if archived:
            await archive_session(log, small, "s1")
            assert await log.info("s1") is None
        assert [event async for event in events_of(both, "s1")] == before.events
        assert await folded(both, "s1", 301) == fold_all(before.events[:301])
        assert await folded(both, "s1") == fold_all(before.events)
        assert {key: await both.get_blob(key) for key in before.sounds} == before.sounds
        info = await both.info("s1")
        assert info is not None
        assert (info.seq, info.last_activity) == (before.info.seq, before.info.last_activity)
    assert (await both.read("nobody"), await both.info("nobody"), await both.snapshot("nobody")) == ([], None, None)


async def test_a_session_archived_while_it_is_read_is_read_on(small: Archive, log: MemoryBus) -> None:
    """Page after page, some of the log and some of the archive."""
    before = await ended(log, "s1", 60, sound=False)
    read = []
    async for event in events_of(both_of(log, small), "s1"):
        read.append(event)
        if event.seq == 500:
            await archive_session(log, small, "s1")
    assert read == before.events


async def test_lists_have_each_once(small: Archive, log: MemoryBus) -> None:
    """Open ones first, then all that ended, the latest first, whatever became of them meanwhile."""
    for name in ("a", "b", "c", "d"):
        await ended(log, name, 1)
    await call(log, "open", 1, over=False)
    for name in ("a", "c"):
        await archive_session(log, small, name)
    both = both_of(log, small)
    assert [row.told.session async for row in Rows(both).each()] == ["open", "d", "c", "b", "a"]
    assert [row.told.session async for row in Rows(both).each(Wanted(state="closed"))] == ["d", "c", "b", "a"]
    assert [row.told.session async for row in Rows(both).each(Wanted(state="open"))] == ["open"]
    assert [info.session for info in await both.closed()] == ["d", "c", "b", "a"]
    assert [info.session for info in await both.closed(2)] == ["d", "c"]
    assert [one.session for one in await both.touched("closed", 3)] == ["d", "c", "b"]
    assert [one.session for one in await both.touched("open", 3)] == ["open"]
    rows, more = await Rows(both).latest(3)
    assert ([row.told.session for row in rows], more) == (["open", "d", "c"], True)


async def test_an_archive_alone_is_read_as_well(small: Archive, log: MemoryBus) -> None:
    """Without any log."""
    before = await ended(log, "s1", 2)
    await archive_session(log, small, "s1")

    async def opened() -> Archive:
        return small

    alone = Both(Nothing(), opened)
    assert [row.told.session async for row in Rows(alone).each()] == ["s1"]
    assert [event async for event in events_of(alone, "s1")] == before.events


async def test_an_archive_that_is_not_there_yet_is_found_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that can't be used is an error each time it is needed, never for what the log has."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    settings = Settings(_env_file=None)
    log = MemoryBus()
    await call(log, "s1", 1, over=False)
    both = Both(log, opening(settings))
    assert await both.info("nobody") is None
    place = place_of(settings)
    assert place.url == f"sqlite:///{tmp_path / 'archive' / 'archive.sqlite'}"
    made = Archive(place.url, place.blobs)
    await made.upgrade()
    async with made._database.writing() as connection:
        await connection.exec_driver_sql("update alembic_version set version_num = 'r9999'")
    for _ in range(2):
        with pytest.raises(ArchiveTooNew):
            await both.info("nobody")
    assert len(await both.read("s1")) > 0
    async with made._database.writing() as connection:
        await connection.exec_driver_sql(f"update alembic_version set version_num = '{HEAD}'")
    assert await both.info("nobody") is None
    await both.aclose()
    await made.aclose()


def test_another_log_is_not_shown_this_machines_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a log and no archive sees the machine's own only if that is of this log."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    ours, others = (
        Settings(_env_file=None, redis_url="redis://:x@a:1/0"),
        Settings(_env_file=None, redis_url="redis://b:1/0"),
    )
    nobody = Settings(_env_file=None)
    assert [archive_of(settings) for settings in (ours, others, nobody)] == [None, None, None]
    belongs_to(place_of(ours), ours.redis_url)
    (tmp_path / "archive" / "archive.sqlite").touch()
    assert [archive_of(settings) is not None for settings in (ours, others, nobody)] == [True, False, True]
    assert "x" not in (tmp_path / "archive" / "log").read_text()
    named = others.model_copy(update={"archive_url": "postgresql://c/d", "archive_blobs": "s3://e/f"})
    assert archive_of(named) is not None
    assert place_of(named).blobs == "s3://e/f"


async def test_whoever_looks_at_an_archive_loads_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of archived sessions, and one of them, by Python's own SQLite."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    log, place = MemoryBus(), place_of(Settings(_env_file=None))
    await ended(log, "s1", 1)
    async with open_archive(place.url, place.blobs, upgrade=True) as archive:
        await archive_session(log, archive, "s1")
    code = (
        "import asyncio, sys\n"
        "from schemas.archive.both import Both, Nothing, looking\n"
        "from schemas.config.settings import Settings\n"
        "from schemas.session.listing import Rows\n"
        "async def main():\n"
        "    both = Both(Nothing(), looking(Settings(_env_file=None)))\n"
        "    print([row.told.session async for row in Rows(both).each()], len(await both.read('s1')) > 0)\n"
        "asyncio.run(main())\n"
        "print(*sys.modules)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    told, loaded = done.stdout.splitlines()
    assert told == "['s1'] True"
    assert not {"sqlalchemy", "alembic", "obstore", "numpy", "soundfile"} & {*loaded.split()}


def test_reading_a_log_loads_no_database() -> None:
    """Neither SQLAlchemy nor the object store nor numpy, until something of an archive is wanted."""
    code = "import sys, ops.reading._logs, schemas.archive.both, schemas.archive; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"sqlalchemy", "alembic", "obstore", "numpy", "soundfile"} & {*done.stdout.split()}
