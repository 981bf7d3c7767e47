"""What the archive's tests share: a store of each kind, a log, and calls that have ended."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schemas.archive import Archive
from schemas.log import MemoryBus
from tests.postgres import debians_postgres, postgres
from tests.tables import opened

__all__ = ["debians_postgres", "postgres"]


@pytest.fixture
async def log() -> MemoryBus:
    bus = MemoryBus()
    await bus.start()
    return bus


@pytest.fixture(params=["sqlite", "postgres", "debians_postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive' / 'archive.sqlite'}"
    found: str = await request.getfixturevalue(request.param).database()
    return found


@pytest.fixture
async def archive(url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with opened(url, str(tmp_path / "sound")) as made:
        yield made


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Archive]:
    """Where the kind of database makes no difference."""
    async with opened(f"sqlite:///{tmp_path / 'archive.sqlite'}", str(tmp_path / "sound")) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB. Skipped where this user may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
