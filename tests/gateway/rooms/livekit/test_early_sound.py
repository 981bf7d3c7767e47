"""Sound from before the join, in the formats clients send."""

import contextlib
import io
import tracemalloc
from random import Random

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
    ("kind", "subtype"), [("FLAC", "PCM_16"), ("OGG", "OPUS"), ("WAV", "PCM_16"), ("WAV", "MS_ADPCM")]
)
def test_a_small_file_with_hours_in_it(kind: str, subtype: str) -> None:
    """However much a file holds or says it holds, little memory is used, and it is refused or cut in a sentence."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 48_000, 2, format=kind, subtype=subtype) as writer:
        for _ in range({"WAV": 21, "OGG": 130, "FLAC": 600}[kind]):
            writer.write(np.zeros((48_000, 2), np.int16))
    data = file.getvalue()[: 4 << 20]
    tracemalloc.start()
    try:
        with contextlib.suppress(AudioFileError):
            assert len(decode(data, "audio/x", {})) <= 15 * 16_000
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_what_no_client_sends_is_not_decoded() -> None:
    """FLAC, and Ogg or WAV with other things in them, are refused before anything is decoded."""
    for kind, subtype in (("FLAC", "PCM_16"), ("WAV", "MS_ADPCM"), ("WAV", "FLOAT")):
        file = io.BytesIO()
        soundfile.write(file, SECOND, 48_000, format=kind, subtype=subtype)
        with pytest.raises(AudioFileError, match=r"Opus in WebM|neither as WebM"):
            decode(file.getvalue(), "", {})
    file = io.BytesIO()
    soundfile.write(file, np.zeros((100, 64), np.int16), 48_000, format="WAV", subtype="PCM_16")
    with pytest.raises(AudioFileError, match="64 channels; 8000 to 192000 Hz and 1 to 8"):
        decode(file.getvalue(), "", {})


def test_a_long_webm_is_heard_at_its_end() -> None:
    """Of a minute of WebM the last seconds are heard."""
    once = _webm(True)
    begin = once.index(b"\x1f\x43\xb6\x75")
    pcm = decode(once[:begin] + once[begin:] * 60, "audio/webm", {})
    assert len(pcm) == 15 * 16_000
    assert abs(_pitch(pcm[-16_000:]) - 440) < 2


def test_rubbish_is_refused_in_a_sentence() -> None:
    """Recordings with bytes changed, cut, doubled or put in: sound or AudioFileError, nothing else (seeded)."""
    random = Random(8)
    file = io.BytesIO()
    soundfile.write(file, SECOND[:9600], 48_000, format="OGG", subtype="OPUS")
    wave = io.BytesIO()
    soundfile.write(wave, SECOND[:4800], 48_000, format="WAV", subtype="PCM_16")
    for whole in (_webm(True), _webm(False), file.getvalue(), wave.getvalue(), SECOND[:2000].tobytes()):
        for _ in range(120):
            data = bytearray(whole)
            for _ in range(random.randint(1, 6)):
                at = random.randrange(len(data) if random.random() < 0.3 else min(len(data), 200))
                match random.randrange(4):
                    case 0:
                        data[at] = random.randrange(256)
                    case 1:
                        del data[at : at + random.randint(1, 40)]
                    case 2:
                        data[at:at] = random.randbytes(random.randint(1, 9))
                    case _:
                        data[at : at + 8] = b"\xff" * 8
                if not data:
                    break
            with contextlib.suppress(AudioFileError):
                pcm = decode(bytes(data), random.choice(("audio/webm", "", "audio/ogg")), {"channels": "2"})
                assert len(pcm) <= 15 * 16_000


@pytest.mark.parametrize(
    "attributes", [{"sampleRate": "inf"}, {"sampleRate": "nan"}, {"sampleRate": "1e400"}, {"channels": "9" * 400}]
)
def test_numbers_that_are_none(attributes: dict[str, str]) -> None:
    """Attributes are text of strangers."""
    with pytest.raises(AudioFileError):
        decode(b"\x00\x00", "audio/pcm", attributes)


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
