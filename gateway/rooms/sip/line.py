"""The sound of one call: RTP and RTCP, keys pressed, both ways. Driven from outside: `tick` every 20 ms, `take` when asked."""

import asyncio
import logging
import random
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from aiortp.clock import current_ntp_time
from aiortp.dtmf import DTMF_EVENTS, EVENT_TO_DIGIT
from aiortp.packet import RtcpByePacket, RtcpSdesPacket, RtcpSenderInfo, RtcpSourceInfo, RtcpSrPacket, is_rtcp

from gateway.bucket import Bucket
from gateway.rooms.sip.codecs import FORMATS, FRAME, Format, codec
from gateway.rooms.sip.reorder import Lost, Packet, Reorder
from gateway.rooms.sip.resample import Doubler
from gateway.rooms.sip.sources import Address, Sources
from gateway.sound.queue import PcmQueue
from schemas.audio import HEARING_RATE, Pcm
from schemas.clock import Clock
from schemas.errors import AntiphonError
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.sip")

_HEADER = struct.Struct("!BBHII")
_COMFORT_NOISE = 13
_REPORT_EVERY = 250  # frames
_KEY_FRAMES, _KEY_PAUSE = 8, 5  # a key is held 160 ms, 100 ms lie between two
_FILLED = 0.2
"""Seconds; a longer pause of a line that sends nothing in silence is filled in by the ear."""
_UNHEARD = 250
"""Packets kept for an ear that doesn't come: 5 s."""
_LARGEST = 1_500
"""Bytes of a packet of sound; 20 ms take 172, the largest any codec here makes is half of this."""
_PACKETS, _SOUND, _AHEAD = 250.0, 1.1, 5.0
"""Packets a second that are looked at; seconds of sound a second that are heard, and how many at once after a stall."""


class NoPorts(AntiphonError): ...


@dataclass(frozen=True, slots=True)
class Deal:
    """What the two sides agreed on. `keys`: payload type of telephone events and their Hz, None without."""

    form: Format
    payload_type: int
    keys: tuple[int, int] | None = None


class Line:
    """`pressed`: told each key. Positions are exact to the sample sent. Until the two sides `agree`, it speaks µ-law."""

    def __init__(self, clock: Clock, sources: Sources, pressed: Callable[[str], None]):
        self.sources = sources
        self.port = 0
        self.reorder = Reorder()
        self.heard_at = clock.now()
        """When the party was last heard of."""
        self.session = ""
        """Whose sound it is, once there is one: for what the log says of it."""
        self.strangers = 0
        """Packets that were nobody's we talk to."""
        self.flooded = 0
        """Packets and sounds that were more than a voice has."""
        self.deaf = False
        """On hold: what comes is not for the agent."""
        self.mute = False
        """On hold: nothing is sent."""
        self.before: Callable[[], None] = lambda: None
        """Called as each frame is due, before it is taken."""
        self.sounded: Callable[[Pcm | None], None] = lambda _: None
        """Told each frame as it leaves, None for a silent one."""
        self._clock, self._pressed = clock, pressed
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None
        self._queue = PcmQueue()
        self._sent_at = -1.0  # of the last frame with sound in it
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._source = random.getrandbits(32)
        self._packets = self._octets = self._frames = 0
        self._keys: deque[str] = deque()
        self._key: _Key | None = None
        self._their_source: int | None = None
        self._their_key: int | None = None
        self._expected: int | None = None
        self._untaken = 0
        self._budget = Bucket.full(_SOUND, clock.now(), _AHEAD)
        self._rate = Bucket.full(_PACKETS, clock.now(), 2 * _PACKETS)
        self.agree(Deal(FORMATS["pcmu"], 0))

    def agree(self, deal: Deal) -> None:
        """From now on sound is as in `deal`."""
        form = deal.form
        self.deal = deal
        self._codec = codec(form)
        self._double = Doubler() if form.hear_rate * 2 == HEARING_RATE else None
        self._frame = round(form.send_rate * FRAME)
        self._step = round(form.clock * FRAME)
        self._heard_frame = round(form.hear_rate * FRAME)
        self._silence = np.zeros(self._frame, np.int16)
        self._still = self._codec.encode(self._silence) if form.name in ("pcmu", "pcma") else None
        self.reorder.reset()

    # ── sockets ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, host: str, ports: range) -> None:
        """Bind an even port of `ports` and the next one. NoPorts when all are taken."""
        loop = asyncio.get_running_loop()
        even = [port for port in ports if port % 2 == 0]
        for port in random.sample(even, min(len(even), 200)):
            try:
                rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._received), local_addr=(host, port))
            except OSError:
                continue
            try:
                rtcp, _ = await loop.create_datagram_endpoint(
                    lambda: _Socket(self._reported), local_addr=(host, port + 1)
                )
            except OSError:
                rtp.close()
                continue
            self._rtp, self._rtcp, self.port = rtp, rtcp, port
            return
        raise NoPorts(f"SIP_PORTS: no two free ports in {ports.start}-{ports.stop - 1}; give a wider range")

    def close(self) -> None:
        if self._rtcp is not None and self._packets and (target := self.sources.reports_to):
            self._rtcp.sendto(bytes(RtcpByePacket(sources=[self._source])), target)
        for transport in (self._rtp, self._rtcp):
            if transport is not None:
                transport.close()
        self._rtp = self._rtcp = None
        self._queue.clear()

    # ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def push(self, pcm: Pcm, *, voice: bool = True) -> None:
        """`voice`: the agent's; else it has no echo that somebody might be taken for."""
        self._queue.push(pcm, voice=voice)

    def queued(self) -> float:
        """Seconds that have not sounded: what waits here, and what is left of the frame sent last."""
        sounding = max(0.0, min(FRAME, self._sent_at + FRAME - self._clock.now()))
        return self._queue.samples / self.deal.form.send_rate + sounding

    def clear(self) -> float:
        """Drop what waits; answers its seconds. The frame that left last, 20 ms at most, can't be taken back."""
        return self._queue.clear() / self.deal.form.send_rate

    def press(self, digits: str) -> None:
        """Send keys, one after the other; what is being said waits meanwhile. `w`: half a second's pause."""
        self._keys.extend(digit for digit in digits.upper() if digit in DTMF_EVENTS or digit == "W")

    def tick(self, skipped: int = 0) -> None:
        """The next 20 ms leave. `skipped`: frames left out before, because we were too late for them."""
        self.before()
        self._timestamp = (self._timestamp + skipped * self._step) & 0xFFFFFFFF
        self._frames += 1
        if self._frames % _REPORT_EVERY == 0:
            self._report()
        if self._key is None and self._keys and self.deal.keys is not None:
            self._key = _Key(self._keys.popleft(), self._timestamp)
        if self._key is not None:
            self._send_key(self._key)
            self.sounded(None)
        elif self._queue.samples:
            frame = self._queue.take(self._frame)
            self._sent_at = self._clock.now()
            self._send(self.deal.payload_type, self._codec.encode(frame))
            self.sounded(frame if self._queue.voiced else None)
        elif not self.mute:  # silence is sent too: routers and phones forget a line on which nothing comes
            self._send(self.deal.payload_type, self._still or self._codec.encode(self._silence))
            self.sounded(None)
        self._timestamp = (self._timestamp + self._step) & 0xFFFFFFFF

    def _send(self, payload_type: int, payload: bytes, timestamp: int | None = None, marker: int = 0) -> None:
        target = self.sources.target
        if target is None or self._rtp is None:
            return
        stamp = self._timestamp if timestamp is None else timestamp
        header = _HEADER.pack(0x80, payload_type | marker, self._sequence, stamp, self._source)
        self._rtp.sendto(header + payload, target)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._packets += 1
        self._octets += len(payload)

    def _send_key(self, key: "_Key") -> None:
        """One packet of a key held (RFC 4733): the end is said three times, then there is a pause."""
        assert self.deal.keys is not None
        payload_type, clock = self.deal.keys
        key.frames += 1
        if key.digit == "W":
            if key.frames >= 25:
                self._key = None
            return
        duration = round(min(key.frames, _KEY_FRAMES) * clock * FRAME)
        ends = key.frames >= _KEY_FRAMES
        if key.frames <= _KEY_FRAMES:
            payload = struct.pack("!BBH", DTMF_EVENTS[key.digit], 0x8A if ends else 0x0A, duration)
            for _ in range(3 if ends else 1):
                self._send(payload_type, payload, key.timestamp, 0x80 if key.frames == 1 else 0)
        if key.frames >= _KEY_FRAMES + _KEY_PAUSE:
            self._key = None

    def _report(self) -> None:
        target = self.sources.reports_to
        if target is None or self._rtcp is None or not self._packets:
            return
        sender = RtcpSenderInfo(
            ntp_timestamp=current_ntp_time(), rtp_timestamp=self._timestamp, packet_count=self._packets,
            octet_count=self._octets & 0xFFFFFFFF,
        )  # fmt: skip
        name = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self._source, items=[(1, b"antiphon")])])
        report = bytes(RtcpSrPacket(ssrc=self._source, sender_info=sender)) + bytes(name)
        self._rtcp.sendto(report, target)

    # ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _received(self, data: bytes, source: Address) -> None:
        if len(data) <= _HEADER.size or data[0] & 0xC0 != 0x80 or is_rtcp(data):
            return
        now = self._clock.now()
        first, second, sequence, timestamp, their_source = _HEADER.unpack_from(data)
        kind = second & 0x7F
        keys = self.deal.keys[0] if self.deal.keys else None
        if kind != self.deal.payload_type and kind != keys and kind != _COMFORT_NOISE:
            return
        if not self.sources.accepts(source, now):
            self.strangers += 1
            return
        self.heard_at = now
        if len(data) > _LARGEST or not self._rate.take(now):
            self.flooded += 1
            return
        if their_source != self._their_source:
            self._their_source, self._expected = their_source, None
            self.reorder.reset()
        payload = data[_HEADER.size :] if first == 0x80 else _payload(data)
        if kind == self.deal.payload_type:
            self._untaken += 1
            if self._untaken < _UNHEARD and not self.deaf:
                self.reorder.put(sequence, Packet(timestamp, payload), now)
        else:
            self.reorder.put(sequence, None, now)
            if kind == keys:
                self._key_came(timestamp, payload)

    def _key_came(self, timestamp: int, payload: bytes) -> None:
        """Every packet of one key carries the timestamp of its beginning."""
        if len(payload) >= 4 and timestamp != self._their_key:
            self._their_key = timestamp
            if (digit := EVENT_TO_DIGIT.get(payload[0])) is not None:
                self._pressed(digit)

    def _reported(self, data: bytes, source: Address) -> None:
        target = self.sources.target
        if target is not None and source[0] == target[0] and len(data) >= 8 and is_rtcp(data):
            self.heard_at = self._clock.now()

    def take(self) -> list[Pcm]:
        """What was heard since the last call, at 16 kHz, without gaps."""
        found = self.raw()
        if self._double is None or not found:
            return found
        return [self._double(np.concatenate(found))]

    def raw(self) -> list[Pcm]:
        """The same as the codec has it, at `Format.hear_rate`."""
        self._untaken = 0
        found: list[Pcm] = []
        for item in self.reorder.take(self._clock.now()):
            if isinstance(item, Lost):
                if self._affords(item.packets * self._heard_frame):
                    found.append(self._codec.conceal(item.packets * self._heard_frame))
                self._expected = None
                continue
            try:
                pcm = self._codec.decode(item.payload)
            except ValueError:
                continue
            if not len(pcm):
                continue  # a packet of nothing but padding
            if not self._affords(len(pcm)):
                self._expected = None
                continue
            self._pause(item.timestamp, found)
            self._heard_frame = len(pcm)
            ticks = len(pcm) * self.deal.form.clock // self.deal.form.hear_rate
            self._expected = (item.timestamp + ticks) & 0xFFFFFFFF
            found.append(pcm)
        return found

    def _pause(self, timestamp: int, found: list[Pcm]) -> None:
        """A line that sends nothing in silence leaves a hole in its timestamps."""
        if self._expected is None:
            return
        missing = (timestamp - self._expected) & 0xFFFFFFFF
        samples = missing * self.deal.form.hear_rate // self.deal.form.clock
        if 0 < missing < _FILLED * self.deal.form.clock and self._affords(samples):
            found.append(np.zeros(samples, np.int16))

    def _affords(self, samples: int) -> bool:
        """Whether so much sound is no more than a voice can have made by now: hearing it costs, and others wait."""
        if self._budget.take(self._clock.now(), samples / self.deal.form.hear_rate):
            return True
        self.flooded += 1
        return False


@dataclass(slots=True)
class _Key:
    digit: str
    timestamp: int
    frames: int = 0


def _payload(data: bytes) -> bytes:
    """Behind contributing sources and an extension, before padding; b"" for what doesn't fit."""
    at = _HEADER.size + (data[0] & 0x0F) * 4
    if data[0] & 0x10:
        if len(data) < at + 4:
            return b""
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "big") * 4
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    return data[at:end]


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Address], None]):
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._received(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        pass  # nobody listens there (yet); the timeout of the call decides


class Metronome:
    """One timer for all lines of a gateway. `late`: told how late each beat was, seconds."""

    _MOST = 5  # beats made up for at once

    def __init__(self, late: Callable[[float], None] = lambda _: None):
        self.lines: set[Line] = set()
        self._late = late
        self._tasks = Tasks()

    def start(self) -> None:
        self._tasks.spawn(self._run(), "phones' beat")

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            due += FRAME
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            late = max(0.0, now() - due)
            skipped = 0
            if late > self._MOST * FRAME:
                skipped = int(late / FRAME)
                due += skipped * FRAME
            if self.lines:
                self._late(late)
            for line in list(self.lines):
                try:
                    line.tick(skipped)
                except Exception:  # one line must not silence the others
                    log.exception("a line failed; its call hears nothing more", extra={"session": line.session})
                    self.lines.discard(line)
