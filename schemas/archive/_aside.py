"""What archiving computes, beside calls: on one thread that takes what they leave of the processor."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["ASIDE"]

P = ParamSpec("P")
T = TypeVar("T")

_SLOW, _HURRY = 1.0, 60.0
"""Seconds that a piece of work of milliseconds may take, and for how long after a longer one none gives way: what is not
archived fills the log's memory."""


def _give_way() -> None:
    """Linux: whoever wakes for a call is on this thread's core at once. A nice value says how much of it one gets, not how soon;
    that may be when the slice of who has it is over."""
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # a sandbox that forbids it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone


class _Aside:
    def __init__(self) -> None:
        self._idle = ThreadPoolExecutor(1, "archiving", initializer=_give_way)
        self.hurry_until = 0.0

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work`, which takes milliseconds and changes nothing; its errors are raised. Where the machine has nothing left for it,
        on other threads, where it is begun anew."""
        if time.monotonic() >= self.hurry_until:
            begun = asyncio.wrap_future(self._idle.submit(work, *args, **kwargs))
            done, _ = await asyncio.wait([begun], timeout=_SLOW)
            if done:
                return begun.result()
            begun.cancel()
            self.hurry_until = time.monotonic() + _HURRY
        return await asyncio.to_thread(work, *args, **kwargs)


ASIDE = _Aside()
"""One for all that this process archives."""
