"""A session's sound as one stereo file of a kind that players know, mixed while it is written."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Reading
from schemas.session.sound import Fetch, Mix, heard_at

__all__ = ["ENCODINGS", "Encoding", "encode", "fetching"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """`container`, `encoding`: as libsndfile calls them; `longest`: seconds of a file; `level`: how hard it is made small, 0 to 1
    (None: as libsndfile does)."""

    container: str
    encoding: str
    media_type: str
    longest: int = 86_400
    level: float | None = None


ENCODINGS: Mapping[str, Encoding] = {
    "wav": Encoding("WAV", "PCM_16", "audio/wav", longest=60_000),  # what 4 GB hold
    "flac": Encoding("FLAC", "PCM_16", "audio/flac"),
    "opus": Encoding("OGG", "OPUS", "audio/ogg", level=0.94),  # 0.3 MB a minute; from 0.95 on it costs twice the time
}


def fetching(log: Reading, missing: set[str] | None = None) -> Fetch:
    """From where the session is kept; `missing`: gets the keys of what is gone."""

    async def fetch(ref: AudioRef) -> Pcm | None:
        pcm = await log.get_blob(ref.key)
        if pcm is not None:
            return await asyncio.to_thread(heard_at, pcm, ref.rate)
        if missing is not None:
            missing.add(ref.key)
        return None

    return fetch


async def encode(
    mix: Mix, out: Path | IO[bytes], encoding: Encoding, listen: Callable[[Pcm], None] | None = None
) -> None:
    """`listen`: is given each block (int16, 16 kHz, shape (n, 2)) as it is written. soundfile.LibsndfileError: it can't be."""
    sound: Any = await asyncio.to_thread(_opened, out, encoding)
    with sound:
        async for block in mix.blocks():
            await asyncio.to_thread(sound.write, block)
            if listen is not None:
                listen(block)


def _opened(out: Path | IO[bytes], encoding: Encoding) -> Any:
    import soundfile  # who only reads does not wait for it

    return soundfile.SoundFile(
        out, "w", HEARING_RATE, 2, encoding.encoding, format=encoding.container, compression_level=encoding.level
    )
