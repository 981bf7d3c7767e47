"""The log: one ordered stream of events per session, the job queues between stages, and the leases on both.

`connect(settings)` gives the Redis implementation; `MemoryBus` keeps the same promises in one process, for tests and demos.
"""

from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.log._memory import MemoryBus
from schemas.log._redis import RedisBus
from schemas.log.keys import partition_of

__all__ = ["MemoryBus", "RedisBus", "connect", "partition_of"]


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
