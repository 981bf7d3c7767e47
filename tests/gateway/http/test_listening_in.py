"""Listening in at the door: who may, what they are given, how it ends, and that the call has nothing of it."""

import asyncio
import json
from typing import Any

import aiohttp
import numpy as np
import pytest

from gateway.http import listening_in
from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.session import Session
from schemas.access.tokens import Grant, mint
from schemas.bus import GatewaySeen
from schemas.client import ListeningMessage
from schemas.config.agent import AgentSpec
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from tests.gateway.door import SECRET, START, Door, closing, door, told
from tests.gateway.rig import speak


async def begun(gateway: Door, name: str = "s1") -> tuple[Session, MemoryRoom]:
    """A session in a room in memory."""
    room = MemoryRoom(MonotonicClock())
    session = await gateway.reception.open(name, room, AgentSpec())
    room.join()
    return session, room


def token(session: str = "s1") -> str:
    return mint(SECRET, Grant(listen=session))


async def blocks(client: aiohttp.ClientWebSocketResponse, count: int) -> list[tuple[int, int]]:
    """Of each block the loudest sample, left and right."""
    found = []
    for _ in range(count):
        both = np.frombuffer(await client.receive_bytes(timeout=5), "<i2").reshape(-1, 2)
        assert len(both) == 1600
        found.append((int(np.abs(both[:, 0]).max()), int(np.abs(both[:, 1]).max())))
    return found


async def test_both_sides_are_heard_as_they_go() -> None:
    """An operator hears caller and agent of a session that goes on, after a head that says what it is and where it begins."""
    async with door(secret=SECRET) as gateway:
        session, room = await begun(gateway)
        client = await gateway.connect(f"/listen?token={token()}")
        head = ListeningMessage.model_validate_json(await client.receive_str(timeout=5))
        assert (head.session, head.rate, head.channels, head.delay) == ("s1", 16_000, ("caller", "agent"), 1.0)
        assert head.at is not None
        assert 0.0 <= head.at < 2.0
        await speak(room, 0.5)
        tap = session.playback.tap
        assert tap is not None
        tap.pushed(np.full(4800, 7000, np.int16), queued=0.0)
        found: list[tuple[int, int]] = []
        while not any(right for _, right in found):
            found += await blocks(client, 1)
        assert max(left for left, _ in found) == 5000
        assert found[-1][1] == 7000
        first = [next(at for at, block in enumerate(found) if block[side]) for side in (0, 1)]
        assert first[0] < first[1]


async def test_it_ends_with_the_session() -> None:
    """Who listens is given the rest, told why the session is over, and closed with 1000; the gateway keeps nothing of it."""
    async with door() as gateway:
        session, _ = await begun(gateway)
        client = await gateway.connect("/listen?session=s1")
        await client.receive_str(timeout=5)
        session.hang_up("hang_up")
        messages, code = await _all(client)
        assert messages == [{"type": "ended", "reason": "hang_up"}]
        assert code == 1000
        assert session.playback.tap is None


async def test_a_session_that_goes_on_elsewhere_says_so() -> None:
    """Where another gateway takes the session, who listens is closed with 1001: the API knows where."""
    async with door() as gateway:
        session, _ = await begun(gateway)
        client = await gateway.connect("/listen?session=s1")
        await client.receive_str(timeout=5)
        session.let_go("moved")
        assert await _all(client) == ([], 1001)


@pytest.mark.parametrize("secret", ["", SECRET])
async def test_any_gateway_leads_to_the_one_that_has_it(secret: str) -> None:
    """Behind one address of several gateways, who comes to another one hears the session all the same, to its end."""
    bus = MemoryBus()
    async with door(bus, "gateway-a", secret=secret) as one, door(bus, "gateway-b", secret=secret) as other:
        session, room = await begun(one)
        await present(one)
        client = await other.connect(f"/listen?token={token()}" if secret else "/listen?session=s1")
        head = ListeningMessage.model_validate_json(await client.receive_str(timeout=5))
        assert (head.session, head.channels) == ("s1", ("caller", "agent"))
        await speak(room, 0.5)
        found: list[tuple[int, int]] = []
        while not any(left for left, _ in found):
            found += await blocks(client, 1)
        session.hang_up("hang_up")
        assert await _all(client) == ([{"type": "ended", "reason": "hang_up"}], 1000)


async def test_a_gateway_that_cannot_be_reached_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Where the gateway with the session can't be reached from the one that was asked, that one says so, and its log which
    setting helps."""
    bus = MemoryBus()
    async with door(bus, "gateway-a") as one, door(bus, "gateway-b") as other:
        await begun(one)
        await present(one, port=1)
        messages, closed = await closing(await other.connect("/listen?session=s1"))
        assert closed == 1008
        assert "can't be reached" in getattr(messages[0], "message", "")
    assert "GATEWAY_PUBLIC_URL" in caplog.text


async def test_it_is_passed_on_once() -> None:
    """A gateway that is taken for the one with the session, and is not, does not send who listens round and round."""
    bus = MemoryBus()
    async with door(bus, "gateway-a") as one, door(bus, "gateway-b") as other:
        await begun(one)
        await present(one, port=other.server.port)
        messages, closed = await closing(await other.connect("/listen?session=s1"))
        assert [message.type for message in messages] == ["error"]
        assert closed == 1008


async def present(gateway: Door, port: int = 0) -> None:
    """It tells the deployment where it is. `port`: another than its own."""
    own = f"ws://127.0.0.1:{port or gateway.server.port}/ws"
    seen = GatewaySeen("gateway-a", "wss://one.example/ws", own, 10, 1, False, ("websocket",))
    await gateway.bus.advertise(seen, 60.0)


async def _all(client: aiohttp.ClientWebSocketResponse) -> tuple[list[Any], int | None]:
    """Text frames up to the close, and its code."""
    found = []
    while True:
        frame = await client.receive(timeout=10)
        if frame.type is aiohttp.WSMsgType.TEXT:
            found.append(json.loads(frame.data))
        elif frame.type is not aiohttp.WSMsgType.BINARY:
            return found, client.close_code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "token"),
        ("token=garbage", "token"),
        (f"token={mint(SECRET, Grant())}", "token"),
        (f"token={mint(SECRET, Grant(operator=True, join=True))}", "token"),
        (f"token={mint(SECRET, Grant(listen='s1'), -60)}", "token"),
        (f"session=s1&token={mint(SECRET, Grant(listen='s2'))}", "token"),
        (f"token={mint(SECRET, Grant(listen='s2'))}", "over"),
    ],
)
async def test_nobody_else_hears_it(query: str, code: str) -> None:
    """Only a token for just that session opens it: no caller's, no operator's of the phones, no expired or other one."""
    async with door(secret=SECRET) as gateway:
        session, _ = await begun(gateway)
        client = await gateway.connect(f"/listen?{query}")
        messages, closed = await closing(client)
        assert [message.code for message in messages if message.type == "error"] == [code]
        assert closed == 1008
        assert session.playback.tap is None


async def test_pages_of_strangers_do_not_hear() -> None:
    """Without a secret, too, a page of another origin is refused, and so is another name for this machine."""
    async with door() as gateway:
        await begun(gateway)
        client = await gateway.connect("/listen?session=s1", headers={"Origin": "https://evil.example"})
        messages, _ = await closing(client)
        assert [message.code for message in messages if message.type == "error"] == ["origin"]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await gateway.connect("/listen?session=s1", headers={"Host": "evil.example"})


async def test_a_listeners_token_is_good_for_nothing_else() -> None:
    """It begins no session, resumes none, sends no agent anywhere and dials nobody."""
    async with door(secret=SECRET) as gateway:
        await begun(gateway)
        client = await gateway.connect(f"/ws?token={token()}")
        await client.send_json(START)
        refused = told(await client.receive_str(timeout=5))
        assert (refused.type, refused.code) == ("error", "token")
        headers = {"Authorization": f"Bearer {token()}"}
        async with gateway.http.post(gateway.url + "/join", headers=headers, json={"room": "lobby"}) as answer:
            assert answer.status == 401
        assert list(gateway.engine.sessions) == ["s1"]


async def test_who_does_not_read_is_dropped() -> None:
    """One who leaves three seconds unread is let go; the session and the others who listen are not held up."""
    async with door() as gateway:
        session, room = await begun(gateway)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port, limit=1024)
        writer.write(
            b"GET /listen?session=s1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readline()
        while session.playback.tap is None:
            await asyncio.sleep(0.01)
        overheard = gateway.listening.overheard["s1"]
        (slow,) = overheard.listeners
        client = await gateway.connect("/listen?session=s1")
        await client.receive_str(timeout=5)
        while not slow.too_slow.is_set():
            slow.give(bytes(1_000_000))  # soon more than the sockets on both sides hold
            await asyncio.sleep(0.001)
        while slow in overheard.listeners:
            await asyncio.sleep(0.01)
        writer.close()
        await speak(room, 0.2)
        assert await blocks(client, 5)


async def test_so_many_may_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bounds nobody is let in, and is told to try later."""
    monkeypatch.setattr(listening_in, "AT_ONE", 2)
    monkeypatch.setattr(listening_in, "AT_ALL", 3)
    async with door() as gateway:
        await begun(gateway)
        await begun(gateway, "s2")
        for name in ("s1", "s1", "s2"):
            client = await gateway.connect(f"/listen?session={name}")
            await client.receive_str(timeout=5)
        for name in ("s1", "s2"):
            late = await gateway.connect(f"/listen?session={name}")
            messages, code = await closing(late)
            assert [message.code for message in messages if message.type == "error"] == ["too_many"]
            assert code == 1013


async def test_an_answered_heartbeat_is_no_reason_to_go() -> None:
    """Who answers the gateway's pings, as every browser does, goes on hearing."""
    async with door() as gateway:
        session, _ = await begun(gateway)
        client = await gateway.connect("/listen?session=s1")
        await client.receive_str(timeout=5)
        await client.pong(b"here")
        found = await blocks(client, 3)
        assert len(found) == 3
        assert session.playback.tap is not None


async def test_who_listens_says_nothing() -> None:
    """Whatever a listener sends ends its connection, and nothing of it reaches the session."""
    async with door() as gateway:
        session, _ = await begun(gateway)
        while len(await gateway.bus.read("s1")) < 2:  # it begins, and somebody is there
            await asyncio.sleep(0.01)
        before = len(await gateway.bus.read("s1"))
        for send in ("text", "sound", "pings"):
            client = await gateway.connect("/listen?session=s1", autoping=False)
            await client.receive_str(timeout=5)
            if send == "text":
                await client.send_json({"type": "hang_up"})
            elif send == "sound":
                await client.send_bytes(bytes(640))
            else:
                for _ in range(40):
                    await client.ping()
            while (frame := await client.receive(timeout=5)).type in (
                aiohttp.WSMsgType.BINARY,
                aiohttp.WSMsgType.PONG,
            ):
                pass
            assert frame.type is aiohttp.WSMsgType.CLOSE
            assert frame.data == 1003
        assert not session.over.is_set()
        assert len(await gateway.bus.read("s1")) == before
