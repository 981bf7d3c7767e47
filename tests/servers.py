"""Real servers for tests. `from tests.servers import valkey` is not needed: `tests/conftest.py` lends the fixture."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ops.embedded.livekit import LiveKit, LiveKitError, find_binary
from ops.embedded.valkey import Valkey

BINARY = os.environ.get("TEST_REDIS_SERVER") or None
"""Another redis-server or valkey-server to run the tests on, e.g. /usr/bin/redis-server."""


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    """A real server of one's own: `.url`, `stop()`, `kill()`, and `start()` again on the same folder and port."""
    server = Valkey(tmp_path / "valkey", binary=BINARY)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def livekit(tmp_path: Path, valkey: Valkey) -> AsyncIterator[LiveKit]:
    """A real LiveKit server of one's own, backed by `valkey`: `.url`, `.api_key`, `.api_secret`, `kill()`, `start()`.

    Where there is no server the test is skipped with the reason; where CI is set, it fails.
    """
    try:
        server = LiveKit(
            tmp_path / "livekit", valkey.url, binary=os.environ.get("TEST_LIVEKIT_SERVER") or find_binary()
        )
    except LiveKitError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    await server.start()
    try:
        yield server
    finally:
        await server.kill()  # it would wait for whoever is still in a room
