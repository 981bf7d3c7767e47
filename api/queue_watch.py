"""The queues, looked at once a second at most, for everybody who asks or watches."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from schemas.bus import Overseeing, StageSeen
from schemas.errors import BusError
from schemas.events import Stage

EVERY = 1.0
"""Seconds between two looks."""
_RATE_OVER = 10.0
"""Seconds of which throughput is the mean."""


@dataclass(frozen=True, slots=True)
class Look:
    """`taken`: when, seconds since 1970; `done_per_s`: jobs that ended, the mean of the last looks, without a stage while there
    was but one."""

    taken: float
    stages: Sequence[StageSeen]
    done_per_s: dict[Stage, float]


class QueueWatch:
    """One a process, so that the log is asked once, however many look on. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looking = asyncio.Lock()
        self._done: deque[tuple[float, dict[Stage, int]]] = deque()
        self._last: tuple[float, Look | BusError] | None = None

    async def latest(self, bus: Overseeing) -> Look:
        """As it is, or was less than a second ago. BusError."""
        found = await self._latest(bus)
        if isinstance(found, BusError):
            raise found.with_traceback(None)  # the same one for all: it would grow with each
        return found

    async def _latest(self, bus: Overseeing) -> Look | BusError:
        async with self._looking:
            now = self._clock()
            if self._last is None or now - self._last[0] >= EVERY:
                try:
                    stages = await bus.stages()
                    self._last = (now, Look(time.time(), stages, self._rates(stages, now)))
                except BusError as error:
                    self._last = (self._clock(), error)  # it may have taken long to fail
            return self._last[1]

    async def each(self, bus: Overseeing) -> AsyncIterator[Look | BusError]:
        """For ever, a look a second; or why there is none."""
        told: Look | BusError | None = None
        while True:
            look = await self._latest(bus)
            if look is not told:
                yield look
            told = look
            wait = EVERY - (self._clock() - self._last[0]) if self._last else EVERY
            await asyncio.sleep(max(0.02, wait))

    def _rates(self, stages: Sequence[StageSeen], now: float) -> dict[Stage, float]:
        done = {seen.stage: seen.added - seen.queued - seen.running for seen in stages}
        while self._done and now - self._done[0][0] > _RATE_OVER:
            self._done.popleft()
        self._done.append((now, done))
        then, first = self._done[0]
        if then == now:
            return {}
        return {stage: max(0.0, round((done[stage] - first[stage]) / (now - then), 2)) for stage in done}
