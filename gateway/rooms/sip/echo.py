"""The agent's own voice comes back faintly on lines without echo cancellation: what is far below it is no caller."""

from collections import deque

import numpy as np

from schemas.audio import Pcm

_ECHO = 25
"""Frames of 20 ms the echo may take: round trip, jitter buffer and loudspeaker of the far end."""
_HANG = 12
"""Frames a voice that passed is let through after its last loud one, so that words keep their quiet ends."""
_STILL = 40.0
"""Level of what the agent says below which it has no echo."""


class EchoGate:
    """`decibels`: how far below the agent's own level sound that comes while it speaks (or just after) is taken for its echo;
    0 lets everything through."""

    def __init__(self, decibels: float):
        self._ratio = 10 ** (-decibels / 20) if decibels else 0.0
        self._said: deque[float] = deque([0.0] * _ECHO, _ECHO)
        self._loudest = 0.0
        self._hang = 0

    def said(self, pcm: Pcm | None) -> None:
        """A frame of 20 ms leaves; None: a silent one."""
        if not self._ratio:
            return
        self._said.append(0.0 if pcm is None else _level(pcm))
        self._loudest = max(self._said)

    def heard(self, pcm: Pcm) -> Pcm:
        """The same, or silence in its place."""
        if self._loudest < _STILL:
            return pcm
        if _level(pcm) >= self._loudest * self._ratio:
            self._hang = _HANG
            return pcm
        if self._hang > 0:
            self._hang -= 1
            return pcm
        return np.zeros_like(pcm)


def _level(pcm: Pcm) -> float:
    """Root of the mean square: of an amplitude of 32768."""
    sound = pcm.astype(np.float32)
    return float(np.sqrt(np.dot(sound, sound) / len(sound))) if len(sound) else 0.0
