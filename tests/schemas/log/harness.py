"""What the suite needs beside a `Bus`: make leases lapse, and lose the log's tail, on either implementation."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar

import redis

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus
from schemas.clock import Now
from schemas.events import STAGES
from schemas.log import MemoryBus, RedisBus, keys
from tests.servers import BINARY

T = TypeVar("T")
LEASE = 600.0
"""Seconds: in these tests nothing lapses unless the harness says so."""


class Harness(Protocol):
    bus: Bus

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def lapse_jobs(self, consumer: str) -> None:
        """The leases of all jobs of `consumer` run out now."""

    def lapse_session(self, session: str) -> None: ...
    def save(self) -> object: ...
    def restore(self, saved: object) -> None:
        """Lose everything since `save`."""

    def close(self) -> None: ...


class StillClock:
    """Time that moves only when told; each look moves it 1 ms, so that no two calls are at once."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> Now:
        self.time += 0.001
        return Now(self.time)


class MemoryHarness:
    def __init__(self, fenced: bool = True) -> None:
        self.memory = MemoryBus(partitions=2, clock=StillClock(), lease=LEASE, fenced=fenced)
        self.bus: Bus = self.memory
        self._runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def lapse_jobs(self, consumer: str) -> None:
        for partition in self.memory._log:
            for queue in partition.queues.values():
                for held in queue.pending.values():
                    if held.consumer == consumer:
                        held.since = 0

    def lapse_session(self, session: str) -> None:
        self.memory._of(session).sessions[session].lease_ends = 1

    def save(self) -> object:
        return self.memory.save()

    def restore(self, saved: object) -> None:
        self.memory.restore(saved)

    def close(self) -> None:
        self._runner.close()


class SharedServer:
    """One real server for a whole test module, emptied for each example."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.server = Valkey(Path(self._folder.name), appendfsync=None, binary=BINARY)
        asyncio.run(self.server.start())

    def close(self) -> None:
        asyncio.run(self.server.stop())
        self._folder.cleanup()


class RedisHarness:
    def __init__(self, url: str, library: str | None = None) -> None:
        self.raw = redis.Redis.from_url(url)
        self.raw.flushall()
        self._runner = asyncio.Runner()
        self.bus: Bus = RedisBus(url, partitions=2, lease=LEASE, settle=0.0, library=library)
        self.run(self.bus.start())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def lapse_jobs(self, consumer: str) -> None:
        for partition in range(2):
            for stage in STAGES:
                queue = keys.queue(partition, stage)
                if not self.raw.exists(queue) or not self.raw.xinfo_groups(queue):
                    continue
                for held in self.raw.xpending_range(queue, "workers", "-", "+", 1000, consumer):
                    self.raw.xclaim(
                        queue,
                        "workers",
                        consumer,
                        0,
                        [held["message_id"]],
                        idle=int(LEASE * 2000),
                        justid=True,
                    )

    def lapse_session(self, session: str) -> None:
        self.raw.zadd(keys.leases(self.bus.partition(session)), {session: 1})

    def save(self) -> object:
        return {key: self.raw.dump(key) for key in list(self.raw.scan_iter())}

    def restore(self, saved: object) -> None:
        assert isinstance(saved, dict)
        self.raw.flushall()
        for key, value in saved.items():
            self.raw.restore(key, 0, value)

    def close(self) -> None:
        self.run(self.bus.aclose())
        self.raw.close()
        self._runner.close()
