"""What a tool or a hook has said while it works."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from schemas.bus import Posting
from schemas.events import SayRequested
from schemas.process.tasks import Tasks
from workers.tools._running import posted

__all__ = ["Saying", "by_the_gateway"]

_MOST = 20
"""Times that one call may say something."""


class Saying:
    """In order, and so that it may be waited for. `say`: has one text said."""

    def __init__(self, say: Callable[[str], Awaitable[None]], tasks: Tasks):
        self._say, self._tasks = say, tasks
        self._last: asyncio.Task[None] | None = None
        self._left = _MOST

    def __call__(self, text: str) -> None:
        if self._left:
            self._left -= 1
            self._last = self._tasks.spawn(self._after(self._last, text), "say")

    async def _after(self, before: asyncio.Task[None] | None, text: str) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._say(text)

    async def done(self) -> None:
        """All of it is in the log, or can't be."""
        await asyncio.sleep(0)  # what was asked for from another thread is on its way
        if self._last is not None:
            await asyncio.wait({self._last})


def by_the_gateway(bus: Posting, session: str, call: str) -> Callable[[str], Awaitable[None]]:
    """For what has no reply of its own: the gateway is asked to have it said. `call`: whose; made again, it asks no second
    time."""
    numbers = itertools.count(1)

    async def say(text: str) -> None:
        request = f"{call}/said/{next(numbers)}"
        await posted(bus, session, request, SayRequested(text=text, request=request))

    return say
