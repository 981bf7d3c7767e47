"""A blob's PCM as it is kept: FLAC, bit by bit what it was; Opus, a seventh of that, for whom that is enough; or raw. Pure."""

import io
from typing import Literal

import numpy as np
import soundfile
import soxr

from schemas.audio import Pcm
from schemas.errors import ArchiveDamaged

Codec = Literal["flac", "opus", "raw"]
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_SHORTEST = 64
"""Samples from which it is worth a file's head."""


def encoded(pcm: bytes, rate: int, codec: Codec) -> tuple[Codec, bytes]:
    """And what it became: what can't be kept so is kept raw. `pcm`: little-endian int16 mono at `rate` Hz."""
    if codec == "raw" or len(pcm) % 2 or len(pcm) < 2 * _SHORTEST or not 1_000 <= rate <= 192_000:
        return "raw", pcm
    sound = np.frombuffer(pcm, "<i2")
    if codec == "opus":
        body = _opus(sound, rate)
        return ("opus", body) if len(body) < len(pcm) else ("raw", pcm)
    body = _written(sound, rate, "FLAC", "PCM_16")
    same = len(body) < len(pcm) and decoded("flac", body, rate, len(sound)) == pcm
    return ("flac", body) if same else ("raw", pcm)


def decoded(codec: str, body: bytes, rate: int, samples: int) -> bytes:
    """The PCM again, at `rate`, of as many samples as there were. ArchiveDamaged: it is no sound."""
    if codec == "raw":
        return body
    try:
        sound, found = soundfile.read(io.BytesIO(body), dtype="int16")
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise ArchiveDamaged(
            f"a sound of {len(body)} bytes is no {codec} ({error}); restore it from a backup"
        ) from None
    if found != rate:
        sound = soxr.resample(sound, found, rate)
    if len(sound) < samples:
        sound = np.concatenate([sound, np.zeros(samples - len(sound), np.int16)])
    pcm: bytes = np.asarray(sound[:samples]).astype("<i2").tobytes()
    return pcm


def _opus(sound: Pcm, rate: int) -> bytes:
    if rate not in _OPUS_RATES:
        wider = next((one for one in _OPUS_RATES if one >= rate), _OPUS_RATES[-1])
        sound, rate = soxr.resample(sound, rate, wider), wider
    return _written(sound, rate, "OGG", "OPUS")


def _written(sound: Pcm, rate: int, form: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, subtype, format=form)
    return file.getvalue()
