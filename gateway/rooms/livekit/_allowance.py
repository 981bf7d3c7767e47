"""How much of each kind one participant may send a room; what is more is dropped. Pure."""

from typing import Literal

from gateway.bucket import Buckets
from gateway.sessions.fairness import KEYING, TYPING

Kind = Literal["typed", "keys", "packet", "request", "sound"]
RATES: dict[Kind, tuple[float, float]] = {
    "typed": TYPING,
    "keys": KEYING,
    "packet": (20.0, 100.0),
    "request": (2.0, 20.0),
    "sound": (0.1, 2.0),
}
"""A second, and at once: typed messages, keys, packets of RTVI and chat, requests on `lk.agent.session`, recordings from before
the join."""
OPEN = 4
"""Streams a participant may have open at once."""
_KEPT = 1024


class Allowance:
    """Times are seconds."""

    def __init__(self) -> None:
        self._buckets: Buckets[tuple[str, Kind]] = Buckets(_KEPT)
        self._open: dict[str, int] = {}

    def take(self, sender: str, kind: Kind, now: float) -> bool:
        """Whether `sender` may; it counts."""
        return self._buckets.take((sender, kind), now, *RATES[kind])

    def open(self, sender: str) -> bool:
        """One more stream, unless too many are open; each that was is closed once."""
        if self._open.get(sender, 0) >= OPEN:
            return False
        self._open[sender] = self._open.get(sender, 0) + 1
        return True

    def close(self, sender: str) -> None:
        left = self._open.get(sender, 0) - 1
        if left > 0:
            self._open[sender] = left
        else:
            self._open.pop(sender, None)
