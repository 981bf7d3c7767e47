"""`Archive`, the part that is read: sessions as the log told them, and which there are."""

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from schemas.archive._pieces import PIECE, answers_of, events_of, expanded, people_of
from schemas.bus import FORK, SessionInfo, Snapshot, Touched
from schemas.clock import Micros
from schemas.session.row import Answer, Gist, Row, Summary, Wanted

if TYPE_CHECKING:
    from schemas.archive._objects import Objects
    from schemas.events import Event

_PIECES = 8
"""That are kept expanded for who reads on."""
_FRESH = 2.0
"""Seconds for which they are: what is deleted is not to be had from here for longer."""
FOUND = 500
"""Characters of a session's names that an index has: in PostgreSQL's there is room for no more."""
_TOLD = 0.0001
"""Seconds to which an answer's time is told, rounded."""
_CUT = "\x01"
"""Begins what had to be cut: it may have anything in it."""
IS_CUT = f"substr(found, 1, 1) = '{_CUT}'"
"""As SQL; the few of which that is so have an index of their own, for who looks through all names does so at half the cost."""
_SUMMARY = (
    "session", "seq", "at", "agent", "room", "transport", "gateway", "started_at", "duration", "turns", "interrupted", "restarts",
    "failed", "cut_off", "unanswered", "troubles", "activity", "last", "median", "worst", "gist", "variant",
    "result_error",
)  # fmt: skip
_INFO = ("session", "partition", "seq", "owner", "epoch", "generation", "at")
_COLUMNS = tuple(
    dict.fromkeys(
        (*_SUMMARY, *_INFO, "people", "ended_at", "ended", "answers", "names", "callers", "topics", "fields", "result")
    )
)
"""Those that a row is told from."""
_MEMORY = ("id", "agent", "caller", "text", "sessions", "session", "number", "updated_at", "expires_at")
_SOUND = ("key", "object", "begins", "length", "codec", "rate", "samples", "sha256", "pcm")


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
PageEnd = tuple[int, str]
"""A row's moment in its order (µs), and its session."""
_OURS = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}/\d+-(\d+\.sound|recording\.\w+)")


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


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a caller. `sessions`: how many it was made of, `session`: the last of them; `number`: how often it was
    written; `updated_at`, `expires_at`: µs, 0: it stays."""

    id: str
    agent: str
    caller: str
    text: str
    sessions: int
    session: str
    number: int
    updated_at: Micros
    expires_at: Micros


def folder_of(session: str) -> str:
    """Where its objects lie: nothing of whom it was with is in their names."""
    digest = hashlib.sha256(session.encode()).hexdigest()[:40]
    return f"{digest[:2]}/{digest[2:]}"


def is_ours(name: str) -> bool:
    """Whether an object is called as those of sessions are: nothing else is deleted, whatever lies in the folder or the bucket
    that somebody names."""
    return _OURS.fullmatch(name) is not None


def later(now: Micros, seconds: float) -> Micros:
    return Micros(now + round(seconds * 1e6))


class Reads:
    """`Reading`, `Listing`, `Watching` and `Milestones` of sessions that are done. The queries are of the SQL that SQLite and
    PostgreSQL share: whoever reads is not to wait for a library that writes it."""

    _objects: "Objects"

    def __init__(self) -> None:
        self._recent: OrderedDict[tuple[str, int], tuple[float, bytes]] = OrderedDict()

    async def _fetch(self, query: str, **values: object) -> Sequence[Any]:
        """Rows, whose columns are attributes. ArchiveError."""
        raise NotImplementedError

    def _has(self, name: str, part: str) -> tuple[str, str]:
        """As SQL, that `found` has `part` in it, and the value it calls `name`."""
        raise NotImplementedError

    # ── one session ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, session: str, after: int = 0, count: int | None = None) -> "list[Event]":
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
        most = {} if count is None else {"most": -(-count // PIECE) + 1}
        rows = await self._fetch(
            "select c.first, c.body from chunks c join sessions s on s.session = c.session "
            "where s.state = 'done' and c.session = :session and c.last > :after "
            f"order by c.first{' limit :most' if most else ''}",
            session=session, after=after, **most,
        )  # fmt: skip
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
        until = {} if seq is None else {"until": seq}
        rows = await self._fetch(
            "select f.seq, f.version, f.body from snapshots f join sessions s on s.session = f.session "
            f"where s.state = 'done' and f.session = :session {'and f.seq <= :until ' if until else ''}"
            "order by f.seq desc limit 1",
            session=session, **until,
        )  # fmt: skip
        for row in rows:
            return Snapshot(row.seq, row.version, expanded(row.body, f"session {session}, the fold of {row.seq}"))
        return None

    async def info(self, session: str) -> SessionInfo | None:
        rows = await self._fetch(f"{_INFOS} and session = :session", session=session)
        return _info(rows[0]) if rows else None

    async def get_blob(self, key: str) -> bytes | None:
        """The PCM as it was; of Opus what that made of it."""
        from schemas.archive._sound import decoded  # numpy: who reads events only waits for none

        rows = await self._fetch(
            f"select {_named(_SOUND, 'o')} from sounds o join sessions s on s.session = o.session "
            "where s.state = 'done' and o.key = :key and o.object <> '' limit 1",
            key=key,
        )
        if not rows:
            return None
        row = rows[0]
        try:
            body = await self._objects.get(row.object, row.begins, row.length)
        except FileNotFoundError:
            return None
        return await asyncio.to_thread(decoded, row.codec, body, row.rate, row.samples)

    async def sounds(self, session: str) -> list[Sound]:
        """Of a session in whatever state, in the order in which they were made."""
        rows = await self._fetch(
            f"select {_named(_SOUND, 'o')} from sounds o where o.session = :session order by o.place", session=session
        )
        return [Sound(*row) for row in rows]

    # ── what was made of it ──────────────────────────────────────────────────────────────────────────────────────────

    async def told(self, session: str) -> Row | None:
        """Its row in a list."""
        rows = await self._fetch(
            f"select {_named(_COLUMNS)} from sessions where state = 'done' and session = :session", session=session
        )
        return _row(rows[0], await self.now()) if rows else None

    async def gist(self, session: str) -> Gist | None:
        """None: there is none (yet)."""
        rows = await self._fetch(
            "select gist, topics, result, result_error from sessions where state = 'done' and session = :session "
            "and (gist <> '' or result <> '' or result_error <> '')",
            session=session,
        )
        if not rows:
            return None
        row = rows[0]
        return Gist(
            row.gist, tuple(json.loads(row.topics)), json.loads(row.result) if row.result else None, row.result_error
        )

    async def recording(self, session: str) -> StoredRecording | None:
        """None: there is none (yet, or any more)."""
        rows = await self._fetch(f"{_RECORDINGS} and r.session = :session", session=session)
        return StoredRecording(*rows[0]) if rows else None

    async def recordings(self, count: int = 100) -> list[StoredRecording]:
        """The latest first."""
        rows = await self._fetch(f"{_RECORDINGS} order by r.made_at desc, r.session limit :most", most=count)
        return [StoredRecording(*row) for row in rows]

    async def fetch(self, name: str, file: Path) -> str:
        """An object into a file, a stretch at a time; answers its sha256. FileNotFoundError: it is gone."""
        return await self._objects.get_file(name, file)

    # ── what is remembered of callers ────────────────────────────────────────────────────────────────────────────────

    async def memory(self, agent: str, caller: str) -> Remembered | None:
        """What this agent knows of a caller. None: nothing, or no more."""
        rows = await self._fetch(
            f"select {_named(_MEMORY)} from memories where agent = :agent and caller = :caller "
            "and (expires_at = 0 or expires_at > :now)",
            agent=agent, caller=caller, now=await self.now(),
        )  # fmt: skip
        return Remembered(*rows[0]) if rows else None

    async def memories(self, count: int = 100, *, agent: str = "", person: str = "") -> list[Remembered]:
        """The latest first. `person`: only those of a caller of this name, whichever case it is in."""
        where, values = ["1 = 1"], dict[str, object](most=count)
        if agent:
            where, values = [*where, "agent = :agent"], values | {"agent": agent}
        if person:
            where, values = [*where, "folded = :person"], values | {"person": person.casefold()}
        found = f"select {_named(_MEMORY)} from memories where {' and '.join(where)}"
        rows = await self._fetch(f"{found} order by updated_at desc, id limit :most", **values)
        return [Remembered(*row) for row in rows]

    # ── which there are ──────────────────────────────────────────────────────────────────────────────────────────────

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        """None is open here."""
        return []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        rows = await self._fetch(f"{_INFOS} order by at desc, session desc limit :most", most=count)
        return [_info(row) for row in rows]

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        if state == "open":
            return []
        rows = await self._fetch(
            "select session, at from sessions where state = 'done' and at >= :since "
            "order by at desc, session desc limit :most",
            since=since, most=count,
        )  # fmt: skip
        return [Touched(row.session, Micros(row.at)) for row in rows]

    async def now(self) -> Micros:
        return Micros(time.time_ns() // 1000)

    async def recalled(
        self, wanted: Wanted | None, count: int, before: PageEnd | None = None, order: Order = "active"
    ) -> list[Row]:
        """Up to `count` sessions that are wanted, told as they were when they were put away; `before`: those that come after that
        place in the order."""
        wanted = wanted or Wanted()
        if wanted.state == "open":
            return []
        rows: list[Any] = []
        while True:
            asked = count - len(rows)
            query, values = _page(wanted, asked, before, order, self._has)
            page = await self._fetch(query, **values)
            rows += [row for row in page if _is_wanted(wanted, row)]
            if len(page) < asked or len(rows) == count:
                break
            before = (page[-1].started_at if order == "began" else page[-1].at, page[-1].session)
        now = await self.now()
        return [_row(row, now) for row in rows]


def _is_wanted(wanted: Wanted, row: Any) -> bool:
    """What the query leaves open."""
    return wanted.text in row.names and wanted.caller in row.callers and wanted.finds_slow(row.worst)


def found_by(callers: str, names: str) -> str:
    """What of a session's names is in the index."""
    whole = f"{callers}\n{names}"
    return whole if len(whole) <= FOUND else _CUT + whole[: FOUND - 1]


def glob(name: str, part: str) -> tuple[str, str]:
    """SQLite's fastest: SQL that `found` has `part` in it, and the value it calls `name`."""
    return f"found glob :{name}", f"*{re.sub(r'[*?[]', lambda mark: f'[{mark[0]}]', part)}*"


def _named(columns: Sequence[str], table: str = "") -> str:
    before = f"{table}." if table else ""
    return ", ".join(f'{before}"{name}"' for name in columns)


_INFOS = f"select {_named(_INFO)} from sessions where state = 'done'"
_RECORDINGS = (
    f"select {_named(('session', 'object', 'codec', 'bytes', 'seconds', 'sha256', 'missing', 'made_at'), 'r')} "
    "from recordings r join sessions s on s.session = r.session where s.state = 'done'"
)


def _info(row: Any) -> SessionInfo:
    """Whoever had it last, and no lease."""
    return SessionInfo(
        row.session, row.partition, row.seq, "closed", row.owner, row.epoch, row.generation, Micros(0), Micros(row.at),
        archived=True,
    )  # fmt: skip


def _page(
    wanted: Wanted, count: int, before: PageEnd | None, order: Order, has: Callable[[str, str], tuple[str, str]]
) -> tuple[str, dict[str, object]]:
    """Those that may be wanted, by what an index has of their names; only those of the page are read whole. SQL, and its
    values."""
    moment = "started_at" if order == "began" else "at"
    where, values = ["state = 'done'"], dict[str, object](most=count)
    exactly = {
        "started_at >= :since": wanted.since, "agent = :agent": wanted.agent, "transport = :transport": wanted.transport,
        "variant = :variant": wanted.variant,
        "worst >= :slow": wanted.slow and wanted.slow - _TOLD,
    }  # fmt: skip
    for condition, value in exactly.items():
        if value:
            where.append(condition)
            values[condition.rpartition(":")[2]] = value
    if wanted.forks is not None:
        where.append(f"substr(session, 1, {len(FORK)}) {'=' if wanted.forks else '<>'} '{FORK}'")
    if wanted.failed is not None:
        where.append(f"wrong = {'true' if wanted.failed else 'false'}")
    if before is not None:
        values["moment"], values["session"] = before
        where += [f"({moment} < :moment or {moment} = :moment and session < :session)", f"{moment} <= :moment"]
    ordered = f"order by {moment} desc, session desc"
    named = []
    for name, part in (("caller", wanted.caller), ("text", wanted.text)):
        if part:
            condition, values[name] = has(name, part)
            named.append(condition)
    those = f"select session, {moment} from sessions where {' and '.join(where)}"
    if named:
        those = f"{those} and {' and '.join(named)} and not {IS_CUT} union all {those} and {IS_CUT}"
    found = f"select session from ({those} {ordered} limit :most) as found"
    return f"select {_named(_COLUMNS)} from sessions where session in ({found}) {ordered}", values


def _row(row: Any, now: Micros) -> Row:
    told = Summary(
        **{name: getattr(row, name) for name in _SUMMARY},
        people=people_of(row.people),
        ended_at=Micros(row.ended_at),
        ended=row.ended,
        topics=tuple(json.loads(row.topics)),
        fields=json.loads(row.fields),
        result=json.loads(row.result) if row.result else None,
    )
    return Row(_info(row), told, _Answers(row.answers), max(0, now - row.at) / 1e6, False)
