"""Turns of real people, cut from recordings that come with the moonshine-voice package, of actors who converse (`talk/`), and
made lines (ops/demo/make_caller.py).

Each cut begins and ends with speech: its last sample is the end of the last word (by Silero, to 32 ms, then by energy).
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeVar

import numpy as np

from gateway.sound.audio_file import read_speech
from ops.people.recordings import packaged
from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AntiphonError


@dataclass(frozen=True, slots=True)
class Turn:
    """`speaker`: whose turns make one conversation; `pauses`: it has silences of 0.4-1.0 s inside."""

    name: str
    pcm: Pcm
    speaker: str = ""
    pauses: bool = False


T = TypeVar("T")

SPEAKERS = 3
"""Of the made lines, each at a pitch of its own."""
_EACH = 9.0
"""Seconds a turn takes: 2.5 of speech, a reply that is listened to for up to 5, and often another call."""
_SCENE = 1000
"""Of the lines in `talk/`, whose numbers are this close: who speaks them is not told, so a scene is a call."""

# seconds in the file: start, end, whether there are pauses inside
_CUTS = {
    "endgame_nagg_nell": [
        (0.10, 0.98, False),  # Do you hear me?
        (1.58, 1.86, False),  # Yes.
        (2.48, 3.36, False),  # Do you hear me?
        (4.84, 8.12, False),  # We laugh less heartily, so we have still that resource.
        (8.72, 11.42, False),  # Laugh less heartily so. We have still that resource.
        (11.98, 14.08, False),  # No, not heartily, just less heartily.
        (14.66, 15.78, False),  # … that's a good story.
        (15.84, 17.06, False),  # … that's a good story?
        (17.60, 18.88, False),  # What are you talking about?
        (19.44, 19.82, False),  # Laughing.
        (20.42, 21.96, False),  # You thought you were in pain.
        (22.50, 23.20, False),  # Not now.
        (23.76, 27.50, False),  # Do you remember the day I went and fetched you from that ditch?
        (20.42, 23.20, True),
    ],
    "two_cities": [
        (1.20, 6.34, False),  # It was the best of times, it was the worst of times.
        (6.64, 10.40, True),  # It was the age of wisdom, … it was the age of foolishness.
        (10.76, 14.88, True),  # It was the epoch of belief, … it was the epoch of incredulity.
        (15.12, 16.80, False),  # It was the season of light,
        (17.54, 20.58, False),  # it was the season of darkness. It was the spring of hope,
        (21.22, 24.10, False),
        (21.22, 26.14, True),
        (24.62, 28.38, True),
        (29.08, 32.40, False),
        (26.54, 32.40, True),
        (32.74, 41.78, False),  # its noisiest authorities … in the superlative degree of comparison only.
    ],
    "beckett": [
        (0.32, 2.86, True),  # Ever tried. … Ever failed.
        (3.50, 5.64, True),  # No matter. … Try again.
        (6.62, 8.94, True),  # Fail again. … Fail better.
    ],
    "clone-test": [(0.48, 4.10, False)],  # I do, I think that America do it very well.
}


def turns() -> list[Turn]:
    """The fixed set in a fixed order: speaker after speaker, as people call."""
    found = []
    for name, cuts in _CUTS.items():
        whole = packaged(name)
        for start, end, pauses in cuts:
            pcm = whole[int(start * HEARING_RATE) : int(end * HEARING_RATE)]
            found.append(Turn(f"{name} {start:.1f}-{end:.1f}", trim(pcm), name, pauses))
    for path in sorted((Path(__file__).parent / "lines").glob("*.flac")):
        speaker = f"caller {int(path.stem[:2]) % SPEAKERS}"
        found.append(Turn(f"line {path.stem}", trim(read_speech(path)), speaker, path.stem.endswith("pause")))
    for path in sorted((Path(__file__).parent / "talk").glob("*.flac")):
        scene = f"scene {int(path.stem[:5]) // _SCENE}"
        found.append(Turn(f"talk {path.stem}", trim(read_speech(path)), scene, path.stem.endswith("pause")))
    mixed = [found[place] for place in np.random.default_rng(1).permutation(len(found))]
    return sorted(mixed, key=lambda turn: turn.speaker)  # stable: nobody's turns come sorted by length


def part_of(name: str) -> str:
    """Which of the two a recording belongs to: on one the constants are fitted, on the other it is reported what they do. The set
    may grow, and none changes sides."""
    return "report" if zlib.crc32(name.encode()) & 1 else "fit"


def script(wav: Path | None = None, most: int | None = None, part: str | None = None) -> list[Turn]:
    """What a bench speaks: the recordings of a folder, or those that come along, of `part` alone, at most so many, from all
    speakers alike. AntiphonError: there are none."""
    chosen = [turn for turn in (folder(wav) if wav else turns()) if part in (None, part_of(turn.name))]
    if not chosen:
        raise AntiphonError(f"{wav}: no .wav and no .flac there; give a folder of recordings, a turn each")
    return spread(chosen, most)


def spread(every: Sequence[T], most: int | None) -> list[T]:
    """At most so many of them, from all places alike."""
    count = min(most or len(every), len(every))
    return [every[place * len(every) // count] for place in range(count)]


@dataclass(slots=True)
class Progress:
    """Tells how far a bench is that speaks `of` turns in real time, and how long it will take: 169 of them are 25 minutes."""

    of: int
    tell: Callable[[str], object] | None
    done: int = 0
    began: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self._tell(f"{self.of} turns are spoken, and answered, in real time: about {self.of * _EACH / 60:.0f} min")

    def __call__(self, what: str) -> None:
        """One more was spoken."""
        self.done += 1
        left = (monotonic() - self.began) / self.done * (self.of - self.done) / 60
        self._tell(f"{self.done} of {self.of}, {left:.1f} min left  {what}")

    def _tell(self, line: str) -> None:
        if self.tell is not None:
            self.tell(line)


def folder(path: Path) -> list[Turn]:
    """One turn for each WAV or FLAC in a folder of one's own. AntiphonError: there is no sound in one."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".wav", ".flac"))
    turns = [Turn(file.name, trim(read_speech(file))) for file in files]
    for turn in turns:
        if not turn.pcm.any():
            raise AntiphonError(f"{path / turn.name}: nothing sounds in it; expected somebody who speaks")
    return turns


def trim(pcm: Pcm) -> Pcm:
    """Without the silence at both ends: the last sample of speech is the last sample (10 ms frames, 35 dB under the peak)."""
    size = HEARING_RATE // 100
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float32)
    loud = np.sqrt((frames**2).mean(axis=1))
    voiced = np.flatnonzero(loud > loud.max(initial=0.0) * 10 ** (-35 / 20))
    return pcm[voiced[0] * size : (voiced[-1] + 1) * size] if len(voiced) else pcm
