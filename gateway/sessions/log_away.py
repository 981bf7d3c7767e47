"""Redis is away, full, or takes no writes: the log is asked again until it answers, and callers are told in a word.

Nothing is lost meanwhile: facts wait in the outbox, sound in the ring; a gateway that can't hold its leases falls silent
(`Session.advance`), workers keep what they have made (`workers/runtime.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.metrics import GatewayMetrics
from schemas.errors import BusError
from schemas.process.backoff import Backoff

log = logging.getLogger("antiphon.gateway.log")

_Answer = TypeVar("_Answer")


async def insist(what: str, call: Callable[[], Awaitable[_Answer]], metrics: GatewayMetrics) -> _Answer:
    """Repeat `call` until the log answers. The first failure is said; an outcome, of whatever kind, is an answer."""
    delays = Backoff(0.05, 0.5)
    failing = False
    while True:
        try:
            return await call()
        except BusError as error:
            metrics.log_errors.labels(what).inc()
            if not failing:
                log.warning("%s: %s", what, error)
            failing = True
            await asyncio.sleep(next(delays))
