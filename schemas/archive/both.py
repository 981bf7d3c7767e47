"""Sessions wherever they are kept: the log's, which are live or just over, before the archive's."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from schemas.archive.place import archive_of
from schemas.bus import Milestones, Reading, SessionInfo, Snapshot, Touched, Watching
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.session.listing import Kept
from schemas.session.row import Gist, Row, Wanted

if TYPE_CHECKING:
    from schemas.archive.store import Archive, Order, PageEnd, StoredRecording
    from schemas.events import Event

__all__ = ["Both", "Live", "Nothing", "Opening", "looking", "opening"]

Opening = Callable[[], Awaitable["Archive | None"]]
"""Makes the archive ready to be read; None: there is none (yet), which is told at once."""


def opening(settings: Settings) -> Opening:
    """Of the archive that goes with the log of `settings`; nothing is loaded before there is one, and something of it is
    wanted."""

    async def open_it() -> "Archive | None":
        place = archive_of(settings)
        if place is None:
            return None
        store = await asyncio.to_thread(
            import_module, "schemas.archive.store"
        )  # half a second, in which others are answered
        archive: Archive = store.Archive(place.url, place.blobs)
        try:
            await archive.check()
        except BaseException:
            await archive.aclose()
            raise
        return archive

    return open_it


def looking(settings: Settings) -> Opening:
    """The same for who looks and goes: of SQLite's archive only what is read, by what takes least time to load."""
    whole = opening(settings)

    async def open_it() -> "Archive | None":
        place = archive_of(settings)
        if place is None or not place.url.startswith("sqlite:///") or {"%", "?"} & {*place.url}:
            return await whole()
        found = import_module("schemas.archive._sqlite").ReadOnly(place.url, place.blobs)
        await found.check()
        return cast("Archive", found)

    return open_it


class Live(Kept, Watching, Protocol):
    """What a log has."""


class Both(Reading, Milestones):
    """`live`: the log; `opening`: is awaited when something is wanted that the log does not have, until there is an archive.
    Whether a session is in the one or the other is asked anew at each call: it may be archived in between, and is never in
    neither."""

    def __init__(self, live: Live, opening: Opening) -> None:
        self.live = live
        self._opening = opening
        self._archive: Archive | None = None
        self._lock = asyncio.Lock()

    async def archive(self) -> "Archive | None":
        """ArchiveError: there is one, and it can't be used; asking again tries again."""
        if self._archive is None:
            async with self._lock:
                if self._archive is None:
                    self._archive = await self._opening()
        return self._archive

    async def aclose(self) -> None:
        """The archive's connections; the log is whoever's that gave it."""
        if self._archive is not None:
            await self._archive.aclose()

    # ── one session ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, session: str, after: int = 0, count: int | None = None) -> "list[Event]":
        events = await self.live.read(session, after, count)
        if events or await self.live.info(session) is not None:
            return events
        archive = await self.archive()
        return await archive.read(session, after, count) if archive is not None else []

    async def snapshot(self, session: str) -> Snapshot | None:
        kept = await self.live.snapshot(session)
        if kept is not None or await self.live.info(session) is not None:
            return kept
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
        self, wanted: Wanted | None, count: int, before: "PageEnd | None" = None, order: "Order" = "active"
    ) -> Sequence[Row]:
        """Those that the archive has, told as they were when they were put away; `before`: those that come after it."""
        archive = await self.archive()
        return await archive.recalled(wanted, count, before, order) if archive is not None else []

    async def gist(self, session: str) -> Gist | None:
        """What a model said that it was about; None: nothing (yet)."""
        if await self.live.info(session) is not None:
            return None
        archive = await self.archive()
        return await archive.gist(session) if archive is not None else None

    async def recording(self, session: str) -> "StoredRecording | None":
        """The stereo file that is kept with it; None: none (yet, or any more)."""
        if await self.live.info(session) is not None:
            return None
        archive = await self.archive()
        return await archive.recording(session) if archive is not None else None

    async def fetch(self, name: str, file: Path) -> str:
        """An object of the archive into a file; answers its sha256. FileNotFoundError: it is gone."""
        archive = await self.archive()
        if archive is None:
            raise FileNotFoundError(name)
        return await archive.fetch(name, file)

    async def sound_mark(self, session: str) -> str:
        """What the archive has of its sound: another once some of it is gone, or was stored otherwise. "": the log has it."""
        if await self.live.info(session) is not None or (archive := await self.archive()) is None:
            return ""
        digest = hashlib.sha256()
        for one in await archive.sounds(session):
            digest.update(f"{one.key} {one.codec} {one.sha256 if one.object else ''}\n".encode())
        return digest.hexdigest()

    async def erased(self, since: int | None) -> tuple[int, set[str]]:
        """What the archive let go of since then (µs; None: since now): the moment to ask from next, and of each session the
        sha256 of its id."""
        archive = await self.archive()
        return await archive.erased(since) if archive is not None else (since or 0, set())


class Nothing:
    """A log that holds no session: what is read beside an archive where there is none."""

    async def read(self, session: str, after: int = 0, count: int | None = None) -> "list[Event]":
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
        return Micros(time.time_ns() // 1000)
