"""Sessions wherever they are kept: the log's, which are live or just over, before the archive's."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from schemas.bus import Milestones, Reading, SessionInfo, Snapshot, Touched, Watching
from schemas.clock import Micros
from schemas.events import Event
from schemas.session.listing import Kept, Row
from schemas.session.summary import Wanted

if TYPE_CHECKING:
    from schemas.archive.store import Archive, Order, Place

__all__ = ["Both", "Live", "Nothing"]

Opening = Callable[[], Awaitable["Archive | None"]]
"""Makes the archive ready to be read; None: there is none."""


class Live(Kept, Watching, Protocol):
    """What a log has."""


class Both(Reading, Milestones):
    """`live`: the log; `opening`: is awaited once, when something is wanted that the log does not have. Whether a session is in the
    one or the other is asked anew at each call: it may be archived in between, and is never in neither."""

    def __init__(self, live: Live, opening: Opening) -> None:
        self.live = live
        self._opening = opening
        self._opened = False
        self._archive: Archive | None = None
        self._lock = asyncio.Lock()

    async def archive(self) -> "Archive | None":
        """ArchiveError: there is one, and it can't be used; asking again tries again."""
        if not self._opened:
            async with self._lock:
                if not self._opened:
                    self._archive = await self._opening()
                    self._opened = True
        return self._archive

    async def aclose(self) -> None:
        """The archive's connections; the log is whoever's that gave it."""
        if self._archive is not None:
            await self._archive.aclose()

    # ── one session ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        events = await self.live.read(session, after, count)
        if events or await self.live.info(session) is not None:
            return events
        archive = await self.archive()
        return await archive.read(session, after, count) if archive is not None else []

    async def snapshot(self, session: str) -> Snapshot | None:
        found = await self.live.snapshot(session)
        if found is not None or await self.live.info(session) is not None:
            return found
        archive = await self.archive()
        return await archive.snapshot(session) if archive is not None else None

    async def snapshot_before(self, session: str, seq: int) -> Snapshot | None:
        if await self.live.info(session) is not None:
            found = await self.live.snapshot(session)
            return found if found is not None and found.seq <= seq else None
        archive = await self.archive()
        return await archive.snapshot_before(session, seq) if archive is not None else None

    async def info(self, session: str) -> SessionInfo | None:
        found = await self.live.info(session)
        if found is not None:
            return found
        archive = await self.archive()
        return await archive.info(session) if archive is not None else None

    async def get_blob(self, key: str) -> bytes | None:
        found = await self.live.get_blob(key)
        if found is not None:
            return found
        archive = await self.archive()
        return await archive.get_blob(key) if archive is not None else None

    # ── which there are ──────────────────────────────────────────────────────────────────────────────────────────────

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        return await self.live.sessions(count)

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        found = await self.live.closed(count)
        if (archive := await self.archive()) is not None:
            known = {info.session for info in found}
            found += [info for info in await archive.closed(count) if info.session not in known]
        return sorted(found, key=lambda info: (info.last_activity, info.session), reverse=True)[:count]

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        found = await self.live.touched(state, count, since)
        if state == "closed" and (archive := await self.archive()) is not None:
            known = {one.session for one in found}
            found += [one for one in await archive.touched(state, count, since) if one.session not in known]
        return sorted(found, key=lambda one: (one.at, one.session), reverse=True)[:count]

    async def now(self) -> Micros:
        return await self.live.now()

    async def recalled(
        self, wanted: Wanted | None, count: int, before: "Place | None" = None, order: "Order" = "active"
    ) -> Sequence[Row]:
        """Those that the archive has, told as they were when they were put away."""
        archive = await self.archive()
        return await archive.recalled(wanted, count, before, order) if archive is not None else []


class Nothing:
    """A log that holds no session: what is read beside an archive where there is none."""

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        return []

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        return None

    async def get_blob(self, key: str) -> bytes | None:
        return None

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        return []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return []

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        return []

    async def now(self) -> Micros:
        import time

        return Micros(time.time_ns() // 1000)
