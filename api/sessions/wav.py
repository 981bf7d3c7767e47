"""A session's sound as a WAV file that is never whole anywhere: any stretch of its bytes is mixed when it is asked for."""

import asyncio
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Reading
from schemas.session.sound import Recording, Score, heard_at

HEAD = 44
_FRAME = 4
"""Bytes of a sample of both sides."""
_MOST = 0xFFFFFFFF - HEAD
"""Bytes of sound that a WAV's head can name: 18 hours."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_BEYOND = 1 << 62


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """Nothing of the file lies in what was asked for."""


def span_of(header: str, size: int) -> Span | None:
    """RFC 9110, one range of bytes. None: the whole is to be sent, as for several ranges, or for what is none. Unsatisfiable."""
    found = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if found is None or (not found[1] and not found[2]):
        return None
    begin, end = (_number(part) for part in found.groups())
    if begin is None:  # the last so many
        assert end is not None
        begin, end = max(0, size - end) if end else size, size - 1
    if end is not None and end < begin and found[1]:
        return None
    if begin >= size:
        raise Unsatisfiable
    return Span(begin, min(size - 1 if end is None else end, size - 1))


def _number(digits: str) -> int | None:
    """However many digits somebody sends."""
    if not digits:
        return None
    return int(digits) if len(digits) < 19 else _BEYOND


class Wav:
    """Stereo at 16 kHz, left the users, right the agent as it was heard, up to what `score` knows."""

    def __init__(self, log: Reading, score: Score) -> None:
        async def fetch(ref: AudioRef) -> Pcm | None:
            pcm = await log.get_blob(ref.key)
            return None if pcm is None else await asyncio.to_thread(heard_at, pcm, ref.rate)

        self._recording = Recording(score, fetch)
        self._bytes = min(self._recording.samples * _FRAME, _MOST // _FRAME * _FRAME)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEAD + self._bytes

    def head(self) -> bytes:
        rate = HEARING_RATE
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, rate, rate * _FRAME, _FRAME, 16)
        return (
            struct.pack("<4sI4s", b"RIFF", 36 + self._bytes, b"WAVE") + form + struct.pack("<4sI", b"data", self._bytes)
        )

    async def read(self, span: Span) -> AsyncIterator[bytes]:
        """Those bytes, about a second of sound at a time."""
        if span.first < HEAD:
            yield self.head()[span.first : span.last + 1]
        first, last = max(span.first - HEAD, 0), span.last + 1 - HEAD
        if last <= 0:
            return
        skip, left = first % _FRAME, last - first
        async for block in self._recording.blocks(first // _FRAME, -(-last // _FRAME)):
            part = block.astype("<i2").tobytes()[skip : skip + left]
            skip, left = 0, left - len(part)
            yield part
            await asyncio.sleep(0)  # stretches of silence wait for nothing
