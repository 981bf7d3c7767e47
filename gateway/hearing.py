"""One participant's sound on its way in: the ring that utterances are cut from."""

import numpy as np
from numpy.typing import NDArray

from gateway.turn_taking.detector import FRAME, Detector
from schemas.audio import HEARING_RATE

Pcm = NDArray[np.int16]

STARVED = 0.2
"""Seconds without sound after which silence is filled in."""

ASLEEP = 16
"""Frames of (almost) zeros after which further ones are no question for the VAD."""


FADED = 0.015
"""Of the level of this voice (−36 dB): a frame below is silence, though the VAD may still remember the word before."""
_FORGETS = 0.995  # of the level, a frame: a quieter voice is known after some seconds


class Stream:
    """What one participant said lately. `slot`: its place in the VAD's arrays; `keep`: seconds the ring holds."""

    def __init__(self, participant: str, slot: int, start_speech: float, keep: float, now: float):
        self.slot = slot
        self.detector = Detector(participant, start_speech)
        self.head = 0
        """Samples received (or filled in) so far."""
        self._ring = np.empty(-(-int(keep * HEARING_RATE) // FRAME) * FRAME, np.int16)  # whole frames never wrap
        self._ring.fill(0)  # touched now, not page by page while somebody speaks
        self._fed_at = now
        self._starving = False
        self._quiet = 0
        self._level = 0.0

    def append(self, pcm: Pcm, now: float) -> None:
        self._fed_at, self._starving = now, False
        self._write(pcm)

    def fill(self, now: float) -> None:
        """Silence in place of sound that did not come: at once after `STARVED` seconds, then as time passes.

        Whole frames only: what comes later in whole frames (LiveKit's, a file's) is then decided on as soon as it is there.
        """
        missing = now - self._fed_at
        if missing < STARVED and not self._starving:
            return
        self._starving = True
        samples = int(missing * HEARING_RATE) // FRAME * FRAME
        self._write(np.zeros(min(samples, len(self._ring)), np.int16))
        self._fed_at += samples / HEARING_RATE

    def _write(self, pcm: Pcm) -> None:
        size = len(self._ring)
        at = self.head % size
        self.head += len(pcm)
        first = min(len(pcm), size - at)
        self._ring[at : at + first] = pcm[:first]
        if first < len(pcm):
            self._ring[: len(pcm) - first] = pcm[first:]

    def sleeps(self, quiet: bool) -> bool:
        """Whether the VAD may be spared the next frame: it is as good as zero, as all of the last half second was."""
        self._quiet = self._quiet + 1 if quiet else 0
        return self._quiet > ASLEEP

    def faded(self, level: float, speech: bool) -> bool:
        """Whether a frame of that level (mean amplitude) lies too far under this voice to be part of it."""
        self._level = max(level if speech else 0.0, self._level * _FORGETS)
        return level < self._level * FADED

    @property
    def waiting(self) -> int:
        """Samples received and not yet decided on."""
        return self.head - self.detector.position

    def next_frame(self) -> Pcm:
        """The next 512 undecided samples (a view); there must be as many."""
        at = self.detector.position % len(self._ring)
        return self._ring[at : at + FRAME]

    def cut(self, start: int, end: int) -> Pcm:
        """A copy of samples [start, end), clamped to what the ring still has."""
        start = max(start, self.head - len(self._ring), 0)
        end = min(end, self.head)
        if end <= start:
            return np.zeros(0, np.int16)
        size = len(self._ring)
        first, last = start % size, (end - 1) % size + 1
        if first < last:
            return self._ring[first:last].copy()
        return np.concatenate((self._ring[first:], self._ring[:last]))
