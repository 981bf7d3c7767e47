"""Which log a process uses: the one its settings name."""

from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.log._redis import RedisBus


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
