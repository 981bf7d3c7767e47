"""A session in a file of its events, as `show --json` prints them and a replay writes its fork."""

from bisect import bisect_right
from pathlib import Path
from typing import Literal

from ops.replay.check import events_in
from schemas.bus import Reading, SessionInfo, Snapshot
from schemas.clock import Micros
from schemas.events import Event, SessionEnded
from schemas.session.listing import Kept

__all__ = ["EventsFile"]


class EventsFile(Kept):
    """A session of a file of events, one a line: all of it is in memory. `sounds`: where its sound may lie, for the file has
    none; `session`: what the file is called. StoredError."""

    def __init__(self, path: Path, sounds: Reading | None = None) -> None:
        self.session = path.stem
        self._events = events_in(path)
        self._sounds = sounds
        last, generation = self._events[-1], max(event.raises or 0 for event in self._events)
        state: Literal["open", "closed"] = "closed" if isinstance(last, SessionEnded) else "open"
        self._info = SessionInfo(self.session, 0, last.seq, state, "", 1, generation, Micros(0), last.at)

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        if session != self.session:
            return []
        first = bisect_right(self._events, after, key=lambda event: event.seq)
        return self._events[first : None if count is None else first + count]

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        return self._info if session == self.session else None

    async def get_blob(self, key: str) -> bytes | None:
        return await self._sounds.get_blob(key) if self._sounds is not None else None

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        return [self._info] if self._info.state == "open" else []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return [self._info] if self._info.state == "closed" else []

    async def now(self) -> Micros:
        return self._info.last_activity
