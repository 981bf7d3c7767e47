"""Which sessions there are, each told in a line: the open ones first, then those that ended, the latest activity first."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.bus import Listing, Reading, SessionInfo
from schemas.clock import Micros
from schemas.errors import EventError
from schemas.session.summary import Answer, Summary, Telling, Wanted

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
            "idle_s": round(self.idle, 1),
            "lease": lease,
            "gateway": self.info.owner or self.told.gateway,
            "generation": self.info.generation,
            "epoch": self.info.epoch,
        }


class Rows:
    """Of one log. What was read of an open session is kept, so that asking again reads only what is new. `unreadable`: why some
    could not be told, by session."""

    def __init__(self, log: Kept) -> None:
        self._log = log
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
        """Those that are wanted, of the latest `most` open and the latest `most` closed ones."""
        wanted = wanted or Wanted()
        now = await self._log.now()
        infos = [] if wanted.state == "closed" else await self._log.sessions(most)
        self._open = {info.session: self._open[info.session] for info in infos if info.session in self._open}
        for info in infos:
            if row := await self._row(info, now, wanted):
                yield row
        for info in [] if wanted.state == "open" else await self._log.closed(most):
            if row := await self._row(info, now, wanted):
                yield row

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
            for event in page:
                telling.add(event)
            if not full:
                return True
            after = telling.state.seq
