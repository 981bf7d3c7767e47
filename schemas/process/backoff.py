"""How long to wait before the next try.

delays = Backoff(0.05, 0.5)
await asyncio.sleep(next(delays))      # 0.05, 0.1, 0.2, 0.4, 0.5, 0.5, … seconds
delays.reset()                         # it worked: the next trouble is a new story
"""

import random
from collections.abc import Iterator

__all__ = ["A_POOL", "LASTS", "Backoff"]

A_POOL = (0.5, 1.0)
"""Spread for the many processes of a pool, which are not to march in step."""
LASTS = 10.0
"""Seconds after which what a process waits for at its start is worth a warning: until then that is being started, too."""


class Backoff(Iterator[float]):
    """Delays in seconds, without end, that double from `first` to `longest`. `spread`: what each is multiplied by, at random
    between the two."""

    def __init__(self, first: float, longest: float, spread: tuple[float, float] = (1.0, 1.0)) -> None:
        self._first, self._longest, self._spread = first, longest, spread
        self._delay = first

    def __next__(self) -> float:
        delay, self._delay = self._delay, min(self._delay * 2, self._longest)
        return delay * random.uniform(*self._spread)

    def reset(self) -> None:
        """Begin again with `first`."""
        self._delay = self._first
