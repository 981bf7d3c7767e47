"""Sound from before the join, in the formats clients send."""

import io

import numpy as np
import pytest
import soundfile

from gateway.rooms.livekit._early_sound import decode
from schemas.errors import AudioFileError

SECOND = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.int16)


def _pitch(pcm: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(pcm))
    return float(spectrum.argmax() * 16_000 / len(pcm))


@pytest.mark.parametrize(("rate", "channels"), [("48000", "1"), ("48000", "2"), ("16000", "1"), ("8000.0", "2")])
def test_pcm(rate: str, channels: str) -> None:
    """Plain PCM of any usual rate becomes 16 kHz mono."""
    step = 48_000 // int(float(rate))
    wave = np.repeat(SECOND[::step], int(channels))
    pcm = decode(wave.tobytes() + b"\x00", "audio/pcm", {"sampleRate": rate, "channels": channels})
    assert pcm.dtype == np.int16
    assert abs(len(pcm) - 16_000) < 50
    assert abs(_pitch(pcm) - 440) < 2


def test_ogg_opus() -> None:
    """Opus in Ogg is decoded."""
    file = io.BytesIO()
    soundfile.write(file, SECOND, 48_000, format="OGG", subtype="OPUS")
    pcm = decode(file.getvalue(), "audio/ogg", {})
    assert abs(len(pcm) - 16_000) < 200
    assert abs(_pitch(pcm) - 440) < 2


def test_only_the_last_seconds_are_kept() -> None:
    """A minute of it is no utterance."""
    assert len(decode(bytes(60 * 32_000), "audio/pcm", {"sampleRate": "16000"})) == 15 * 16_000


@pytest.mark.parametrize(
    ("data", "attributes", "said"),
    [
        (b"OggS rubbish", {}, "can't be decoded"),
        (b"\x00\x00", {"sampleRate": "fast"}, "no number"),
        (b"\x00\x00", {"sampleRate": "5", "channels": "1"}, "8000 to 192000"),
        (b"\x00\x00", {"channels": "0"}, "1 to 8"),
    ],
)
def test_what_cannot_be_used_says_so(data: bytes, attributes: dict[str, str], said: str) -> None:
    """Rubbish is an AudioFileError with a sentence."""
    with pytest.raises(AudioFileError, match=said):
        decode(data, "audio/x", attributes)
