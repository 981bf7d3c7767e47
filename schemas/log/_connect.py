"""Which log a process uses: the one its settings name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.errors import BusFull, BusUnavailable
from schemas.log._redis import RedisBus
from schemas.process.backoff import LASTS


def connect(settings: Settings, *, holds: bool = False) -> Bus:
    """The deployment's log, not yet started: `await bus.start()` before, `await bus.aclose()` after. `holds`: for a process that
    will own jobs or sessions, and not only looks."""
    return RedisBus(
        settings.redis_url,
        partitions=settings.partitions,
        blob_url=settings.blob_url,
        cluster=settings.redis_cluster,
        lease=settings.lease,
        holds=holds,
    )


async def until_it_answers(
    start: Callable[[], Awaitable[None]], told: Callable[[str, bool], Awaitable[None]], pauses: Iterable[float]
) -> None:
    """`start`, and again after each of `pauses` (seconds), while the log is not there yet or takes nothing. `told`: why not, and
    whether that lasts by now (it may be about to be started), when either is another than before. Other errors are raised."""
    clock = asyncio.get_running_loop().time
    said, began = ("", False), clock()
    for pause in pauses:
        try:
            await start()
        except (BusUnavailable, BusFull) as error:
            if (now := (str(error), clock() - began >= LASTS)) != said:
                said = now
                await told(*said)
            await asyncio.sleep(pause)
        else:
            return


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Bus]:
    """The deployment's log, started, for whoever looks into it for a while. BusError: it can't be reached, or is none of ours."""
    log = connect(settings)
    try:
        await log.start()
        yield log
    finally:
        await log.aclose()
