"""`Archive`, the part that follows: what is to be done once a session is archived (a webhook, a summary, a recording, …), each by
one at a time, and what came of it.

Each try raises the follow-up's `attempts` and holds it for a while; whatever is told of an older try is refused. What is due
becomes so in the very write that makes the session readable here.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.archive._database import Database
from schemas.archive._objects import Objects
from schemas.archive._reading import Remembered, StoredRecording, folder_of, later
from schemas.archive._tables import FOLLOW_UPS, MEMORIES, RECORDINGS, SESSIONS
from schemas.archive._writing import FollowKind, Follows, Writes, clean, due_anew, follow_up_id
from schemas.clock import Micros
from schemas.errors import ArchiveDamaged
from schemas.session.summary import Gist

FollowState = Literal["pending", "done", "failed"]
_FIELDS = (
    "id", "session", "kind", "about", "state", "attempts", "failures", "due_at", "held_until", "began_at", "done_at", "error",
)  # fmt: skip
_TOPICS = 12


@dataclass(frozen=True, slots=True)
class FollowUp:
    """`about`: of a webhook which event it tells; `attempts`: the fence of who is at it; `due_at`: µs, its next try;
    `held_until`: µs, until then somebody is at it; `began_at`: from when on it is tried; `done_at`: µs, 0 while it is not."""

    id: str
    session: str
    kind: FollowKind
    about: str
    state: FollowState
    attempts: int
    failures: int
    due_at: Micros
    held_until: Micros
    began_at: Micros
    done_at: Micros
    error: str


class _NotMine(Exception):
    """Nothing is to be written: what was done in the transaction goes."""


class FollowsUp(Writes):
    _database: Database
    _objects: Objects

    # ── one try ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def follow_ups_due(self, kind: FollowKind, count: int = 100) -> list[FollowUp]:
        """Those that nobody is at, the longest due first."""
        now = await self.now()
        query = (
            _found()
            .where(
                FOLLOW_UPS.c.state == "pending",
                FOLLOW_UPS.c.kind == kind,
                FOLLOW_UPS.c.due_at <= now,
                FOLLOW_UPS.c.held_until <= now,
                SESSIONS.c.state == "done",
            )
            .order_by(FOLLOW_UPS.c.due_at, FOLLOW_UPS.c.id)
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [FollowUp(*row) for row in await connection.execute(query)]

    async def take_up(self, id: str, seconds: float) -> FollowUp | None:
        """It is the caller's for so long, or until it says what became of it. None: it is not due, or somebody is at it."""
        now = await self.now()
        done = select(SESSIONS.c.session).where(SESSIONS.c.state == "done", SESSIONS.c.session == FOLLOW_UPS.c.session)
        taken = (
            update(FOLLOW_UPS)
            .where(
                FOLLOW_UPS.c.id == id,
                FOLLOW_UPS.c.state == "pending",
                FOLLOW_UPS.c.due_at <= now,
                FOLLOW_UPS.c.held_until <= now,
                done.exists(),
            )
            .values(attempts=FOLLOW_UPS.c.attempts + 1, held_until=later(now, seconds))
            .returning(*(FOLLOW_UPS.c[name] for name in _FIELDS))
        )
        async with self._database.writing() as connection:
            row = (await connection.execute(taken)).first()
        return FollowUp(*row) if row is not None else None

    async def followed(self, one: FollowUp) -> bool:
        """It is done. False: it was no longer this try's."""
        async with self._database.writing() as connection:
            return await self._settle(connection, one)

    async def _settle(self, connection: AsyncConnection, one: FollowUp) -> bool:
        return await self._set(connection, one, state="done", done_at=await self.now(), error="", failures=0)

    async def follow_failed(self, one: FollowUp, error: str, again: float | None) -> bool:
        """The try failed. `again`: seconds until the next one; None: there is none, until somebody asks for it."""
        values: dict[str, Any] = {"failures": FOLLOW_UPS.c.failures + 1, "error": clean(error)[:1000]}
        values |= {"state": "failed"} if again is None else {"due_at": later(await self.now(), again)}
        async with self._database.writing() as connection:
            return await self._set(connection, one, **values)

    async def put_off(self, one: FollowUp, seconds: float) -> bool:
        """It is not to be tried now, which is nobody's failure."""
        async with self._database.writing() as connection:
            return await self._set(connection, one, due_at=later(await self.now(), seconds))

    async def drop_follow_ups(self, sessions: Sequence[str], kind: FollowKind) -> None:
        """What is to be made of these is not to be made any more, and who is at it just now is refused."""
        for start in range(0, len(sessions), 200):
            ids = [follow_up_id(session, kind) for session in sessions[start : start + 200]]
            waiting = update(FOLLOW_UPS).where(FOLLOW_UPS.c.id.in_(ids), FOLLOW_UPS.c.state == "pending")
            async with self._database.writing() as connection:
                await connection.execute(waiting.values(state="done", attempts=FOLLOW_UPS.c.attempts + 1, held_until=0))

    async def _set(self, connection: AsyncConnection, one: FollowUp, **values: Any) -> bool:
        mine = FOLLOW_UPS.c.id == one.id, FOLLOW_UPS.c.attempts == one.attempts, FOLLOW_UPS.c.state == "pending"
        changed = await connection.execute(update(FOLLOW_UPS).where(*mine).values(held_until=0, **values))
        return changed.rowcount == 1

    # ── what comes of it ─────────────────────────────────────────────────────────────────────────────────────────────

    async def put_gist(self, one: FollowUp, gist: Gist, follows: Sequence[Follows] = ()) -> bool:
        """What the session was about, and what that makes due. False: it was no longer this try's."""
        topics = [clean(topic) for topic in gist.topics[:_TOPICS]]
        values = {"gist": clean(gist.text), "topics": json.dumps(topics, ensure_ascii=True)}
        mine = SESSIONS.c.session == one.session, SESSIONS.c.state == "done"
        async with self._database.writing() as connection:
            if not await self._settle(connection, one):
                return False
            if (await connection.execute(update(SESSIONS).where(*mine).values(**values))).rowcount == 1:
                await self._add_follow_ups(connection, one.session, follows, await self.now())
        return True

    async def put_result(
        self, one: FollowUp, result: Mapping[str, Any] | None, error: str = "", follows: Sequence[Follows] = ()
    ) -> bool:
        """What a model filled the agent's schema with, or None and why it could not; and what that makes due. False: it was no
        longer this try's."""
        values = {"result": "" if result is None else json.dumps(result), "result_error": clean(error)[:1000]}
        mine = SESSIONS.c.session == one.session, SESSIONS.c.state == "done"
        async with self._database.writing() as connection:
            if not await self._settle(connection, one):
                return False
            if (await connection.execute(update(SESSIONS).where(*mine).values(**values))).rowcount == 1:
                await self._add_follow_ups(connection, one.session, follows, await self.now())
        return True

    async def put_memory(
        self, one: FollowUp, agent: str, caller: str, text: str, *, days: float, before: Remembered | None
    ) -> bool:
        """What is known of a caller from now on; `before`: what it was made from. False: it was no longer this try's, the session
        is being deleted, or the memory has changed, or was forgotten, since: nothing was written, and it is to be tried again."""
        now = await self.now()
        values = {
            "text": clean(text), "session": one.session, "updated_at": now,
            "expires_at": later(now, days * 86_400) if days else 0,
        }  # fmt: skip
        try:
            async with self._database.writing() as connection:
                # held until the end: who condemns the session waits for it, and finds the memory then
                kept = update(SESSIONS).where(SESSIONS.c.session == one.session, SESSIONS.c.state == "done")
                if (await connection.execute(kept.values(state="done"))).rowcount != 1:
                    raise _NotMine
                if before is None:
                    row = {
                        "id": secrets.token_hex(16), "agent": agent, "caller": caller, "folded": caller.casefold(), "sessions": 1,
                        "number": 1, **values,
                    }  # fmt: skip
                    written = self._database.insert(MEMORIES).values(row).on_conflict_do_nothing()
                else:
                    written = (
                        update(MEMORIES)
                        .where(MEMORIES.c.id == before.id, MEMORIES.c.number == before.number)
                        .values(sessions=MEMORIES.c.sessions + 1, number=MEMORIES.c.number + 1, **values)
                    )
                if (await connection.execute(written)).rowcount != 1 or not await self._settle(connection, one):
                    raise _NotMine
        except _NotMine:
            return False
        return True

    async def put_recording(self, one: FollowUp, file: Path, codec: str, seconds: float, missing: int) -> bool:
        """The file, read back. False: it was no longer this try's, or the session's sound is gone meanwhile. ArchiveDamaged: it
        is not what was written."""
        name = f"{folder_of(one.session)}/{one.attempts}-recording.{codec}"
        digest, size = await self._objects.put_file(name, file)
        if await self._objects.digest(name) != digest:
            await self._objects.delete([name])
            raise ArchiveDamaged(f"session {one.session}: its recording is not what was written ({name})")
        now, kept, stale = await self.now(), False, name
        sounding = (
            update(SESSIONS)
            .where(SESSIONS.c.session == one.session, SESSIONS.c.state == "done", SESSIONS.c.sound_bytes > 0)
            .values(sound_bytes=SESSIONS.c.sound_bytes + size)
        )
        before = select(RECORDINGS.c.object, RECORDINGS.c.bytes).where(RECORDINGS.c.session == one.session)
        row = {
            "session": one.session, "object": name, "codec": codec, "bytes": size, "seconds": seconds, "sha256": digest,
            "missing": missing, "made_at": now,
        }  # fmt: skip
        async with self._database.writing() as connection:
            mine = await self._settle(connection, one)
            if mine and (await connection.execute(sounding)).rowcount == 1:
                old = (await connection.execute(before)).first()
                if old is not None:
                    less = update(SESSIONS).where(SESSIONS.c.session == one.session)
                    await connection.execute(less.values(sound_bytes=SESSIONS.c.sound_bytes - old.bytes))
                    await connection.execute(delete(RECORDINGS).where(RECORDINGS.c.session == one.session))
                await connection.execute(RECORDINGS.insert(), row)
                kept, stale = True, old.object if old is not None else ""
        if stale:
            await self._objects.delete([stale])
        return kept

    async def read_recording_back(self, kept: StoredRecording) -> None:
        """ArchiveDamaged: it is not what was written."""
        try:
            same = await self._objects.digest(kept.object) == kept.sha256
        except FileNotFoundError:
            same = False
        if not same:
            raise ArchiveDamaged(
                f"session {kept.session}: its recording is not what was written ({kept.object}); restore it from a backup"
            )

    # ── what people ask ──────────────────────────────────────────────────────────────────────────────────────────────

    async def follow_up(self, id: str) -> FollowUp | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(_found().where(FOLLOW_UPS.c.id == id))).first()
        return FollowUp(*row) if row is not None else None

    async def follow_ups(
        self,
        count: int = 100,
        *,
        session: str = "",
        kind: FollowKind | None = None,
        state: FollowState | None = None,
    ) -> list[FollowUp]:
        """Those that came last first."""
        query = _found()
        for column, wanted in (("session", session), ("kind", kind), ("state", state)):
            if wanted:
                query = query.where(FOLLOW_UPS.c[column] == wanted)
        query = query.order_by(FOLLOW_UPS.c.began_at.desc(), FOLLOW_UPS.c.id).limit(count)
        async with self._database.reading() as connection:
            return [FollowUp(*row) for row in await connection.execute(query)]

    async def follow_again(self, id: str) -> bool:
        """It is due now, as if it had never been tried. False: there is no such one, or somebody is at it."""
        now = await self.now()
        asked = update(FOLLOW_UPS).where(FOLLOW_UPS.c.id == id, FOLLOW_UPS.c.held_until <= now)
        async with self._database.writing() as connection:
            return (await connection.execute(asked.values(**due_anew(now)))).rowcount == 1

    async def follow(self, session: str, follows: Sequence[Follows]) -> bool:
        """Have this done for a session that is archived already. False: it isn't."""
        async with self._database.writing() as connection:
            query = select(SESSIONS.c.session).where(SESSIONS.c.session == session, SESSIONS.c.state == "done")
            if (await connection.execute(query)).first() is None:
                return False
            await self._add_follow_ups(connection, session, follows, await self.now())
        return True

    async def follow_up_counts(self) -> dict[tuple[str, str], int]:
        """How many there are of each kind in each state."""
        query = select(FOLLOW_UPS.c.kind, FOLLOW_UPS.c.state, func.count()).group_by(
            FOLLOW_UPS.c.kind, FOLLOW_UPS.c.state
        )
        async with self._database.reading() as connection:
            return {(str(kind), str(state)): int(count) for kind, state, count in await connection.execute(query)}


def _found() -> Any:
    """Of sessions that are there."""
    return select(*(FOLLOW_UPS.c[name] for name in _FIELDS)).join(SESSIONS, SESSIONS.c.session == FOLLOW_UPS.c.session)


__all__ = ["FollowState", "FollowUp", "FollowsUp"]
