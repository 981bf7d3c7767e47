"""docs/operating/archive.md, followed: what it says to type backs the archive up and brings it back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ops.jobs.backup import back_up
from schemas.archive import Archive, archive_session, open_archive
from schemas.errors import ArchiveDenied
from schemas.log import MemoryBus
from tests.postgres import Postgres, postgres
from tests.schemas.archive.calls import Kept, ended

__all__ = ["postgres"]

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


def typed(block: str, folder: Path, **environment: str) -> str:
    """As in a shell, where the first mistake ends it."""
    antiphon = f'antiphon() {{ "{sys.executable}" -m ops.cli "$@"; }}'
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("ARCHIVE", "ANTIPHON", "REDIS"))}
    done = subprocess.run(
        ["bash", "-ec", f"{antiphon}\n{block}"], cwd=folder, capture_output=True, text=True, check=False,
        env={**bare, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


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
        typed(blocks("Back up")[0], tmp_path)
    place.rename(tmp_path / "lost")
    said = typed(blocks("Bring it back")[0], tmp_path)
    assert "2 sessions read back, 0 damaged" in said
    await _has(url, place / "sound", calls)


@pytest.mark.timeout(120)
async def test_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    """Its own tools, into an empty database; the sound stays where it was."""
    before, after, sound = await postgres.database(), await postgres.database(), tmp_path / "sound"
    path = f"{postgres.binaries}:{os.environ['PATH']}"
    async with open_archive(before, str(sound), upgrade=True) as archive:
        calls = await _filled(archive, "s1", "s2")
    typed(blocks("Back up")[1], tmp_path, PATH=path, ARCHIVE_URL=before)
    restored = {"PATH": path, "ARCHIVE_URL": after, "ARCHIVE_BLOBS": str(sound)}
    typed(blocks("Bring it back")[1], tmp_path, **restored)
    said = typed("antiphon archive upgrade\nantiphon archive verify", tmp_path, **restored)
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
