"""Stages of a deployment that have no worker: what `antiphon up`, `status` and `doctor` say of them."""

import asyncio

from ops import console
from schemas.bus import StageSeen
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected

_WITHIN = 3.0
"""Seconds for the log to tell."""


def waiting(seen: StageSeen) -> str:
    """How much waits in front of a stage."""
    jobs = "1 job waits" if seen.queued == 1 else f"{seen.queued} jobs wait"
    return f"{jobs}, the first for {seen.oldest:.1f} s" if seen.queued else "nothing waits"


def how_to_man(seen: StageSeen) -> str:
    """What to do about a stage without workers."""
    return f"start one: {console.me()} worker {seen.stage}; until then whatever callers say waits"


def unmanned_line(seen: StageSeen) -> str:
    return f"no {seen.stage} worker ({waiting(seen)}): {how_to_man(seen)}"


async def unmanned(settings: Settings, redis_url: str) -> list[StageSeen]:
    """The stages that have no worker, in the order of a turn. Nothing where the log doesn't tell: that shows elsewhere."""
    try:
        async with asyncio.timeout(_WITHIN), connected(settings.model_copy(update={"redis_url": redis_url})) as log:
            return [seen for seen in await log.stages() if not seen.workers]
    except (AntiphonError, TimeoutError):
        return []
