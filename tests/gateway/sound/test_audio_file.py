"""Sound files of any kind are heard as 16 kHz mono; a bad one is one sentence."""

import contextlib
import struct
import tracemalloc
import wave
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from gateway.sound.audio_file import describe, frames, read_speech
from schemas.errors import AudioFileError

PITCH = 440.0


def tone(rate: int, seconds: float = 1.5, channels: int = 1) -> np.ndarray:
    wave_ = 0.5 * np.sin(2 * np.pi * PITCH * np.arange(round(rate * seconds)) / rate)
    return np.repeat(wave_[:, None], channels, axis=1)


def pitch(pcm: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * 16_000 / len(pcm))


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"),
    [
        ("wav", "PCM_U8", 8_000, 1),
        ("wav", "PCM_16", 16_000, 1),
        ("wav", "PCM_24", 48_000, 2),
        ("wav", "PCM_32", 11_025, 1),
        ("wav", "FLOAT", 44_100, 1),
        ("wav", "DOUBLE", 96_000, 1),
        ("wav", "ULAW", 8_000, 1),
        ("wav", "PCM_16", 48_000, 6),
        ("wav", "PCM_16", 96_000, 6),
        ("flac", "PCM_24", 22_050, 2),
        ("ogg", "VORBIS", 44_100, 2),
    ],
)
def test_any_kind_is_heard(tmp_path: Path, kind: str, subtype: str, rate: int, channels: int) -> None:
    """Whatever its bits, channels and rate, a recording keeps its length, pitch and loudness at 16 kHz mono."""
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, tone(rate, channels=channels), rate, subtype=subtype)

    pcm = read_speech(path)

    assert pcm.dtype == np.int16
    assert pcm.ndim == 1
    assert abs(len(pcm) - 24_000) <= 16
    assert abs(pitch(pcm[2_000:22_000]) - PITCH) < 2
    assert 0.45 < np.abs(pcm[2_000:22_000]).max() / 32767 < 0.55
    assert (describe(path).rate, describe(path).channels) == (rate, channels)


def test_frames_are_the_whole(tmp_path: Path) -> None:
    """Frames laid end to end are the sound read at once, each of the size asked for but the last."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(44_100, 3.37), 44_100)

    parts = list(frames(path, 512))

    assert {len(part) for part in parts[:-1]} == {512}
    assert 0 < len(parts[-1]) <= 512
    assert np.array_equal(np.concatenate(parts), read_speech(path))


def test_a_long_file_is_streamed(tmp_path: Path) -> None:
    """An hour of sound passes through a few megabytes of memory."""
    path = tmp_path / "hour.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        minute = (tone(8_000, 60.0)[:, 0] * 32767).astype("<i2").tobytes()
        for _ in range(60):
            file.writeframes(minute)

    tracemalloc.start()
    try:
        heard = sum(len(frame) for frame in frames(path, 512))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert heard == 3600 * 16_000
    assert peak < 4e6


def test_loud_and_broken_samples_do_no_harm(tmp_path: Path) -> None:
    """Floats beyond full scale are clipped; NaN and infinity become silence and full scale."""
    path = tmp_path / "a.wav"
    sound = np.array([0.0, 2.0, -3.0, np.nan, np.inf, -np.inf, 0.5], np.float32)
    soundfile.write(path, sound, 16_000, subtype="FLOAT")

    assert read_speech(path).tolist() == [0, 32767, -32767, 0, 32767, -32767, 16384]


def test_a_file_cut_off_is_heard_to_its_end(tmp_path: Path) -> None:
    """A WAV whose head promises more than there is gives what there is."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000, 2.0), 16_000)
    path.write_bytes(path.read_bytes()[: 44 + 16_000])

    assert len(read_speech(path)) == 8_000


def _broken(folder: Path, what: str) -> Path:
    path = folder / "bad.wav"
    if what == "empty":
        path.write_bytes(b"")
    elif what == "head only":
        soundfile.write(path, np.zeros((0, 1)), 16_000)
    elif what == "text":
        path.write_text("this is no sound " * 50)
    elif what == "half a head":
        soundfile.write(path, tone(16_000), 16_000)
        path.write_bytes(path.read_bytes()[:20])
    elif what == "folder":
        path.mkdir()
    elif what == "absurd rate":
        soundfile.write(path, tone(16_000), 16_000)
        raw = bytearray(path.read_bytes())
        raw[24:28] = (3).to_bytes(4, "little")
        path.write_bytes(raw)
    return path


@pytest.mark.parametrize("what", ["missing", "empty", "head only", "text", "half a head", "folder", "absurd rate"])
def test_a_bad_file_is_one_sentence(tmp_path: Path, what: str) -> None:
    """What can't be heard says which file, and what is wrong with it, in one line."""
    path = _broken(tmp_path, what)

    with pytest.raises(AudioFileError) as caught:
        read_speech(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 160


@pytest.mark.parametrize(
    ("channels", "size"), [(65535, 4096), (1024, 4096), (33, 4096), (1, 0xFFFFFFF0), (2, 0xFFFFFFFF), (0, 4096)]
)
def test_a_head_that_lies_takes_no_memory(tmp_path: Path, channels: int, size: int) -> None:
    """Thousands of channels, or gigabytes that are not there: heard as far as it goes, or refused, in little memory."""
    path = tmp_path / "lies.wav"
    layout = struct.pack("<HHIIHH", 1, channels, 384_000, 384_000 * 2, min(2 * channels, 65535), 16)
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + layout
    path.write_bytes(head + b"data" + struct.pack("<I", size) + bytes(4096))
    tracemalloc.start()
    try:
        with contextlib.suppress(AudioFileError):
            assert len(read_speech(path)) <= 4096
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20


def test_spoilt_files_are_one_sentence_each(tmp_path: Path) -> None:
    """Files of every kind with bytes changed, lost or put in: sound or an AudioFileError (seeded)."""
    random = Random(8)
    for kind in ("wav", "flac", "ogg", "mp3"):
        whole = tmp_path / f"whole.{kind}"
        soundfile.write(whole, tone(16_000, 0.4), 16_000)
        for _ in range(60):
            data = bytearray(whole.read_bytes())
            for _ in range(random.randint(1, 5)):
                at = random.randrange(min(len(data), random.choice((60, len(data)))))
                data[at : at + random.randrange(3)] = random.randbytes(random.randrange(4))
            path = tmp_path / f"spoilt.{kind}"
            path.write_bytes(bytes(data))
            with contextlib.suppress(AudioFileError):
                describe(path)
                read_speech(path)
