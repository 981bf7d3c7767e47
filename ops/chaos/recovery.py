"""How long a killed worker's jobs wait until somebody has them again, with Redis' own downtime left out."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.events import STAGES

_GROUP = "workers"


class RecoveryWatch:
    """`redis`: a connection of its own, past the proxy."""

    def __init__(self, redis: Redis, partitions: int = 1):
        self.seconds: list[float] = []
        self._redis = redis
        self._streams = [f"{{p{number:02d}}}:q:{stage}" for number in range(partitions) for stage in STAGES]
        self._outages: list[tuple[float, float]] = []
        self._watches: set[asyncio.Task[None]] = set()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Around the time in which Redis is down."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._outages.append((began, time.monotonic()))

    async def owned(self) -> list[tuple[str, str, str]]:
        """(stream, entry, owner) of every job in some worker's hands; nothing while Redis is down."""
        rows = []
        for stream in self._streams:
            with suppress(RedisError, OSError):
                pending = await self._redis.xpending_range(stream, _GROUP, "-", "+", 200)
                rows += [(stream, _text(entry["message_id"]), _text(entry["consumer"])) for entry in pending]
        return rows

    async def watch(self, pid: int, killed: float) -> None:
        """After the kill, at `killed` (monotonic seconds), of the worker with that pid: follow each job it owned."""
        for stream, entry, owner in await self.owned():
            if f"-{pid}-" in owner:
                task = asyncio.create_task(self._follow(stream, entry, owner, killed))
                self._watches.add(task)
                task.add_done_callback(self._watches.discard)

    async def _follow(self, stream: str, entry: str, owner: str, killed: float) -> None:
        while time.monotonic() - killed < 30:
            with suppress(RedisError, OSError):
                pending = await self._redis.xpending_range(stream, _GROUP, entry, entry, 1)
                if not pending or _text(pending[0]["consumer"]) != owner:
                    self.seconds.append(time.monotonic() - killed - self._down_since(killed))
                    return
            await asyncio.sleep(0.03)
        self.seconds.append(30.0)

    def _down_since(self, moment: float) -> float:
        return sum(end - max(began, moment) for began, end in self._outages if end > moment)

    async def aclose(self) -> None:
        for task in self._watches:
            task.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
