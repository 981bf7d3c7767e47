"""What a real LiveKit server posts to us."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from livekit import rtc

from api.app import create_app
from api.house import House
from ops.stack.embedded.livekit import LiveKit
from schemas.access.livekit import Access
from schemas.config.settings import Settings
from tests.gateway.rooms.livekit.site.conftest import until
from tests.servers import livekit_binary

_HOUR = timedelta(hours=1)


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


@contextlib.asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The API on a port of its own."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(house), log_config=None, lifespan="off", ws="none"))
        serving = asyncio.create_task(server.serve([door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def test_a_real_servers_notices_are_taken(house: House, tmp_path: Path) -> None:
    """A room that is made and left is told of by LiveKit, signed as we ask, and counted."""
    async with served(house) as url:
        server = LiveKit(tmp_path / "livekit", binary=livekit_binary(), webhooks=f"{url}/v1/livekit/webhook")
        await server.start()
        try:
            house.livekit = Access(server.url, server.api_key, server.api_secret)
            room = rtc.Room()
            await room.connect(server.url, house.livekit.person_token("lobby", "ann", _HOUR, []))
            counts = house.livekit_notices.counts
            # of whoever leaves before their media is connected LiveKit tells nobody
            await until(lambda: "participant_joined" in counts, "the notice that she is there")
            await room.disconnect()
            await until(
                lambda: {"room_started", "participant_joined", "participant_left"} <= set(counts), "the notices"
            )
        finally:
            await server.kill()
