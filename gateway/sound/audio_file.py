"""Sound files of any kind, heard as the gateway hears: int16 mono at 16 kHz.

WAV of 8 to 64 bits or float, FLAC, Ogg, MP3; up to 32 channels; 4 to 384 kHz. Read in blocks, so that an hour takes no more
memory than a second, whatever the file's head says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AudioFileError

__all__ = ["AudioFile", "AudioFileError", "describe", "frames", "read_speech", "sides"]


_BLOCK = 1.0
"""Seconds read at once."""
_RATES = range(4_000, 384_001)
_MOST_CHANNELS = 32
_EXPECTED = "give a WAV, FLAC, Ogg or MP3 file"


@dataclass(frozen=True, slots=True)
class AudioFile:
    """What a sound file says of itself. `rate`: Hz; `duration`: seconds; `kind`: container and encoding."""

    path: Path
    rate: int
    channels: int
    duration: float
    kind: str


def describe(path: Path | str) -> AudioFile:
    """The file's head. AudioFileError says in one sentence why it can't be heard."""
    with _open(Path(path)) as file:
        return AudioFile(
            Path(path),
            file.samplerate,
            file.channels,
            file.frames / file.samplerate,
            f"{file.format} {file.subtype}",
        )


def frames(path: Path | str, size: int = 512, rate: int = HEARING_RATE) -> Iterator[Pcm]:
    """The sound at `rate` in frames of `size` samples (the last may be shorter). AudioFileError when it can't be read, at
    the first frame or, in a file that is broken further on, at the break."""
    waiting: list[Pcm] = []
    count = 0
    for block in _blocks(Path(path), rate):
        waiting.append(block)
        count += len(block)
        if count < size:
            continue
        joined = np.concatenate(waiting)
        whole = count // size * size
        yield from (joined[at : at + size] for at in range(0, whole, size))
        waiting, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(waiting)


def read_speech(path: Path | str, rate: int = HEARING_RATE) -> Pcm:
    """The whole sound, int16 mono at `rate`, shape (n,). For long files use `frames`. AudioFileError as there."""
    return np.concatenate(list(_blocks(Path(path), rate)))


def sides(path: Path | str, rate: int = HEARING_RATE) -> Iterator[NDArray[np.int16]]:
    """The sound of its first two channels, each by itself: int16, shape (n, 2), or (n, 1) where there is but one; about a second
    at once. AudioFileError as with `frames`."""
    path = Path(path)
    with _open(path) as file:
        count = min(file.channels, 2)
        resamplers = [soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32") for _ in range(count)]
        heard = 0
        while True:
            block = _read(path, file)
            heard += len(block)
            last = len(block) == 0
            channels = [np.ascontiguousarray(block[:, side]) for side in range(count)]
            if file.samplerate != rate:
                pairs = zip(resamplers, channels, strict=True)
                channels = [resampler.resample_chunk(channel, last=last) for resampler, channel in pairs]
            sound = np.stack(channels, axis=1)
            yield np.round(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
            if last:
                break
        if heard == 0:
            raise AudioFileError(f"{path}: no sound in it, only a head; {_EXPECTED}")


def _blocks(path: Path, rate: int) -> Iterator[Pcm]:
    with _open(path) as file:
        resampler = soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32")
        heard = 0
        while True:
            block = _read(path, file)
            last = len(block) == 0
            mono = block.mean(axis=1, dtype=np.float32) if not last else np.zeros(0, np.float32)
            heard += len(mono)
            sound = resampler.resample_chunk(mono, last=last) if file.samplerate != rate else mono
            yield np.round(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
            if last:
                break
        if heard == 0:
            raise AudioFileError(f"{path}: no sound in it, only a head; {_EXPECTED}")


def _read(path: Path, file: soundfile.SoundFile) -> NDArray[np.float32]:
    try:
        block: NDArray[np.float32] = file.read(round(_BLOCK * file.samplerate), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        at = file.tell() / file.samplerate
        raise AudioFileError(f"{path}: broken {at:.1f} s after its start ({_reason(error)})") from None
    return np.nan_to_num(block, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)


def _open(path: Path) -> soundfile.SoundFile:
    try:
        with path.open("rb") as raw:
            if not raw.read(1):
                raise AudioFileError(f"{path}: an empty file; {_EXPECTED}")
    except OSError as error:
        raise AudioFileError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}") from None
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        raise AudioFileError(f"{path}: not a sound file ({_reason(error)}); {_EXPECTED}") from None
    if file.samplerate not in _RATES:
        file.close()
        raise AudioFileError(
            f"{path}: a sampling rate of {file.samplerate} Hz; expected {_RATES.start} to {_RATES.stop - 1}"
        )
    if file.channels > _MOST_CHANNELS:
        file.close()
        raise AudioFileError(f"{path}: {file.channels} channels; expected 1 to {_MOST_CHANNELS}")
    return file


def _reason(error: Exception) -> str:
    said = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return said.strip().rstrip(".")
