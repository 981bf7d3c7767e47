"""A look at something, taken once a second at most, for everybody who asks or watches."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from api.event_streams import HEARTBEAT
from schemas.errors import BusError
from schemas.process.tasks import unheard

EVERY = 1.0
"""Seconds for which a look is good. Whoever asks in the second half of them has another taken for those who come after."""

T = TypeVar("T")
Take = Callable[[], Awaitable[T]]
"""Look. BusError; whatever is as it was shall be the same object."""


class SharedLook(Generic[T]):
    """One a process and thing: however many look on, it is looked at once. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looking = asyncio.Lock()
        self._last: tuple[float, T | BusError] | None = None
        self._ahead: asyncio.Task[T | BusError] | None = None

    async def latest(self, take: Take[T]) -> T:
        """As it is, or was less than a second ago. BusError."""
        age = self._clock() - self._last[0] if self._last is not None else EVERY
        if EVERY / 2 <= age < EVERY and (self._ahead is None or self._ahead.done()):
            self._ahead = asyncio.create_task(self._look(take, EVERY / 2))
            self._ahead.add_done_callback(unheard)  # what went wrong is met by whoever looks next
        found = self._last[1] if self._last is not None and age < EVERY else await self._look(take)
        if isinstance(found, BusError):
            raise found.with_traceback(None)  # the same one for all: it would grow with each
        return found

    async def _look(self, take: Take[T], good: float | None = None) -> T | BusError:
        """Unless somebody else has taken one in the last `good` seconds, EVERY without."""
        async with self._looking:
            now = self._clock()
            if self._last is None or now - self._last[0] >= (EVERY if good is None else good):
                try:
                    self._last = (now, await take())
                except BusError as error:
                    self._last = (self._clock(), error)  # it may have taken long to fail
            return self._last[1]

    async def each(self, take: Take[T]) -> AsyncIterator[T | BusError | None]:
        """For ever: what there is now, and then whenever it is another; why there is nothing; None: still the same, after so long
        that somebody might think we had gone."""
        told: T | BusError | None = None
        silent_since = self._clock()
        while True:
            found = await self._look(take)
            if found is not told:
                yield found
                told, silent_since = found, self._clock()
            elif self._clock() - silent_since >= HEARTBEAT:
                yield None
                silent_since = self._clock()
            wait = EVERY - (self._clock() - self._last[0]) if self._last else EVERY
            await asyncio.sleep(max(0.02, wait))
