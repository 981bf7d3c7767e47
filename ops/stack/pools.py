"""Stages of a deployment that have no worker, or a silent one: what `antiphon up`, `status`, `top` and `doctor` say of them."""

import asyncio

from ops import console
from schemas.bus import StageSeen
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected

_WITHIN = 3.0
"""Seconds for the log to tell."""


_SILENT = 3.0
"""Seconds without a sign of life (there are four a second, or four a lease) after which a worker may be dead. The log tells of it
for 10 s, or for as long as it has jobs."""


def silence(seen: StageSeen, lease: float) -> list[float]:
    """For how many seconds those of its workers were silent that are, the latest first. `lease`: seconds."""
    return sorted(worker.seen for worker in seen.workers if worker.seen > max(_SILENT, lease / 2))


def workers_line(seen: StageSeen, lease: float) -> str:
    """How many there are, and who of them is silent."""
    count = len(seen.workers)
    line = "no worker" if not count else "1 worker" if count == 1 else f"{count} workers"
    return line + who_is_silent(seen, lease)


def who_is_silent(seen: StageSeen, lease: float) -> str:
    """`, 1 silent for 6 s`, to be said behind how many there are; "": nobody is."""
    count, silent = len(seen.workers), silence(seen, lease)
    if not silent:
        return ""
    whose = "" if count == 1 else "all " if len(silent) == count else f"{len(silent)} "
    return f", {whose}silent for {silent[0]:.0f} s"


def has_none(seen: StageSeen, lease: float) -> bool:
    """Whether it has no worker, or none that was heard of."""
    return len(seen.workers) == len(silence(seen, lease))


def waiting(seen: StageSeen) -> str:
    """How much waits in front of a stage."""
    jobs = "1 job waits" if seen.queued == 1 else f"{seen.queued} jobs wait"
    return f"{jobs}, the first for {seen.oldest:.1f} s" if seen.queued else "nothing waits"


def how_to_man(seen: StageSeen) -> str:
    """What to do about a stage without workers."""
    waits = "what agents are to do" if seen.stage == "tools" else "whatever callers say"
    return f"start one: {console.me()} worker {seen.stage}; until then {waits} waits"


def unmanned_line(seen: StageSeen, lease: float) -> str:
    if seen.workers:
        return f"{seen.stage}: {workers_line(seen, lease)} ({waiting(seen)}); was it killed, does it hang? {how_to_man(seen)}"
    return f"no {seen.stage} worker ({waiting(seen)}): {how_to_man(seen)}"


async def stages(settings: Settings, redis_url: str) -> list[StageSeen]:
    """In the order of a turn. Nothing where the log doesn't tell: that shows elsewhere."""
    try:
        async with asyncio.timeout(_WITHIN), connected(settings.model_copy(update={"redis_url": redis_url})) as log:
            return await log.stages()
    except (AntiphonError, TimeoutError):
        return []
