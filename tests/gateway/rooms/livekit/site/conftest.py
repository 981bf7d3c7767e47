"""What the LiveKit tests share: gateways in this process, people in rooms, rooms as the server sees them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc
from redis.asyncio import Redis

from gateway.main import Gateway, start_gateway
from ops.stack.embedded.livekit import LiveKit
from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.events import ActionRequested, Event
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

    async def ask(self, session: str, request: str, asked: ActionRequested) -> None:
        """As a tool asks the gateway for something."""
        await self._gateways[0].bus.post(session, request, asked)

    async def looks(self, gateway: Gateway, count: int) -> None:
        """Until a gateway has looked for lonely rooms so many times more."""
        assert gateway.livekit is not None
        watcher = gateway.livekit.watcher
        assert watcher is not None
        enough = watcher.looks + count
        await until(lambda: watcher.looks >= enough, f"{count} looks", 20.0)

    async def close_rooms(self) -> None:
        """Nobody of this test is left in a room, nor a room of it."""
        await self.aclose()
        for room in (await self.api.room.list_rooms(api.ListRoomsRequest())).rooms:
            await self.api.room.delete_room(api.DeleteRoomRequest(room=room.name))

    async def aclose(self) -> None:
        await asyncio.gather(*(room.disconnect() for room in self._rooms), return_exceptions=True)
        self._rooms.clear()
        for gateway in list(self._gateways):
            await self.stop(gateway)


def agents(room: rtc.Room) -> list[rtc.RemoteParticipant]:
    """The agents a participant sees."""
    return [one for one in room.remote_participants.values() if one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]


def session_of(room: rtc.Room) -> str:
    """The session of the agent in the room, "" while there is none."""
    return next((agent.attributes.get("antiphon.session", "") for agent in agents(room)), "")


@asynccontextmanager
async def _opened(here: Site) -> AsyncIterator[Site]:
    async with api.LiveKitAPI(here.livekit.url, here.livekit.api_key, here.livekit.api_secret) as client:
        here.api = client
        try:
            yield here
        finally:
            await here.aclose()


@pytest.fixture
async def site(shared_livekit: LiveKit, shared_valkey: Valkey, tmp_path: Path) -> AsyncIterator[Site]:
    """A site on servers that other tests use, too: an empty log, no rooms. Nothing may kill them."""
    async with Redis.from_url(shared_valkey.url) as log:
        await log.flushall()
    async with _opened(Site(shared_livekit, shared_valkey, tmp_path)) as here:
        yield here
        await here.close_rooms()


@pytest.fixture
async def mortal(
    livekit: LiveKit, valkey: Valkey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Site]:
    """A site of one's own, whose servers may be killed. What its gateways tell stands in the report of a test that fails."""
    caplog.set_level("INFO", "antiphon")
    async with _opened(Site(livekit, valkey, tmp_path)) as here:
        yield here
