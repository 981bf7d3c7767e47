"""One LiveKit server for all tests of rooms, and a gateway with scripted pools for each."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from ops.stack.embedded.livekit import LiveKit
from tests.gateway.rooms.livekit.site.rooms.house import Rooms
from tests.servers import livekit_binary


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    """A real LiveKit server, which a test may kill and start again."""
    one = LiveKit(tmp_path_factory.mktemp("livekit"), binary=livekit_binary())
    asyncio.run(one.start())
    yield one
    asyncio.run(one.kill())


@pytest.fixture
async def rooms(server: LiveKit) -> AsyncIterator[Rooms]:
    one = Rooms(server)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
