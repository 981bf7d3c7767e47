"""All sessions as rows, in memory: open ones are followed, closed ones read once, and whoever watches is told what changed."""

import asyncio
import json
import logging
from bisect import bisect_left, insort
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import nsmallest
from typing import Protocol

from api.event_streams import COMMENT, HEARTBEAT, Bell, Ring, message
from api.problems import Problem
from api.sessions.shapes import row_json
from api.sessions.stories import Reader, Stories, all_done
from api.sessions.told_events import CHUNK
from schemas.bus import Reading, Watching
from schemas.clock import Micros
from schemas.errors import ArchiveError, BusUnavailable, EventError
from schemas.session.fold import FOLD_VERSION
from schemas.session.listing import Row
from schemas.session.snapshot import load
from schemas.session.summary import Answer, Summary, Telling, Wanted, is_fork, names_of

log = logging.getLogger("antiphon.api")

MOST_OPEN, MOST_CLOSED = 2_000, 5_000
_ANSWERS_KEPT = 200_000
"""Of all closed sessions; of the oldest the latencies are let go first, the rows stay."""
_OFTEN = 1.0
"""Seconds between two looks at a session that goes on."""
_SELDOM = 30.0
"""Seconds between two looks at what the log has forgotten."""
_AGAIN, _AT_LAST = 10.0, 640.0
"""Seconds after which a session that could not be told is tried again: twice as many each time, up to the second."""
_OLDEST_ASKED = 20
_PAUSES = 0.5
"""Of the time it tells ahead, which is mostly spent on waiting for others, so much it rests."""
_ROWS_AT_ONCE = 200
_AT_ONCE = 10
"""Sessions that are looked at between two breaths of the loop."""


Began = tuple[int, str]
"""A row's place: when its session began (µs), and which it is."""


class Followed(Reading, Watching, Protocol):
    """The log, as far as sessions are told from it."""


Erased = Callable[[int | None], Awaitable[tuple[int, Collection[str]]]]
"""Which sessions an archive let go of since a moment (µs; None: since now): the moment to ask from next, and the sha256 of each
id."""


@dataclass(slots=True)
class _Entry:
    """`names`: all in it, to be searched; `telling`: None once it has ended; `shared`: it is that of a kept story; `read_at`: the
    loop's time; `answered`: how many answers it had then."""

    told: Summary
    names: str
    row: bytes
    answers: Sequence[Answer]
    answered: int
    telling: Telling | None
    shared: bool
    read_at: float

    @property
    def place(self) -> Began:
        return (self.told.started_at, self.told.session)


@dataclass(slots=True)
class _Failed:
    """A session that could not be told. `at`: when it is tried again, the loop's time; `after`: how many seconds that was."""

    at: float
    after: float


@dataclass(slots=True)
class _Changed:
    """Since the last message."""

    rows: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


class Index:
    """`look` again and again; `read_stored` beside it, for what was there before. What is told as a story is not read again."""

    def __init__(self, followed: Followed, stories: Stories, erased: Erased | None = None) -> None:
        """`erased`: of an archive, where there is one."""
        self._log = followed
        self._erased = erased
        self._erased_since: int | None = None
        self._stories = stories
        self._new, self._tails = Reader(followed), Reader(followed, at_once=2)
        self._entries: dict[str, _Entry] = {}
        self._order: list[tuple[int, str]] = []
        self._stored: deque[str] = deque()
        self._unreadable: dict[str, _Failed] = {}
        self._changed = _Changed()
        self._ring = Ring(0, most=50)
        self._looked_closed = self._swept = float("-inf")
        self._closed_since: Micros | None = None
        self._whole: tuple[int, list[bytes]] = (-1, [])
        self._closed = self._answers = 0
        """How many of them, and how many latencies of theirs, are kept."""
        self._changes = 0
        """How often there were other answers than before."""

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def unread(self) -> int:
        """Stored sessions that were not looked at yet."""
        return len(self._stored)

    def found(self, wanted: Wanted, most: int, before: Began | None) -> list[tuple[Began, bytes]]:
        """Up to `most` rows as JSON, those that began last first; `before`: only those after that place."""
        rows: list[tuple[Began, bytes]] = []
        for place in self._from(before):
            entry = self._entries[place[1]]
            if wanted.finds(entry.told, entry.names):
                rows.append((place, entry.row))
                if len(rows) == most:
                    break
        return rows

    def _from(self, before: Began | None) -> Iterator[Began]:
        end = len(self._order) if before is None else bisect_left(self._order, before)
        return (self._order[place] for place in range(end - 1, -1, -1))

    def answers(self, since: int, agent: str) -> list[tuple[str, Sequence[Answer]]]:
        """Of calls that were still going on at `since` (µs), with each one's id; what a list of them holds may be older. Not of
        replays: nobody waited for their answers."""
        return [
            (entry.told.session, tuple(entry.answers))
            for entry in self._entries.values()
            if entry.answers
            and entry.told.at >= since
            and (not agent or entry.told.agent == agent)
            and not is_fork(entry.told.session)
        ]

    @property
    def answered(self) -> tuple[int, int]:
        """Another one whenever `answers`, or how much is `unread`, is another."""
        return self._changes, self.unread

    @property
    def bell(self) -> Bell:
        """Rings when any row has changed."""
        return self._ring.bell

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Every open session, then what changes, as messages."""
        seen = -1
        while True:
            found = self._ring.after(seen) if seen >= 0 else None
            if found is None:
                seen = self._ring.last
                for text in self._all_open():
                    yield text
            elif found:
                seen = found[-1][0]
                yield b"".join(text for _, text in found)
            elif not await self._ring.bell.wait(HEARTBEAT):
                yield COMMENT

    def _all_open(self) -> list[bytes]:
        """The same for all who come between two changes."""
        if self._whole[0] != self._ring.last:
            rows = [entry.row for entry in self._entries.values() if entry.telling is not None]
            parts = [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)] or [[]]
            self._whole = (
                self._ring.last,
                [_rows(part, [], whole=part is parts[0], more=part is not parts[-1]) for part in parts],
            )
        return self._whole[1]

    # ── following ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def moved(self) -> dict[str, Micros]:
        """The open sessions, each with its last event's moment. BusError."""
        return {one.session: one.at for one in await self._log.touched("open", MOST_OPEN)}

    async def look(self, moved: Mapping[str, Micros]) -> None:
        """Read what `moved` since the last look. BusError."""
        now = asyncio.get_running_loop().time()
        due = [name for name, at in moved.items() if self._is_due(name, at, now)]
        due += [name for name, failed in self._unreadable.items() if failed.at <= now][:_OLDEST_ASKED]
        if len(moved) < MOST_OPEN:
            due += [n for n, entry in self._entries.items() if entry.telling is not None and n not in moved]
        closed_since = self._closed_since
        if now - self._looked_closed >= _OFTEN:
            self._looked_closed = now
            closed, closed_since = await self._newly_closed()
            due += closed
        names = list(dict.fromkeys(due))
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            await all_done(self._enter(name, self._told(name, moved.get(name))) for name in some)
            await asyncio.sleep(0)  # a hundred whose stories are read already would hold it for 10 ms
        self._closed_since = closed_since  # not before: who could not be read is asked for again
        if now - self._swept >= _SELDOM:
            self._swept = now
            await self._sweep()

    def _is_due(self, name: str, at: Micros, now: float) -> bool:
        entry = self._entries.get(name)
        if entry is None:
            return name not in self._unreadable
        return entry.told.at != at and now - entry.read_at >= _OFTEN

    async def _newly_closed(self) -> tuple[list[str], Micros]:
        """And since when to ask for others."""
        since = self._closed_since
        closed = await self._log.touched("closed", MOST_CLOSED, since or Micros(0))
        latest = max([since or Micros(0), *(one.at for one in closed)])
        fresh = [one.session for one in closed if one.session not in self._unreadable and self._is_open(one.session)]
        if since is not None:
            return fresh, latest
        self._closed_since = latest
        self._stored.extend(fresh)
        return [], latest

    async def tell_ahead(self) -> None:
        """The stories of what had ended before we came, the latest first, while there is room; with rests, for nobody waits."""
        clock = asyncio.get_running_loop().time
        for _, session in self._order[::-1]:
            entry = self._entries.get(session)
            if entry is None or session in self._stories:
                continue
            began = clock()
            try:
                if await self._stories.ahead(session, entry.told.seq) is not None:
                    await self._stories.page(session, 0, CHUNK, asked=False)  # as whoever opens it asks for them
            except BusUnavailable:
                raise
            except Exception as error:  # whoever asks for it is told
                log.info("the session is not read ahead: %r", error, extra={"session": session})
            await asyncio.sleep(_PAUSES * (clock() - began))

    def _is_open(self, name: str) -> bool:
        entry = self._entries.get(name)
        return entry is None or entry.telling is not None

    async def read_stored(self) -> None:
        """What had ended before we came, the latest first."""
        while self._stored:
            session = self._stored[0]
            await self._enter(session, self._told_stored(session))
            self._stored.popleft()  # not before: while the log is away it stays
            if len(self._changed.rows) >= _ROWS_AT_ONCE:
                self.tell()
        self.tell()

    async def _enter(self, session: str, told: Awaitable[tuple[Telling, bool]]) -> None:
        """`told`: and whether it is a kept story's. BusUnavailable; whatever else goes wrong with it concerns no other."""
        try:
            telling, shared = await told
            if telling.state.seq == 0:
                self._forget(session)
            else:
                self._put(session, telling, shared=shared)
            self._unreadable.pop(session, None)
        except BusUnavailable:
            raise
        except Exception as error:  # it is left out until it is tried again, and said once
            if session not in self._unreadable:
                trace = not isinstance(error, Problem)
                log.warning("can't be listed for now: %s", error, exc_info=trace, extra={"session": session})
            self._leave_out(session)

    def _leave_out(self, session: str) -> None:
        before = self._unreadable.pop(session, None)
        after = min(2 * before.after, _AT_LAST) if before is not None else _AGAIN
        self._unreadable[session] = _Failed(asyncio.get_running_loop().time() + after, after)
        if len(self._unreadable) > MOST_CLOSED:
            del self._unreadable[next(iter(self._unreadable))]
        self._forget(session)

    async def _told(self, session: str, at: Micros | None) -> tuple[Telling, bool]:
        story = await self._stories.if_kept(session, at)
        if story is None and session not in self._entries:  # an entry's telling goes on by itself
            info = await self._log.info(session)
            story = await self._stories.ahead(session, info.seq if info is not None else 0)
        return (story.telling, True) if story is not None else (await self._read(session), False)

    async def _told_stored(self, session: str) -> tuple[Telling, bool]:
        return await self._go_on(await self._begun(session)), False

    async def _read(self, session: str) -> Telling:
        entry = self._entries.get(session)
        if entry is None or entry.telling is None:
            return await self._go_on(Telling(session))
        return await self._go_on(entry.telling.apart() if entry.shared else entry.telling)

    async def _begun(self, session: str) -> Telling:
        """From the fold that the log keeps of it, if that tells of all its turns."""
        kept = await self._log.snapshot(session)
        if kept is None or kept.version != FOLD_VERSION:
            return Telling(session)
        try:
            return Telling.resumed(session, load(kept.state)) or Telling(session)
        except EventError:
            return Telling(session)

    async def _go_on(self, telling: Telling) -> Telling:
        """With what came since; told anew where the log is not what it was."""
        state = telling.state
        reader = self._tails if state.seq else self._new
        if await reader.go_on(telling.session, state.seq, state.at, telling.add):
            return telling
        anew = Telling(telling.session)
        await self._new.go_on(anew.session, 0, 0, anew.add)
        return anew

    def _put(self, session: str, telling: Telling, *, shared: bool) -> None:
        told = telling.summary()
        before = self._entries.get(session)
        if before is not None and before.told == told:
            before.shared, before.read_at = shared, asyncio.get_running_loop().time()
            if before.telling is not None:
                before.telling, before.answers = telling, telling.answers
            return
        row = row_json(told)
        over = told.ended_at is not None
        answers: Sequence[Answer] = tuple(telling.answers) if over else telling.answers
        now = asyncio.get_running_loop().time()
        entry = _Entry(told, names_of(told), row, answers, len(answers), None if over else telling, shared, now)
        self._enter_row(session, entry, before)

    def recall(self, rows: Iterable[Row]) -> None:
        """Sessions of an archive, as it tells them; those that are here already stay as they are."""
        now = asyncio.get_running_loop().time()
        for told, answers in ((row.told, tuple(row.answers)) for row in rows if row.told.session not in self._entries):
            row = row_json(told)
            entry = _Entry(told, names_of(told), row, answers, len(answers), None, False, now)
            self._enter_row(told.session, entry, None)

    def _enter_row(self, session: str, entry: _Entry, before: _Entry | None) -> None:
        self._changes += entry.answered != (before.answered if before is not None else 0)
        if before is not None:
            self._uncount(before)
        if before is not None and before.place != entry.place:
            self._out_of_order(before)
            before = None
        if before is None:
            insort(self._order, entry.place)
        self._entries[session] = entry
        self._changed.rows[session] = entry.row
        if entry.telling is None:
            self._closed += 1
            self._answers += len(entry.answers)
            self._let_go()

    def _forget(self, session: str) -> None:
        entry = self._entries.pop(session, None)
        if entry is not None:
            self._out_of_order(entry)
            self._changed.rows.pop(session, None)
            self._changed.gone.append(session)
            self._changes += entry.answered > 0
            self._uncount(entry)

    def _uncount(self, entry: _Entry) -> None:
        if entry.telling is None:
            self._closed -= 1
            self._answers -= len(entry.answers)

    def _out_of_order(self, entry: _Entry) -> None:
        place = bisect_left(self._order, entry.place)
        if place < len(self._order) and self._order[place] == entry.place:
            del self._order[place]

    def _let_go(self) -> None:
        """Of the closed sessions the oldest, where they are too many; of their latencies, too."""
        if self._closed > MOST_CLOSED:
            self._forget(next(name for _, name in self._order if self._entries[name].telling is None))
        if self._answers > _ANSWERS_KEPT:
            for _, name in self._order:
                entry = self._entries[name]
                if entry.telling is None and entry.answers:
                    self._answers -= len(entry.answers)
                    self._changes += 1
                    entry.answers, entry.answered = (), 0
                    return

    async def _sweep(self) -> None:
        """Closed sessions whose log is gone: it lets go first of what ended first. An archive says which it let go of."""
        try:
            await self._sweep_erased()
            await self._sweep_oldest()
        except ArchiveError as error:
            log.warning("what the archive let go of is not known for now: %s", error)

    async def _sweep_erased(self) -> None:
        if self._erased is None:
            return
        self._erased_since, gone = await self._erased(self._erased_since)
        for name in [name for name in self._entries if gone and sha256(name.encode()).hexdigest() in gone]:
            self._forget(name)

    async def _sweep_oldest(self) -> None:
        gone = True
        while gone:
            closed = ((entry.told.at, name) for name, entry in self._entries.items() if entry.telling is None)
            names = [name for _, name in nsmallest(_OLDEST_ASKED, closed)]
            infos = await asyncio.gather(*(self._log.info(name) for name in names))
            for name, info in zip(names, infos, strict=True):
                if info is None:
                    self._forget(name)
            gone = bool(names) and not any(infos)

    def tell(self) -> None:
        """Those who watch, what changed since they were told."""
        changed, self._changed = self._changed, _Changed()
        if not changed.rows and not changed.gone:
            return
        rows = list(changed.rows.values())
        parts = [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)] or [[]]
        for part in parts:
            gone = changed.gone if part is parts[-1] else []
            self._ring.add(self._ring.last + 1, _rows(part, gone, whole=False))
        self._ring.bell.ring()


def _rows(rows: Collection[bytes], gone: list[str], *, whole: bool, more: bool = False) -> bytes:
    told = b'{"whole":%s,"more":%s,"changed":[%s],"gone":%s}' % (
        b"true" if whole else b"false",
        b"true" if more else b"false",
        b",".join(rows),
        json.dumps(gone).encode(),
    )
    return message("rows", told)
