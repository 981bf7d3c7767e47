"""docs/operating/archive.md, followed: what it says to type backs the archive up and brings it back."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.jobs.backup import back_up
from schemas.archive import Archive, archive_session, open_archive
from schemas.errors import ArchiveDenied
from schemas.log import MemoryBus
from tests.postgres import Postgres, debians_postgres, postgres
from tests.schemas.archive.calls import Kept, ended

__all__ = ["debians_postgres", "postgres"]

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operating" / "archive.md").read_text("utf-8")


def blocks(heading: str) -> list[str]:
    """What is to be typed under it, block by block."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (section,) = [part for part in text if part.startswith(f"{heading}\n")]
    return [
        re.sub(r"^    ", "", block, flags=re.MULTILINE)
        for block in re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)
    ]


async def typed(block: str, folder: Path, **environment: str) -> str:
    """Line by line as in a shell, where the first mistake ends it; what it printed. `antiphon` is this process' own: another one
    would first load a database's libraries, two seconds of processor each time."""
    said = ""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("ARCHIVE", "ANTIPHON", "REDIS"))]:
            patched.delenv(name)
        for name, value in environment.items():
            patched.setenv(name, value)
        for line in block.splitlines():
            program, *words = shlex.split(line)
            if program == "antiphon":
                result = await asyncio.to_thread(CliRunner().invoke, app, words)
                code, told = result.exit_code, result.output
            else:
                shell = ["bash", "-ec", line]
                done = await asyncio.to_thread(subprocess.run, shell, capture_output=True, text=True, check=False)
                code, told = done.returncode, done.stdout + done.stderr
            assert code == 0, f"{line}\n{told}"
            said += told
    return said


async def _filled(archive: Archive, *names: str) -> dict[str, Kept]:
    log, found = MemoryBus(), {}
    for name in names:
        found[name] = await ended(log, name, 2)
        await archive_session(log, archive, name)
    return found


async def _has(url: str, sound: Path, calls: dict[str, Kept]) -> None:
    async with open_archive(url, str(sound)) as archive:
        for name, was in calls.items():
            assert await archive.read(name) == was.events
            assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds


@pytest.mark.timeout(120)
async def test_sqlite_and_a_folder(tmp_path: Path) -> None:
    """Backed up while it is used, lost, brought back, looked at."""
    place = tmp_path / ".antiphon" / "archive"
    url = f"sqlite:///{place / 'archive.sqlite'}"
    async with open_archive(url, str(place / "sound"), upgrade=True) as archive:
        calls = await _filled(archive, "s1", "s2")
        await typed(blocks("Back up")[0], tmp_path)
    place.rename(tmp_path / "lost")
    said = await typed(blocks("Bring it back")[0], tmp_path)
    assert "2 sessions read back, 0 damaged" in said
    await _has(url, place / "sound", calls)


@pytest.mark.timeout(120)
async def test_over_what_a_kill_left(tmp_path: Path) -> None:
    """What the old database had not written to its place yet is not mixed into the one that is brought back."""
    place = tmp_path / ".antiphon" / "archive"
    url = f"sqlite:///{place / 'archive.sqlite'}"
    async with open_archive(url, str(place / "sound"), upgrade=True) as archive:
        calls = await _filled(archive, "s1", "s2")
        await typed(blocks("Back up")[0], tmp_path)
        await _filled(archive, *(f"later{number}" for number in range(6)))
        shutil.copytree(place, tmp_path / "killed")
    assert (tmp_path / "killed" / "archive.sqlite-wal").stat().st_size > 0
    shutil.rmtree(place)
    (tmp_path / "killed").rename(place)
    assert "2 sessions read back, 0 damaged" in await typed(blocks("Bring it back")[0], tmp_path)
    await _has(url, place / "sound", calls)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("whose", ["postgres", "debians_postgres"])
async def test_postgresql(whose: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Its own tools, into an empty database; the sound stays where it was."""
    postgres: Postgres = request.getfixturevalue(whose)
    before, after, sound = await postgres.database(), await postgres.database(), tmp_path / "sound"
    path = f"{postgres.binaries}:{os.environ['PATH']}"
    async with open_archive(before, str(sound), upgrade=True) as archive:
        calls = await _filled(archive, "s1", "s2")
    await typed(blocks("Back up")[1], tmp_path, PATH=path, ARCHIVE_URL=before)
    restored = {"PATH": path, "ARCHIVE_URL": after, "ARCHIVE_BLOBS": str(sound)}
    await typed(blocks("Bring it back")[1], tmp_path, **restored)
    said = await typed("antiphon archive upgrade\nantiphon archive verify", tmp_path, **restored)
    assert "2 sessions read back, 0 damaged" in said
    await _has(after, sound, calls)


async def test_a_backup_is_brought_up_to_date(archive: Archive, tmp_path: Path) -> None:
    """What is there is not copied again, what was erased is not kept, and a server's is refused."""
    folder = tmp_path / "backup"
    await _filled(archive, "s1", "s2")
    assert (await back_up(archive, folder)).fresh == 2
    await archive.condemn(["s1"], "session", "ann")
    await archive.purge("s1")
    await _filled(archive, "s3")
    again = await back_up(archive, folder)
    assert (again.objects, again.fresh, again.missing) == (2, 1, 0)
    kept = [path for path in (folder / "sound").rglob("*") if path.is_file()]
    assert len(kept) == 2
    server = Archive("postgresql://x@127.0.0.1:1/x", "memory://")
    with pytest.raises(ArchiveDenied, match="pg_dump"):
        await back_up(server, tmp_path / "other")
    await server.aclose()


def _files(folder: Path) -> dict[Path, int]:
    """Each with its inode: a copy in its place is another."""
    return {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("folder", ["", "sound", "sound/deeper", "linked"])
async def test_a_copy_never_lies_over_the_archive(archive: Archive, tmp_path: Path, folder: str) -> None:
    """Where the archive itself is, by whatever name: refused, and nothing of it is touched."""
    was = await _filled(archive, "s1")
    (tmp_path / "linked").symlink_to(tmp_path)
    before = _files(tmp_path)
    with pytest.raises(ArchiveDenied, match="the archive itself lies there; give another folder"):
        await back_up(archive, tmp_path / folder)
    assert _files(tmp_path) == before
    assert await archive.read("s1") == was["s1"].events


async def test_what_is_not_ours_stays(archive: Archive, tmp_path: Path) -> None:
    """Somebody's own folder, that has a `sound` of theirs in it, loses nothing."""
    folder = tmp_path / "home"
    (folder / "sound" / "ab").mkdir(parents=True)
    (folder / "sound" / "ab" / "song.flac").write_bytes(b"la la la")
    await _filled(archive, "s1")
    await back_up(archive, folder)
    await back_up(archive, folder)
    assert (folder / "sound" / "ab" / "song.flac").read_bytes() == b"la la la"
