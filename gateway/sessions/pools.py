"""Whether each stage has workers: looked at while the gateway lives, told on its health page and in its log."""

import asyncio
import logging
from collections.abc import Collection, Mapping

from gateway.metrics import GatewayMetrics
from schemas.bus import Overseeing, StageSeen
from schemas.clock import Clock
from schemas.errors import BusError
from schemas.events import POOLS, STAGES, Stage

log = logging.getLogger("antiphon.gateway.pools")

EVERY = 2.0
"""Seconds between two looks."""
GRACE = 5.0
"""Seconds without a worker that are no trouble: one is replaced by another. (One that was killed is told of for 10 s more.)"""
_STARTING = 30.0
"""Seconds that workers may take to load their models before the log says that there are none."""


class Pools:
    """The pools of workers, seen from a gateway."""

    def __init__(self, bus: Overseeing, clock: Clock, metrics: GatewayMetrics):
        self._bus, self._clock, self._backlog = bus, clock, metrics.backlog
        self._began = clock.now()
        self._looked_at: float | None = None
        """When the log told last, by our clock; None while it doesn't."""
        self._gone: dict[Stage, float] = {}
        """Stages that have no worker, and since when."""
        self._manned: set[Stage] = set()
        """Those that have had one since we began."""
        self._said: set[Stage] = set()

    def missing(self) -> Mapping[Stage, float]:
        """Stages without workers, in the order of a turn, and for how many seconds, as far as we saw. Nothing while the log has
        not told."""
        if self._looked_at is None:
            return {}
        without = {stage: self._looked_at - self._gone[stage] for stage in POOLS if stage in self._gone}
        return {stage: seconds for stage, seconds in without.items() if stage not in self._manned or seconds >= GRACE}

    def told(self, needed: Collection[Stage] = STAGES) -> list[str]:
        """The same in words, of the stages that are needed."""
        missing = [(stage, seconds) for stage, seconds in self.missing().items() if stage in needed]
        return [f"no {stage} worker for {seconds:.0f} s" for stage, seconds in missing]

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once. A log that is away is told of by whoever holds the leases."""
        try:
            stages = await self._bus.stages()
        except BusError:
            self._forget()
            return
        except Exception:
            log.exception("the queues can't be looked at")
            self._forget()
            return
        self._looked_at = now = self._clock.now()
        self._backlog.told((seen.stage, seen.queued, seen.running, seen.oldest, len(seen.workers)) for seen in stages)
        for gone in self._gone.keys() - {seen.stage for seen in stages}:  # nobody needs it any more
            del self._gone[gone]
            self._said.discard(gone)
        for seen in stages:
            if seen.workers:
                self._manned.add(seen.stage)
                self._gone.pop(seen.stage, None)
            else:
                self._gone.setdefault(seen.stage, now if seen.stage in self._manned else self._began)
            self._say(seen)

    def _forget(self) -> None:
        """Nobody knows now, and there may be workers meanwhile."""
        self._looked_at = None
        self._gone.clear()
        self._backlog.unknown()

    def _say(self, seen: StageSeen) -> None:
        """Once when they are gone, once when they are back."""
        if seen.workers:
            if seen.stage in self._said:
                self._said.discard(seen.stage)
                log.info("there are %s workers again", seen.stage, extra={"stage": seen.stage})
            return
        seconds = self.missing().get(seen.stage, 0.0)
        if seen.stage in self._said or seconds < (GRACE if seen.stage in self._manned else _STARTING):
            return
        self._said.add(seen.stage)
        waits = "what agents are to do" if seen.stage == "tools" else "whatever callers say"
        log.warning(
            "no %s worker for %.0f s: %s waits (%d jobs now); start one: antiphon worker %s",
            seen.stage, seconds, waits, seen.queued, seen.stage, extra={"stage": seen.stage},
        )  # fmt: skip
