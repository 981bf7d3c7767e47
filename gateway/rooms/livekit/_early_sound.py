"""Sound that a client captured before it had joined (byte stream `lk.agent.pre-connect-audio-buffer`), as 16 kHz mono. Pure.

What LiveKit's clients send, and no more: browsers WebM or Ogg with Opus, the others PCM, some of them in a WAV file. What a file
says of itself is looked at before it is decoded, and decoding stops at a bound: a small file may hold hours.
"""

import io
from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from gateway.rooms.livekit._webm import to_ogg
from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AudioFileError

LARGEST_SOUND = 4 << 20
"""Bytes of a recording that are taken."""
_LONGEST = 15.0
"""Seconds kept: the last ones."""
_MOST = 12_000_000
"""Samples of a file that are decoded: two minutes of stereo at 48 kHz."""
_RATES = range(8_000, 192_001)
_CHANNELS = range(1, 9)
_KINDS = {("OGG", "OPUS"), ("OGG", "VORBIS"), ("WAV", "PCM_16"), ("WAVEX", "PCM_16")}
_BLOCK = 0.5  # seconds decoded at once
_EBML = b"\x1aE\xdf\xa3"


def decode(data: bytes, mime: str, attributes: Mapping[str, str]) -> Pcm:
    """int16 at 16 kHz. AudioFileError: what was expected and what came.

    `attributes`: sampleRate and channels, for plain PCM (int16 little-endian); WebM, Ogg and WAV say it themselves.
    """
    if not data:
        return np.zeros(0, np.int16)
    if data.startswith(_EBML):
        data = to_ogg(data)
    if data.startswith((b"OggS", b"RIFF")):
        mono, rate = _file(data, mime[:40].strip() or "a recording")
    elif data.startswith(b"fLaC") or "opus" in mime or "webm" in mime:
        raise AudioFileError(f"{mime[:40].strip() or 'a recording'} that begins neither as WebM nor as Ogg")
    else:
        mono, rate = _plain(data, attributes)
    if rate == HEARING_RATE:
        return np.ascontiguousarray(mono)
    return soxr.resample(mono, rate, HEARING_RATE)  # type: ignore[no-any-return]


def _plain(data: bytes, attributes: Mapping[str, str]) -> tuple[Pcm, int]:
    rate, channels = _number(attributes, "sampleRate", 48_000), _number(attributes, "channels", 1)
    _check(rate, channels, "PCM")
    whole = len(data) // (2 * channels) * 2 * channels
    kept = min(whole, round(_LONGEST * rate) * 2 * channels)
    return _mono(np.frombuffer(data[whole - kept : whole], "<i2").reshape(-1, channels)), rate


def _file(data: bytes, what: str) -> tuple[Pcm, int]:
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if (file.format, file.subtype) not in _KINDS:
                raise AudioFileError(
                    f"{what}: {file.format} {file.subtype}; Opus in WebM or Ogg, or PCM, is understood"
                )
            _check(file.samplerate, file.channels, what)
            rate = file.samplerate
            kept: deque[Pcm] = deque(maxlen=round(_LONGEST / _BLOCK) + 1)
            kept.extend(_blocks(file, what))
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        said = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise AudioFileError(f"{what} that can't be decoded ({said[:120]})") from None
    mono = np.concatenate(kept) if kept else np.zeros(0, np.int16)
    return mono[-round(_LONGEST * rate) :], rate


def _blocks(file: soundfile.SoundFile, what: str) -> Iterator[Pcm]:
    decoded = 0
    while decoded < _MOST:
        block = file.read(round(_BLOCK * file.samplerate), dtype="int16", always_2d=True)
        if not len(block):
            return
        decoded += block.size
        yield _mono(block)
    raise AudioFileError(f"{what} of more than {_MOST} samples, after {_MOST / file.channels / file.samplerate:.0f} s")


def _mono(sound: NDArray[np.int16]) -> Pcm:
    mono: Pcm = sound[:, 0] if sound.shape[1] == 1 else sound.astype(np.int32).mean(axis=1).astype(np.int16)
    return mono


def _check(rate: int, channels: int, what: str) -> None:
    if rate not in _RATES or channels not in _CHANNELS:
        raise AudioFileError(
            f"{what} of {rate} Hz and {channels} channels; {_RATES.start} to {_RATES.stop - 1} Hz and "
            f"{_CHANNELS.start} to {_CHANNELS.stop - 1} are understood"
        )


def _number(attributes: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(float(attributes.get(name, default)))
    except (ValueError, OverflowError):
        raise AudioFileError(f"{name}={attributes[name][:20]!r} is no number") from None
