"""A gateway's door in tests: its HTTP server, real, over a log in memory; and a client's first steps."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import numpy as np

from gateway.http.listening_in import ListenDoor
from gateway.http.server import PublicPort, Server
from gateway.rooms.livekit.desk import Join, JoinDesk
from gateway.rooms.websocket.door import WebSocketDoor, rejoin_websocket
from gateway.sessions.engine import Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.transport import Transport
from schemas.client import ToClient, from_gateway, to_json
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from tests.gateway.rig import LoudnessVad

SECRET = "a secret of at least thirty-two characters"
M = TypeVar("M")
START = {"type": "start", "version": 1}


class Door:
    """A gateway with a real server. `connect` and `begin` are a client's first steps."""

    def __init__(self, bus: MemoryBus, owner: str, join: Join | None = None, **options: Any):
        house = House(bus, MonotonicClock(), LoudnessVad(), owner)
        self.bus = bus
        self.engine = Engine(house)
        self.reception = Reception(house, self.engine, Agents())
        self.reception.transports = {"websocket": Transport("websocket", rejoin_websocket(house.clock))}
        self.reception.agents.find = lambda name="": (
            AgentSpec(greeting="Good day.") if name == "greeter" else Agents().find(name)
        )  # type: ignore[method-assign]
        self.server = Server(PublicPort("127.0.0.1", 0, **options), house, self.engine.sessions)
        self.server.add(WebSocketDoor(self.reception, self.server).routes())
        self.listening = ListenDoor(self.server, house, self.engine.sessions)
        self.server.add(self.listening.routes())
        self.server.add(JoinDesk(self.server, join).routes())
        self.http: aiohttp.ClientSession
        self.clients: list[aiohttp.ClientWebSocketResponse] = []

    async def __aenter__(self) -> "Door":
        await self.engine.start()
        self.reception.start()
        await self.server.start()
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reception.drain(0)
        # at once: who does not read that it was closed would be waited for
        await asyncio.gather(self.server.aclose(), *(client.close() for client in self.clients))
        await self.http.close()
        await self.reception.aclose()
        await self.engine.aclose()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def connect(self, path: str = "/ws", **options: Any) -> aiohttp.ClientWebSocketResponse:
        client = await self.http.ws_connect(self.url + path, **options)
        self.clients.append(client)
        return client

    async def begin(self, **fields: Any) -> tuple[aiohttp.ClientWebSocketResponse, Any]:
        """A client, and the answer to its `start`."""
        client = await self.connect()
        await client.send_json(START | fields)
        return client, told(await client.receive_str(timeout=5))


@asynccontextmanager
async def door(bus: MemoryBus | None = None, owner: str = "gateway-a", **options: Any) -> AsyncIterator[Door]:
    async with Door(bus or MemoryBus(), owner, **options) as one:
        yield one


def told(frame: str) -> ToClient:
    """What a text frame says; fails where it says anything else than its class does."""
    message = from_gateway(frame)
    assert message is not None, frame
    assert json.loads(to_json(message)) == json.loads(frame)
    return message


async def until(client: aiohttp.ClientWebSocketResponse, kind: type[M], timeout: float = 10) -> M:
    """The next message of a type; fails when the connection closes before."""
    while True:
        frame = await client.receive(timeout=timeout)
        if frame.type is aiohttp.WSMsgType.TEXT and isinstance(message := told(frame.data), kind):
            return message
        assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), (frame, client.close_code)


async def closing(client: aiohttp.ClientWebSocketResponse) -> tuple[list[ToClient], int | None]:
    """All messages up to the close, and its code."""
    messages = []
    while True:
        frame = await client.receive(timeout=10)
        if frame.type is aiohttp.WSMsgType.TEXT:
            messages.append(told(frame.data))
        elif frame.type is aiohttp.WSMsgType.CLOSE:
            return messages, frame.data
        elif frame.type is not aiohttp.WSMsgType.BINARY:
            return messages, client.close_code


def frames(seconds: float, loudness: int) -> list[bytes]:
    return [np.full(320, loudness, np.int16).tobytes()] * round(seconds * 50)


async def talk(client: aiohttp.ClientWebSocketResponse, seconds: float, loudness: int = 5000) -> None:
    """A frame each 20 ms by the clock, as a microphone does: one that comes late is followed by the next at once."""
    due = asyncio.get_running_loop().time()
    for frame in frames(seconds, loudness):
        await client.send_bytes(frame)
        due += 0.02
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
