"""`MemoryBus`, the part beside sessions: queues from outside, dead letters, gateways, drafts, languages."""

import asyncio
from collections.abc import Iterator
from typing import Any, TypeVar

from schemas.bus import (
    DRAFTS,
    Advertising,
    Announcing,
    Buried,
    Burying,
    DeadLetter,
    Drafting,
    GatewaySeen,
    Outcome,
    Overseeing,
    StageSeen,
)
from schemas.clock import Micros
from schemas.events import POOLS, Stage
from schemas.languages import Announced
from schemas.log._calls import StageRow, WorkerRow
from schemas.log._letters import LetterId, buried, cursor
from schemas.log._twin import NOBODY, Partition
from schemas.log._twin_values import Letter, Queue
from schemas.log._workers_seen import SILENT, stages_seen

_T = TypeVar("_T")


class MemoryOutside(Overseeing, Burying, Announcing, Advertising, Drafting):
    """`MemoryBus` is one."""

    _log: list[Partition]

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[int, Any]] = {}

    def _now(self) -> Micros:
        raise NotImplementedError

    # ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def stages(self) -> list[StageSeen]:
        await asyncio.sleep(0)
        now = self._now()
        return stages_seen({stage: [_row(one.queues[stage], now) for one in self._log] for stage in POOLS})

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def dead_letters(self, count: int = 50, before: str = "", stage: Stage | None = None) -> list[DeadLetter]:
        await asyncio.sleep(0)
        last = cursor(before)
        found = [
            _told_of(one, letter)
            for one, _, letter in sorted(self._letters(), key=lambda found: found[0], reverse=True)
            if (last is None or one < last) and stage in (None, letter.queued.job.stage)
        ]
        return found[:count]

    async def buried(self) -> Buried:
        await asyncio.sleep(0)
        latest = {one.partition: one.entry for one, _, _ in sorted(self._letters(), key=lambda found: found[0])}
        return buried([(len(one.dead), latest.get(one.number, "")) for one in self._log])

    async def retry(self, letter: str) -> Outcome:
        await asyncio.sleep(0)
        for one, partition, found in self._letters():
            if str(one) == letter:
                outcome = partition.retry(found, self._now())
                self._ring()
                return outcome
        return Outcome.MISSING

    async def discard(self, letter: str) -> bool:
        await asyncio.sleep(0)
        for one, partition, found in self._letters():
            if str(one) == letter:
                partition.dead.remove(found)
                return True
        return False

    def _letters(self) -> Iterator[tuple[LetterId, Partition, Letter]]:
        for partition in self._log:
            for letter in partition.dead:
                yield LetterId(letter.time, letter.number, partition.number), partition, letter

    def _ring(self) -> None:
        raise NotImplementedError

    # ── what processes tell of themselves ────────────────────────────────────────────────────────────────────────────

    async def announce(self, consumer: str, what: Announced, seconds: float) -> None:
        await self._tell(f"speaks {what.stage}", consumer, what, seconds)

    async def announced(self, stage: Stage) -> list[Announced]:
        return await self._heard(f"speaks {stage}", Announced)

    async def advertise(self, gateway: GatewaySeen, seconds: float) -> None:
        await self._tell("gateways", gateway.name, gateway, seconds)

    async def gateways(self) -> list[GatewaySeen]:
        return sorted(await self._heard("gateways", GatewaySeen), key=lambda gateway: gateway.name)

    async def put_draft(self, name: str, toml: str, seconds: float) -> None:
        await self._tell("drafts", name, toml, seconds)
        drafts = [key for key in self._told if key[0] == "drafts"]
        for key in sorted(drafts, key=lambda key: self._told[key][0])[:-DRAFTS]:
            del self._told[key]

    async def draft(self, name: str) -> str | None:
        await asyncio.sleep(0)
        until, toml = self._told.get(("drafts", name), (0, ""))
        return str(toml) if until > self._now() else None

    async def _tell(self, kind: str, who: str, what: object, seconds: float) -> None:
        await asyncio.sleep(0)
        self._told[kind, who] = (self._now() + int(seconds * 1e6), what)

    async def _heard(self, kind: str, of: type[_T]) -> list[_T]:
        await asyncio.sleep(0)
        now = self._now()
        return [what for (told, _), (until, what) in self._told.items() if told == kind and until > now]


def _row(queue: Queue, now: Micros) -> StageRow:
    held = {entry for entry, pending in queue.pending.items() if pending.consumer != NOBODY}
    waiting = [queued.enqueued for entry, queued in queue.entries.items() if entry not in held]
    jobs = dict.fromkeys(queue.workers, 0)
    for pending in queue.pending.values():
        if pending.consumer in jobs:
            jobs[pending.consumer] += 1
    workers: list[WorkerRow] = [
        {
            "name": name,
            "jobs": jobs[name],
            "idle": (now - worker.given) // 1000 if worker.given else -1,
            "seen": (now - worker.seen) // 1000,
        }
        for name, worker in queue.workers.items()
        if jobs[name] or now - worker.seen <= SILENT * 1e6
    ]
    oldest = max(0, now - min(waiting, default=now))
    return {
        "queued": len(waiting),
        "running": len(held),
        "oldest": oldest,
        "added": queue.last,
        "workers": workers,
    }


def _told_of(one: LetterId, letter: Letter) -> DeadLetter:
    job = letter.queued.job
    return DeadLetter(str(one), job.session, job.stage, job.id, letter.attempt, letter.reason, letter.at, True)
