"""One LiveKit server for all tests of rooms, and a gateway with scripted pools for each."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from ops.stack.embedded.livekit import LiveKit, LiveKitError, find_binary
from tests.gateway.rooms.livekit.site.rooms.house import Rooms


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    """A real LiveKit server; without one the tests are skipped with the reason, and fail where CI is set."""
    try:
        binary = os.environ.get("TEST_LIVEKIT_SERVER") or find_binary()
    except LiveKitError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    one = LiveKit(tmp_path_factory.mktemp("livekit"), binary=binary)
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
