"""A session's sound as one file, encoded before its first byte is sent: a player wants to know how long it is."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO, Any

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Reading
from schemas.session.sound import Recording, Score, heard_at

__all__ = ["ENCODINGS", "Encoding", "Recorded", "recorded"]

_PIECE = 256 << 10


@dataclass(frozen=True, slots=True)
class Encoding:
    """Container and encoding, as libsndfile calls them."""

    container: str
    encoding: str
    media_type: str


ENCODINGS = {
    "wav": Encoding("WAV", "PCM_16", "audio/wav"),
    "flac": Encoding("FLAC", "PCM_16", "audio/flac"),
    "opus": Encoding("OGG", "OPUS", "audio/ogg"),
}


class Recorded:
    """On disk, without a name: it is gone with whoever reads it."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self.size = file, size

    async def chunks(self) -> AsyncIterator[bytes]:
        with self._file:
            while piece := await asyncio.to_thread(self._file.read, _PIECE):
                yield piece


async def recorded(log: Reading, score: Score, encoding: Encoding) -> Recorded:
    """What is in memory of it is what sounds at the moment."""

    async def fetch(ref: AudioRef) -> Pcm | None:
        pcm = await log.get_blob(ref.key)
        return None if pcm is None else await asyncio.to_thread(heard_at, pcm, ref.rate)

    recording = Recording(score, fetch)
    file: IO[bytes] = tempfile.TemporaryFile(prefix="antiphon-recording-")  # noqa: SIM115  # whoever reads it closes it
    try:
        sound: Any = await asyncio.to_thread(_opened, file, encoding)
        with sound:
            async for block in recording.blocks():
                await asyncio.to_thread(sound.write, block)
        size = file.seek(0, 2)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Recorded(file, size)


def _opened(file: IO[bytes], encoding: Encoding) -> Any:
    import soundfile

    return soundfile.SoundFile(file, "w", HEARING_RATE, 2, encoding.encoding, format=encoding.container)
