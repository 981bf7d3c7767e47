"""How many may come: connections that say nothing, sessions of one address or token, and who they are taken for."""

import asyncio
import gzip
import json
import logging
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.http import connections
from gateway.http.connections import DoorLimits, caller_of
from gateway.rooms.websocket import door as door_of_websockets
from schemas.access.tokens import Grant, mint
from schemas.client import EndedMessage, ErrorMessage, ReadyMessage
from schemas.errors import SettingsError
from schemas.process.connections import neighbourhood, proxies_of
from schemas.process.hosts import within
from tests.gateway.door import SECRET, START, Door, closing, door, told
from tests.gateway.rig import ticks


@asynccontextmanager
async def half_open(port: int, count: int, said: bytes = b"") -> AsyncIterator[list[sockets.socket]]:
    """Connections that say `said` and then nothing."""
    loop = asyncio.get_running_loop()
    made = []
    try:
        for _ in range(count):
            raw = sockets.socket()
            raw.setblocking(False)
            made.append(raw)
            await loop.sock_connect(raw, ("127.0.0.1", port))
            if said:
                await loop.sock_sendall(raw, said)
        yield made
    finally:
        for raw in made:
            raw.close()


async def _some(raw: sockets.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(raw, 4096)


async def ended(raw: sockets.socket) -> bytes:
    """What came until the other side closed."""
    told = b""
    try:
        while chunk := await _some(raw):
            told += chunk
    except ConnectionResetError:
        pass
    return told


_WEBSOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


_SLOW = b"POST /join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{"
_HEAD = b"POST /join HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "


@pytest.mark.parametrize("said", [b"", b"GET /ws HT", _HEAD, _SLOW, _WEBSOCKET])
@pytest.mark.parametrize("limits", [DoorLimits(connections=50), DoorLimits(connections_per_address=50)])
async def test_half_open_connections_lock_nobody_out(said: bytes, limits: DoorLimits) -> None:
    """However many connections say nothing, or half a request, or never `start`: a client gets in, and who talks stays in."""
    async with door(limits=limits) as gateway:
        before, _ = await gateway.begin()
        async with half_open(gateway.server.port, 300, said):
            await asyncio.sleep(0.2)
            assert gateway.server.connections.count <= 50
            _, ready = await gateway.begin()
            assert isinstance(ready, ReadyMessage)
            await before.send_json({"type": "message", "text": "still here"})
            await before.send_json({"type": "hang_up"})
            messages, _ = await closing(before)
            assert messages[-1] == EndedMessage(reason="hang_up")


@pytest.mark.parametrize(
    "said", [b"", _SLOW, _SLOW.replace(b"Host", b"Upgrade: websocket\r\nConnection: upgrade\r\nHost")]
)
async def test_a_request_comes_in_time(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that says nothing is closed, a request whose body does not come refused."""
    monkeypatch.setattr(connections, "FIRST_WITHIN", 0.3)
    async with door() as gateway, half_open(gateway.server.port, 1, said) as (raw,):
        told = await ended(raw)
        assert told.startswith(b"HTTP/1.1 408") if said else told == b""
        assert gateway.server.connections.count == 0


def _part(opcode: int, data: bytes = b"", *, last: bool = False) -> bytes:
    """A frame of a client that masks with zeros."""
    return bytes([last << 7 | opcode, 0x80 | len(data), 0, 0, 0, 0]) + data


async def test_parts_of_a_message_are_no_way_around_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in thousands of empty parts is read no faster than as many bytes of sound: what is more waits."""
    monkeypatch.setattr(connections, "BYTES", (200_000.0, 100_000.0))
    start = json.dumps(START).encode()
    parts = _part(1, start[:9]) + _part(0) * 60_000 + _part(0, start[9:], last=True)
    async with door() as gateway:
        loop = asyncio.get_running_loop()
        before = loop.time()
        async with half_open(gateway.server.port, 1, _WEBSOCKET + parts) as (raw,):
            told = b""
            while b'"ready"' not in told:
                async with asyncio.timeout(5):
                    told += await loop.sock_recv(raw, 4096)
        assert loop.time() - before > 0.7  # 360 KB, of which 100 at once


async def test_a_body_is_not_unpacked() -> None:
    """A compressed body is no way to have us work: it is read as it came."""
    packed = gzip.compress(b'{"room": "r"}')
    async with (
        door() as gateway,
        gateway.http.post(gateway.url + "/join", data=packed, headers={"Content-Encoding": "gzip"}) as answer,
    ):
        assert answer.status == 400


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"GET /ws?token=secret%s HTTP/1.1\r\n\r\n" % (b"x" * 9000),
        _WEBSOCKET.replace(b"Host", b"Sec-WebSocket-Protocol: bearer, secret\r\nHost"),
        _SLOW,
        _SLOW.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked") + b"secret",
    ],
)
async def test_nonsense_leaves_nothing_in_the_log(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP, or ends in the middle, is not told in tracebacks; nor are tokens that came in odd places."""
    async with door() as gateway:
        async with half_open(gateway.server.port, 1, said):
            await ticks(gateway.engine.house, 3)
        while gateway.server.connections.count:
            await asyncio.sleep(0.01)
        assert isinstance((await gateway.begin())[1], ReadyMessage)
    said = [record for record in caplog.records if record.name.startswith("aiohttp") or record.exc_info]
    assert [record.getMessage() for record in said if record.levelno >= logging.WARNING] == []
    assert "secret" not in caplog.text


async def test_a_head_that_trickles_in_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """One letter now and then is no request."""
    monkeypatch.setattr(connections, "FIRST_WITHIN", 0.4)
    async with door() as gateway, half_open(gateway.server.port, 1, b"GET /ws HTTP/1.1\r\nX: ") as (raw,):
        reading = asyncio.create_task(ended(raw))
        for _ in range(40):
            await asyncio.sleep(0.05)
            if reading.done():
                break
            try:
                await asyncio.get_running_loop().sock_sendall(raw, b"x")
            except OSError:
                break
        async with asyncio.timeout(1):
            await reading
        assert gateway.server.connections.count == 0


async def test_a_start_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A WebSocket that never begins is closed, whatever it pings."""
    monkeypatch.setattr(door_of_websockets, "START_WITHIN", 0.3)
    async with door() as gateway:
        client = await gateway.connect()
        await client.ping()
        messages, code = await closing(client)
        assert (messages[0].code, code) == ("start", 1008)


async def test_who_is_too_many_is_told() -> None:
    """Where all connections have something to do, one more is refused in words."""
    async with door(limits=DoorLimits(connections_per_address=3)) as gateway:
        for _ in range(3):
            assert isinstance((await gateway.begin())[1], ReadyMessage)
        async with gateway.http.get(gateway.url + "/ws") as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["code"] == "too_many"


async def refused(gateway: Door, path: str = "/ws", **fields: Any) -> str:
    """The code a client is refused with; "" for none."""
    client = await gateway.connect(path)
    await client.send_json(START | fields)
    answer = told(await client.receive_str(timeout=5))
    return answer.code if isinstance(answer, ErrorMessage) else ""


async def test_sessions_of_one_address() -> None:
    """So many sessions at once and no more; one that has ended makes room."""
    async with door(limits=DoorLimits(sessions_per_address=3)) as gateway:
        first, _ = await gateway.begin()
        for _ in range(2):
            assert await refused(gateway) == ""
        assert await refused(gateway) == "too_many"
        await first.send_json({"type": "hang_up"})
        await closing(first)
        assert await refused(gateway) == ""
        assert await refused(gateway) == "too_many"


async def test_sessions_of_one_token() -> None:
    """One token has so many sessions, another one its own."""
    async with door(limits=DoorLimits(sessions_per_token=2), secret=SECRET) as gateway:
        one, other = (f"/ws?token={mint(SECRET, Grant(participant=name))}" for name in ("ann", "bob"))
        assert [await refused(gateway, one) for _ in range(3)] == ["", "", "too_many"]
        assert await refused(gateway, one + "%3D") == "too_many"  # the same token, written otherwise
        assert await refused(gateway, other) == ""


async def test_opens_within_a_minute() -> None:
    """Failed tries count; coming back with one's ticket does not."""
    async with door(limits=DoorLimits(opens_per_minute=5)) as gateway:
        client, ready = await gateway.begin()
        for _ in range(10):
            assert await refused(gateway, session=ready.session, ticket=ready.ticket) == ""
        assert [await refused(gateway, agent="nobody") for _ in range(6)] == ["agent"] * 4 + ["too_many"] * 2
        assert await refused(gateway) == "too_many"
        assert client.close_code != 1013


async def test_a_session_taken_from_another_gateway_costs_as_much_as_a_new_one() -> None:
    """Its whole log is read for it: who moves it to and fro is told to wait, and it counts where it is."""
    limits = DoorLimits(opens_per_minute=2, sessions_per_address=1)
    async with door(limits=limits) as here, door(here.bus, "gateway-b", limits=limits) as there:
        _, ready = await here.begin()
        back = {"session": ready.session, "ticket": ready.ticket}
        assert await refused(there, **back) == ""
        assert await refused(there) == "too_many"  # that one is theirs there, now
        assert [await refused(one, **back) for one in (here, there)] == ["", "too_many"]


async def test_rooms_joined_within_a_minute() -> None:
    """Sending the agent into LiveKit rooms counts as opening does; a room that can't be is refused, not another one joined."""
    asked = []

    async def join(room: str, agent: str) -> str:
        asked.append(room)
        return f"lk-{room}"

    async with door(limits=DoorLimits(opens_per_minute=3), join=join) as gateway:

        async def status(room: str) -> int:
            async with gateway.http.post(gateway.url + "/join", json={"room": room}) as answer:
                return answer.status

        assert [await status(room) for room in ("a\nb", "a\x00b", "\ud83d", "x" * 257, "")] == [400] * 5
        assert [await status(room) for room in ("a  b", "c", "d", "e")] == [200, 200, 200, 429]
        assert asked == ["a  b", "c", "d"]


def test_a_household_is_one_address() -> None:
    """IPv6 counts by its /64; IPv4 in IPv6's clothes is IPv4."""
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:2") == "2001:db8::/64"
    assert neighbourhood("::ffff:192.0.2.1") == neighbourhood("192.0.2.1") == "192.0.2.1"
    assert neighbourhood("::1") == "::1"
    assert neighbourhood("fe80::1%eth0") == "fe80::/64"


@pytest.mark.parametrize(
    ("peer", "told", "caller"),
    [
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.7, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1:50123, 10.0.0.1:443", "198.51.100.1"),
        ("127.0.0.1", "[2001:db8:1:2::7]:50123", "2001:db8:1:2::/64"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, told: str, caller: str) -> None:
    """X-Forwarded-For counts from proxies that were named, from its end, and what a client wrote into it does not."""
    request = make_mocked_request("GET", "/ws", headers={"X-Forwarded-For": told} if told else {})
    assert caller_of(request.clone(remote=peer), proxies_of("127.0.0.1, 10.0.0.0/8", "GATEWAY_PROXIES")) == caller


def test_a_proxy_is_an_address_or_a_network() -> None:
    """Anything else is refused by the setting's name; IPv4 in IPv6's clothes is IPv4."""
    with pytest.raises(SettingsError, match="GATEWAY_PROXIES=nginx: expected an address"):
        proxies_of("127.0.0.1, nginx", "GATEWAY_PROXIES")
    assert within("::ffff:10.1.2.3", proxies_of("10.0.0.0/8", "GATEWAY_PROXIES"))
    assert not within("2001:db8::1", proxies_of("10.0.0.0/8", "GATEWAY_PROXIES"))
