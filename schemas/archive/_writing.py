"""`Archive`, the part that is written: a session is put away by one try at a time, and is there once it is done.

Each try raises the session's `attempts`, and whatever it writes later is refused once another one has: who was thought dead, or
had the same job twice, can harm nothing. Nothing is read before the last write, which makes it `done`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.archive._database import Database
from schemas.archive._objects import Objects
from schemas.archive._pieces import (
    FORMAT,
    Digest,
    Row,
    answers_bytes,
    compressed,
    expanded,
    packed,
    people_text,
)
from schemas.archive._reading import Sound, folder_of, found_by, later
from schemas.archive._tables import CHUNKS, FOLLOW_UPS, RECORDINGS, SESSIONS, SNAPSHOTS, SOUNDS
from schemas.bus import SessionInfo, Snapshot
from schemas.clock import Micros
from schemas.errors import ArchiveDamaged, EventError
from schemas.session.fold import FOLD_VERSION
from schemas.session.snapshot import load
from schemas.session.summary import Answer, Summary, names_of

State = Literal["pending", "coming", "done", "failed", "deleting"]
"""`pending`: to be fetched from the log; `coming`: brought by somebody who has it from elsewhere, and with whom it is lost."""
FollowKind = Literal["webhook", "summary", "recording", "result", "memory"]
Follows = tuple[FollowKind, str]
"""What is to be done once a session is archived; of a webhook which event it tells, else ""."""
_PREFIXES: dict[FollowKind, str] = {
    "webhook": "msg", "summary": "sum", "recording": "rec", "result": "res", "memory": "mem",
}  # fmt: skip
_SOUND = ".sound"
_WORKING = 60.0
"""Seconds after its last write from which a try is thought dead, and another one is due."""


class Superseded(Exception):
    """Another try has begun, or the session is being deleted: nothing was written."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a session. `number`: its fence."""

    session: str
    number: int
    state: Literal["pending", "coming"] = "pending"

    def object(self, place: int) -> str:
        return f"{folder_of(self.session)}/{self.number}-{place}{_SOUND}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the archive stands with a session. `seq`, `at`: its last event as it was archived; `due_at`: µs, the next try."""

    session: str
    state: State
    attempts: int
    failures: int
    due_at: Micros
    error: str
    seq: int
    at: Micros
    hash: str
    bytes: int
    sound_bytes: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What is known of a session once all of it was written."""

    info: SessionInfo
    summary: Summary
    answers: Sequence[Answer]
    hash: str
    sounds: int
    missing: int
    bytes: int
    sound_bytes: int


def follow_kind(id: str) -> FollowKind | None:
    """None: it is no follow-up's id."""
    return next((kind for kind, prefix in _PREFIXES.items() if id.startswith(f"{prefix}_")), None)


def follow_up_id(session: str, kind: FollowKind, about: str = "") -> str:
    """The same whenever it is asked for; nothing of whom it was with is in it."""
    digest = hashlib.sha256("\0".join((session, kind, about)).encode()).hexdigest()[:32]
    return f"{_PREFIXES[kind]}_{digest}"


class Writes:
    _database: Database
    _objects: Objects

    async def now(self) -> Micros:
        raise NotImplementedError

    async def sounds(self, session: str) -> list[Sound]:
        raise NotImplementedError

    # ── what is to be done ───────────────────────────────────────────────────────────────────────────────────────────

    async def standing(self, session: str) -> Standing | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(standing_rows().where(SESSIONS.c.session == session))).first()
        return Standing(*row) if row is not None else None

    async def standings(self, state: State, count: int = 100) -> list[Standing]:
        """Those that are due first come first."""
        query = (
            standing_rows()
            .where(SESSIONS.c.state == state)
            .order_by(SESSIONS.c.due_at, SESSIONS.c.session)
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def due(self, count: int = 100) -> list[Standing]:
        """What is to be archived, deleted or cleared away now, the longest due first."""
        query = (
            standing_rows()
            .where(SESSIONS.c.state.in_(("pending", "coming", "deleting")), SESSIONS.c.due_at <= await self.now())
            .order_by(SESSIONS.c.due_at, SESSIONS.c.session)
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def note(self, sessions: Sequence[str]) -> list[Standing]:
        """These have ended: what is not known here is due from now on. Answers how it stands with each."""
        now, found = await self.now(), list[Standing]()
        for start in range(0, len(sessions), 200):
            some = sessions[start : start + 200]
            query = standing_rows().where(SESSIONS.c.session.in_(some))
            async with self._database.reading() as connection:
                known = {row.session for row in await connection.execute(query)}
            if new := [name for name in some if name not in known]:
                rows = [{"session": name, "state": "pending", "due_at": now} for name in new]
                async with self._database.writing() as connection:
                    await self._insert(connection, SESSIONS, rows)
            async with self._database.reading() as connection:
                found += [Standing(*row) for row in await connection.execute(query)]
        return found

    async def _insert(self, connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """What is there already stays as it is."""
        await connection.execute(self._database.insert(table).on_conflict_do_nothing(), list(rows))

    # ── one try ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self, session: str, state: Literal["pending", "coming"] = "pending") -> Attempt | None:
        """Whatever an earlier try has written goes. None: it is done, or being deleted."""
        now = await self.now()
        async with self._database.writing() as connection:
            await self._insert(connection, SESSIONS, [{"session": session, "state": state, "due_at": now}])
            raised = (
                update(SESSIONS)
                .where(SESSIONS.c.session == session, SESSIONS.c.state.in_(("pending", "coming", "failed")))
                .values(attempts=SESSIONS.c.attempts + 1, state=state, due_at=later(now, _WORKING))
                .returning(SESSIONS.c.attempts)
            )
            number = (await connection.execute(raised)).scalar()
            if number is None:
                return None
            recording = select(RECORDINGS.c.object).where(RECORDINGS.c.session == session)
            stale = list((await connection.execute(recording)).scalars())
            for table in (CHUNKS, SNAPSHOTS, SOUNDS, RECORDINGS):
                await connection.execute(delete(table).where(table.c.session == session))
        if stale:
            await self._objects.delete(stale)
        return Attempt(session, number, state)

    async def _fence(self, connection: AsyncConnection, attempt: Attempt, **values: Any) -> None:
        """Superseded: it is no longer this try's turn."""
        values.setdefault("due_at", later(await self.now(), _WORKING))
        fenced = (
            update(SESSIONS)
            .where(
                SESSIONS.c.session == attempt.session,
                SESSIONS.c.attempts == attempt.number,
                SESSIONS.c.state == attempt.state,
            )
            .values(**values)
        )
        if (await connection.execute(fenced)).rowcount != 1:
            raise Superseded

    async def put(
        self,
        attempt: Attempt,
        first: int,
        rows: Sequence[Row],
        snapshot: Snapshot | None,
        sounds: Sequence[Sound],
        place: int,
    ) -> int:
        """Events from `first` on, a fold of those up to the last of them, sounds whose objects are stored; `place`: how many
        sounds were before them. Answers how many bytes that took, without the sound."""
        body = compressed(packed(rows))
        piece = {"session": attempt.session, "first": first, "last": first + len(rows) - 1, "body": body}
        size = len(body)
        async with self._database.writing() as connection:
            await self._fence(connection, attempt)
            if rows:
                await connection.execute(CHUNKS.insert(), piece)
            if snapshot is not None:
                fold = compressed(snapshot.state)
                size += len(fold)
                row = {"session": attempt.session, "seq": snapshot.seq, "version": snapshot.version, "body": fold}
                await connection.execute(SNAPSHOTS.insert(), row)
            if sounds:
                await connection.execute(
                    SOUNDS.insert(), [_sound_row(attempt, sound, place + n) for n, sound in enumerate(sounds)]
                )
        return size

    async def put_object(self, name: str, body: bytes) -> None:
        await self._objects.put(name, body)

    async def finish(self, attempt: Attempt, whole: Whole, follows: Sequence[Follows] = ()) -> None:
        """From now on it is read here, and what `follows` is due: what was told before is not told again, what was made of
        another log is made anew, and who makes it of that just now is refused. Superseded."""
        now, info, told = await self.now(), whole.info, whole.summary
        values: dict[str, Any] = {
            "state": "done", "due_at": 0, "failures": 0, "error": "", "archived_at": now, "verified_at": now,
            "partition": info.partition, "seq": info.seq, "at": info.last_activity, "owner": info.owner, "epoch": info.epoch,
            "generation": info.generation, "hash": whole.hash, "format": FORMAT, "fold": FOLD_VERSION,
            "sounds": whole.sounds, "missing": whole.missing, "bytes": whole.bytes, "sound_bytes": whole.sound_bytes,
            **told_columns(told), "answers": answers_bytes(whole.answers),
        }  # fmt: skip
        async with self._database.writing() as connection:
            await self._fence(connection, attempt, **values)
            made = FOLLOW_UPS.c.session == attempt.session, FOLLOW_UPS.c.kind != "webhook"
            await connection.execute(update(FOLLOW_UPS).where(*made).values(**due_anew(now)))
            await self._add_follow_ups(connection, attempt.session, follows, now)
        if attempt.number > 1:
            await self._clear(attempt.session, of=attempt)

    async def _add_follow_ups(
        self, connection: AsyncConnection, session: str, follows: Sequence[Follows], now: Micros
    ) -> None:
        rows = [
            {
                "id": follow_up_id(session, kind, about), "session": session, "kind": kind, "about": about, "state": "pending",
                "due_at": now, "began_at": now,
            }
            for kind, about in follows
        ]  # fmt: skip
        if rows:
            await self._insert(connection, FOLLOW_UPS, rows)

    async def fail(self, attempt: Attempt | None, session: str, error: str, again: float | None) -> None:
        """A try failed. `again`: seconds until the next one; None: there is none, until somebody asks for it."""
        due = later(await self.now(), again or 0)
        query = (
            update(SESSIONS)
            .where(SESSIONS.c.session == session, SESSIONS.c.state == "pending")
            .values(
                failures=SESSIONS.c.failures + 1,
                error=clean(error)[:1000],
                due_at=due,
                state="failed" if again is None else "pending",
            )
        )
        if attempt is not None:
            query = query.where(SESSIONS.c.attempts == attempt.number)
        async with self._database.writing() as connection:
            await connection.execute(query)

    async def give_up(self, session: str) -> None:
        """Whoever was bringing it here does so no more: it is not due, and what is here of it goes. (What the log has of this
        name is noted again.)"""
        undone = update(SESSIONS).where(SESSIONS.c.session == session, SESSIONS.c.state.in_(("pending", "coming")))
        async with self._database.writing() as connection:
            if (await connection.execute(undone.values(attempts=SESSIONS.c.attempts + 1))).rowcount != 1:
                return
            for table in (CHUNKS, SNAPSHOTS, SOUNDS, SESSIONS):
                await connection.execute(delete(table).where(table.c.session == session))
        await self._clear(session)

    async def postpone(self, session: str, seconds: float) -> None:
        """It can't be archived yet, which is nobody's failure."""
        due = later(await self.now(), seconds)
        query = update(SESSIONS).where(SESSIONS.c.session == session, SESSIONS.c.state == "pending").values(due_at=due)
        async with self._database.writing() as connection:
            await connection.execute(query)

    async def again(self, session: str, *, only: State | None = None) -> bool:
        """It is due now, whether it is done, failed or pending. False: it is none of these, or not `only`."""
        states = ("done", "failed", "pending") if only is None else (only,)
        query = (
            update(SESSIONS)
            .where(SESSIONS.c.session == session, SESSIONS.c.state.in_(states))
            .values(state="pending", failures=0, due_at=await self.now())
        )
        async with self._database.writing() as connection:
            return (await connection.execute(query)).rowcount == 1

    async def _clear(self, session: str, of: Attempt | None = None) -> None:
        """Its objects; `of`: only what other tries have left, for of this one somebody may be making a recording by now."""
        names = [one.name for one in await self._objects.list(f"{folder_of(session)}/")]
        if of is not None:
            names = [name for name in names if name.endswith(_SOUND) and f"/{of.number}-" not in name]
        await self._objects.delete(names)

    # ── is it what was written ───────────────────────────────────────────────────────────────────────────────────────

    async def read_back(self, session: str, seq: int, digest: str) -> None:
        """Everything of the session, in whatever state it is. ArchiveDamaged: it is not what was written, with the place."""
        await self._read_events_back(session, seq, digest)
        await self._read_sounds_back(session)

    async def _read_events_back(self, session: str, seq: int, digest: str) -> None:
        found, last = Digest(), 0
        while last < seq:
            query = (
                select(CHUNKS.c.first, CHUNKS.c.body)
                .where(CHUNKS.c.session == session, CHUNKS.c.first > last)
                .order_by(CHUNKS.c.first)
                .limit(16)
            )
            async with self._database.reading() as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                if row.first != last + 1:
                    break
                last += found.add_piece(expanded(row.body, f"session {session}, events from {row.first}"))
            else:
                if rows:
                    continue
            raise ArchiveDamaged(f"session {session}: event {last + 1} is not in the archive; restore it from a backup")
        if last != seq or found.hex != digest:
            raise ArchiveDamaged(f"session {session}: its events are not what was written; restore it from a backup")
        query = select(SNAPSHOTS.c.version, SNAPSHOTS.c.body).where(
            SNAPSHOTS.c.session == session, SNAPSHOTS.c.seq == seq
        )
        async with self._database.reading() as connection:
            fold = (await connection.execute(query)).first()
        if fold is None:
            raise ArchiveDamaged(f"session {session}: its last fold is not in the archive; restore it from a backup")
        if fold.version == FOLD_VERSION:
            try:
                load(expanded(fold.body, f"session {session}, its last fold"))
            except EventError as error:
                raise ArchiveDamaged(f"session {session}: {error}") from None

    async def _read_sounds_back(self, session: str) -> None:
        body, name = b"", ""
        for sound in await self.sounds(session):
            if not sound.object:
                continue
            if sound.object != name:
                name = sound.object
                try:
                    body = await self._objects.get(name)
                except FileNotFoundError:
                    raise ArchiveDamaged(
                        f"session {session}: {name} is not in the archive; restore it from a backup"
                    ) from None
            if hashlib.sha256(body[sound.begins : sound.begins + sound.length]).hexdigest() != sound.sha256:
                raise ArchiveDamaged(
                    f"session {session}: the sound {sound.key} is not what was written ({name}); restore it from a backup"
                )

    async def verified(self, session: str, error: str = "") -> None:
        """It was read back now; `error`: what is wrong with it."""
        query = update(SESSIONS).where(SESSIONS.c.session == session, SESSIONS.c.state == "done")
        async with self._database.writing() as connection:
            await connection.execute(query.values(verified_at=await self.now(), error=clean(error)[:1000]))


def due_anew(now: Micros) -> dict[str, Any]:
    """Of a follow-up, the columns of one that was never tried, whoever is at it."""
    return {
        "state": "pending", "attempts": FOLLOW_UPS.c.attempts + 1, "failures": 0, "due_at": now, "held_until": 0, "began_at": now,
        "done_at": 0, "error": "",
    }  # fmt: skip


def standing_rows() -> Any:
    """Of `Standing`."""
    names = ("session", "state", "attempts", "failures", "due_at", "error", "seq", "at", "hash", "bytes", "sound_bytes")
    return select(*(SESSIONS.c[name] for name in names))


def _sound_row(attempt: Attempt, sound: Sound, place: int) -> dict[str, Any]:
    return {"session": attempt.session, "place": place, **asdict(sound)}


def told_columns(told: Summary) -> dict[str, Any]:
    """The columns of a list."""
    people = "\n".join(name for one in told.people for name in (one.identity, one.name) if name).casefold()
    callers, names = clean(people), clean(names_of(told))
    return {
        "agent": clean(told.agent), "room": clean(told.room), "transport": told.transport, "gateway": clean(told.gateway),
        "people": people_text(told.people), "callers": callers, "names": names, "found": found_by(callers, names),
        "started_at": told.started_at, "ended_at": told.ended_at or told.at, "duration": told.duration, "turns": told.turns,
        "interrupted": told.interrupted, "restarts": told.restarts, "failed": told.failed, "cut_off": told.cut_off,
        "unanswered": told.unanswered, "troubles": told.troubles, "activity": told.activity,
        "ended": clean(told.ended or ""), "last": told.last,
        "median": told.median, "worst": told.worst, "wrong": told.wrong,
        "variant": told.variant, "fields": json.dumps(dict(told.fields)),
    }  # fmt: skip


def clean(text: str) -> str:
    """PostgreSQL takes no NUL, and neither takes half a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def total(column: Any) -> Any:
    """Of a column of numbers; 0 of none."""
    return func.coalesce(func.sum(column), 0)
