"""The other side, by hand: SIP as it is written here, RTP packets as they are asked for. For what no phone would do."""

import asyncio
import contextlib
import re
import secrets
import struct

import numpy as np

from gateway.rooms.sip.codecs import FORMATS, codec
from schemas.audio import Pcm

SDP = """v=0\r
o=- 1 1 IN IP4 {host}\r
s=-\r
c=IN IP4 {host}\r
t=0 0\r
m=audio {port} RTP/AVP {types}\r
{attributes}"""


def sdp(port: int, host: str = "127.0.0.1", types: str = "0 101", direction: str = "sendrecv") -> str:
    attributes = f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    return SDP.format(host=host, port=port, types=types, attributes=attributes)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.came.put_nowait(data)

    def error_received(self, exc: Exception) -> None: ...


class Sound:
    """A socket for RTP. `packets`: what came."""

    def __init__(self) -> None:
        self.protocol = _Socket()
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence, self._timestamp = 100, 1_000
        self._codec = codec(FORMATS["pcmu"])
        self.source = 0x1234

    async def open(self, host: str = "127.0.0.1") -> "Sound":
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self.protocol, local_addr=(host, 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def send(self, port: int, pcm: Pcm | None = None, payload_type: int = 0, payload: bytes | None = None) -> None:
        """20 ms to the gateway's `port`."""
        assert self._transport is not None
        if payload is None:
            payload = self._codec.encode(np.zeros(160, np.int16) if pcm is None else pcm)
        header = struct.pack("!BBHII", 0x80, payload_type, self._sequence & 0xFFFF, self._timestamp, self.source)
        self._transport.sendto(header + payload, ("127.0.0.1", port))
        self._sequence += 1
        self._timestamp += 160

    async def speak(self, port: int, seconds: float, pcm: Pcm | None = None) -> None:
        """Real time; `pcm` at 8 kHz from its beginning, silence behind it."""
        for frame in range(int(seconds * 50)):
            piece = None if pcm is None else pcm[frame * 160 : (frame + 1) * 160]
            self.send(port, piece if piece is not None and len(piece) == 160 else None)
            await asyncio.sleep(0.02)

    @property
    def count(self) -> int:
        return self.protocol.came.qsize()

    def take(self) -> list[bytes]:
        found = []
        with contextlib.suppress(asyncio.QueueEmpty):
            while True:
                found.append(self.protocol.came.get_nowait())
        return found


class Party:
    """One user agent at a port of 127.0.0.1 (or another loopback address) talking to the gateway's `port`."""

    def __init__(self, port: int, host: str = "127.0.0.1"):
        self.host, self.gateway = host, port
        self.port = 0
        self.sound = Sound()
        self.call_id = secrets.token_hex(6)
        self.tag, self.to_tag = secrets.token_hex(3), ""
        self.number = 0
        self.remote_port = 0
        """Where the gateway takes this call's sound."""
        self._protocol = _Socket()
        self._transport: asyncio.DatagramTransport | None = None
        self._branch = ""

    async def __aenter__(self) -> "Party":
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self._protocol, local_addr=(self.host, 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        try:
            await self.sound.open(self.host)
        except BaseException:  # whoever is cancelled here never gets to the other end of it
            self._transport.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        self.sound.close()

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def message(
        self,
        method: str,
        user: str = "1",
        body: str = "",
        headers: str = "",
        branch: str = "",
        number: int | None = None,
    ) -> str:
        """A request, whole. ACK and CANCEL take the INVITE's number."""
        if number is None:
            self.number += method not in ("ACK", "CANCEL")
            number = self.number
        self._branch = branch or f"z9hG4bK{secrets.token_hex(6)}"
        to_tag = f";tag={self.to_tag}" if self.to_tag else ""
        kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in headers else ""
        return (
            f"{method} sip:{user}@127.0.0.1:{self.gateway} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={self._branch};rport\r\n"
            f'From: "Ann Other" <sip:+49301234@{self.host}>;tag={self.tag}\r\n'
            f"To: <sip:{user}@127.0.0.1>{to_tag}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:ann@{self.host}:{self.port}>\r\n{headers}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def send(self, message: str | bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(message.encode() if isinstance(message, str) else message, ("127.0.0.1", self.gateway))

    async def response(self, seconds: float = 5.0, *, final: bool = True, to: str = "") -> str:
        """The next response (`final`: none below 200; `to`: to a request of this method, older ones may be said again meanwhile);
        AssertionError when none comes."""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    text = (await self._protocol.came.get()).decode()
            except TimeoutError:
                raise AssertionError("the gateway does not answer") from None
            if not text.startswith("SIP/2.0"):
                continue
            if to and not re.search(rf"(?im)^CSeq: *\d+ +{to}\s*$", text):
                continue
            if not final or int(text.split()[1]) >= 200:
                return text

    async def request(self, method: str, seconds: float = 5.0) -> str:
        """The next request of the gateway of this kind."""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    text = (await self._protocol.came.get()).decode()
            except TimeoutError:
                raise AssertionError(f"no {method} came") from None
            if text.startswith(method):
                return text

    def reply(self, request: str, status: str = "200 OK", headers: str = "", body: str = "", to_tag: str = "") -> None:
        """Answer a request of the gateway."""
        kept = [line for line in request.split("\r\n") if re.match(r"(?i)(via|from|to|call-id|cseq):", line)]
        kept = [f"{line};tag={to_tag}" if to_tag and line.lower().startswith("to:") else line for line in kept]
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.send(
            f"SIP/2.0 {status}\r\n"
            + "\r\n".join(kept)
            + f"\r\n{headers}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def quiet(self) -> bool:
        """Whether nothing has come that was not taken."""
        return self._protocol.came.empty()

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def invite(self, user: str = "1", body: str | None = None, headers: str = "") -> str:
        """Send an INVITE; answers the final response, acknowledged."""
        self.send(self.message("INVITE", user, sdp(self.sound.port, self.host) if body is None else body, headers))
        branch = self._branch
        answer = await self.response()
        self.learn(answer)
        if answer.split()[1] == "200":
            self.send(self.message("ACK", user))
        else:
            self.send(self.message("ACK", user, branch=branch))
        return answer

    def learn(self, answer: str) -> None:
        if (found := re.search(r"(?im)^To:.*;tag=([^\s;]+)", answer)) and answer.split()[1] == "200":
            self.to_tag = found[1]
        if found := re.search(r"m=audio (\d+)", answer):
            self.remote_port = int(found[1])

    async def bye(self) -> str:
        """Hang up; sent again as RFC 3261 §17.1.2 has it, for a datagram may be lost where many come at once."""
        message = self.message("BYE")

        async def again() -> None:
            interval = 0.5
            while True:
                self.send(message)
                await asyncio.sleep(interval)
                interval = min(2 * interval, 4.0)

        sending = asyncio.create_task(again())
        try:
            return await self.response(to="BYE")
        finally:
            sending.cancel()


def status(response: str) -> str:
    """Its first line without the version: "403 Forbidden: …"."""
    return response.split("\r\n", 1)[0].removeprefix("SIP/2.0 ")
