"""Sound that waits to be played: pushed in pieces of any length, taken in pieces of another."""

from collections import deque

import numpy as np

from schemas.audio import Pcm


class PcmQueue:
    """`samples`: how many wait; `voiced`: whether there was any voice in what was taken last."""

    def __init__(self) -> None:
        self.samples = 0
        self.voiced = False
        self._pieces: deque[Pcm] = deque()
        self._taken = 0
        self._hums: deque[tuple[int, int]] = deque()
        """From and to which sample, of all that were ever pushed, there is no voice."""

    def push(self, pcm: Pcm, *, voice: bool = True) -> None:
        if not voice:
            self._hums.append((self._taken + self.samples, self._taken + self.samples + len(pcm)))
        self._pieces.append(pcm)
        self.samples += len(pcm)

    def take(self, samples: int) -> Pcm:
        """The next `samples`, silence where there are no more."""
        there = min(samples, self.samples)
        self.voiced = there > self._hummed(self._taken, self._taken + there)
        self._taken += there
        if self._pieces and len(self._pieces[0]) > samples:
            first = self._pieces[0]
            self._pieces[0] = first[samples:]
            self.samples -= samples
            return first[:samples]
        out = np.zeros(samples, np.int16)
        at = 0
        while at < samples and self._pieces:
            piece = self._pieces.popleft()
            taken = min(len(piece), samples - at)
            out[at : at + taken] = piece[:taken]
            at += taken
            if taken < len(piece):
                self._pieces.appendleft(piece[taken:])
        self.samples -= at
        return out

    @property
    def voice(self) -> int:
        """How many samples of a voice wait."""
        return self.samples - self._hummed(self._taken, self._taken + self.samples)

    def clear(self) -> int:
        """Drop what waits; answers how many samples that were."""
        dropped, self.samples = self.samples, 0
        self._pieces.clear()
        self._hums.clear()
        return dropped

    def _hummed(self, start: int, end: int) -> int:
        """Samples of these without a voice; what lies before is forgotten."""
        while self._hums and self._hums[0][1] <= start:
            self._hums.popleft()
        return sum(max(0, min(end, last) - max(start, first)) for first, last in self._hums)
