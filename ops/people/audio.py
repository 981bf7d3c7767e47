"""Sound files for the tools: recordings in, conversations out."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from gateway.sound.audio_file import AudioFile, describe, frames, read_speech
from schemas.errors import AudioFileError

__all__ = ["AudioFile", "AudioFileError", "describe", "frames", "read_speech", "write_stereo"]


def write_stereo(path: Path | str, left: NDArray[np.int16], right: NDArray[np.int16], rate: int) -> None:
    """A 16-bit WAV; the shorter side is filled with silence. AudioFileError when it can't be written."""
    both = np.zeros((max(len(left), len(right)), 2), np.int16)
    both[: len(left), 0] = left
    both[: len(right), 1] = right
    try:
        with Path(path).open("wb") as raw:
            soundfile.write(raw, both, rate, subtype="PCM_16", format="WAV")
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be written ({error.strerror})") from None
