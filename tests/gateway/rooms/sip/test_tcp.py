"""SIP by TCP: how many connections, how long they may wait, how slowly they may send. Real sockets."""

import asyncio
from pathlib import Path

import pytest

from gateway.rooms.sip import tcp
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, sdp

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(here: Office, host: str = "127.0.0.1") -> Stream:
    return await asyncio.open_connection("127.0.0.1", here.phones.port, local_addr=(host, 0))


async def cut_off(stream: Stream, seconds: float = 3.0) -> bool:
    """Whether the gateway ends a connection within `seconds`, without a word."""
    try:
        async with asyncio.timeout(seconds):
            return await stream[0].read() == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    finally:
        stream[1].close()


async def answers(stream: Stream, here: Office) -> bool:
    """Whether OPTIONS is answered by it."""
    message = Party(here.phones.port).message("OPTIONS").replace("SIP/2.0/UDP", "SIP/2.0/TCP")
    stream[1].write(message.encode())
    async with asyncio.timeout(3):
        told = await stream[0].readuntil(b"\r\n\r\n")
    return told.startswith(b"SIP/2.0 200 ")


def looked_at(here: Office, peer: tuple[str, int]) -> list[bool]:
    """What comes of every look from now on whether a call goes on by the connection of `peer`."""
    wire = here.phones.sides[1].wire
    assert isinstance(wire, tcp.TcpWire)
    in_use, found = wire.in_use, list[bool]()

    def look(address: tuple[str, int]) -> bool:
        used = in_use(address)
        if address == peer:
            found.append(used)
        return used

    wire.in_use = look
    return found


async def closed(streams: list[Stream]) -> None:
    for _, writer in streams:
        writer.close()


async def test_one_address_has_ten(tmp_path: Path) -> None:
    """The eleventh connection of one address is closed, another address has its own ten, and a closed one makes room."""
    trunks = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.0/8"')
    async with office(tmp_path, trunks=trunks) as here:
        first = [await connected(here, "127.0.0.2") for _ in range(tcp.OF_ADDRESS)]
        assert await answers(first[-1], here)
        assert await cut_off(await connected(here, "127.0.0.2"))
        other = await connected(here, "127.0.0.3")
        assert await answers(other, here)
        first[0][1].close()
        side = here.phones.sides[1].wire
        assert isinstance(side, tcp.TcpWire)
        while side.full("127.0.0.2"):
            await asyncio.sleep(0.01)
        again = await connected(here, "127.0.0.2")
        assert await answers(again, here)
        await closed([*first, other, again])


async def test_strangers_take_no_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections addresses open that no trunk names, and say nothing: who is named gets in."""
    monkeypatch.setattr(tcp, "OF_ALL", 5)
    trunks = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.9"')
    async with office(tmp_path, trunks=trunks) as here:
        strangers = [await connected(here, f"127.0.1.{n % 250}") for n in range(40)]
        friend = await connected(here, "127.0.0.9")
        assert await answers(friend, here)
        assert all(await asyncio.gather(*(cut_off(one) for one in strangers)))
        await closed([*strangers, friend])


@pytest.mark.parametrize(
    "said", [b"", b"INVITE sip:1@x SIP/2.0\r\n", b"OPTIONS sip:1@x SIP/2.0\r\nContent-Length: 50\r\n\r\nhalf"]
)
async def test_a_message_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Who says nothing, or half a message and no more, is cut off."""
    monkeypatch.setattr(tcp, "MESSAGE", 0.3)
    async with office(tmp_path) as here:
        stream = await connected(here)
        stream[1].write(said)
        assert await cut_off(stream)


async def test_a_message_letter_by_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a byte now and then, or empty lines between, holds the connection no longer; a whole message renews it."""
    monkeypatch.setattr(tcp, "MESSAGE", 0.4)
    async with office(tmp_path) as here:
        slow = await connected(here)
        drip = asyncio.create_task(_drip(slow))
        assert await cut_off(slow, 2.0)
        drip.cancel()
        quick = await connected(here)
        for _ in range(3):
            assert await answers(quick, here)
            await asyncio.sleep(0.3)
        await closed([quick])


async def _drip(stream: Stream) -> None:
    for letter in b"INVITE sip:1@127.0.0.1 SIP/2.0\r\nVia: " + b"x" * 1_000:
        stream[1].write(bytes((letter,)))
        await asyncio.sleep(0.05)


async def test_a_connection_nobody_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle connection is closed; one by which a call goes on stays, so that the call can be ended by it."""
    monkeypatch.setattr(tcp, "IDLE", 0.4)
    async with office(tmp_path) as here:
        idle, calling = await connected(here), await connected(here)
        assert await answers(idle, here)
        async with Party(here.phones.port) as party:
            port = calling[1].get_extra_info("sockname")[1]
            invite = party.message("INVITE", "100", sdp(party.sound.port)).replace("SIP/2.0/UDP", "SIP/2.0/TCP")
            calling[1].write(invite.encode())
            answer = b""
            while b"SIP/2.0 200" not in answer or b"m=audio" not in answer:
                async with asyncio.timeout(3):
                    answer += await calling[0].read(4_096)
            party.learn(answer[answer.index(b"SIP/2.0 200") :].decode())
            calling[1].write(party.message("ACK", "100").replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode())
            session = await here.session()
            looks = looked_at(here, ("127.0.0.1", port))
            assert await cut_off(idle)
            seen = len(looks)
            while len(looks) < seen + 2:
                await asyncio.sleep(0.01)
            assert here.phones.calls.by(("127.0.0.1", port))
            call = here.phones.calls.of_session(session)
            assert call is not None
            assert call.session is not None
            call.session.hang_up("end_requested")
            async with asyncio.timeout(3):
                assert b"BYE sip:" in await calling[0].read(4_096)
        await closed([idle, calling])
