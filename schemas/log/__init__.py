"""The log: one ordered stream of events per session, the job queues between stages, and the leases on both.

`connect(settings)` gives the Redis implementation, `async with connected(settings)` a started one; `MemoryBus` keeps the same
promises in one process, for tests and demos.
"""

from typing import TYPE_CHECKING, Any

from schemas.log._connect import connect, connected, until_it_answers
from schemas.log._redis import RedisBus
from schemas.log.keys import partition_of

if TYPE_CHECKING:
    from schemas.log._memory import MemoryBus

__all__ = ["MemoryBus", "RedisBus", "connect", "connected", "partition_of", "until_it_answers"]


def __getattr__(name: str) -> Any:
    """`MemoryBus` for whoever imports it; nobody else loads it."""
    if name != "MemoryBus":
        raise AttributeError(name)
    from schemas.log._memory import MemoryBus

    return MemoryBus
