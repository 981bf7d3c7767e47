"""What `antiphon doctor` says about the stages of a deployment that runs: has each of them a worker, and how much waits?"""

import asyncio
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ops.commands.doctor.findings import Finding
from ops.stack.pools import has_none, how_to_man, silence, waiting, workers_line
from schemas.bus import StageSeen
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, in_words
from schemas.log import connected
from schemas.log.keys import PARTITIONS

_LONG = 5.0
"""Seconds after which a job that still waits says that workers are too few."""
_WITHIN = 10.0


async def examine(settings: Settings, embedded: str | None) -> AsyncIterator[Finding]:
    """`embedded`: as for the log. Nothing where no log answers (that is told already) or none of ours is in it: to look would
    write one there."""
    url = settings.redis_url if "redis_url" in settings.model_fields_set else embedded
    if url is None or not (settings.redis_cluster or await _is_there(url)):
        return
    try:
        async with asyncio.timeout(_WITHIN), connected(settings.model_copy(update={"redis_url": url})) as log:
            gateways, stages = len(await log.gateways()), await log.stages()
    except (AntiphonError, TimeoutError) as error:
        yield Finding(
            "stages", "bad", f"the queues can't be looked at: {in_words(error)}", "see what is said of the log"
        )
        return
    if not gateways and not any(seen.workers for seen in stages):
        yield Finding("stages", "ok", "no gateway and no worker runs on this log now")
        return
    for seen in stages:
        yield finding_of(seen, settings.lease)


def finding_of(seen: StageSeen, lease: float) -> Finding:
    """`lease`: LEASE, seconds."""
    check, line = f"{seen.stage} workers", workers_line(seen, lease)
    if has_none(seen, lease):
        return Finding(check, "bad", f"{line}; {waiting(seen)}", how_to_man(seen))
    busy = sum(1 for worker in seen.workers if worker.jobs)
    found = f"{line}, {busy} busy; {waiting(seen)}"
    if silence(seen, lease):
        return Finding(
            check, "warn", found, "who is silent was killed, hangs, or doesn't reach the log: see its own log"
        )
    if seen.queued and seen.oldest > _LONG:
        return Finding(check, "warn", found, f"start more: antiphon worker {seen.stage}")
    return Finding(check, "ok", found)


async def _is_there(url: str) -> bool:
    client = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        return bool(await client.exists(PARTITIONS))
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()
