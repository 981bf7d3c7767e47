"""Turns of real people, cut from recordings that come with the moonshine-voice package, and made lines (ops/demo/make_caller.py).

Each cut begins and ends with speech: its last sample is the end of the last word (by Silero, to 32 ms, then by energy).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.sound.audio_file import read_speech
from ops.people.recordings import packaged
from schemas.audio import HEARING_RATE, Pcm


@dataclass(frozen=True, slots=True)
class Turn:
    """`speaker`: whose turns make one conversation; `pauses`: it has silences of 0.4-1.0 s inside."""

    name: str
    pcm: Pcm
    speaker: str = ""
    pauses: bool = False


SPEAKERS = 3
"""Of the made lines, each at a pitch of its own."""

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
        for start, end, pauses in cuts:
            found.append(Turn(f"{name} {start:.1f}-{end:.1f}", trim(packaged(name, start, end)), name, pauses))
    for path in sorted((Path(__file__).parent / "lines").glob("*.flac")):
        speaker = f"caller {int(path.stem[:2]) % SPEAKERS}"
        found.append(Turn(f"line {path.stem}", trim(read_speech(path)), speaker, path.stem.endswith("pause")))
    mixed = [found[place] for place in np.random.default_rng(1).permutation(len(found))]
    return sorted(mixed, key=lambda turn: turn.speaker)  # stable: nobody's turns come sorted by length


def folder(path: Path) -> list[Turn]:
    """One turn for each WAV or FLAC in a folder of one's own."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".wav", ".flac"))
    return [Turn(file.name, trim(read_speech(file))) for file in files]


def trim(pcm: Pcm) -> Pcm:
    """Without the silence at both ends: the last sample of speech is the last sample (10 ms frames, 35 dB under the peak)."""
    size = HEARING_RATE // 100
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float32)
    loud = np.sqrt((frames**2).mean(axis=1))
    voiced = np.flatnonzero(loud > loud.max(initial=0.0) * 10 ** (-35 / 20))
    return pcm[voiced[0] * size : (voiced[-1] + 1) * size] if len(voiced) else pcm
