"""What the LiveKit tests share: gateways in this process, people in rooms, rooms as the server sees them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from gateway.main import Gateway, start_gateway
from ops.stack.embedded.livekit import LiveKit
from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.events import Event
from schemas.log import connect

StartGateway = Callable[..., Awaitable[Gateway]]


async def until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Wait for something that is to happen; a failing test says what did not."""
    end = asyncio.get_running_loop().time() + seconds
    while not (found := condition()):
        assert asyncio.get_running_loop().time() < end, f"within {seconds:.0f} s it never came: {what}"
        await asyncio.sleep(0.02)
    return found


async def eventually(condition: Callable[[], Awaitable[Any]], what: str, seconds: float = 10.0) -> Any:
    """The same for what has to be asked."""
    end = asyncio.get_running_loop().time() + seconds
    while not (found := await condition()):
        assert asyncio.get_running_loop().time() < end, f"within {seconds:.0f} s it never came: {what}"
        await asyncio.sleep(0.05)
    return found


class Site:
    """A LiveKit server with its log: `gateway()` starts one more gateway, `person()` brings somebody into a room."""

    def __init__(self, livekit: LiveKit, valkey: Valkey, folder: Path):
        self.livekit, self.valkey = livekit, valkey
        self.folder = folder
        self._gateways: list[Gateway] = []
        self._rooms: list[rtc.Room] = []
        self.api: api.LiveKitAPI

    async def gateway(self, *, ready: bool = True, **options: Any) -> Gateway:
        """One more gateway, in this process."""
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            **{
                "redis_url": self.valkey.url,
                "gateway_port": 0,
                "livekit_url": self.livekit.url,
                "livekit_api_key": self.livekit.api_key,
                "livekit_api_secret": self.livekit.api_secret,
                "livekit_watch": False,
                "lease": 1.0,
                **options,
            },
        )
        bus = connect(settings)
        await bus.start()
        gateway = await start_gateway(settings, bus)
        self._gateways.append(gateway)
        if ready and gateway.livekit is not None:
            async with asyncio.timeout(10):
                await gateway.livekit.worker.registered.wait()
        return gateway

    async def stop(self, gateway: Gateway, drain: float = 0.0) -> None:
        self._gateways.remove(gateway)
        await gateway.aclose(drain)
        await gateway.bus.aclose()

    def token(self, room: str, identity: str, **options: Any) -> str:
        token = api.AccessToken(self.livekit.api_key, self.livekit.api_secret).with_identity(identity)
        token = token.with_grants(api.VideoGrants(room_join=True, room=room))
        if "agents" in options:
            token = token.with_room_config(api.RoomConfiguration(agents=options["agents"]))
        if "kind" in options:
            token = token.with_kind(options["kind"])
        return token.with_attributes(options.get("attributes", {})).to_jwt()

    async def person(self, room: str, identity: str = "ann", **options: Any) -> rtc.Room:
        """Somebody who joins with LiveKit's own client."""
        joined = rtc.Room()
        await joined.connect(self.livekit.url, self.token(room, identity, **options))
        self._rooms.append(joined)
        return joined

    async def events(self, session: str) -> list[Event]:
        return await self._gateways[0].bus.read(session)

    async def aclose(self) -> None:
        await asyncio.gather(*(room.disconnect() for room in self._rooms), return_exceptions=True)
        for gateway in list(self._gateways):
            await self.stop(gateway)


def agents(room: rtc.Room) -> list[rtc.RemoteParticipant]:
    """The agents a participant sees."""
    return [one for one in room.remote_participants.values() if one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]


def session_of(room: rtc.Room) -> str:
    """The session of the agent in the room, "" while there is none."""
    return next((agent.attributes.get("antiphon.session", "") for agent in agents(room)), "")


@pytest.fixture
async def site(livekit: LiveKit, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Site]:
    """A site of one's own."""
    here = Site(livekit, valkey, tmp_path)
    async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as client:
        here.api = client
        try:
            yield here
        finally:
            await here.aclose()
