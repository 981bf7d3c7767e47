"""Conversations are written in stereo."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ops.people.audio import look_where_to_write, quiet_end, write_stereo
from schemas.errors import AudioFileError


def test_stereo_keeps_the_sides_apart(tmp_path: Path) -> None:
    """The caller is on the left, the agent on the right, the shorter filled with silence."""
    path = tmp_path / "out.wav"
    write_stereo(path, np.full(10, 7, np.int16), np.full(25, -9, np.int16), 24_000)

    both, rate = soundfile.read(path, dtype="int16")

    assert rate == 24_000
    assert both[:, 0].tolist() == [7] * 10 + [0] * 15
    assert both[:, 1].tolist() == [-9] * 25


@pytest.mark.parametrize(
    ("pcm", "silent"),
    [([0, 9000, -9000], 0), ([9000, -32768, 100, -100], 2), ([3, -3, 1], 0), ([0, 0], 0), ([], 0)],
)
def test_what_follows_the_last_sound(pcm: list[int], silent: int) -> None:
    """Noise far below the voice is silence; where there is nothing else, it is what there is."""
    assert quiet_end(np.array(pcm, np.int16)) == silent


@pytest.mark.parametrize(("name", "kind"), [("x.flac", "FLAC"), ("x.FLAC", "FLAC"), ("x.wav", "WAV"), ("x", "WAV")])
def test_what_is_written_is_what_the_name_says(name: str, kind: str, tmp_path: Path) -> None:
    """And it holds the same sound."""
    path = tmp_path / name
    look_where_to_write(path)
    write_stereo(path, np.arange(100, dtype=np.int16), np.full(50, -9, np.int16), 24_000)
    assert soundfile.info(path).format == kind
    both, _ = soundfile.read(path, dtype="int16")
    assert both[:, 0].tolist() == list(range(100))


def test_a_name_of_what_is_not_written_is_one_sentence(tmp_path: Path) -> None:
    """Before there is any sound to lose, and nothing is left there."""
    with pytest.raises(
        AudioFileError, match=r"--out .*x\.mp3: WAV and FLAC are written; give a name that ends in \.wav or"
    ):
        look_where_to_write(tmp_path / "x.mp3")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Writing where nothing can be written names the file and the reason."""
    with pytest.raises(AudioFileError, match=r"nowhere/out\.wav: cannot be written \(No such file"):
        write_stereo(tmp_path / "nowhere" / "out.wav", np.zeros(1, np.int16), np.zeros(1, np.int16), 16_000)
