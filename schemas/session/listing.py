"""Which sessions there are, each told in a line: the open ones first, then those that ended, the latest activity first."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from schemas.bus import Listing, Reading, RowKeeping, SessionInfo
from schemas.clock import Micros
from schemas.errors import ArchiveError, BusError, EventError
from schemas.session import kept_row
from schemas.session.row import Answer, Row, Summary, Wanted

if TYPE_CHECKING:
    from schemas.session.summary import Telling

__all__ = ["LOOKED_AT", "Kept", "Recalling", "Row", "Rows"]

LOOKED_AT = 1_000
"""Open sessions, and closed ones, that are read at most where only some of them are wanted."""
_PAGE = 500
_ASKED = 50
"""Rows that are asked for at once."""


class Kept(Reading, Listing, Protocol):
    """Sessions, and which there are."""


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
        self._keeper = self._log if isinstance(self._log, RowKeeping) else None
        self._keeps = True
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
        async for info, known in self._with_kept(infos):
            while kept and kept[0].info.last_activity > info.last_activity:
                told.add(kept[0].info.session)
                yield kept.popleft()
            if info.session not in told and (row := await self._row(info, now, wanted, known)):
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

    async def _with_kept(self, infos: Sequence[SessionInfo]) -> AsyncIterator[tuple[SessionInfo, bytes | None]]:
        """Each with the row that is kept of it; None: there is none."""
        for start in range(0, len(infos), _ASKED):
            some = infos[start : start + _ASKED]
            kept: Sequence[bytes | None] = [None] * len(some)
            if self._keeper is not None:
                kept = await self._keeper.kept_rows([info.session for info in some])
            for info, row in zip(some, kept, strict=True):
                yield info, row

    async def _row(self, info: SessionInfo, now: Micros, wanted: Wanted, kept: bytes | None = None) -> Row | None:
        if info.last_activity < wanted.since:  # nor can it have begun since
            return None
        try:
            found = kept_row.load(kept, info) if kept is not None else None
            told, answers = found or await self._folded(info)
        except EventError as error:
            self.unreadable[info.session] = str(error)
            return None
        if told.seq == 0 or not wanted.finds(told):  # 0: it went while it was listed
            return None
        idle = max(0, now - told.at) / 1e6
        orphaned = info.state == "open" and info.lease_ends <= now
        return Row(info, told, answers, idle, orphaned)

    async def _folded(self, info: SessionInfo) -> tuple[Summary, tuple[Answer, ...]]:
        """From its log; what is over by then is kept for whoever asks next."""
        telling = await self._told(info)
        told, answers = telling.summary(), tuple(telling.answers)
        if self._keeper is not None and self._keeps and info.state == "closed" and told.seq == info.seq:
            await self._keep(self._keeper, told, answers)
        return told, answers

    async def _keep(self, keeper: RowKeeping, told: Summary, answers: Sequence[Answer]) -> None:
        """A log that takes nothing (a replica, one that is full, a user who may only read) is listed all the same, by the rows it
        has."""
        row = kept_row.dump(told, answers)
        try:
            if row is not None:
                await keeper.keep_row(told.session, told.seq, row)
        except BusError:
            self._keeps = False

    async def _told(self, info: SessionInfo) -> "Telling":
        from schemas.session.summary import Telling  # the fold, and all events: not where every row is kept

        telling = self._open.get(info.session) or Telling(info.session)
        if info.state == "open":
            self._open[info.session] = telling
        if (telling.state.seq, telling.state.at) != (info.seq, info.last_activity) and not await self._go_on(telling):
            telling = self._open[info.session] = Telling(info.session)
            await self._go_on(telling)
        return telling

    async def _go_on(self, telling: "Telling") -> bool:
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
