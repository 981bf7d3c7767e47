"""The WebSocket protocol (docs/websocket.md) on a real server: what a client may do, and every bad input."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest

from gateway.agents import Agents
from gateway.engine import Engine
from gateway.reception import Reception
from gateway.server import Server
from gateway.session import House
from gateway.tokens import Grant, mint
from schemas.agent import AgentSpec
from schemas.clock import MonotonicClock
from schemas.errors import SettingsError
from schemas.events import ParticipantJoined, SessionStarted
from schemas.log import MemoryBus
from tests.gateway.pools import Pools
from tests.gateway.rig import LoudnessVad

SECRET = "a secret of at least thirty-two characters"
START = {"type": "start", "version": 1}


class Door:
    """A gateway with a real server. `connect` and `begin` are a client's first steps."""

    def __init__(self, bus: MemoryBus, owner: str, **options: Any):
        house = House(bus, MonotonicClock(), LoudnessVad(), owner)
        self.bus = bus
        self.engine = Engine(house)
        self.reception = Reception(house, self.engine, Agents())
        self.reception.agents.find = lambda name="": (
            AgentSpec(greeting="Good day.") if name == "greeter" else Agents().find(name)
        )  # type: ignore[method-assign]
        self.server = Server(self.reception, "127.0.0.1", 0, **options)
        self.http: aiohttp.ClientSession

    async def __aenter__(self) -> "Door":
        await self.engine.start()
        self.reception.start()
        await self.server.start()
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.reception.drain(0)
        await self.server.aclose()
        await self.reception.aclose()
        await self.engine.aclose()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def connect(self, path: str = "/ws", **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(self.url + path, **options)

    async def begin(self, **fields: Any) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
        client = await self.connect()
        await client.send_json(START | fields)
        return client, await client.receive_json(timeout=5)


@asynccontextmanager
async def door(bus: MemoryBus | None = None, owner: str = "gateway-a", **options: Any) -> AsyncIterator[Door]:
    async with Door(bus or MemoryBus(), owner, **options) as one:
        yield one


async def until(client: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next text frame of a type; fails when the connection closes before."""
    while True:
        frame = await client.receive(timeout=10)
        if frame.type is aiohttp.WSMsgType.TEXT and (message := json.loads(frame.data))["type"] == kind:
            return message  # type: ignore[no-any-return]
        assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), (frame, client.close_code)


async def closing(client: aiohttp.ClientWebSocketResponse) -> tuple[list[dict[str, Any]], int | None]:
    """All text frames up to the close, and its code."""
    messages = []
    while True:
        frame = await client.receive(timeout=10)
        if frame.type is aiohttp.WSMsgType.TEXT:
            messages.append(json.loads(frame.data))
        elif frame.type is aiohttp.WSMsgType.CLOSE:
            return messages, frame.data
        elif frame.type is not aiohttp.WSMsgType.BINARY:
            return messages, client.close_code


def frames(seconds: float, loudness: int) -> list[bytes]:
    return [np.full(320, loudness, np.int16).tobytes()] * round(seconds * 50)


async def talk(client: aiohttp.ClientWebSocketResponse, seconds: float, loudness: int = 5000) -> None:
    for frame in frames(seconds, loudness):
        await client.send_bytes(frame)
        await asyncio.sleep(0.02)


# ── a conversation ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
async def test_conversation(rate: int) -> None:
    """Sound goes up, transcript, state, words and sound at the rate asked for come down, the words never after their sound."""
    async with door() as gateway, Pools(gateway.bus, says=["I hear you."], seconds=0.5):
        client, ready = await gateway.begin(rate=rate)
        assert ready["rate"] == rate
        assert not ready["resumed"]
        speaking = asyncio.create_task(talk(client, 0.6))
        seen: list[str] = []
        heard = 0
        quiet = None
        while "turn" not in seen:
            frame = await client.receive(timeout=10)
            if frame.type is aiohttp.WSMsgType.TEXT:
                message = json.loads(frame.data)
                seen.append(message["type"])
                if message["type"] == "words":
                    assert message["offset"] == heard == 0
            else:
                assert len(frame.data) <= rate // 50 * 2
                heard += len(frame.data) // 2
            if speaking.done() and quiet is None:
                quiet = asyncio.create_task(talk(client, 3, 0))
        assert quiet is not None
        quiet.cancel()
        assert heard == pytest.approx(rate * 0.5, abs=rate * 0.001)
        for kind in ("speech", "transcript", "sentence", "words", "state", "turn"):
            assert kind in seen
        assert seen.index("sentence") < seen.index("words") < seen.index("turn")
        await client.send_json({"type": "hang_up"})
        messages, code = await closing(client)
        assert messages[-1] == {"type": "ended", "reason": "hang_up"}
        assert code == 1000


async def test_pacing() -> None:
    """Sound is sent at most about 200 ms ahead of real time."""
    async with door() as gateway, Pools(gateway.bus, seconds=3):
        client, _ = await gateway.begin(agent="greeter", rate=16_000)
        loop = asyncio.get_running_loop()
        began, heard, ahead = 0.0, 0, 0.0
        while heard < 16_000:
            frame = await client.receive(timeout=10)
            if frame.type is aiohttp.WSMsgType.BINARY:
                began = began or loop.time()
                heard += len(frame.data) // 2
                ahead = max(ahead, heard / 16_000 - (loop.time() - began))
        assert ahead < 0.3


async def test_typed_push_to_talk_and_keys() -> None:
    """Typed text is answered; push-to-talk commits the turn when released; keys reach the log."""
    async with door() as gateway, Pools(gateway.bus, says=["Yes."], seconds=0.2):
        client, ready = await gateway.begin()
        await client.send_json({"type": "message", "text": "hello"})
        assert (await until(client, "turn"))["how"] == "played"
        await client.send_json({"type": "talk", "pressed": True})
        await talk(client, 0.5)
        await client.send_json({"type": "talk", "pressed": False})
        assert (await until(client, "turn"))["how"] == "played"
        await client.send_json({"type": "dtmf", "digits": "12#"})
        await asyncio.sleep(0.2)
        types = [event.type for event in await gateway.bus.read(ready["session"])]
        assert "dtmf.received" in types
        reasons = [event.why for event in await gateway.bus.read(ready["session"]) if event.type == "turn.committed"]
        assert reasons == ["text", "push_to_talk"]


# ── coming back ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_resumed_here() -> None:
    """A dropped client comes back with its ticket and hears the rest of the sentence, nothing twice."""
    async with door() as gateway, Pools(gateway.bus, seconds=1.5):
        client, ready = await gateway.begin(agent="greeter", rate=16_000)
        heard = 0
        while heard < 6_400:
            frame = await client.receive(timeout=5)
            heard += len(frame.data) // 2 if frame.type is aiohttp.WSMsgType.BINARY else 0
        client._response.connection.transport.abort()  # type: ignore[union-attr]
        await asyncio.sleep(0.3)
        again, resumed = await gateway.begin(session=ready["session"], ticket=ready["ticket"])
        assert resumed["resumed"]
        assert resumed["session"] == ready["session"]
        rest = 0
        while True:
            frame = await again.receive(timeout=5)
            if frame.type is aiohttp.WSMsgType.BINARY:
                rest += len(frame.data) // 2
            elif json.loads(frame.data)["type"] == "turn":
                break
        assert 24_000 <= heard + rest <= 24_000 + 6_400  # what the client had not played yet is sent again
        types = [event.type for event in await gateway.bus.read(ready["session"])]
        assert types.count("playback.started") == 1


async def test_resumed_elsewhere() -> None:
    """A client comes back with its ticket to another gateway, at once, though the first one still lives."""
    bus = MemoryBus()
    async with door(bus) as first, door(bus, "gateway-b") as second, Pools(bus, seconds=0.2):
        client, ready = await first.begin()
        again, resumed = await second.begin(session=ready["session"], ticket=ready["ticket"])
        assert resumed["resumed"]
        await again.send_json({"type": "message", "text": "still there?"})
        assert (await until(again, "turn"))["how"] == "played"
        _, code = await closing(client)
        assert code == 1001
        assert ready["session"] not in first.engine.sessions


@pytest.mark.parametrize("fields", [{"ticket": "wrong"}, {"ticket": ""}, {"session": "ws-unknown"}])
async def test_wrong_ticket(fields: dict[str, str]) -> None:
    """Without the right ticket nobody gets a session, and its client is not disturbed."""
    async with door() as gateway:
        client, ready = await gateway.begin()
        _, answer = await gateway.begin(**({"session": ready["session"], "ticket": ready["ticket"]} | fields))
        assert answer["type"] == "error"
        assert answer["fatal"]
        await client.send_json({"type": "hang_up"})
        assert (await until(client, "ended"))["reason"] == "hang_up"


async def test_drain() -> None:
    """A gateway that shuts down closes with 1001, takes nobody new, and its session goes on at another."""
    bus = MemoryBus()
    async with door(bus) as first, door(bus, "gateway-b") as second:
        client, ready = await first.begin()
        await first.reception.drain(0)
        _, code = await closing(client)
        assert code == 1001
        _, refused = await first.begin()
        assert refused["code"] == "draining"
        _, resumed = await second.begin(session=ready["session"], ticket=ready["ticket"])
        assert resumed["resumed"]


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"type": "start"}',
        '{"type": "start", "version": 2}',
        '{"type":"start","version":1,"rate":8000}',
        b"\0\0",
    ],
)
async def test_bad_start(frame: str | bytes) -> None:
    """A first frame that is no `start` gets one sentence that says what is expected, and code 1003."""
    async with door() as gateway:
        client = await gateway.connect()
        await (client.send_bytes(frame) if isinstance(frame, bytes) else client.send_str(frame))
        messages, code = await closing(client)
        assert [message["fatal"] for message in messages] == [True]
        assert "start" in messages[0]["message"]
        assert code == 1003


@pytest.mark.parametrize(
    ("frame", "expected"), [(b"\0" * 641, 1003), ("garbage", 1003), ("[1]", 1003), ("{" * 5000, 1003)]
)
async def test_bad_frame(frame: str | bytes, expected: int) -> None:
    """An odd number of bytes or garbage text gets one clear error; the session waits for its client and no other is harmed."""
    async with door() as gateway, Pools(gateway.bus, seconds=0.2):
        other, _ = await gateway.begin()
        client, ready = await gateway.begin()
        await (client.send_bytes(frame) if isinstance(frame, bytes) else client.send_str(frame))
        messages, code = await closing(client)
        assert [message["fatal"] for message in messages if message["type"] == "error"] == [True]
        assert code == expected
        _, resumed = await gateway.begin(session=ready["session"], ticket=ready["ticket"])
        assert resumed["resumed"]
        await other.send_json({"type": "message", "text": "all well?"})
        assert (await until(other, "turn"))["how"] == "played"


@pytest.mark.parametrize("size", [65_538, 100_000_000])
async def test_too_large(size: int) -> None:
    """A frame over 64 KiB, be it 100 MB, closes its connection with 1009 and is not kept; no other session is harmed."""
    async with door() as gateway, Pools(gateway.bus, seconds=0.2):
        other, _ = await gateway.begin()
        client, _ = await gateway.begin()
        try:
            await client.send_bytes(bytes(size))
        except ConnectionError:
            pass  # closed before all was sent
        _, code = await closing(client)
        assert code in (1009, 1006)
        await other.send_json({"type": "message", "text": "all well?"})
        assert (await until(other, "turn"))["how"] == "played"


async def test_largest() -> None:
    """A frame of exactly 64 KiB is heard."""
    async with door() as gateway:
        client, ready = await gateway.begin()
        await client.send_bytes(bytes(65_536))
        await client.send_json({"type": "hang_up"})
        assert (await until(client, "ended"))["reason"] == "hang_up"
        assert ready["session"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "message"},
        {"type": "message", "text": " "},
        {"type": "message", "text": "x" * 4001},
        {"type": "message", "text": 5},
        {"type": "talk", "pressed": "yes"},
        {"type": "dtmf", "digits": "xyz"},
        {"type": "played", "samples": -1},
        {"type": "played", "samples": 10**9},
        {"type": "played", "samples": True},
        {"type": "start", "version": 1},
        {"type": "dance"},
        {"type": ["message"]},
    ],
)
async def test_bad_message(message: dict[str, Any]) -> None:
    """A message with a wrong field is answered by a sentence, and the conversation goes on."""
    async with door() as gateway:
        client, _ = await gateway.begin()
        await client.send_json(message)
        error = await until(client, "error")
        assert not error["fatal"]
        await client.send_json({"type": "hang_up"})
        assert (await until(client, "ended"))["reason"] == "hang_up"


async def test_unknown_agent() -> None:
    """An agent that isn't there is refused in one sentence that names those that are."""
    async with door() as gateway:
        client, answer = await gateway.begin(agent="nobody")
        assert answer["code"] == "agent"
        assert "default" in answer["message"]
        assert (await closing(client))[1] == 1008


async def test_burst() -> None:
    """Sound that comes far faster than real time is read no faster than it may be: 2 s ahead, and all of it is heard."""
    async with door() as gateway:
        client, ready = await gateway.begin()
        room = gateway.engine.sessions[ready["session"]].room
        loop = asyncio.get_running_loop()
        began = loop.time()
        session = gateway.engine.sessions[ready["session"]]
        for frame in frames(4, 0):
            await client.send_bytes(frame)
        await client.send_json({"type": "hang_up"})
        await until(client, "ended")
        assert loop.time() - began >= 1.5
        assert room is session.room


async def test_never_reads() -> None:
    """A client that never reads is let go with a bounded amount kept for it; the others go on."""
    async with door() as gateway, Pools(gateway.bus, seconds=0.2):
        raw = sockets.socket()
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", gateway.server.port))
        head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await loop.sock_sendall(
            raw, f"{head}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await loop.sock_sendall(raw, _masked(json.dumps(START)))
        for _ in range(100):
            if gateway.engine.sessions:
                break
            await asyncio.sleep(0.02)
        (session,) = gateway.engine.sessions.values()
        other, _ = await gateway.begin()
        for number in range(20_000):  # far more than a socket and our bound hold
            session.room.send({"type": "transcript", "text": "x" * 1000, "number": number})
            if number % 200 == 0:
                await asyncio.sleep(0)
        for _ in range(100):
            if session.room._connection is None:  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.02)
        assert session.room._connection is None  # type: ignore[attr-defined]
        await other.send_json({"type": "message", "text": "all well?"})
        assert (await until(other, "turn"))["how"] == "played"
        raw.close()


def _masked(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


# ── who may enter ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_outside_needs_secret() -> None:
    """A gateway that can be reached from outside does not start without a token secret, nor with a short one."""
    reception = Reception(*(house := House(MemoryBus(), MonotonicClock(), LoudnessVad(), "a"), Engine(house)), Agents())  # type: ignore[misc]
    with pytest.raises(SettingsError, match="GATEWAY_TOKEN_SECRET"):
        Server(reception, "0.0.0.0", 0)
    with pytest.raises(SettingsError, match="32"):
        Server(reception, "0.0.0.0", 0, secret="short")


async def test_token_claims() -> None:
    """A token's room, participant and agent hold, whatever the client asks for."""
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect(f"/ws?token={mint(SECRET, Grant('lobby', 'ann', 'greeter'))}")
        await client.send_json(START | {"participant": "bob", "room": "cellar", "agent": "default"})
        ready = await client.receive_json(timeout=5)
        await asyncio.sleep(0.1)
        events = await gateway.bus.read(ready["session"])
        started = next(event for event in events if isinstance(event, SessionStarted))
        joined = next(event for event in events if isinstance(event, ParticipantJoined))
        assert (started.room, started.agent.greeting, joined.participant) == ("lobby", "Good day.", "ann")


@pytest.mark.parametrize("needed", [True, False])
@pytest.mark.parametrize("token", ["", "garbage", "expired", "other secret"])
async def test_bad_token(token: str, needed: bool) -> None:
    """Where a token is needed none gets in without a good one; where it isn't, a bad one is still refused."""
    value = {
        "expired": mint(SECRET, Grant(), -60),
        "other secret": mint("another secret of thirty-two characters", Grant()),
    }.get(token, token)
    async with door(secret=SECRET) as gateway:
        gateway.server._token_needed = needed
        client = await gateway.connect("/ws", headers={"Authorization": f"Bearer {value}"} if value else {})
        await client.send_json(START)
        answer = await client.receive_json(timeout=5)
        if token == "" and not needed:
            assert answer["type"] == "ready"
        else:
            assert (answer["type"], answer["code"]) == ("error", "token")
            assert (await closing(client))[1] == 1008


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [("https://app.example", True), ("https://evil.example", False), ("null", False), (None, True), ("own", True)],
)
async def test_origin(origin: str | None, let_in: bool) -> None:
    """Pages of unknown origins may not connect; those allowed, the gateway's own, and clients without one may."""
    async with door(origins="https://app.example, https://other.example") as gateway:
        headers = {"Origin": gateway.url if origin == "own" else origin} if origin else {}
        client = await gateway.connect(headers=headers)
        await client.send_json(START)
        answer = await client.receive_json(timeout=5)
        assert (answer["type"] == "ready") is let_in
