"""After the killing: read every log and every key, and name what should not be."""

import asyncio
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from schemas.bus import Reading
from schemas.events import STAGES
from schemas.session.promises import violations

TWICE = " a second time"
"""In every violation that names something done twice: what a log without its fence must show."""
_DEPLOYMENT = (":q:", ":lease", ":open", ":dead")
"""Keys that belong to the deployment, not to a session or a process: they may stay for ever."""


async def settled(redis: Redis, seconds: float) -> bool:
    """Wait until no session is open and no job is queued or running; False if that took longer."""
    for _ in range(int(seconds / 0.1)):
        left = 0
        async for key in redis.scan_iter(match="{p*}:open", count=500):
            left += await redis.zcard(key)
        for stage in STAGES:
            async for key in redis.scan_iter(match=f"{{p*}}:q:{stage}", count=500):
                left += await redis.xlen(key)
        if left == 0:
            return True
        await asyncio.sleep(0.1)
    return False


async def done_twice(bus: Reading, redis: Redis) -> tuple[int, list[str]]:
    """How many sessions there are, and what their logs show a second time: proven, though they are still being written."""
    sessions = [session async for session in _sessions(redis)]
    found = [f"{session}: {line}" for session in sessions for line in violations(await bus.read(session))]
    return len(sessions), [line for line in found if TWICE in line]


async def judge(bus: Reading, redis: Redis) -> tuple[int, list[str]]:
    """How many sessions there were, and every violation in one line."""
    found = []
    sessions = 0
    async for session in _sessions(redis):
        sessions += 1
        events = await bus.read(session)
        found += [f"{session}: {violation}" for violation in violations(events)]
        if not events or events[-1].type != "session.ended":
            found.append(f"{session}: not ended ({events[-1].type if events else 'empty'})")
    found += [line async for line in _leftovers(redis)]
    return sessions, found


async def _sessions(redis: Redis) -> AsyncIterator[str]:
    async for key in redis.scan_iter(match="{p*}:ev:*", count=1000):
        yield _text(key).split(":ev:", 1)[1]


async def _leftovers(redis: Redis) -> AsyncIterator[str]:
    """Pending or queued jobs, parked jobs, and keys with neither an owner nor a time to live."""
    async for raw in redis.scan_iter(match="{p*}:*", count=1000):
        key = _text(raw)
        rest = key.split("}", 1)[1]
        if rest.startswith(":q:"):
            if length := await redis.xlen(key):
                yield f"{key}: {length} jobs left behind"
        elif rest.startswith(":parked:"):
            yield f"{key}: jobs still parked"
        elif rest == ":open" or rest == ":lease":
            if count := await redis.zcard(key):
                yield f"{key}: {count} sessions still there"
        elif not rest.startswith(_DEPLOYMENT) and await redis.ttl(key) < 0:
            yield f"{key}: neither an owner nor a time to live"


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key
