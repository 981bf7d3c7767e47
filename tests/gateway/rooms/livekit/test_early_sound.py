"""Sound from before the join, in the formats clients send."""

import contextlib
import io

import av
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


@pytest.mark.parametrize("live", [False, True])
def test_webm_opus(live: bool) -> None:
    """What browsers record is decoded, with sizes or, as they write it, without."""
    pcm = decode(_webm(live), "audio/webm;codecs=opus", {"sampleRate": "48000"})
    assert abs(len(pcm) - 16_000) < 800
    assert abs(_pitch(pcm) - 440) < 2


def _webm(live: bool) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="webm", options={"live": "1"} if live else {}) as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        for number in range(50):
            frame = av.AudioFrame.from_ndarray(SECOND[None, number * 960 : (number + 1) * 960], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, number * 960
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_broken_webm_is_no_crash() -> None:
    """Cut anywhere, it is decoded as far as it goes, or refused in a sentence."""
    whole = _webm(True)
    for size in range(4, len(whole), 97):
        with contextlib.suppress(AudioFileError):
            decode(whole[:size], "audio/webm", {})
    with pytest.raises(AudioFileError, match="without Opus"):
        decode(whole[:60], "audio/webm", {})


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
