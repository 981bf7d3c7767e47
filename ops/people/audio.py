"""Conversations as sound files."""

from pathlib import Path

import numpy as np
import soundfile

from schemas.audio import Pcm
from schemas.errors import AudioFileError

_KINDS = {".wav": "WAV", ".flac": "FLAC", "": "WAV"}
"""Ending of a file's name → what is written under it."""


def look_where_to_write(path: Path) -> None:
    """Before there is anything to lose: AudioFileError where `path` could not be written, or says that it is what isn't written.
    What is there stays as it is."""
    _kind(path)
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise AudioFileError(f"--out {path}: cannot be written ({error.strerror})") from None
    if new:
        path.unlink()


def write_stereo(path: Path, left: Pcm, right: Pcm, rate: int) -> None:
    """16 bit, as WAV or as FLAC, as the name ends; the shorter side is filled with silence. AudioFileError when it can't be
    written."""
    both = np.zeros((max(len(left), len(right)), 2), np.int16)
    both[: len(left), 0] = left
    both[: len(right), 1] = right
    try:
        with path.open("wb") as raw:
            soundfile.write(raw, both, rate, subtype="PCM_16", format=_kind(path))
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be written ({error.strerror})") from None


def quiet_end(pcm: Pcm) -> int:
    """Samples behind the last that is more than a fiftieth of the loudest: what is recorded after somebody has spoken."""
    loud = np.abs(pcm.astype(np.int32))
    heard = np.flatnonzero(loud * 50 > loud.max(initial=0))
    return len(pcm) - int(heard[-1]) - 1 if len(heard) else 0


def _kind(path: Path) -> str:
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise AudioFileError(f"--out {path}: WAV and FLAC are written; give a name that ends in .wav or .flac")
    return kind
