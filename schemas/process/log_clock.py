"""The log's clock beside this machine's. What several machines date and compare (tokens, tickets, ages) goes by the log's: it is
one, and theirs may differ."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from schemas.clock import Micros
from schemas.errors import BusError

__all__ = ["FAR", "LogClock", "apart_in_words"]

FAR = 60.0
"""Seconds from which on it is told that the two differ."""
_SAME = 1.0
"""Seconds that are no difference: an answer takes some of them, too."""
_EVERY = 30.0
"""Seconds between two looks."""


class Dated(Protocol):
    """A log that tells the time."""

    async def now(self) -> Micros:
        """BusError."""


class LogClock:
    """`here`: this machine's clock, s since 1970. `apart`: seconds that the log's is ahead of it, when it was looked at last; 0
    before that."""

    def __init__(self, here: Callable[[], float] = time.time) -> None:
        self._here = here
        self.apart = 0.0

    def now(self) -> float:
        """s since 1970, by the log's clock."""
        return self._here() + self.apart

    async def look(self, log: Dated) -> None:
        """BusError."""
        before = self._here()
        at = await log.now() / 1e6
        apart = at - (before + self._here()) / 2
        self.apart = apart if abs(apart) > _SAME else 0.0

    async def follow(self, log: Dated) -> None:
        """Look now and then, for ever; a log that is away tells it later."""
        while True:
            with contextlib.suppress(BusError):
                await self.look(log)
            await asyncio.sleep(_EVERY)

    def told(self) -> list[str]:
        """What is to be said of it: nothing, where the two agree; in words for anybody."""
        if abs(self.apart) < FAR:
            return []
        return [f"a clock that agrees with the log's (this machine's is {apart_in_words(-self.apart)}: run NTP)"]


def apart_in_words(ahead: float) -> str:
    """`ahead`: seconds, less than 0: behind."""
    seconds = round(abs(ahead))
    long = (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.0f} min"
        if seconds >= FAR
        else f"{seconds} s"
    )
    return f"{long} {'ahead' if ahead > 0 else 'behind'}"
