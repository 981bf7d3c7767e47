"""Pure tones in a participant's sound: what an answering machine gives when it is the caller's turn."""

import numpy as np

from gateway.turn_taking import Tone
from schemas.audio import HEARING_RATE, Pcm

LOWEST, HIGHEST = 600.0, 2500.0
"""Hz. Below lie the tones of the network (dial, ringing, busy), above no machine's."""
SHORTEST, LONGEST = 0.12, 3.0
"""Seconds."""
_PURE = 0.9
"""Of the power of a frame that lies about its strongest frequency."""
_ABOUT = 2
"""Bins to either side of it."""
_LOUD = 150.0
"""Root of the mean square, of 32768."""
_STEADY = 20.0
"""Hz by which it may waver."""
_LISTENS = 120.0
"""Seconds for which one listens."""


class Tones:
    """Of one participant's stream, in frames of 512 samples at 16 kHz."""

    def __init__(self, participant: str):
        self._participant = participant
        self._frequency = 0.0
        self._since: float | None = None
        self._heard = 0.0
        self._window: np.ndarray[tuple[int], np.dtype[np.float32]] = np.hanning(0).astype(np.float32)

    @property
    def over(self) -> bool:
        """Nobody need listen any more."""
        return self._heard > _LISTENS and self._since is None

    def frame(self, pcm: Pcm) -> Tone | None:
        """Take the next frame; answers a tone that has ended with it."""
        length = len(pcm) / HEARING_RATE
        at, self._heard = self._heard, self._heard + length
        frequency = self._pitch(pcm)
        if frequency and self._since is not None and abs(frequency - self._frequency) <= _STEADY:
            return None
        began, was = self._since, self._frequency
        self._since, self._frequency = (at, frequency) if frequency else (None, 0.0)
        if began is not None and SHORTEST <= at - began <= LONGEST:
            return Tone(self._participant, round(was, 1), round(at - began, 3))
        return None

    def _pitch(self, pcm: Pcm) -> float:
        """Hz of the one frequency there is in a frame; 0: there is none, or more than one."""
        if len(self._window) != len(pcm):
            self._window = np.hanning(len(pcm)).astype(np.float32)
        sound = pcm.astype(np.float32)
        if float(np.sqrt(np.mean(sound * sound))) < _LOUD:
            return 0.0
        power = np.abs(np.fft.rfft(sound * self._window)) ** 2
        power[:2] = 0.0  # a line's own hum and offset
        peak = int(power.argmax())
        near = power[max(peak - _ABOUT, 0) : peak + _ABOUT + 1]
        if near.sum() < _PURE * power.sum():
            return 0.0
        places = np.arange(max(peak - _ABOUT, 0), max(peak - _ABOUT, 0) + len(near))
        frequency = float((places * near).sum() / near.sum()) * HEARING_RATE / len(pcm)
        return frequency if LOWEST <= frequency <= HIGHEST else 0.0
