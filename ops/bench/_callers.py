"""Many phones in one process: G.711 both ways over real sockets, each at its own moment of the 20 ms, as phones are."""

import asyncio
import contextlib
import re
import secrets
import struct
from dataclasses import dataclass, field

import numpy as np

from gateway.rooms.sip.codecs import FORMATS, codec
from ops.demo.script import line
from schemas.errors import AntiphonError

_PHASES = 10
_FRAME = 0.02
_SPEAKING, _SILENT = 2.4, 3.6


class CallFailed(AntiphonError): ...


@dataclass
class Phone:
    """`late`: seconds each packet came after its place in its own stream."""

    gateway: tuple[str, int]
    number: int
    late: list[float] = field(default_factory=list)
    packets: int = 0
    _earliest: float | None = None
    _call: str = field(default_factory=lambda: secrets.token_hex(8))
    _to_tag: str = ""
    _target: tuple[str, int] | None = None
    _answer: "asyncio.Future[str] | None" = None

    async def call(self, rtp: "Sockets") -> None:
        """INVITE until it is answered. CallFailed."""
        loop = asyncio.get_running_loop()
        self._sip, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self._signal), local_addr=("127.0.0.1", 0))
        self._rtp, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self._sound), local_addr=("127.0.0.1", 0))
        port = self._rtp.get_extra_info("sockname")[1]
        body = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        self._answer = loop.create_future()
        self._send("INVITE", 1, body)
        try:
            async with asyncio.timeout(10):
                answer = await self._answer
        except TimeoutError:
            raise CallFailed(f"phone {self.number} was not answered within 10 s") from None
        found = re.search(r"m=audio (\d+)", answer)
        if not answer.startswith("SIP/2.0 200") or found is None:
            raise CallFailed(f"phone {self.number} was told {answer.splitlines()[0]}")
        self._to_tag = (re.search(r"(?im)^To:.*;tag=([^\s;]+)", answer) or [""] * 2)[1]
        self._send("ACK", 1)
        self._target = (self.gateway[0], int(found[1]))
        rtp.phones.append(self)

    def hang_up(self) -> None:
        with contextlib.suppress(AttributeError):
            self._send("BYE", 2)

    def close(self) -> None:
        self._sip.close()
        self._rtp.close()

    def speak(self, frame: int, payload: bytes) -> None:
        header = struct.pack("!BBHII", 0x80, 0, frame & 0xFFFF, (frame * 160) & 0xFFFFFFFF, 0xA0000 + self.number)
        self._rtp.sendto(header + payload, self._target)

    def measure(self) -> None:
        """From now on."""
        self.late.clear()
        self.packets = 0

    def _send(self, method: str, number: int, body: str = "") -> None:
        host, port = self._sip.get_extra_info("sockname")
        tag = f";tag={self._to_tag}" if self._to_tag else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._sip.sendto(
            (
                f"{method} sip:1@{self.gateway[0]}:{self.gateway[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(6)};rport\r\n"
                f"From: <sip:phone{self.number}@{host}>;tag=p{self.number}\r\nTo: <sip:1@127.0.0.1>{tag}\r\n"
                f"Call-ID: {self._call}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:phone{self.number}@{host}:{port}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            self.gateway,
        )

    def _signal(self, data: bytes) -> None:
        text = data.decode(errors="replace")  # a report on somebody's sound may come here too
        if text.startswith("SIP/2.0 1") or self._answer is None or self._answer.done():
            return
        if text.startswith("SIP/2.0"):
            self._answer.set_result(text)

    def _sound(self, data: bytes) -> None:
        if len(data) < 12 or 72 <= data[1] & 0x7F <= 76:
            return
        self.packets += 1
        place = asyncio.get_running_loop().time() - int.from_bytes(data[4:8], "big") / 8_000
        if self._earliest is None or place < self._earliest:
            self._earliest = place
        self.late.append(place - self._earliest)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, came: object) -> None:
        self._came = came

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._came(data)  # type: ignore[operator]


class Sockets:
    """Everybody speaks 40 % of the time, each at another place of the same cycle. `late`: of this process' own beat, seconds."""

    def __init__(self) -> None:
        self.phones: list[Phone] = []
        self.late: list[float] = []
        speech = np.resize(line("capital")[::2], int(_SPEAKING * 8_000))
        silence = np.random.default_rng(1).integers(-40, 41, int(_SILENT * 8_000)).astype(np.int16)
        law = codec(FORMATS["pcmu"])
        frames = np.concatenate((speech, silence)).reshape(-1, 160)
        self._payloads = [law.encode(frame) for frame in frames]

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        due = now()
        step = 0
        while True:
            due += _FRAME / _PHASES
            await asyncio.sleep(max(0.0, due - now()))
            self.late.append(max(0.0, now() - due))
            frame, phase = divmod(step, _PHASES)
            step += 1
            for phone in self.phones[phase::_PHASES]:
                phone.speak(frame, self._payloads[(frame + 37 * phone.number) % len(self._payloads)])
