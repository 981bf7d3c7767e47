"""The log: one ordered stream of events per session, the job queues between stages, and the leases on both.

`connect(settings)` gives the Redis implementation, `async with connected(settings)` a started one; `MemoryBus` keeps the same
promises in one process, for tests and demos: nobody else loads it.
"""

from typing import TYPE_CHECKING

from schemas.lazily import loads as _loads
from schemas.log._connect import connect, connected, until_it_answers
from schemas.log._redis import RedisBus
from schemas.log.keys import partition_of

if TYPE_CHECKING:
    from schemas.log._memory import MemoryBus

__all__ = ["MemoryBus", "RedisBus", "connect", "connected", "partition_of", "until_it_answers"]

__getattr__ = _loads(__name__, {"MemoryBus": "schemas.log._memory"})
