"""Sound that waits to be played: pushed in pieces of any length, taken in pieces of another."""

from collections import deque

import numpy as np

from schemas.audio import Pcm


class PcmQueue:
    """`samples`: how many wait."""

    def __init__(self) -> None:
        self.samples = 0
        self._pieces: deque[Pcm] = deque()

    def push(self, pcm: Pcm) -> None:
        self._pieces.append(pcm)
        self.samples += len(pcm)

    def take(self, samples: int) -> Pcm:
        """The next `samples`, silence where there are no more."""
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

    def clear(self) -> int:
        """Drop what waits; answers how many samples that were."""
        dropped, self.samples = self.samples, 0
        self._pieces.clear()
        return dropped
