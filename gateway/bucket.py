"""How much of something one sender may have."""

from dataclasses import dataclass


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
