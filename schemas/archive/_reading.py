"""`Archive`, the part that is read: sessions as the log told them, and which there are."""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

from sqlalchemy import Select, and_, or_, select

from schemas.archive._database import Database
from schemas.archive._objects import Objects
from schemas.archive._pieces import PIECE, answers_of, events_of, expanded, people_of
from schemas.archive._tables import CHUNKS, RECORDINGS, SESSIONS, SNAPSHOTS, SOUNDS
from schemas.bus import SessionInfo, Snapshot, Touched
from schemas.clock import Micros
from schemas.events import Event
from schemas.session.listing import Row
from schemas.session.summary import Answer, Gist, Summary, Wanted

_PIECES = 8
"""That are kept expanded for who reads on."""
_FRESH = 2.0
"""Seconds for which they are: what is deleted is not to be had from here for longer."""
FOUND = 500
"""Characters of a session's names that an index has: in PostgreSQL's there is room for no more."""
_CUT = "\x01"
"""Begins what had to be cut: it may have anything in it."""
_AFTER_CUT = "\x02"
_SUMMARY = (
    "session", "seq", "at", "agent", "room", "transport", "gateway", "started_at", "duration", "turns", "interrupted", "failed",
    "cut_off", "unanswered", "troubles", "activity", "last", "median", "worst", "gist",
)  # fmt: skip
_INFO = ("session", "partition", "seq", "owner", "epoch", "generation", "at")


class _Answers(Sequence[Answer]):
    """Read when somebody asks for them: a list shows none."""

    def __init__(self, body: bytes) -> None:
        self._body, self._read = body, tuple[Answer, ...]()

    def _all(self) -> tuple[Answer, ...]:
        if self._body:
            self._read, self._body = answers_of(self._body), b""
        return self._read

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, place: int) -> Answer: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Answer]: ...
    def __getitem__(self, place: int | slice) -> Answer | Sequence[Answer]:
        return self._all()[place]


Order = Literal["began", "active"]
"""Those that began last first, or those whose last event came last."""


Place = tuple[int, str]
"""Where a page ended: a row's moment in its order (µs), and its session."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Where a blob lies. `object`: "" where it is gone; `sha256`: of what is stored, `pcm`: of the PCM it was made of."""

    key: str
    object: str
    begins: int
    length: int
    codec: str
    rate: int
    samples: int
    sha256: str
    pcm: str


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording that is kept. `object`: its name; `seconds`: of sound; `missing`: sounds that were gone, silence in it."""

    session: str
    object: str
    codec: str
    bytes: int
    seconds: float
    sha256: str
    missing: int
    made_at: Micros


def folder_of(session: str) -> str:
    """Where its objects lie: nothing of whom it was with is in their names."""
    digest = hashlib.sha256(session.encode()).hexdigest()[:40]
    return f"{digest[:2]}/{digest[2:]}"


def later(now: Micros, seconds: float) -> Micros:
    return Micros(now + round(seconds * 1e6))


class Reads:
    """`Reading`, `Listing`, `Watching` and `Milestones` of sessions that are done."""

    _database: Database
    _objects: Objects

    def __init__(self) -> None:
        self._recent: OrderedDict[tuple[str, int], tuple[float, bytes]] = OrderedDict()

    # ── one session ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        """Events with seq > `after`, in order. EventError: of a version that isn't known here. ArchiveError."""
        found: list[Event] = []
        for first, piece in await self._pieces(session, after, count):
            left = None if count is None else count - len(found)
            found += events_of(piece, first, after, left, f"session {session}, events from {first}")
        return found

    async def _pieces(self, session: str, after: int, count: int | None) -> list[tuple[int, bytes]]:
        first = after // PIECE * PIECE + 1
        if count is not None and after + count <= first + PIECE - 1 and (kept := self._kept(session, first)):
            return [(first, kept)]
        query = (
            select(CHUNKS.c.first, CHUNKS.c.body)
            .join(SESSIONS, SESSIONS.c.session == CHUNKS.c.session)
            .where(SESSIONS.c.state == "done", CHUNKS.c.session == session, CHUNKS.c.last > after)
            .order_by(CHUNKS.c.first)
        )
        if count is not None:
            query = query.limit(-(-count // PIECE) + 1)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        pieces = [(row.first, expanded(row.body, f"session {session}, events from {row.first}")) for row in rows]
        if count is not None and count < PIECE and pieces:
            self._keep(session, *pieces[0])
        return pieces

    def _kept(self, session: str, first: int) -> bytes | None:
        until, piece = self._recent.get((session, first), (0.0, b""))
        return piece if until > time.monotonic() else None

    def _keep(self, session: str, first: int, piece: bytes) -> None:
        self._recent[session, first] = (time.monotonic() + _FRESH, piece)
        self._recent.move_to_end((session, first))
        if len(self._recent) > _PIECES:
            self._recent.popitem(last=False)

    async def snapshot(self, session: str) -> Snapshot | None:
        return await self._snapshot(session, None)

    async def snapshot_before(self, session: str, seq: int) -> Snapshot | None:
        return await self._snapshot(session, seq)

    async def _snapshot(self, session: str, seq: int | None) -> Snapshot | None:
        query = (
            select(SNAPSHOTS)
            .join(SESSIONS, SESSIONS.c.session == SNAPSHOTS.c.session)
            .where(SESSIONS.c.state == "done", SNAPSHOTS.c.session == session)
            .order_by(SNAPSHOTS.c.seq.desc())
            .limit(1)
        )
        if seq is not None:
            query = query.where(SNAPSHOTS.c.seq <= seq)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return Snapshot(row.seq, row.version, expanded(row.body, f"session {session}, the fold of {row.seq}"))

    async def info(self, session: str) -> SessionInfo | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(_infos().where(SESSIONS.c.session == session))).first()
        return _info(row) if row is not None else None

    async def get_blob(self, key: str) -> bytes | None:
        """The PCM as it was; of Opus what that made of it."""
        from schemas.archive._sound import decoded  # numpy: who reads events only waits for none

        query = (
            select(SOUNDS)
            .join(SESSIONS, SESSIONS.c.session == SOUNDS.c.session)
            .where(SESSIONS.c.state == "done", SOUNDS.c.key == key, SOUNDS.c.object != "")
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        try:
            body = await self._objects.get(row.object, row.begins, row.length)
        except FileNotFoundError:
            return None
        return await asyncio.to_thread(decoded, row.codec, body, row.rate, row.samples)

    async def sounds(self, session: str) -> list[Sound]:
        """Of a session in whatever state, in the order in which they were made."""
        query = select(SOUNDS).where(SOUNDS.c.session == session).order_by(SOUNDS.c.place)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Sound(row.key, row.object, row.begins, row.length, row.codec, row.rate, row.samples, row.sha256, row.pcm)
            for row in rows
        ]

    # ── what was made of it ──────────────────────────────────────────────────────────────────────────────────────────

    async def told(self, session: str) -> Row | None:
        """Its row in a list."""
        query = select(*_columns()).where(SESSIONS.c.state == "done", SESSIONS.c.session == session)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return _row(row, await self.now()) if row is not None else None

    async def gist(self, session: str) -> Gist | None:
        """None: there is none (yet)."""
        query = select(SESSIONS.c.gist, SESSIONS.c.topics).where(
            SESSIONS.c.state == "done", SESSIONS.c.session == session, SESSIONS.c.gist != ""
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return Gist(row.gist, tuple(json.loads(row.topics))) if row is not None else None

    async def recording(self, session: str) -> StoredRecording | None:
        """None: there is none (yet, or any more)."""
        query = (
            select(RECORDINGS)
            .join(SESSIONS, SESSIONS.c.session == RECORDINGS.c.session)
            .where(SESSIONS.c.state == "done", RECORDINGS.c.session == session)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return StoredRecording(*row) if row is not None else None

    async def recordings(self, count: int = 100) -> list[StoredRecording]:
        """The latest first."""
        query = (
            select(RECORDINGS)
            .join(SESSIONS, SESSIONS.c.session == RECORDINGS.c.session)
            .where(SESSIONS.c.state == "done")
            .order_by(RECORDINGS.c.made_at.desc(), RECORDINGS.c.session)
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [StoredRecording(*row) for row in await connection.execute(query)]

    async def fetch(self, name: str, file: Path) -> str:
        """An object into a file, a stretch at a time; answers its sha256. FileNotFoundError: it is gone."""
        return await self._objects.get_file(name, file)

    # ── which there are ──────────────────────────────────────────────────────────────────────────────────────────────

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        """None is open here."""
        return []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        query = _infos().order_by(SESSIONS.c.at.desc(), SESSIONS.c.session.desc()).limit(count)
        async with self._database.reading() as connection:
            return [_info(row) for row in await connection.execute(query)]

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        if state == "open":
            return []
        query = (
            select(SESSIONS.c.session, SESSIONS.c.at)
            .where(SESSIONS.c.state == "done", SESSIONS.c.at >= since)
            .order_by(SESSIONS.c.at.desc(), SESSIONS.c.session.desc())
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [Touched(row.session, Micros(row.at)) for row in await connection.execute(query)]

    async def now(self) -> Micros:
        return Micros(time.time_ns() // 1000)

    async def recalled(
        self, wanted: Wanted | None, count: int, before: Place | None = None, order: Order = "active"
    ) -> list[Row]:
        """Up to `count` sessions that are wanted, told as they were when they were put away; `before`: those that come after that
        place in the order."""
        wanted = wanted or Wanted()
        if wanted.state == "open":
            return []
        rows: list[Any] = []
        while True:
            asked = count - len(rows)
            async with self._database.reading() as connection:
                page = (await connection.execute(_page(wanted, asked, before, order, self._database.has))).all()
            rows += [row for row in page if wanted.text in row.names and wanted.caller in row.callers]
            if len(page) < asked or len(rows) == count:
                break
            before = (page[-1].started_at if order == "began" else page[-1].at, page[-1].session)
        now = await self.now()
        return [_row(row, now) for row in rows]


def found_by(callers: str, names: str) -> str:
    """What of a session's names is in the index."""
    whole = f"{callers}\n{names}"
    return whole if len(whole) <= FOUND else _CUT + whole[: FOUND - 1]


def _infos() -> Select[Any]:
    return select(*(SESSIONS.c[name] for name in _INFO)).where(SESSIONS.c.state == "done")


def _info(row: Any) -> SessionInfo:
    """Whoever had it last, and no lease."""
    return SessionInfo(
        row.session, row.partition, row.seq, "closed", row.owner, row.epoch, row.generation, Micros(0), Micros(row.at)
    )


def _page(
    wanted: Wanted, count: int, before: Place | None, order: Order, has: Callable[[Any, str], Any]
) -> Select[Any]:
    """Those that may be wanted, by what an index has of their names; only those of the page are read whole."""
    moment = SESSIONS.c.started_at if order == "began" else SESSIONS.c.at
    found = select(SESSIONS.c.session).where(SESSIONS.c.state == "done")
    if wanted.since:
        found = found.where(SESSIONS.c.started_at >= wanted.since)
    if wanted.agent:
        found = found.where(SESSIONS.c.agent == wanted.agent)
    if wanted.transport:
        found = found.where(SESSIONS.c.transport == wanted.transport)
    if wanted.slow:
        found = found.where(SESSIONS.c.worst >= wanted.slow)
    if wanted.failed is not None:
        found = found.where(SESSIONS.c.wrong == wanted.failed)
    for part in filter(None, (wanted.caller, wanted.text)):
        found = found.where(or_(has(SESSIONS.c.found, part), SESSIONS.c.found < _AFTER_CUT))
    if before is not None:
        found = found.where(
            or_(moment < before[0], and_(moment == before[0], SESSIONS.c.session < before[1])),
            moment <= before[0],
        )
    found = found.order_by(moment.desc(), SESSIONS.c.session.desc()).limit(count)
    return select(*_columns()).where(SESSIONS.c.session.in_(found)).order_by(moment.desc(), SESSIONS.c.session.desc())


def _columns() -> list[Any]:
    """Those that a row is told from."""
    more = ("people", "ended_at", "ended", "answers", "names", "callers", "topics")
    return [SESSIONS.c[name] for name in dict.fromkeys((*_SUMMARY, *_INFO, *more))]


def _row(row: Any, now: Micros) -> Row:
    told = Summary(
        **{name: getattr(row, name) for name in _SUMMARY},
        people=people_of(row.people),
        ended_at=Micros(row.ended_at),
        ended=row.ended,
        topics=tuple(json.loads(row.topics)),
    )
    return Row(_info(row), told, _Answers(row.answers), max(0, now - row.at) / 1e6, False)
