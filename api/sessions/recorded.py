"""A session's sound as one file: the one that is kept with it, or encoded before its first byte is sent, for a player wants to
know how long it is."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from api.problems import Problem
from api.sessions.ranges import Span
from schemas.archive.both import Both
from schemas.audio import HEARING_RATE
from schemas.bus import Reading
from schemas.session.encoding import Encoding, encode, fetching
from schemas.session.sound import Mix, Score

if TYPE_CHECKING:
    from schemas.archive.store import StoredRecording

__all__ = ["Recorded", "fetched", "recorded"]

_PIECE = 256 << 10


class Recorded:
    """On disk, without a name: it is gone with whoever reads it."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self.size = file, size

    async def chunks(self, span: Span | None = None) -> AsyncIterator[bytes]:
        """Those bytes, or all."""
        span = span or Span(0, self.size - 1)
        with self._file:
            self._file.seek(span.first)
            left = len(span)
            while left and (piece := await asyncio.to_thread(self._file.read, min(left, _PIECE))):
                left -= len(piece)
                yield piece


async def fetched(kept: Both, one: "StoredRecording") -> Recorded | None:
    """As it is kept with its session. None: it is gone, or is not what was written (`antiphon archive verify` tells of it)."""
    with tempfile.TemporaryDirectory(prefix="antiphon-recording-") as folder:
        path = Path(folder) / "call"
        try:
            if await kept.fetch(one.object, path) != one.sha256:
                return None
        except FileNotFoundError:
            return None
        return Recorded(path.open("rb"), path.stat().st_size)  # whoever reads it closes it


async def recorded(log: Reading, score: Score, encoding: Encoding) -> Recorded:
    """What is in memory of it is what sounds at the moment. Problem 413: by its times the session is too long for one file."""
    mix = Mix(score, fetching(log))
    if (seconds := mix.samples / HEARING_RATE) > (most := encoding.longest):
        raise Problem(
            413,
            "too_long",
            f"by its times the session is {seconds / 3600:,.0f} hours long; {most // 3600} are sent in such a file",
        )
    file: IO[bytes] = tempfile.TemporaryFile(prefix="antiphon-recording-")  # noqa: SIM115  # whoever reads it closes it
    try:
        await encode(mix, file, encoding)
        size = file.seek(0, 2)
    except BaseException:
        file.close()
        raise
    return Recorded(file, size)
