"""What the jobs' tests share: an archive in a folder, a log in memory whose time is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.archive import Archive
from schemas.clock import Now
from schemas.log import MemoryBus
from tests.tables import opened


class ToldClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> Now:
        return Now(self.time)


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


@pytest.fixture
async def log(clock: ToldClock) -> MemoryBus:
    return MemoryBus(clock=clock)


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with opened(f"sqlite:///{tmp_path / 'archive.sqlite'}", str(tmp_path / "sound")) as made:
        yield made
