"""How much of something one sender may have, and each of many. Pure.

For what one process sees go by, frames and packets: tokens and seconds, counted at each of them. What several processes share is
counted in the log, as one number and in microseconds (`schemas/access/allowance.py`)."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Sender = TypeVar("Sender", bound=Hashable)


@dataclass(slots=True)
class Bucket:
    """So many a second (`rate`), and so many at once (`burst`). `tokens` are left, counted at `at` (seconds)."""

    rate: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, now: float, burst: float = 0.0) -> "Bucket":
        """`burst`: 0 is three seconds' worth, at least one."""
        burst = burst or max(1.0, 3 * rate)
        return cls(rate, burst, burst, now)

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Whether there was enough left; nothing is taken if there was not."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Buckets(Generic[Sender]):
    """One for each sender, of `most` at once: who was seen longest ago is forgotten, and begins anew."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Sender, Bucket] = OrderedDict()

    def __contains__(self, sender: object) -> bool:
        return sender in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, sender: Sender, now: float, rate: float, burst: float = 0.0) -> bool:
        """As `Bucket.take`; `rate` and `burst` are those of a sender who is new."""
        bucket = self._kept.get(sender)
        if bucket is None:
            bucket = self._kept[sender] = Bucket.full(rate, now, burst)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(sender)
        return bucket.take(now)

    def forget(self, which: Callable[[Sender], bool] = lambda _: True) -> None:
        """All of whom `which` is true."""
        for sender in [sender for sender in self._kept if which(sender)]:
            del self._kept[sender]
