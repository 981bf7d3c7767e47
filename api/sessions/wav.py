"""A session's sound as a WAV file that is never whole anywhere: any stretch of its bytes is mixed when it is asked for."""

import asyncio
import struct
from collections.abc import AsyncIterator

from api.sessions.ranges import Span
from schemas.audio import HEARING_RATE
from schemas.bus import Reading
from schemas.session.encoding import fetching
from schemas.session.sound import Mix, Score

HEAD = 44
_FRAME = 4
"""Bytes of a sample of both sides."""
_MOST = 0xFFFFFFFF - HEAD
"""Bytes of sound that a WAV's head can name: 18 hours."""


class Wav:
    """Stereo at 16 kHz, left the users, right the agent as it was heard, up to what `score` knows."""

    def __init__(self, log: Reading, score: Score) -> None:
        self._recording = Mix(score, fetching(log))
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
