"""Who owns which session: ours are held, four times a lease; those whose gateway died are claimed."""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from gateway.metrics import GatewayMetrics
from gateway.sessions.session import Session
from schemas.bus import Gatekeeping
from schemas.clock import Clock
from schemas.config.lease import Lease
from schemas.errors import BusError
from schemas.process.logging import SESSION, of_session
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.leases")

_AT_ONCE = 16
_IN_A_ROW = 16
"""Sessions that are told of their lease before others have their turn."""
_UNHURRIED = 2.0  # seconds after which one that is still on its way no longer keeps the others waiting


class Leases:
    """`sessions`: ours, by name; `adopt`: tries to take over an orphan; `shunned`: orphans we leave to others."""

    def __init__(
        self, bus: Gatekeeping, clock: Clock, owner: str, sessions: Mapping[str, Session],
        adopt: Callable[[str], Awaitable[None]], shunned: set[str], metrics: GatewayMetrics,
    ):  # fmt: skip
        self._bus, self._clock, self._owner = bus, clock, owner
        self._sessions, self._adopt, self._metrics = sessions, adopt, metrics
        self._shunned = shunned
        self._lease = Lease(bus.lease)
        self._connected_at = clock.now()
        self._coming: dict[str, asyncio.Task[None]] = {}
        self._tasks = Tasks()
        self._failing = False
        self.connected = True
        """Whether the last call to the log was answered."""
        self.problem = ""
        """What is wrong with the log, in a sentence, while it isn't."""
        self.adopting = True

    async def run(self) -> None:
        """Hold and watch, for ever."""
        try:
            await asyncio.gather(self._every(self.hold), self._every(self.watch))
        finally:
            self._tasks.cancel()

    async def _every(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            began, period = self._clock.now(), self._lease.renewed_every
            try:
                await work()
            except BusError as error:
                self._failed(work.__name__, error)
                period = self._lease.again_after
            except Exception:
                log.exception("%s failed", work.__name__)
            await asyncio.sleep(max(0.05, period - (self._clock.now() - began)))

    async def hold(self) -> None:
        """One call per partition renews all our sessions there, with where their playback is."""
        by_partition: dict[int, list[Session]] = defaultdict(list)
        for partition in range(self._bus.partitions):
            by_partition[partition] = []  # empty ones too: the call keeps the inbox alive
        for session in self._sessions.values():
            by_partition[self._bus.partition(session.name)].append(session)
        await asyncio.gather(*(self._hold(partition, sessions) for partition, sessions in by_partition.items()))

    async def _hold(self, partition: int, sessions: list[Session]) -> None:
        sent = self._clock.now()
        held = await self._bus.hold(self._owner, partition, [session.to_hold() for session in sessions])
        self._answered()
        for number, (session, receipt) in enumerate(zip(sessions, held.receipts, strict=True)):
            if number % _IN_A_ROW == _IN_A_ROW - 1:
                await asyncio.sleep(0)  # the tick comes first
            with of_session(session.name):
                try:
                    session.held(receipt, held, sent)
                except Exception as error:
                    session.fail(error)

    async def watch(self) -> None:
        """Claim sessions whose gateway is gone; each gateway in an order of its own, so that they share them."""
        if not self.adopting or self._failing:
            return
        if self._clock.now() - self._connected_at < self._lease.sessions_settle:
            return  # after a restart of Redis every lease looks expired
        for partition in range(self._bus.partitions):
            orphans = await self._bus.expired(partition, _AT_ONCE)
            strangers = [name for name in orphans if name not in self._sessions and name not in self._shunned]
            random.shuffle(strangers)
            for name in strangers:
                if name not in self._coming:
                    self._coming[name] = self._tasks.spawn(self._take_over(name))
            if self._coming:
                await asyncio.wait(self._coming.values(), timeout=_UNHURRIED)  # a room may take a while to rejoin

    async def _take_over(self, name: str) -> None:
        SESSION.set(name)  # of this task
        try:
            await self._adopt(name)
        except BusError as error:
            self._failed("adopt", error)
        except Exception:
            log.exception("taking it over failed")
        finally:
            self._coming.pop(name, None)

    def _failed(self, what: str, error: BusError) -> None:
        self._metrics.log_errors.labels(what).inc()
        if str(error) != self.problem:
            log.warning("%s: %s", what, error)
        self.problem = str(error)
        self._failing, self.connected = True, False

    def _answered(self) -> None:
        if self._failing:
            self._connected_at = self._clock.now()
            log.info("the log answers again")
            self.problem = ""
        self._failing, self.connected = False, True
