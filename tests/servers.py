"""Real servers for tests. `from tests.servers import valkey` is not needed: `tests/conftest.py` lends the fixture."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
