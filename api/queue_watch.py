"""What the console shows of the deployment at work: queues, workers, gateways, and whether letters came; a look for everybody."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.shared_look import SharedLook
from schemas.bus import Advertising, Buried, Burying, GatewaySeen, Overseeing, StageSeen
from schemas.errors import BusError
from schemas.events import Stage

_RATE_OVER = 10.0
"""Seconds of which throughput is the mean."""


class Overseen(Overseeing, Burying, Advertising, Protocol):
    """The log, as far as it is looked at here."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """`taken`: when, seconds since 1970; `done_per_s`: jobs that ended, the mean of the last looks, without a stage while there
    was but one."""

    taken: float
    stages: Sequence[StageSeen]
    done_per_s: dict[Stage, float]
    gateways: Sequence[GatewaySeen]
    buried: Buried


class QueueWatch:
    """One a process, so that the log is asked once, however many look on. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shared = SharedLook[Look](clock)
        self._done: deque[tuple[float, dict[Stage, int]]] = deque()

    async def latest(self, bus: Overseen) -> Look:
        """As it is, or was less than a second ago. BusError."""
        return await self._shared.latest(lambda: self._look(bus))

    def each(self, bus: Overseen) -> AsyncIterator[Look | BusError | None]:
        """For ever, a look a second; or why there is none."""
        return self._shared.each(lambda: self._look(bus))

    async def _look(self, bus: Overseen) -> Look:
        now = self._clock()
        stages, gateways, buried = await asyncio.gather(bus.stages(), bus.gateways(), bus.buried())
        return Look(time.time(), stages, self._rates(stages, now), gateways, buried)

    def _rates(self, stages: Sequence[StageSeen], now: float) -> dict[Stage, float]:
        done = {seen.stage: seen.added - seen.queued - seen.running for seen in stages}
        while self._done and now - self._done[0][0] > _RATE_OVER:
            self._done.popleft()
        self._done.append((now, done))
        then, first = self._done[0]
        if then == now:
            return {}
        known = done.keys() & first.keys()  # a pool may have come since
        return {stage: max(0.0, round((done[stage] - first[stage]) / (now - then), 2)) for stage in known}
