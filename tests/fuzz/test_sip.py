"""SIP and RTP as nobody would send them, by UDP and TCP, beside one honest call. FUZZ_SEED, FUZZ_SECONDS: another run."""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path

import pytest

from gateway.rooms.sip.tcp import TcpWire
from ops.demo.script import line
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, Sound, sdp, status
from tests.gateway.rooms.sip.torture import INVALID, VALID

SEED = int(os.environ.get("FUZZ_SEED", "8"))
SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))

TRUNKS = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.0/8"') + "calls = 40\n"
USERS = """
[[trunk]]
name = "guarded"
addresses = ["127.0.0.0/8"]
numbers = { "7" = "plain" }
users = [{ name = "ann", secret = "ANNS_SECRET" }]

[[trunk]]
name = "others"
addresses = ["127.0.0.3"]
numbers = { "300" = "plain" }
"""


def _each(text: str, by: str = "\n") -> list[str]:
    return text.split(by)


METHODS = _each(
    "INVITE ACK BYE CANCEL OPTIONS UPDATE INFO NOTIFY PRACK REFER REGISTER MESSAGE invite cancel Refer É", " "
)
HEADERS = _each("""\
Session-Expires: {n};refresher=uas
Min-SE: {n}
Content-Length: {n}
l: {n}
Max-Forwards: {n}
Require: 100rel
RAck: 1 {n} INVITE
Supported: timer, 100rel
Expires: {n}
Content-Type: application/sdp
Content-Type: application/dtmf-relay
Event: refer
Authorization: Digest username="ann", realm="antiphon", nonce="{n}.000-x", uri="sip:7@x", response="y", nc={n}, qop=auth
Authorization: Digest
P-Asserted-Identity: "x" <tel:+{n}>
Refer-To: <sip:{n}@127.0.0.1>
Record-Route: <sip:127.0.0.7:{n};lr>
Route: <sip:127.0.0.7:{n};lr>
Via: SIP/2.0/UDP 127.0.0.7:{n};branch=z9hG4bK{n}
Contact: *
Contact: <sip:[::1]:{n}>
 folded""")
LINES = _each("""\
m=audio {n} RTP/AVP 0 8 9 101
m=video {n} RTP/AVP 96
m=audio {n}/2 RTP/SAVP 0
c=IN IP6 ::1
c=IN IP4 224.0.0.1/{n}
a=rtpmap:101 telephone-event/{n}
a=rtpmap:{n} opus/48000/2
a=ptime:{n}
a=sendonly
a=inactive
a=rtcp:{n}
a=candidate:1 1 UDP {n} 127.0.0.1 9 typ host
a=fmtp:0 {n}
a=
Signal={n}
Signal=#""")
NUMBERS = (
    "0",
    "-1",
    "1",
    "65535",
    "65536",
    "2147483648",
    "99999999999999999999",
    "1e9",
    "0x10",
    "٣",
    "",
    " ",
    "nan",
    "%00",
)
TOKENS = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"%0d%0a", b"%", b'"',
    b"\\", b"<", b">", b";", b",", b":", b"=", b"@", b";tag=", b";branch=", b"z9hG4bK", b" SIP/2.0", b"sip:", b"A" * 3_000,
    b";lr" * 500, b"(" * 200, b"\t",
)  # fmt: skip


class Fuzzer:
    """`here`: whom it sends to; `sent`: the last messages, for whoever looks for the one that did it."""

    def __init__(self, here: Office, seed: int):
        self.here, self.random = here, random.Random(seed)
        self.sent: deque[bytes] = deque(maxlen=40)
        self.corpus = [text.encode() for text in (*VALID.values(), *INVALID.values())]
        self.heard: deque[str] = deque(maxlen=20)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def message(self, party: Party) -> bytes:
        """A request or response of `party`, more or less as it should be."""
        pick = self.random
        if pick.random() < 0.15:
            text = pick.choice(self.corpus)
            return text.replace(b"@PORT@", str(party.port).encode()).replace(
                b"@BRANCH@", b"%08x" % pick.getrandbits(32)
            )
        method = pick.choice(METHODS)
        if pick.random() < 0.5:  # another call; else within the one it has
            party.call_id, party.tag, party.to_tag = f"{pick.getrandbits(40):x}", f"{pick.getrandbits(20):x}", ""
            method = pick.choice(("INVITE", "INVITE", method))
        body = ""
        if pick.random() < 0.7:
            body = sdp(party.sound.port, party.host, pick.choice(("0 101", "8", "9", "0", "", "18")))
            for _ in range(pick.choice((0, 0, 1, 3))):
                body += self.filled(pick.choice(LINES)) + "\r\n"
        headers = "".join(self.filled(pick.choice(HEADERS)) + "\r\n" for _ in range(pick.choice((0, 0, 1, 2, 5))))
        number = pick.choice((None, None, None, 0, 1, 2**31))
        text = party.message(
            method, pick.choice(("1", "100", "7", "nobody", "%0d%0a", "")), body, headers, number=number
        )
        if pick.random() < 0.2:
            code = pick.choice(
                ("100 Trying", "180 Ringing", "200 OK", "401 No", "302 Moved", "486 Busy", "999 x", "-1 y")
            )
            text = f"SIP/2.0 {code}\r\n" + text.partition("\r\n")[2]
        return text.encode()

    def filled(self, template: str) -> str:
        return template.replace("{n}", self.random.choice((*NUMBERS, str(self.random.getrandbits(16)))))

    def mutated(self, data: bytes) -> bytes:
        """With none to a few mistakes in it."""
        pick = self.random
        for _ in range(pick.choice((0, 0, 1, 1, 2, 4, 8))):
            at = pick.randrange(len(data) + 1)
            end = min(len(data), at + pick.choice((1, 4, 40, 400)))
            match pick.randrange(8):
                case 0:
                    data = data[:at] + bytes((pick.randrange(256),)) + data[at + 1 :]
                case 1:
                    data = data[:at] + data[end:]
                case 2:
                    data = data[:at] + pick.choice(TOKENS) + data[at:]
                case 3:
                    data = data[:end] + data[at:]
                case 4:
                    lines = data.split(b"\r\n")
                    lines.insert(pick.randrange(len(lines)), pick.choice(lines))
                    data = b"\r\n".join(lines)
                case 5:
                    lines = data.split(b"\r\n")
                    pick.shuffle(lines)
                    data = b"\r\n".join(lines)
                case 6:
                    numbers = list(re.finditer(rb"\d+", data))
                    if numbers:
                        one = pick.choice(numbers)
                        data = data[: one.start()] + pick.choice(NUMBERS).encode() + data[one.end() :]
                case 7:
                    data = data[:at]
        self.sent.append(data)
        return data

    def packet(self) -> bytes:
        """RTP or RTCP, or what might be taken for it."""
        pick = self.random
        head = bytes(
            (
                pick.choice((0x80, 0x80, 0x90, 0xA0, 0xBF, 0x81, pick.randrange(256))),
                pick.choice((0, 0, 101, 200, 203, pick.randrange(256))),
            )
        )
        return head + pick.randbytes(pick.choice((0, 5, 10, 14, 170, 170, 1_400, 9_000)))

    # ── ways in ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def by_udp(self, host: str) -> None:
        """Messages and sound of one host, now and then a call that is answered and acknowledged first."""
        while True:
            async with Party(self.here.phones.port, host) as party:
                with contextlib.suppress(AssertionError):
                    if status(await party.invite("100")) == "200 OK":
                        self.heard.append(host)
                for _ in range(60):
                    data = self.mutated(self.message(party))
                    with contextlib.suppress(OSError):  # longer than a datagram
                        party.send(data)
                    for call in list(self.here.phones.calls.by_id.values())[:4]:
                        assert party.sound._transport is not None
                        port = call.line.port + self.random.choice((0, 0, 1))
                        party.sound._transport.sendto(self.packet(), ("127.0.0.1", port or 9))
                    await asyncio.sleep(0.005)
                    for text in party._protocol.came._queue:  # type: ignore[attr-defined]
                        if text.startswith(b"SIP/2.0 200") and b"m=audio" in text:
                            party.learn(text.decode(errors="replace"))
                    while not party.quiet():
                        party._protocol.came.get_nowait()

    async def by_tcp(self, host: str) -> None:
        """The same in pieces, several to a connection, with connections left in the middle."""
        while True:
            async with Party(self.here.phones.port, host) as party:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", party.gateway, local_addr=(host, 0))
                    for _ in range(self.random.randrange(1, 12)):
                        data = self.mutated(self.message(party).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
                        middle = self.random.randrange(len(data) + 1)
                        writer.write(data[:middle])
                        await asyncio.sleep(self.random.choice((0, 0.001)))
                        writer.write(data[middle:])
                        await asyncio.sleep(0.005)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.01):
                            await reader.read(100_000)
                except OSError:
                    pass
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()


@contextlib.asynccontextmanager
async def running(*work: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one()) for one in work]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def spoken(party: Party, seconds: float) -> None:
    """Silence from the phone, as a phone sends it."""
    await party.sound.speak(party.remote_port, seconds)


def gaps(sound: Sound) -> list[int]:
    """How many packets lie between those that came, where it is not one."""
    numbers = [int.from_bytes(packet[2:4], "big") for packet in sound.take() if packet[1] & 0x7F == 0]
    assert numbers, "no sound came"
    return [step for one, other in itertools.pairwise(numbers) if (step := (other - one) & 0xFFFF) != 1]


async def test_an_honest_call_beside_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever others send, a call under way hears without a gap, is heard and ends well; the next is answered."""
    monkeypatch.setenv("ANNS_SECRET", "correct horse")
    caplog.set_level(logging.ERROR)
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    async with office(tmp_path, trunks=USERS + TRUNKS) as here, Party(here.phones.port, "127.0.0.2") as party:
        assert status(await party.invite("100")) == "200 OK"
        session = await here.session()
        fuzzer = Fuzzer(here, SEED)
        hosts = [f"127.0.1.{number}" for number in range(1, 7)]
        ways = [partial(fuzzer.by_udp, host) for host in hosts[:4]] + [
            partial(fuzzer.by_tcp, host) for host in hosts[4:]
        ]
        async with running(*ways):
            for _ in range(int(SECONDS)):
                await spoken(party, 1.0)
                assert gaps(party.sound) == [], told(fuzzer)
        await party.sound.speak(party.remote_port, 2.5, line("capital")[::2])
        await here.event(session, lambda event: event.type == "transcript.final")
        async with Party(here.phones.port, "127.0.0.3") as other:
            assert status(await other.invite("300")) == "200 OK"
            assert status(await other.bye()) == "200 OK"
        party.number = 60
        assert status(await party.bye()) == "200 OK"
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
        assert fuzzer.heard, "the fuzzer never got as far as a call"
        bounded(here)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not errors, f"{[record.exc_text or record.getMessage() for record in errors][:3]}\n{told(fuzzer)}"
    assert not unhandled, f"{unhandled[:3]}\n{told(fuzzer)}"


def bounded(here: Office) -> None:
    """Nothing is left behind by what led to nothing."""
    assert not here.phones._guests
    assert len(here.phones.calls.unacknowledged) <= 200
    for side in here.phones.sides:
        assert side.wire.transactions._bytes <= 8_100_000
        assert set(side.uas._calls) <= set(here.phones.calls.by_id)
        if isinstance(side.wire, TcpWire):
            assert len(side.wire.connections) <= 200


def told(fuzzer: Fuzzer) -> str:
    """What it sent last."""
    return f"FUZZ_SEED={SEED}, the last messages:\n" + "\n".join(str(data[:400]) for data in list(fuzzer.sent)[-8:])
