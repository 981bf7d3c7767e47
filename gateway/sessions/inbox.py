"""The reader of this gateway's inboxes in Redis, a stream for each partition: one blocking call for all sessions."""

import asyncio
import logging
from collections.abc import Callable

from gateway.metrics import GatewayMetrics
from schemas.bus import Gatekeeping, InboxEntry
from schemas.errors import BusError, EventError

log = logging.getLogger("antiphon.gateway.inbox")

_BLOCK = 1.0
_BACKOFF = 0.1
_IN_A_ROW = 8
"""Events delivered before others have their turn."""


class Inbox:
    """`deliver`: told of every entry; `lost`: something may be missing (the sessions' logs are to be read)."""

    def __init__(
        self,
        bus: Gatekeeping,
        owner: str,
        deliver: Callable[[InboxEntry], None],
        lost: Callable[[], None],
        metrics: GatewayMetrics,
    ):
        self._bus, self._owner = bus, owner
        self._deliver, self._lost = deliver, lost
        self._metrics = metrics

    async def run(self) -> None:
        last_ids = dict.fromkeys(range(self._bus.partitions), "0")
        failing = False
        while True:
            try:
                entries, last_ids = await self._bus.inbox(self._owner, last_ids, _BLOCK)
            except BusError as error:
                self._metrics.log_errors.labels("inbox").inc()
                if not failing:
                    log.warning("inbox: %s", error)
                failing = True
                await asyncio.sleep(_BACKOFF)
                continue
            except EventError as error:  # an event we can't read must not keep us from the rest
                log.error("inbox: %s", error)
                last_ids = dict.fromkeys(last_ids, "$")
                self._lost()
                continue
            if failing:
                failing = False
                self._lost()
            for number, entry in enumerate(entries):
                if number % _IN_A_ROW == _IN_A_ROW - 1:
                    await asyncio.sleep(0)  # the tick comes first
                self._deliver(entry)
