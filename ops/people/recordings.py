"""Recordings of people that come with the moonshine-voice package: for the demo, the benchmarks and the tests."""

import importlib.util
from pathlib import Path

from gateway.sound.audio_file import read_speech
from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AntiphonError


def packaged(name: str, start: float = 0.0, end: float | None = None) -> Pcm:
    """Seconds `start`..`end` of `beckett`, `two_cities`, `endgame_nagg_nell` or `clone-test`, 16 kHz int16 mono."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        raise AntiphonError(
            "the recordings come with the package moonshine-voice, which is not installed: run `make setup`"
        )
    pcm = read_speech(Path(spec.origin).parent / "assets" / f"{name}.wav")
    return pcm[int(start * HEARING_RATE) : None if end is None else int(end * HEARING_RATE)]
