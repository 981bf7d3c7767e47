"""Coroutines of builders, on a loop of their own in a thread of its own: one that never yields holds up no other session."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine
from typing import Any

from workers.agents._threads import Busy

__all__ = ["aside", "awaited"]

log = logging.getLogger("antiphon.agents")

_MOST = 8
"""Loops that were given up, each with a coroutine that does not yield."""
_ANSWERS = 0.5
"""Seconds within which a loop that is well answers."""


async def aside(work: Coroutine[Any, Any, Any], name: str) -> Any:
    """What it answers or raises. Cancelled, it is cancelled there, too. A loop on which it can't even begin, or that does not
    turn when it is cancelled, is given up, and the next one gets another. Busy: that was done too often."""
    if getattr(asyncio.get_running_loop(), "virtual", False):
        return await work  # virtual time waits for no thread
    while (loop := _loops.present()) is not None:
        claim = threading.Lock()
        running = asyncio.run_coroutine_threadsafe(_begun(work, claim, loop, name), loop)
        waiting = asyncio.wrap_future(running)
        try:
            await asyncio.wait({waiting}, timeout=_ANSWERS)
            if waiting.done() or not claim.acquire(blocking=False):
                return await waiting
        except asyncio.CancelledError:
            running.cancel()
            if claim.acquire(blocking=False):
                work.close()
            threading.Thread(target=_loops.check, args=(loop,), name="hooks' loop", daemon=True).start()
            raise
        running.cancel()  # somebody else's holds the loop: this one begins on another
        _loops.give_up(loop)
    work.close()
    raise Busy(f"{_MOST} loops are held by functions that never yield")


async def awaited(found: Any) -> Any:
    """What a plain function gave to be awaited, as a coroutine."""
    return await found


async def _begun(
    work: Coroutine[Any, Any, Any], claim: threading.Lock, loop: asyncio.AbstractEventLoop, name: str
) -> Any:
    """Unless whoever wants it has given up this loop meanwhile."""
    if not claim.acquire(blocking=False):
        return None
    mark = object()
    _loops.at_work[mark] = (loop, name)
    try:
        return await work
    finally:
        del _loops.at_work[mark]


class _Loops:
    """The one that is used, and those that somebody holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: asyncio.AbstractEventLoop | None = None
        self._given_up = 0
        self.at_work: dict[object, tuple[asyncio.AbstractEventLoop, str]] = {}

    def present(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._present is None and self._given_up < _MOST:
                self._present = asyncio.new_event_loop()
                threading.Thread(target=_turn, args=(self._present,), name="hooks", daemon=True).start()
            return self._present

    def check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whether it still turns."""
        turns = threading.Event()
        with contextlib.suppress(RuntimeError):  # closed: it was given up before
            loop.call_soon_threadsafe(turns.set)
        if not turns.wait(_ANSWERS):
            self.give_up(loop)

    def give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if self._present is not loop:
                return
            self._present = None
            self._given_up += 1
        names = sorted({name for whose, name in tuple(self.at_work.values()) if whose is loop})
        who = ", or ".join(names[:5]) or "an async function"
        log.error("%s never yields (a loop without end, or a blocking call in an async function): left to itself", who)
        asyncio.run_coroutine_threadsafe(self._wound_up(loop), loop)

    async def _wound_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """It turns after all: whoever is still at work on it comes to an end."""
        with self._lock:
            self._given_up -= 1
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(_ANSWERS)
        loop.stop()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


_loops = _Loops()
