"""What the archive's tests share: a store of each kind, a log, and calls that have ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.archive import Archive, open_archive
from schemas.log import MemoryBus
from tests.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture
async def log() -> MemoryBus:
    bus = MemoryBus()
    await bus.start()
    return bus


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive' / 'archive.sqlite'}"
    found: str = await request.getfixturevalue("postgres").database()
    return found


@pytest.fixture
async def archive(url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(url, str(tmp_path / "sound"), upgrade=True) as opened:
        yield opened


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Archive]:
    """Where the kind of database makes no difference."""
    async with open_archive(
        f"sqlite:///{tmp_path / 'archive.sqlite'}", str(tmp_path / "sound"), upgrade=True
    ) as opened:
        yield opened
