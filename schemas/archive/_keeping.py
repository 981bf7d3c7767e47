"""`Archive`, the part that lets go: deletion and its proof, sound before text, the oldest first; leases; how much there is."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from sqlalchemy import delete, func, or_, select, update

from schemas.archive._database import Database
from schemas.archive._objects import Found, Objects
from schemas.archive._reading import is_ours, later
from schemas.archive._tables import (
    CHUNKS,
    ERASURES,
    FOLLOW_UPS,
    LEASES,
    MEMORIES,
    RECORDINGS,
    SESSIONS,
    SNAPSHOTS,
    SOUNDS,
)
from schemas.archive._writing import Standing, Writes, clean, standing_rows, total
from schemas.clock import Micros

Kind = Literal["person", "session", "retention", "memory"]
_PORTION = 200
"""Sessions that are condemned in one transaction: for thousands, all who write would wait."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A session that is gone: `session`: the sha256 of its id; `hash`: that of its events, "" where it was never archived. Or
    what was remembered of a caller: `session`: the sha256 of its own id, `hash`: of its text."""

    session: str
    hash: str
    bytes: int
    sound_bytes: int
    what: Literal["session", "memory"] = "session"


@dataclass(frozen=True, slots=True)
class Erasure:
    """Proof of a deletion; nothing in it says whose it was. `asked_at`: µs, when the last of `removed` was condemned; `done_at`:
    0 while something of it is left."""

    id: str
    kind: Kind
    asked_by: str
    asked_at: Micros
    done_at: Micros
    removed: tuple[Removed, ...]

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"removed": [asdict(one) for one in self.removed]}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is. `oldest_due`: µs, since when the first of what is due is; 0: nothing is."""

    sessions: dict[str, int]
    bytes: int
    sound_bytes: int
    damaged: int
    oldest_due: Micros


def named(session: str) -> str:
    """A session in a proof."""
    return hashlib.sha256(session.encode()).hexdigest()


class Keeps(Writes):
    _database: Database
    _objects: Objects

    # ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Whether the work called `name` is `owner`'s for the next `seconds`: it was nobody's, or its. By this machine's clock:
        those of several may differ by less than that."""
        now = await self.now()
        ends = later(now, seconds)
        row = self._database.insert(LEASES).values(name=name, owner=owner, ends_at=ends)
        taken = row.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": owner, "ends_at": ends},
            where=or_(LEASES.c.ends_at <= now, LEASES.c.owner == owner),
        )
        async with self._database.writing() as connection:
            return (await connection.execute(taken)).rowcount == 1

    # ── deletion ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def condemn(self, sessions: Sequence[str], kind: Kind, asked_by: str) -> Erasure:
        """They are read no more from now on, and whoever is archiving one is refused; `purge` each. The proof says what they
        were; of whoever is killed in the midst of it, what was condemned by then: the rest is as it was."""
        erasure = Erasure(secrets.token_hex(8), kind, clean(asked_by), Micros(0), Micros(0), ())
        for start in range(0, len(sessions), _PORTION):
            erasure = await self._condemn(erasure, sessions[start : start + _PORTION])
        return erasure

    async def _condemn(self, so_far: Erasure, sessions: Sequence[str]) -> Erasure:
        """These, too. The proof is not done any more, if it was, and later than it was: who asked what was let go of since then
        is told of these."""
        now = Micros(max(await self.now(), so_far.asked_at + 1))
        gone = (
            update(SESSIONS)
            .where(SESSIONS.c.session.in_(sessions))
            .values(state="deleting", attempts=SESSIONS.c.attempts + 1, due_at=later(now, 60.0), error="")
            .returning(SESSIONS.c.session, SESSIONS.c.hash, SESSIONS.c.bytes, SESSIONS.c.sound_bytes)
        )
        async with self._database.writing() as connection:
            rows = [{"session": session, "state": "pending", "due_at": now} for session in sessions]
            await self._insert(connection, SESSIONS, rows)
            found = {row.session: row for row in await connection.execute(gone)}
            removed = [
                Removed(named(one), row.hash, row.bytes, row.sound_bytes)
                for one in dict.fromkeys(sessions)
                if (row := found.get(one)) is not None
            ]
            erasure = replace(so_far, asked_at=now, done_at=Micros(0), removed=(*so_far.removed, *removed))
            values = asdict(erasure) | {"removed": json.dumps([asdict(one) for one in erasure.removed])}
            if so_far.asked_at:
                await connection.execute(update(ERASURES).where(ERASURES.c.id == erasure.id).values(**values))
            else:
                await connection.execute(ERASURES.insert(), values)
        return erasure

    async def forget_memories(self, ids: Sequence[str], kind: Kind, asked_by: str) -> Erasure | None:
        """What was remembered of callers goes, with proof, in one transaction. None: there was nothing."""
        now = await self.now()
        gone = delete(MEMORIES).where(MEMORIES.c.id.in_(ids)).returning(MEMORIES.c.id, MEMORIES.c.text)
        async with self._database.writing() as connection:
            removed = [
                Removed(
                    named(row.id), hashlib.sha256(row.text.encode()).hexdigest(), len(row.text.encode()), 0, "memory"
                )
                for row in await connection.execute(gone)
            ]
            if not removed:
                return None
            erasure = Erasure(secrets.token_hex(8), kind, clean(asked_by), now, now, tuple(removed))
            values = asdict(erasure) | {"removed": json.dumps([asdict(one) for one in removed])}
            await connection.execute(ERASURES.insert(), values)
        return erasure

    async def stale_memories(self, count: int = 200) -> list[str]:
        """The ids of those that are to be kept no longer."""
        old = MEMORIES.c.expires_at > 0, MEMORIES.c.expires_at <= await self.now()
        async with self._database.reading() as connection:
            return list((await connection.execute(select(MEMORIES.c.id).where(*old).limit(count))).scalars())

    async def purge(self, session: str) -> None:
        """The rest of a session that is condemned. Again, where that was interrupted: no harm."""
        await self._clear(session)
        async with self._database.writing() as connection:
            for table in (CHUNKS, SNAPSHOTS, SOUNDS, RECORDINGS, FOLLOW_UPS):
                await connection.execute(delete(table).where(table.c.session == session))
            await connection.execute(
                delete(SESSIONS).where(SESSIONS.c.session == session, SESSIONS.c.state == "deleting")
            )

    async def scrub(self) -> None:
        """After `purge`: as far as the database lets us, what was deleted can't be found in its files either."""
        await self._database.scrub()

    async def settle_erasures(self) -> list[Erasure]:
        """Those of which nothing is left any more are done; answers them."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(ERASURES).where(ERASURES.c.done_at == 0))).all()
            if not rows:
                return []
            query = select(SESSIONS.c.session).where(SESSIONS.c.state == "deleting")
            left = {named(name) for name in (await connection.execute(query)).scalars()}
        now, done = await self.now(), list[Erasure]()
        for row in rows:
            erasure = _erasure(row)
            if left.isdisjoint(one.session for one in erasure.removed):
                same = ERASURES.c.id == erasure.id, ERASURES.c.asked_at == erasure.asked_at  # none was added meanwhile
                query_done = update(ERASURES).where(*same).values(done_at=now)
                async with self._database.writing() as connection:
                    if (await connection.execute(query_done)).rowcount == 1:
                        done.append(replace(erasure, done_at=now))
        return done

    async def erasures(self, count: int = 100) -> list[Erasure]:
        """The latest first."""
        query = select(ERASURES).order_by(ERASURES.c.asked_at.desc(), ERASURES.c.id).limit(count)
        async with self._database.reading() as connection:
            return [_erasure(row) for row in await connection.execute(query)]

    async def erased(self, since: int | None) -> tuple[int, set[str]]:
        """What was let go of since then (µs; None: since now): the moment to ask from next, and of each session the sha256 of its
        id. Moments are those of whoever deletes: this machine's clock may be another."""
        if since is None:
            async with self._database.reading() as connection:
                return (await connection.execute(select(func.max(ERASURES.c.asked_at)))).scalar() or 0, set()
        query = select(ERASURES.c.asked_at, ERASURES.c.removed).where(ERASURES.c.asked_at > since)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        gone = {one["session"] for row in rows for one in json.loads(row.removed)}
        return max([since, *(row.asked_at for row in rows)]), gone

    async def of_person(self, person: str) -> list[str]:
        """Sessions in which somebody has this identity or this name, whichever case it is in."""
        line = f"\n{clean(person).casefold()}\n"
        query = select(SESSIONS.c.session).where(
            ("\n" + SESSIONS.c.callers + "\n").contains(line, autoescape=True), SESSIONS.c.state != "deleting"
        )
        async with self._database.reading() as connection:
            return list((await connection.execute(query.order_by(SESSIONS.c.session))).scalars())

    # ── what is old, and what is too much ────────────────────────────────────────────────────────────────────────────

    async def ended_before(
        self, moment: int, count: int, *, agent: str | None = None, but: Sequence[str] = (), sound: bool = False
    ) -> list[str]:
        """Sessions that are done and ended before `moment` (µs), the oldest first. `agent`: only its; `but`: agents whose stay;
        `sound`: only those of which some is left."""
        query = select(SESSIONS.c.session).where(SESSIONS.c.state == "done", SESSIONS.c.ended_at < moment)
        if agent is not None:
            query = query.where(SESSIONS.c.agent == agent)
        if but:
            query = query.where(SESSIONS.c.agent.not_in(list(but)))
        if sound:
            query = query.where(SESSIONS.c.sound_bytes > 0)
        query = query.order_by(SESSIONS.c.ended_at, SESSIONS.c.session).limit(count)
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def drop_sound(self, session: str) -> None:
        """Its words stay. First it is read no more, then it is gone."""
        async with self._database.writing() as connection:
            await connection.execute(delete(RECORDINGS).where(RECORDINGS.c.session == session))
            await connection.execute(update(SOUNDS).where(SOUNDS.c.session == session).values(object=""))
            mine = update(SESSIONS).where(SESSIONS.c.session == session, SESSIONS.c.state == "done")
            changed = (await connection.execute(mine.values(sound_bytes=0))).rowcount
        if changed:
            await self._clear(session)

    async def amount(self) -> Amount:
        states = select(SESSIONS.c.state, func.count()).group_by(SESSIONS.c.state)
        sums = select(total(SESSIONS.c.bytes), total(SESSIONS.c.sound_bytes)).where(SESSIONS.c.state == "done")
        damaged = select(func.count()).where(SESSIONS.c.state == "done", SESSIONS.c.error != "")
        due = select(func.min(SESSIONS.c.due_at)).where(
            SESSIONS.c.state.in_(("pending", "deleting")), SESSIONS.c.due_at <= await self.now()
        )
        async with self._database.reading() as connection:
            counts = {str(state): int(count) for state, count in await connection.execute(states)}
            text, sound = (await connection.execute(sums)).one()
            wrong = (await connection.execute(damaged)).scalar()
            oldest = (await connection.execute(due)).scalar()
        return Amount(counts, int(text), int(sound), int(wrong or 0), Micros(int(oldest or 0)))

    # ── what is to be looked at again ────────────────────────────────────────────────────────────────────────────────

    async def unverified(self, before: int, count: int) -> list[Standing]:
        """Those read back before `before` (µs), the longest ago first."""
        query = (
            standing_rows()
            .where(SESSIONS.c.state == "done", SESSIONS.c.verified_at < before)
            .order_by(SESSIONS.c.verified_at, SESSIONS.c.session)
            .limit(count)
        )
        async with self._database.reading() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def objects(self) -> set[str]:
        """The names of all that hold sound of a session."""
        async with self._database.reading() as connection:
            query = select(SOUNDS.c.object).where(SOUNDS.c.object != "").distinct()
            pieces = set((await connection.execute(query)).scalars())
            return pieces | set((await connection.execute(select(RECORDINGS.c.object))).scalars())

    async def strays(self, older: float = 86_400.0) -> list[Found]:
        """Sound that no session names, of tries that were killed; `older`: seconds, than any try takes."""
        used, found = await self.objects(), await self._objects.list()
        return [one for one in found if one.age >= older and is_ours(one.name) and one.name not in used]

    async def delete_objects(self, names: Sequence[str]) -> None:
        await self._objects.delete(names)


def _erasure(row: Any) -> Erasure:
    removed = tuple(Removed(**one) for one in json.loads(row.removed))
    return Erasure(row.id, row.kind, row.asked_by, Micros(row.asked_at), Micros(row.done_at), removed)


__all__ = ["Amount", "Erasure", "Keeps", "Kind", "Removed", "named"]
