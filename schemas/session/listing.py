"""Which sessions there are, each told in a line: the open ones first, then those that ended, the latest activity first."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from schemas.bus import Listing, Reading, SessionInfo
from schemas.clock import Micros
from schemas.errors import ArchiveError, EventError
from schemas.session.summary import Answer, Summary, Telling, Wanted, is_fork

LOOKED_AT = 1_000
"""Open sessions, and closed ones, that are read at most where only some of them are wanted."""
_PAGE = 500


class Kept(Reading, Listing, Protocol):
    """Sessions, and which there are."""


@dataclass(frozen=True, slots=True)
class Row:
    """`idle`: seconds since its last event; `orphaned`: it is open, and its gateway's lease has run out; `answers`: its answered
    turns, in order."""

    info: SessionInfo
    told: Summary
    answers: Sequence[Answer]
    idle: float
    orphaned: bool

    def view(self) -> dict[str, Any]:
        """As JSON values: the summary's, and how the log holds it."""
        lease = ("orphaned" if self.orphaned else "held") if self.info.state == "open" else None
        return self.told.view() | {
            "fork": is_fork(self.info.session),
            "idle_s": round(self.idle, 1),
            "lease": lease,
            "gateway": self.info.owner or self.told.gateway,
            "generation": self.info.generation,
            "epoch": self.info.epoch,
        }


@runtime_checkable
class Recalling(Protocol):
    """A log beside an archive that knows the rows of its sessions. `live`: what the log alone has."""

    @property
    def live(self) -> Kept: ...

    async def recalled(self, wanted: Wanted | None, count: int) -> Sequence[Row]:
        """Up to `count` sessions of the archive that are wanted, the latest activity first."""


class Rows:
    """Of one log, and of the archive beside it where there is one. What was read of an open session is kept, so that asking again
    reads only what is new. `unreadable`: why some could not be told, by session; of the archive, too."""

    def __init__(self, log: Kept) -> None:
        self._log: Kept = log.live if isinstance(log, Recalling) else log
        self._archive = log if isinstance(log, Recalling) else None
        self._open: dict[str, Telling] = {}
        self.unreadable: dict[str, str] = {}

    async def latest(self, count: int, wanted: Wanted | None = None) -> tuple[list[Row], bool]:
        """Up to `count` that are wanted (None: all), and whether there are more."""
        rows: list[Row] = []
        async for row in self.each(wanted, count + 1 if wanted is None else LOOKED_AT):
            if len(rows) == count:
                return rows, True
            rows.append(row)
        return rows, False

    async def each(self, wanted: Wanted | None = None, most: int = LOOKED_AT) -> AsyncIterator[Row]:
        """Those that are wanted, of the latest `most` open and the latest `most` closed ones; of the archive's the latest `most`
        that are wanted."""
        wanted = wanted or Wanted()
        now = await self._log.now()
        infos = [] if wanted.state == "closed" else await self._log.sessions(most)
        self._open = {info.session: self._open[info.session] for info in infos if info.session in self._open}
        for info in infos:
            if row := await self._row(info, now, wanted):
                yield row
        if wanted.state != "open":
            async for row in self._closed(wanted, most, now):
                yield row

    async def _closed(self, wanted: Wanted, most: int, now: Micros) -> AsyncIterator[Row]:
        """The log is asked first: what it lets go of meanwhile is in the archive by then."""
        infos = await self._log.closed(most)
        kept = deque(await self._recalled(wanted, most))
        told: set[str] = set()
        for info in infos:
            while kept and kept[0].info.last_activity > info.last_activity:
                told.add(kept[0].info.session)
                yield kept.popleft()
            if info.session not in told and (row := await self._row(info, now, wanted)):
                told.add(info.session)
                yield row
        for row in kept:
            if row.info.session not in told:
                yield row

    async def _recalled(self, wanted: Wanted, most: int) -> Sequence[Row]:
        """Without an archive that answers the log's are told all the same."""
        if self._archive is None:
            return ()
        try:
            return await self._archive.recalled(wanted, most)
        except ArchiveError as error:
            self.unreadable["the archive"] = str(error)
            return ()

    async def _row(self, info: SessionInfo, now: Micros, wanted: Wanted) -> Row | None:
        if info.last_activity < wanted.since:  # nor can it have begun since
            return None
        try:
            telling = await self._told(info)
        except EventError as error:
            self.unreadable[info.session] = str(error)
            return None
        told = telling.summary()
        if told.seq == 0 or not wanted.finds(told):  # 0: it went while it was listed
            return None
        idle = max(0, now - told.at) / 1e6
        orphaned = info.state == "open" and info.lease_ends <= now
        return Row(info, told, tuple(telling.answers), idle, orphaned)

    async def _told(self, info: SessionInfo) -> Telling:
        telling = self._open.get(info.session) or Telling(info.session)
        if info.state == "open":
            self._open[info.session] = telling
        if (telling.state.seq, telling.state.at) != (info.seq, info.last_activity) and not await self._go_on(telling):
            telling = self._open[info.session] = Telling(info.session)
            await self._go_on(telling)
        return telling

    async def _go_on(self, telling: Telling) -> bool:
        """With what came since, from its last event inclusive; False: that is another now, for the log has lost its tail."""
        last = telling.state
        after = max(last.seq - 1, 0)
        while True:
            page = await self._log.read(telling.session, after, _PAGE)
            full = len(page) == _PAGE
            if after < last.seq:
                if not page or (page[0].seq, page[0].at) != (last.seq, last.at):
                    return False
                page = page[1:]
            telling.add_all(page)
            if not full:
                return True
            after = telling.state.seq
