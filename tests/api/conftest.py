"""What the API's tests share: an API over a log in memory, and somebody who asks it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from api.app import create_app
from api.house import House
from api.main import house_of
from schemas.config.settings import Settings
from schemas.log import MemoryBus


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


@pytest.fixture
async def house(settings: Settings) -> House:
    """Of a process whose log is there."""
    bus = MemoryBus()
    await bus.start()
    made = house_of(settings, bus)
    made.waits_for = ""
    return made


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as asking:
        yield asking
