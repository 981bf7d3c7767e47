"""Sessions, as one API process tells them: an index of all, stories of those asked for, channels of those followed."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping

from api.event_streams import Streams
from api.sessions.channels import Channels
from api.sessions.index import Followed, Index
from api.sessions.latency_watch import LatencyWatch
from api.sessions.peaks import Loudness
from api.sessions.stories import Stories
from schemas.clock import Micros
from schemas.errors import BusError
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.api")

_FOLLOWED, _IDLE = 0.2, 1.0
"""Seconds between two looks, while anybody reads a stream, and while nobody does."""
_ROWS_TOLD = 0.5
"""Seconds between two messages of rows: each of them wakes everybody who has the list before them."""


class Sessions:
    """`run` until cancelled, once the log is there; without it a session can be asked for, and none is listed."""

    def __init__(self, bus: Followed) -> None:
        self.stories = Stories(bus)
        self.index = Index(bus, self.stories)
        self.channels = Channels(self.stories)
        self.loudness = Loudness(self.stories)
        self.latency = LatencyWatch(self.index)
        self.streams = Streams()
        self._tasks = Tasks()
        self._listing: asyncio.Task[None] | None = None
        self._rows_told = float("-inf")

    async def look(self) -> None:
        """See what moved, and tell it. BusError."""
        await self.index.look(await self._moved())
        self.index.tell()

    async def _follow(self) -> None:
        """The same, again and again: events are told at once, however long the list takes; rows together."""
        moved = await self._moved()
        if self._listing is None or self._listing.done():
            self._listing = self._tasks.spawn(_tried(lambda: self._list(moved)), "rows")
        else:
            self._tell_rows()

    async def _moved(self) -> Mapping[str, Micros]:
        """And whoever follows one of them has heard it."""
        moved = await self.index.moved()
        await self.channels.catch_up(moved)
        return moved

    async def _list(self, moved: Mapping[str, Micros]) -> None:
        await self.index.look(moved)
        self._tell_rows()

    def _tell_rows(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._rows_told >= _ROWS_TOLD:
            self._rows_told = now
            self.index.tell()

    async def _read_stored(self) -> None:
        if self.index.unread:
            await self.index.read_stored()
            gc.freeze()  # thousands of rows that stay
            await self.index.tell_ahead()
            gc.freeze()

    async def run(self) -> None:
        self._tasks.spawn(_again(self._read_stored, lambda: _IDLE), "stored sessions")
        try:
            await _again(self._follow, lambda: _FOLLOWED if len(self.streams) else _IDLE)
        finally:
            await self._tasks.aclose()


async def _again(what: Callable[[], Awaitable[None]], pause: Callable[[], float]) -> None:
    """While the log is away it is tried on."""
    while True:
        await _tried(what)
        await asyncio.sleep(pause())


async def _tried(what: Callable[[], Awaitable[None]]) -> None:
    try:
        await what()
    except BusError as error:
        log.warning("sessions are not followed for now: %s", error)
        await asyncio.sleep(_IDLE)
    except Exception:  # one session's log must not end it for all
        log.exception("sessions are not followed for now")
        await asyncio.sleep(_IDLE)
