"""How often one may ask: a key, and an address. The log counts, so that all API processes count together, some requests at a
time; while it is away, or for what costs little, each process counts for itself."""

import math
import time
from collections.abc import Callable

from api.problems import Problem
from schemas.access.allowance import Allowance, Ledger
from schemas.bus import Admitting
from schemas.errors import BusError

WRONG = 20
"""What it costs beside to have shown a wrong key or ticket."""
_KEPT = 10_000
_OWED, _OWED_FOR = 10.0, 0.25
"""So many requests at most, and a fiftieth of what may come at once, are let in without asking the log for so many seconds after
it was asked; the next one pays for them. A page that opens asks a dozen times, and each would wait for the log."""


class Limits:
    """`a_minute`: API_REQUESTS_PER_MINUTE; a sixth of that at once. `now`: seconds."""

    def __init__(self, a_minute: int, bus: Admitting, now: Callable[[], float] = time.monotonic) -> None:
        self._allowance = Allowance(a_minute, max(10.0, a_minute / 6))
        self._bus, self._now = bus, now
        self._here = Ledger(_KEPT)
        self._closed: dict[str, float] = {}
        self._most_owed = min(_OWED, self._allowance.at_once / 50)
        self._owed: dict[str, tuple[float, float]] = {}
        """By whom: how much, and when they last paid."""

    async def spend(self, who: str, cost: float = 1.0, *, together: bool = True) -> None:
        """One more request of `who` (`address 10.0.0.1`, `key 1f3a9c2e`). `together`: counted by the log. Problem 429."""
        now = self._now()
        if (wait := self._closed.get(who, now) - now) > 0:  # a burst is not the log's business
            raise self._too_many(who, wait)
        if together:
            owed, paid = self._owed.pop(who, (0.0, float("-inf")))
            if owed + cost <= self._most_owed and now - paid < _OWED_FOR:
                self._owed[who] = (owed + cost, paid)
                return
            wait = await self._wait(who, cost + owed)
            self._owe(who, *((owed, paid) if wait > 0 else (0.0, now)))
        else:
            wait = self._here.spend(who, int(now * 1e6), self._allowance, cost)
        if wait > 0:
            self._closed.pop(who, None)
            self._closed[who] = now + wait
            while len(self._closed) > _KEPT:
                del self._closed[next(iter(self._closed))]
            raise self._too_many(who, wait)

    def _owe(self, who: str, owed: float, paid: float) -> None:
        """Beside what they owe since."""
        since, _ = self._owed.pop(who, (0.0, paid))
        self._owed[who] = (owed + since, paid)
        while len(self._owed) > _KEPT:
            del self._owed[next(iter(self._owed))]

    async def _wait(self, who: str, cost: float) -> float:
        try:
            return await self._bus.spend(who, self._allowance, cost)
        except BusError:
            return self._here.spend(who, int(self._now() * 1e6), self._allowance, cost)

    def _too_many(self, who: str, wait: float) -> Problem:
        kind, seconds = who.partition(" ")[0], max(1, math.ceil(wait))
        return Problem(
            429,
            "too_many",
            f"more requests than one {kind} may make ({self._allowance.a_minute:g} a minute); try again in {seconds} s",
            {"Retry-After": str(seconds)},
        )
