"""What an archive that can't be used says: one clear error each, in a sentence that names the setting."""

import asyncio
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from schemas.archive import Archive, Archived, archive_session, open_archive
from schemas.archive._revisions import HEAD
from schemas.archive._tables import METADATA
from schemas.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveFull,
    ArchiveLocked,
    ArchiveOutdated,
    ArchiveTooNew,
    ArchiveUnavailable,
    SettingsError,
)
from schemas.log import MemoryBus
from tests.postgres import Postgres
from tests.schemas.archive.calls import ended


async def test_the_tables_are_what_the_steps_make(archive: Archive) -> None:
    """Between the newest step and the tables of the code there is no difference."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    async with archive._database.reading() as connection:
        different = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), METADATA))
    assert different == []


async def test_upgrading_is_once_and_for_all(url: str) -> None:
    """Many at once, and again: one makes the tables, all others find them made."""
    archives = [Archive(url, "memory://") for _ in range(4)]
    found = await asyncio.gather(*(archive.upgrade() for archive in archives))
    assert sorted(found, key=str) == [None, HEAD, HEAD, HEAD]
    for archive in archives:
        await archive.check()
        await archive.aclose()


async def test_one_who_reads_makes_nothing(tmp_path: Path) -> None:
    """No archive yet is said, with who makes it, and no file appears."""
    with pytest.raises(
        ArchiveOutdated, match=r"ARCHIVE_URL=sqlite:.*there is no archive yet.*antiphon archive upgrade"
    ):
        async with open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}", str(tmp_path / "sound")):
            pass
    assert not (tmp_path / "a.sqlite").exists()


async def test_older_and_newer_tables_are_told_apart(url: str) -> None:
    """The newer are left alone by all; the older are brought up to date by who archives."""
    archive = Archive(url, "memory://")
    await archive.upgrade()
    async with archive._database.writing() as connection:
        await connection.exec_driver_sql("update alembic_version set version_num = 'r9999'")
    for asked in (archive.check(), archive.upgrade()):
        with pytest.raises(ArchiveTooNew, match=r"at r9999, this program knows them up to r\d+; update this program"):
            await asked
    async with archive._database.writing() as connection:
        await connection.exec_driver_sql("drop table erasures")
        await connection.exec_driver_sql(f"update alembic_version set version_num = '{HEAD}'")
    with pytest.raises(ArchiveOutdated, match=r"lacks a table of ours.*antiphon archive upgrade"):
        await archive.erasures()
    await archive.aclose()


@pytest.mark.parametrize("given", ["mysql://root@127.0.0.1/x", "archive.sqlite", "redis://x", ""])
def test_what_is_no_database_of_ours_is_a_setting_to_change(given: str) -> None:
    """What was expected stands beside what was found."""
    with pytest.raises(SettingsError, match=r"ARCHIVE_URL=.*expected sqlite:///.* or postgresql://"):
        Archive(given, "memory://")
    with pytest.raises(SettingsError, match=r"ARCHIVE_BLOBS=ftp://x: expected a folder, or s3://bucket"):
        Archive("sqlite:///a.sqlite", "ftp://x")


async def test_a_server_that_is_down() -> None:
    """Nobody listens, and nothing of the password is said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    archive = Archive(f"postgresql://ann:secret@127.0.0.1:{port}/calls", "memory://", patience=2.0)
    with pytest.raises(ArchiveUnavailable, match=r"ARCHIVE_URL=postgresql://ann:…@127.0.0.1.*does not answer") as told:
        await archive.check()
    assert "secret" not in str(told.value)
    await archive.aclose()


async def test_who_is_not_let_in(postgres: Postgres) -> None:
    """No such user, no such database: the setting to change is named."""
    url = await postgres.database()
    for wrong in (url.replace("postgres@", "nobody:secret@"), postgres.url("nowhere")):
        archive = Archive(wrong, "memory://")
        with pytest.raises(ArchiveDenied, match=r"ARCHIVE_URL="):
            await archive.upgrade()
        await archive.aclose()


async def test_a_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    """While it is away that is the error; afterwards what was done is there, and the rest goes on."""
    server = await asyncio.to_thread(Postgres)
    try:
        await asyncio.to_thread(server.start)
        log, url = MemoryBus(), await server.database()
        first, second = await ended(log, "s1"), await ended(log, "s2")
        async with open_archive(url, str(tmp_path / "sound"), upgrade=True, patience=5.0) as archive:
            assert await archive_session(log, archive, "s1") is Archived.DONE
            await asyncio.to_thread(server.kill)
            with pytest.raises(ArchiveUnavailable):
                await archive_session(log, archive, "s2")
            assert await log.read("s2") == second.events
            await asyncio.to_thread(server.start)
            assert await archive_session(log, archive, "s2") is Archived.DONE
            assert [await archive.read(name) for name in ("s1", "s2")] == [first.events, second.events]
    finally:
        await asyncio.to_thread(server.close)


async def test_a_database_that_somebody_keeps_locked(tmp_path: Path) -> None:
    """Who would write waits for a while, then says so; who reads does not mind."""
    file = tmp_path / "a.sqlite"
    async with open_archive(f"sqlite:///{file}", str(tmp_path / "sound"), upgrade=True, patience=0.1) as archive:
        log = MemoryBus()
        before = await ended(log, "s1")
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(ArchiveLocked, match=r"another process writes into it"):
            await archive_session(log, archive, "s1")
        assert await archive.closed() == []
        other.execute("rollback")
        other.close()
        assert await archive_session(log, archive, "s1") is Archived.DONE
        assert await archive.read("s1") == before.events


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


@pytest.mark.parametrize("full", ["database", "sound"])
async def test_a_full_disk(full: str, small_disk: Path, tmp_path: Path) -> None:
    """Of the database or of the sound: it is said which setting to shorten, and nothing is forgotten."""
    file = (small_disk if full == "database" else tmp_path) / "a.sqlite"
    sound = (small_disk if full == "sound" else tmp_path) / "sound"
    async with open_archive(f"sqlite:///{file}", str(sound), upgrade=True) as archive:
        log = MemoryBus()
        before = await ended(log, "s1", 8)
        fill(small_disk)
        setting = "ARCHIVE_URL" if full == "database" else "ARCHIVE_BLOBS"
        with pytest.raises(ArchiveFull, match=rf"{setting}=.*disk is full"):
            await archive_session(log, archive, "s1")
        assert await log.read("s1") == before.events
        (small_disk / "ballast").unlink()
        assert await archive_session(log, archive, "s1") is Archived.DONE
        assert await archive.read("s1") == before.events


async def test_a_full_disk_before_it_is_opened(small_disk: Path) -> None:
    """SQLite can't even be read then; its disk is what is to be looked at, not whether it is up."""
    url = f"sqlite:///{small_disk / 'a.sqlite'}"
    async with open_archive(url, "memory://", upgrade=True):
        pass
    fill(small_disk)
    with pytest.raises(ArchiveError, match=r"ARCHIVE_URL=.*its disk (is full|refuses \(disk I/O error\); is it full)"):
        async with open_archive(url, "memory://"):
            pass


async def test_a_folder_that_nobody_may_write_into(tmp_path: Path) -> None:
    """Sound has a folder, or the archive says why not."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveDenied, match=r"ARCHIVE_BLOBS=.*can't be made"):
        Archive(f"sqlite:///{tmp_path / 'a.sqlite'}", str(tmp_path / "file" / "sound"))


async def test_a_bucket_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody listens where AWS_ENDPOINT_URL leads."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    log = MemoryBus()
    before = await ended(log, "s1", 1)
    async with open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}", "s3://calls/sound", upgrade=True) as archive:
        with pytest.raises(
            ArchiveUnavailable, match=r"ARCHIVE_BLOBS=s3://calls/sound: it does not answer.*AWS_ENDPOINT_URL"
        ):
            await archive_session(log, archive, "s1")
    assert await log.read("s1") == before.events


async def test_what_is_no_database_at_all(tmp_path: Path) -> None:
    """A file of something else is left as it is."""
    file = tmp_path / "a.sqlite"
    file.write_bytes(os.urandom(5000))
    archive = Archive(f"sqlite:///{file}", "memory://")
    before = file.read_bytes()
    with pytest.raises(ArchiveError, match=r"ARCHIVE_URL=.*no database of ours"):
        await archive.upgrade()
    await archive.aclose()
    assert file.read_bytes() == before
