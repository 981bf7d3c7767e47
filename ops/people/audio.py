"""Conversations as sound files."""

from pathlib import Path

import numpy as np
import soundfile

from schemas.audio import Pcm
from schemas.errors import AudioFileError


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
