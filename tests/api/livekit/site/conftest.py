"""An API over a real LiveKit server, beside gateways that take its rooms."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from livekit import rtc

from schemas.config.settings import Settings
from tests.gateway.rooms.livekit.site.conftest import Site, site

__all__ = ["Guests", "guests", "site"]


@pytest.fixture
def settings(site: Site, agents_folder: Path, options: dict[str, Any]) -> Settings:
    return Settings(
        _env_file=None,
        **{
            "livekit_url": site.livekit.url,
            "livekit_api_key": site.livekit.api_key,
            "livekit_api_secret": site.livekit.api_secret,
            "agents": agents_folder,
            **options,
        },
    )


class Guests:
    """People who come in with what the API handed out, by LiveKit's own client."""

    def __init__(self, client: httpx2.AsyncClient):
        self._client = client
        self._rooms: list[rtc.Room] = []

    async def come(self, path: str = "/v1/livekit/token", **body: Any) -> rtc.Room:
        answer = await self._client.post(path, json=body)
        assert answer.is_success, answer.text
        found = answer.json()
        url, token = found.get("server_url") or found["url"], found.get("participant_token") or found["token"]
        return await self.connect(url, token)

    async def connect(self, url: str, token: str) -> rtc.Room:
        room = rtc.Room()
        self._rooms.append(room)
        await room.connect(url, token)
        return room

    async def leave(self) -> None:
        for room in self._rooms:
            await room.disconnect()


@pytest.fixture
async def guests(client: httpx2.AsyncClient) -> AsyncIterator[Guests]:
    there = Guests(client)
    yield there
    await there.leave()
