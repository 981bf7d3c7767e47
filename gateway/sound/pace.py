"""Whether sound comes at the rate it should: samples against the clock. Pure."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from schemas.audio import HEARING_RATE

Numbers = NDArray[np.float64]

RATES = (8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
"""Hz at which people record."""
_EARLY, _LATE = 0.015, 0.08
"""Shares by which a client's clock may be fast, and its way of waiting between two pieces slow."""
_RIGHT = (0.8, 1.25)
"""Of the rate it should be: between these it is."""
_FAST, _SLOW = 0.8, 4.0
"""Seconds of steady arrival that tell a rate above the right one (before the sender is held up), and one below."""
_GAP = 0.3
"""Seconds without sound after which it is looked at anew: a client may send nothing while nobody speaks."""
_EVEN = ((0.2, 0.2), (0.1, 0.6))
"""What is sent as fast as it goes comes in bursts, what is recorded comes evenly: seconds, and the share by which what comes in
each such part of the time may differ from the mean."""
_LOOKS = 0.1
"""Seconds between two looks."""


class Pace:
    """`rate`: Hz at which sound seems to have been recorded, if that is not what we take it for; None: nothing strange so far."""

    def __init__(self) -> None:
        self.rate: int | None = None
        self._arrivals: deque[tuple[float, int]] = deque()
        self._samples = 0
        self._look_at = 0.0
        self._done = False

    def take(self, samples: int, now: float) -> None:
        """`samples` came at `now`."""
        if self._done:
            return
        arrivals = self._arrivals
        if not arrivals or now - arrivals[-1][0] > _GAP:
            arrivals.clear()
            self._look_at = now + _FAST
        self._samples += samples
        arrivals.append((now, self._samples))
        if now >= self._look_at:
            self._look_at = now + _LOOKS
            self._look(now)

    def held_up(self) -> None:
        """The sender has to wait for us: when its sound comes tells nothing any more."""
        self._done = True
        self._arrivals.clear()

    def _look(self, now: float) -> None:
        times, samples = np.array(self._arrivals).T
        span = now - times[0]
        measured = float((samples[-1] - samples[0]) / span)
        whole = span >= _SLOW
        right = _RIGHT[0] < measured / HEARING_RATE < _RIGHT[1]
        if not right and (whole or measured > HEARING_RATE) and _is_even(times, samples):
            likely = (rate for rate in RATES if 1 - _EARLY <= rate / measured <= 1 + _LATE)
            self.rate = next(likely, None)
        self._done = self.rate is not None or (whole and right)
        while now - self._arrivals[0][0] >= _SLOW:
            self._arrivals.popleft()


def _is_even(times: Numbers, samples: Numbers) -> bool:
    """`times` of arrivals and the `samples` that had come by then. What arrives was recorded since the arrival before."""
    span = times[-1] - times[0]
    for seconds, most in _EVEN:
        parts = round(span / seconds)
        came = np.diff(np.interp(np.linspace(times[0], times[-1], parts + 1), times, samples))
        if np.any(np.abs(came / came.mean() - 1) > most):
            return False
    return True
