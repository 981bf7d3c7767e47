"""Coroutines of builders, on a loop of their own in a thread of its own: one that never yields holds up no other session."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from typing import Any

from workers.agents._threads import Busy

__all__ = ["aside"]

log = logging.getLogger("antiphon.agents")

_MOST = 8
"""Loops that were given up, each with a coroutine that does not yield."""
_ANSWERS = 0.5
"""Seconds within which a loop that is well answers."""


async def aside(work: Coroutine[Any, Any, Any], name: str) -> Any:
    """What it answers or raises. Cancelled, it is cancelled there, too; where it does not even yield, its loop is given up, and
    the next one gets another. Busy: that was done too often."""
    loop = _loops.present()
    if loop is None:
        work.close()
        raise Busy(f"{_MOST} loops are held by functions that never yield")
    running = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return await asyncio.wrap_future(running)
    except asyncio.CancelledError:
        running.cancel()
        threading.Thread(target=_loops.check, args=(loop, name), name="hooks' loop", daemon=True).start()
        raise


class _Loops:
    """The one that is used, and those that somebody holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: asyncio.AbstractEventLoop | None = None
        self._given_up = 0

    def present(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._present is None and self._given_up < _MOST:
                self._present = asyncio.new_event_loop()
                threading.Thread(target=_turn, args=(self._present,), name="hooks", daemon=True).start()
            return self._present

    def check(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        """Whether it still turns; else it is waited for, however long that takes."""
        turns = threading.Event()
        with contextlib.suppress(RuntimeError):  # closed: it was given up before
            loop.call_soon_threadsafe(turns.set)
        if turns.wait(_ANSWERS):
            return
        with self._lock:
            if self._present is not loop:
                return
            self._present = None
            self._given_up += 1
        log.error("%s never yields (a loop without end, or a blocking call in an async function): left to itself", name)
        turns.wait()  # it came to an end after all
        with self._lock:
            self._given_up -= 1
        loop.call_soon_threadsafe(loop.stop)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


_loops = _Loops()
