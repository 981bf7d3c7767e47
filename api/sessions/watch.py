"""Sessions, as one API process tells them: an index of all, stories of those asked for, channels of those followed. What the log
has no more is told from the archive, where there is one."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from api.event_streams import Streams
from api.problems import Problem
from api.sessions.channels import Channels
from api.sessions.index import Began, Followed, Index
from api.sessions.latency_watch import LatencyWatch
from api.sessions.peaks import Loudness
from api.sessions.shapes import row_json
from api.sessions.stories import Stories
from schemas.archive.both import Both
from schemas.bus import SessionInfo, Snapshot, Touched
from schemas.clock import Micros
from schemas.errors import ArchiveError, BusError
from schemas.events import Event
from schemas.process.tasks import Tasks
from schemas.session.summary import Gist, Wanted

log = logging.getLogger("antiphon.api")

_FOLLOWED, _IDLE = 0.2, 1.0
"""Seconds between two looks, while anybody reads a stream, and while nobody does."""
_AT_ONCE = 100
"""Rows that are made in one go."""
_ROWS_TOLD = 0.5
"""Seconds between two messages of rows: each of them wakes everybody who has the list before them."""


_RECALLED = 2_000
"""Archived sessions that are in the index from the start, the latest: of their answers latencies are told."""


class _Followed(Followed):
    """A log and the archive, of which only what moves in the log is followed."""

    def __init__(self, kept: Both) -> None:
        self._kept = kept

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        return await self._kept.read(session, after, count)

    async def snapshot(self, session: str) -> Snapshot | None:
        return await self._kept.snapshot(session)

    async def info(self, session: str) -> SessionInfo | None:
        return await self._kept.info(session)

    async def get_blob(self, key: str) -> bytes | None:
        return await self._kept.get_blob(key)

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        return await self._kept.live.touched(state, count, since)


class Sessions:
    """`run` until cancelled, once the log is there; without it a session can be asked for, and none is listed."""

    def __init__(self, bus: Followed, kept: Both | None = None) -> None:
        """`kept`: the log and the archive beside it."""
        followed = _Followed(kept) if kept is not None else bus
        self._kept = self.kept = kept
        self._recalled = kept is None
        self.stories = Stories(followed)
        self.index = Index(followed, self.stories, kept.erased if kept is not None else None)
        self.channels = Channels(self.stories)
        self.loudness = Loudness(self.stories)
        self.latency = LatencyWatch(self.index)
        self.streams = Streams()
        self._tasks = Tasks()
        self._listing: asyncio.Task[None] | None = None
        self._rows_told = float("-inf")

    async def page(self, wanted: Wanted, limit: int, cursor: str) -> tuple[list[bytes], str | None]:
        """Rows as JSON, those that began last first, and where to go on; without an archive that answers, those of the log.
        Problem: the cursor is none of ours."""
        before = _place(cursor)
        rows = dict(self.index.found(wanted, limit + 1, before))
        try:
            for place, row, summarized in await self._archived(wanted, limit + 1, before):
                if place not in rows or summarized:  # a summary comes after all else
                    rows[place] = row
        except ArchiveError as error:
            log.warning("archived sessions are not listed for now: %s", error)
        places = sorted(rows, reverse=True)
        following = f"{places[limit - 1][0]}:{places[limit - 1][1]}" if len(places) > limit else None
        return [rows[place] for place in places[:limit]], following

    async def _archived(self, wanted: Wanted, most: int, before: Began | None) -> list[tuple[Began, bytes, bool]]:
        if self._kept is None or wanted.state == "open":
            return []
        told = [row.told for row in await self._kept.recalled(wanted, most, before, "began")]
        return [((one.started_at, one.session), row_json(one), bool(one.gist)) for one in told]

    async def gist(self, session: str) -> Gist | None:
        """What a model made of one that is archived; None: nothing, or the archive does not answer."""
        try:
            archive = await self._kept.archive() if self._kept is not None else None
            return await archive.gist(session) if archive is not None else None
        except ArchiveError as error:
            log.warning("summaries are not told for now: %s", error)
            return None

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

    async def _recall(self) -> None:
        """Once the archive answers."""
        if self._recalled or self._kept is None:
            return
        rows = await self._kept.recalled(None, _RECALLED)
        self._recalled = True
        for start in range(0, len(rows), _AT_ONCE):
            self.index.recall(rows[start : start + _AT_ONCE])
            self._tell_rows()
            await asyncio.sleep(0)

    async def _read_stored(self) -> None:
        try:
            await self._recall()
        except ArchiveError as error:
            log.warning("archived sessions are not listed for now: %s", error)
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


def _place(cursor: str) -> Began | None:
    """Problem: it is none of ours."""
    if not cursor:
        return None
    began, colon, session = cursor.partition(":")
    if not colon or not began.isascii() or not began.isdigit() or len(began) > 19 or int(began) >= 2**63:
        raise Problem(422, "cursor", "query.cursor: give what `next` of the page before was, or nothing")
    return int(began), session


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
