"""Sessions, as one API process tells them: an index of all, stories of those asked for, channels of those followed."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from api.event_streams import Streams
from api.sessions.channels import Channels
from api.sessions.index import Index
from api.sessions.peaks import Loudness
from api.sessions.stories import Stories
from schemas.bus import Reading, Watching
from schemas.errors import BusError
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.api")

_FOLLOWED, _IDLE = 0.2, 1.0
"""Seconds between two looks, while anybody reads a stream, and while nobody does."""
_ROWS_TOLD = 0.5
"""Seconds between two messages of rows: each of them wakes everybody who has the list before them."""


class Told(Reading, Watching, Protocol):
    """The log, as far as sessions are told from it."""


class Sessions:
    """`run` until cancelled, once the log is there; without it a session can be asked for, and none is listed."""

    def __init__(self, bus: Told) -> None:
        self.stories = Stories(bus)
        self.index = Index(bus, self.stories)
        self.channels = Channels(self.stories)
        self.loudness = Loudness(self.stories)
        self.streams = Streams()
        self._rows_told = float("-inf")

    async def look(self) -> None:
        """See what moved, and tell it. BusError."""
        moved = await self.index.look()
        await self.channels.catch_up(moved)

    async def _follow(self) -> None:
        """The same, again and again: events are told at once, rows together."""
        now = asyncio.get_running_loop().time()
        tell = now - self._rows_told >= _ROWS_TOLD
        if tell:
            self._rows_told = now
        await self.channels.catch_up(await self.index.look(tell=tell))

    async def _read_stored(self) -> None:
        if self.index.unread:
            await self.index.read_stored()
            gc.freeze()  # thousands of rows that stay
            await self.index.tell_ahead()
            gc.freeze()

    async def run(self) -> None:
        tasks = Tasks()
        tasks.spawn(_again(self._read_stored, lambda: _IDLE), "stored sessions")
        try:
            await _again(self._follow, lambda: _FOLLOWED if len(self.streams) else _IDLE)
        finally:
            await tasks.aclose()


async def _again(what: Callable[[], Awaitable[None]], pause: Callable[[], float]) -> None:
    """While the log is away it is tried on."""
    while True:
        try:
            await what()
        except BusError as error:
            log.warning("sessions are not followed for now: %s", error)
            await asyncio.sleep(_IDLE)
        except Exception:  # one session's log must not end it for all
            log.exception("sessions are not followed for now")
            await asyncio.sleep(_IDLE)
        await asyncio.sleep(pause())
