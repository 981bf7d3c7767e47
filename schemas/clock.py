"""Monotonic time as a seam, so that turn-taking and recovery can be tested in virtual time."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds."""


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()
