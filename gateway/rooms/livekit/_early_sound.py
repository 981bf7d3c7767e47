"""Sound that a client captured before it had joined (byte stream `lk.agent.pre-connect-audio-buffer`), as 16 kHz mono. Pure."""

import io
from collections.abc import Mapping

import numpy as np
import soundfile
import soxr

from gateway.room import Pcm
from gateway.rooms.livekit._webm import to_ogg
from schemas.audio import HEARING_RATE
from schemas.errors import AudioFileError

_LONGEST = 15.0
"""Seconds kept: the last ones."""
_EBML = b"\x1aE\xdf\xa3"


def decode(data: bytes, mime: str, attributes: Mapping[str, str]) -> Pcm:
    """int16 at 16 kHz. AudioFileError: what was expected and what came.

    `attributes`: sampleRate and channels, for plain PCM (int16 little-endian); WebM, Ogg, WAV and FLAC say it themselves.
    """
    if not data:
        return np.zeros(0, np.int16)
    if data.startswith(_EBML):
        data = to_ogg(data)
    if data.startswith((b"OggS", b"RIFF", b"fLaC")):
        try:
            sound, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioFileError(f"{mime or 'a recording'} that can't be decoded ({error})") from None
    elif "opus" in mime or "webm" in mime:
        raise AudioFileError(f"{mime} that begins neither as WebM nor as Ogg")
    else:
        rate, channels = _number(attributes, "sampleRate", 48_000), _number(attributes, "channels", 1)
        if not (8_000 <= rate <= 192_000 and 1 <= channels <= 8):
            raise AudioFileError(
                f"PCM of {rate} Hz and {channels} channels; 8000 to 192000 Hz and 1 to 8 are understood"
            )
        samples = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2")
        sound = samples.reshape(-1, channels)
    mono = sound[:, 0] if sound.shape[1] == 1 else sound.astype(np.int32).mean(axis=1).astype(np.int16)
    mono = mono[-round(_LONGEST * rate) :]
    if rate == HEARING_RATE:
        return np.ascontiguousarray(mono)
    return soxr.resample(mono, rate, HEARING_RATE)  # type: ignore[no-any-return]


def _number(attributes: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(float(attributes.get(name, default)))
    except ValueError:
        raise AudioFileError(f"{name}={attributes[name][:20]!r} is no number") from None
