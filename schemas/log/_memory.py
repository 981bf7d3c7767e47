"""`MemoryBus`: the log's in-memory twin, for tests, demos and simulations. Everybody who shares it shares one object."""

import asyncio
import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from schemas.bus import (
    Bus,
    Claimed,
    Delivery,
    Ending,
    Handed,
    Held,
    Hold,
    InboxEntry,
    Outcome,
    Publication,
    Receipt,
    Seen,
    SessionInfo,
    Snapshot,
    Taken,
    Touched,
)
from schemas.clock import Clock, Micros
from schemas.events import STAGES, Event, Stage
from schemas.jobs import Job
from schemas.log import keys
from schemas.log._admitting import MemoryAdmitting
from schemas.log._fences import check_postable
from schemas.log._memory_outside import MemoryOutside
from schemas.log._memory_taking_in import MemoryTakingIn
from schemas.log._twin import Partition
from schemas.log._twin_values import Inbox, StoredSession
from schemas.process.clock import MonotonicClock

EPOCH = 1_700_000_000_000_000
"""The log's time, µs, where the clock says 0."""


class MemoryBus(MemoryAdmitting, MemoryOutside, MemoryTakingIn, Bus):
    """`clock`: gives the log its time (virtual in tests; waiting is the event loop's); `lease`: seconds; `fenced=False`: the
    mutant that lets anyone commit."""

    def __init__(
        self, partitions: int = 1, *, clock: Clock | None = None, lease: float = 2.0, fenced: bool = True
    ) -> None:
        MemoryAdmitting.__init__(self)
        self.partitions = partitions
        self.lease = lease
        self.blobs: dict[str, bytes] = {}
        self._clock = clock or MonotonicClock()
        self._log = [Partition(number, int(lease * 1e6), fenced) for number in range(partitions)]
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        MemoryOutside.__init__(self)

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...

    def partition(self, session: str) -> int:
        return keys.partition_of(session, self.partitions)

    def save(self) -> object:
        """The whole log as it is now, for `restore`."""
        return _copy(self._log)

    def restore(self, saved: object) -> None:
        """Lose everything since `save`: what a failover or a lost write does. Ids of entries are not given twice."""
        assert isinstance(saved, list)
        lost, self._log = self._log, _copy(saved)
        for old, new in zip(lost, self._log, strict=True):
            for stage, queue in new.queues.items():
                queue.last = old.queues[stage].last
            new.last_letter = old.last_letter
            for owner, box in old.inboxes.items():
                new.inboxes.setdefault(owner, Inbox()).last = box.last

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, stage: Stage, partition: int, consumer: str, count: int, *, reclaim: bool = True) -> Taken:
        await asyncio.sleep(0)
        log, now = self._log[partition], self._now()
        deliveries = log.take(stage, consumer, count, reclaim, now)
        entries = log.queues[stage].entries
        self._ring()
        return Taken(deliveries, f"{next(reversed(entries), 0)}-0", now, log.again(stage, now))

    async def wait(
        self, stage: Stage, consumer: str, last_ids: Mapping[int, str], count: int, timeout: float
    ) -> Handed:
        after = [(partition, _number(last_id)) for partition, last_id in last_ids.items()]

        def rings() -> bool:
            return any(next(reversed(self._log[part].queues[stage].entries), 0) > number for part, number in after)

        await self._wait(rings, timeout)
        now, deliveries = self._now(), list[Delivery]()
        for partition in last_ids if rings() else ():
            deliveries += self._log[partition].take(stage, consumer, count - len(deliveries), False, now)
        self._ring()
        return Handed(deliveries, now)

    async def renew(self, stage: Stage, consumer: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        await asyncio.sleep(0)
        now = self._now()
        outcomes = [self._log[delivery.partition].renew(stage, consumer, delivery, now) for delivery in deliveries]
        self._ring()
        return outcomes

    async def commit(
        self,
        stage: Stage,
        consumer: str,
        delivery: Delivery,
        step: int,
        ending: Ending,
        events: Sequence[Event] = (),
        jobs: Sequence[Job] = (),
        seen: Seen | None = None,
    ) -> Receipt:
        await asyncio.sleep(0)
        log = self._log[delivery.partition]
        reply = log.commit(stage, consumer, delivery, step, ending, events, jobs, seen, self._now())
        self._ring()
        return reply

    async def release(self, stage: Stage, consumer: str, delivery: Delivery) -> Outcome:
        await asyncio.sleep(0)
        outcome = self._log[delivery.partition].release(stage, consumer, delivery, self._now())
        self._ring()
        return outcome

    async def retire(self, stage: Stage, partition: int, consumer: str) -> bool:
        await asyncio.sleep(0)
        return self._log[partition].retire(stage, consumer)

    # ── gateways ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(
        self,
        session: str,
        owner: str,
        request: str,
        events: Sequence[Event],
        jobs: Sequence[Job] = (),
        ticket: str = "",
    ) -> Claimed:
        await asyncio.sleep(0)
        claimed = self._of(session).open(session, owner, request, events, jobs, ticket, self._now())
        self._ring()
        return claimed

    async def publish(self, session: str, epoch: int, publication: Publication) -> Receipt:
        await asyncio.sleep(0)
        reply = self._of(session).publish(session, epoch, publication, False, self._now())
        self._ring()
        return reply

    async def close(self, session: str, epoch: int, publication: Publication) -> Receipt:
        await asyncio.sleep(0)
        reply = self._of(session).publish(session, epoch, publication, True, self._now())
        self._ring()
        return reply

    async def hold(self, owner: str, partition: int, sessions: Sequence[Hold]) -> Held:
        await asyncio.sleep(0)
        log, now = self._log[partition], self._now()
        receipts = [log.hold(owner, hold, now) for hold in sessions]
        return Held(receipts, {stage: len(log.queues[stage].entries) for stage in STAGES}, now)

    async def claim(self, session: str, owner: str, request: str, ticket: str = "") -> Claimed:
        await asyncio.sleep(0)
        return self._of(session).claim(session, owner, request, ticket, self._now())

    async def inbox(
        self, owner: str, last_ids: Mapping[int, str], timeout: float
    ) -> tuple[list[InboxEntry], dict[int, str]]:
        def last(partition: int) -> int:
            box = self._log[partition].inboxes.get(owner)
            return box.last if box else 0

        after = {partition: last(partition) if name == "$" else _number(name) for partition, name in last_ids.items()}
        await self._wait(lambda: any(last(partition) > number for partition, number in after.items()), timeout)
        entries: list[InboxEntry] = []
        for partition, number in after.items():
            box = self._log[partition].inboxes.get(owner)
            for position, session, event in box.entries if box else ():
                if position > number:
                    entries.append(InboxEntry(session, event))
                    after[partition] = position
        return entries, {partition: f"{number}-0" for partition, number in after.items()}

    async def expired(self, partition: int, count: int) -> list[str]:
        await asyncio.sleep(0)
        now = self._now()
        there = [s for s in self._log[partition].sessions.values() if s.listed and s.state == "open"]
        lapsed = [s for s in there if s.lease_ends <= now]
        return [s.name for s in sorted(lapsed, key=lambda s: (s.lease_ends, s.name))[:count]]

    # ── everybody ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def post(self, session: str, request: str, event: Event) -> Receipt:
        check_postable(event)
        await asyncio.sleep(0)
        reply = self._of(session).post(session, request, event, self._now())
        self._ring()
        return reply

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        await asyncio.sleep(0)
        s = self._of(session).sessions.get(session)
        end = None if count is None else after + count
        return s.events[after:end] if s else []

    async def snapshot(self, session: str) -> Snapshot | None:
        await asyncio.sleep(0)
        s = self._of(session).sessions.get(session)
        return s.snapshot if s and s.snapshot and s.snapshot.seq <= s.seq else None

    async def kept_rows(self, sessions: Sequence[str]) -> list[bytes | None]:
        await asyncio.sleep(0)
        found = (self._of(session).sessions.get(session) for session in sessions)
        return [s.row if s else None for s in found]

    async def keep_row(self, session: str, seq: int, row: bytes) -> bool:
        await asyncio.sleep(0)
        s = self._of(session).sessions.get(session)
        if s is None or s.state != "closed" or s.seq != seq:
            return False
        s.row = row
        return True

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        await asyncio.sleep(0)
        return self._latest("open", count)

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        await asyncio.sleep(0)
        return self._latest("closed", count)

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        await asyncio.sleep(0)
        found = self._latest(state, sum(len(log.sessions) for log in self._log))
        return [Touched(one.session, one.last_activity) for one in found if one.last_activity >= since][:count]

    def _latest(self, state: str, count: int) -> list[SessionInfo]:
        found = [_info(s, log.number) for log in self._log for s in _listed(log) if s.state == state]
        return sorted(found, key=lambda info: (info.last_activity, info.session), reverse=True)[:count]

    async def info(self, session: str) -> SessionInfo | None:
        await asyncio.sleep(0)
        log = self._of(session)
        s = log.sessions.get(session)
        return _info(s, log.number) if s else None

    async def queued(self, stage: Stage) -> int:
        await asyncio.sleep(0)
        return sum(len(log.queues[stage].entries) for log in self._log)

    async def put_blob(self, session: str, name: str, pcm: bytes) -> str:
        await asyncio.sleep(0)
        key = keys.blob(self.partition(session), session, name)
        self.blobs[key] = bytes(pcm)
        return key

    async def put_shared_blob(self, session: str, pcm: bytes) -> str:
        await asyncio.sleep(0)
        key = keys.shared_blob(self.partition(session), pcm)
        self.blobs[key] = bytes(pcm)
        return key

    async def get_blob(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        return self.blobs.get(key)

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        await asyncio.sleep(0)
        outcome = self._of(session).forget(session, seq)
        if outcome in (Outcome.OK, Outcome.MISSING):
            own = keys.blob(self.partition(session), session, "")
            for name in sounds:
                if name.startswith(own):
                    self.blobs.pop(name, None)
        return outcome

    async def now(self) -> Micros:
        return self._now()

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _of(self, session: str) -> Partition:
        return self._log[self.partition(session)]

    def _now(self) -> Micros:
        return Micros(EPOCH + int(self._clock.now() * 1e6))

    def _ring(self) -> None:
        """Something may have been appended: whoever waited for it goes on."""
        waiting, self._waiting = self._waiting, []
        for ready, future in waiting:
            if future.done():
                continue
            if ready():
                future.set_result(None)
            else:
                self._waiting.append((ready, future))

    async def _wait(self, ready: Callable[[], bool], timeout: float) -> None:
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(timeout):
                while not ready():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append((ready, future))
                    await future
        except TimeoutError:
            pass


def _copy(log: list[Partition]) -> list[Partition]:
    """Of all but its events: nobody changes one."""
    events = (event for part in log for s in part.sessions.values() for event in s.events)
    return copy.deepcopy(log, {id(event): event for event in events})


def _listed(log: Partition) -> list[StoredSession]:
    return [s for s in log.sessions.values() if s.listed]


def _info(s: StoredSession, partition: int) -> SessionInfo:
    return SessionInfo(s.name, partition, s.seq, s.state, s.owner, s.epoch, s.generation, s.lease_ends, s.at)


def _number(entry: str) -> int:
    return int(entry.partition("-")[0])
