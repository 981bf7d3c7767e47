"""What the wire may bring: RFC 4475's torture messages, floods, junk by UDP and TCP. Nobody else is disturbed."""

import asyncio
import secrets
from pathlib import Path

import pytest

from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, sdp, status
from tests.gateway.rooms.sip.torture import INVALID, VALID


async def still_well(here: Office) -> None:
    """Somebody else can call, be heard and hang up."""
    before = set(here.gateway.engine.sessions)
    async with Party(here.phones.port) as party:
        assert status(await party.invite("100")) == "200 OK"
        while not here.gateway.engine.sessions.keys() - before:  # a session begins with the ACK
            await asyncio.sleep(0.01)
        assert status(await party.bye()) == "200 OK"


async def told(here: Office, message: str, seconds: float) -> str:
    """The status a message is answered with, from a party of its own; "nothing"."""
    async with Party(here.phones.port) as party:
        party.send(message.replace("@PORT@", str(party.port)).replace("@BRANCH@", secrets.token_hex(5)).encode())
        try:
            return status(await party.response(seconds))
        except AssertionError:
            return "nothing"


async def test_strange_and_valid(tmp_path: Path) -> None:
    """RFC 4475 §3.1.1: messages that look wrong and are right get an answer that is no complaint about their form."""
    async with office(tmp_path) as here:
        answers = {name: await told(here, message, 5.0) for name, message in VALID.items()}
        assert not {name for name, answer in answers.items() if answer.startswith(("400", "500", "nothing"))}, answers
        await still_well(here)


async def test_wrong(tmp_path: Path) -> None:
    """RFC 4475 §3.1.2 and beyond: messages that are wrong are refused or dropped; no session begins, nothing breaks."""
    async with office(tmp_path) as here:
        for name, message in INVALID.items():
            answer = await told(here, message, 0.1)
            assert not answer.startswith("2"), (name, answer)
            assert not here.gateway.engine.sessions, name
            await still_well(here)
            while here.gateway.engine.sessions:  # or the test's time runs out
                await asyncio.sleep(0.01)


async def test_numbers_no_socket_takes(tmp_path: Path) -> None:
    """Ports and rates that can't be, in SDP and Via: whoever else is on the phone goes on hearing."""
    async with office(tmp_path) as here, Party(here.phones.port) as friend:
        assert status(await friend.invite("100")) == "200 OK"
        for old, new in (
            ("m=audio ", "m=audio 9"),
            ("a=sendrecv", "a=rtcp:99999\r\na=sendrecv"),
            (";rport", ""),
            ("c=IN IP4 127.0.0.1", "c=IN IP4 no.such.host.invalid"),
            ("t=0 0", "t=x y"),
            ("a=rtpmap:101 telephone-event/8000", "a=rtpmap:101 telephone-event/-1"),
        ):
            async with Party(here.phones.port) as party:
                message = party.message("INVITE", "100", sdp(party.sound.port)).replace(old, new)
                if old == ";rport":
                    message = message.replace(f"127.0.0.1:{party.port};branch", "127.0.0.1:99999;branch")
                head, _, body = message.partition("\r\n\r\n")
                party.send(f"{head.rpartition('Content-Length')[0]}Content-Length: {len(body)}\r\n\r\n{body}")
                friend.sound.take()
                while friend.sound.count < 8:  # or the test's time runs out
                    await asyncio.sleep(0.02)
        assert status(await friend.bye()) == "200 OK"


async def test_a_flood_of_invites(tmp_path: Path) -> None:
    """A thousand INVITEs of a second from an address a trunk names: bounded sessions, and a call under way hears no gap."""
    trunks = LOOPBACK.replace("calls_per_second = 100", "calls_per_second = 5").replace('"127.0.0.1"', '"127.0.0.0/8"')
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as friend:
        assert status(await friend.invite("100")) == "200 OK"
        friend.sound.take()
        async with Party(here.phones.port, "127.0.0.5") as flooder:
            for number in range(1_000):
                flooder.call_id, flooder.tag = secrets.token_hex(6), secrets.token_hex(3)
                flooder.send(flooder.message("INVITE", body=sdp(flooder.sound.port, "127.0.0.5"), number=number + 1))
                if number % 50 == 49:
                    await asyncio.sleep(0.05)
        assert len(here.gateway.engine.sessions) < 30
        assert friend.sound.count > 40  # 50 a second, all the while
        assert status(await friend.bye()) == "200 OK"


async def test_junk_by_udp(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Random bytes, empty packets and half messages: no answer, no log, no harm."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        caplog.clear()
        whole = party.message("INVITE", body=sdp(4000)).encode()
        for data in (
            b"",
            b"\r\n\r\n",
            b"\0" * 600,
            secrets.token_bytes(1_400),
            whole[:200],
            b"SIP/2.0 200 OK\r\n\r\n",
            whole[:40],
        ):
            party.send(data)
        await here.ticks(6)
        assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR", "CRITICAL")]
        await still_well(here)


async def test_junk_by_tcp(tmp_path: Path) -> None:
    """A peer that sends no end, or a length that is a lie, is cut off; messages that come in pieces are put together."""
    async with office(tmp_path) as here:
        for data in (
            b"X" * 40_000,
            b"INVITE sip:1@x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
            b"INVITE\r\nContent-Length: -1\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", here.phones.port)
            writer.write(data)
            async with asyncio.timeout(3):
                assert await reader.read() == b""
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", here.phones.port)
        party = Party(here.phones.port)
        message = party.message("OPTIONS").replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()
        writer.write(b"\r\n" + message[:30])
        await asyncio.sleep(0.05)
        writer.write(message[30:] + message.replace(b"z9hG4bK", b"z9hG4bKx"))
        both = b""
        while both.count(b"SIP/2.0 200 OK") < 2:
            async with asyncio.timeout(3):
                both += await reader.read(4_096)
        writer.close()
        await still_well(here)


async def test_a_stranger_by_tcp(tmp_path: Path) -> None:
    """From an address no trunk names: 403 and the end."""
    trunks = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.9"')
    async with office(tmp_path, trunks=trunks) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.phones.port)
        writer.write(Party(here.phones.port).message("INVITE", body=sdp(4000)).encode())
        async with asyncio.timeout(3):
            told = await reader.read()
        assert told.startswith(b"SIP/2.0 403 ")
        writer.close()
