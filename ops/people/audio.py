"""Conversations as sound files."""

from pathlib import Path

import numpy as np
import soundfile

from schemas.audio import Pcm
from schemas.errors import AudioFileError


def look_where_to_write(path: Path) -> None:
    """Before there is anything to lose: AudioFileError where `path` could not be written. What is there stays as it is."""
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise AudioFileError(f"--out {path}: cannot be written ({error.strerror})") from None
    if new:
        path.unlink()


def write_stereo(path: Path | str, left: Pcm, right: Pcm, rate: int) -> None:
    """A 16-bit WAV; the shorter side is filled with silence. AudioFileError when it can't be written."""
    both = np.zeros((max(len(left), len(right)), 2), np.int16)
    both[: len(left), 0] = left
    both[: len(right), 1] = right
    try:
        with Path(path).open("wb") as raw:
            soundfile.write(raw, both, rate, subtype="PCM_16", format="WAV")
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be written ({error.strerror})") from None
