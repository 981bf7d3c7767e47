"""`Archive`, the part that lets go: deletion and its proof, sound before text, the oldest first; leases; how much there is."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import delete, func, or_, select, update

from schemas.archive._database import Database
from schemas.archive._objects import Found, Objects
from schemas.archive._tables import CHUNKS, ERASURES, FOLLOW_UPS, LEASES, RECORDINGS, SESSIONS, SNAPSHOTS, SOUNDS
from schemas.archive._writing import Standing, State, Writes, clean, total
from schemas.clock import Micros

Kind = Literal["person", "session", "retention"]


@dataclass(frozen=True, slots=True)
class Removed:
    """A session that is gone: `session`: the sha256 of its id; `hash`: that of its events, "" where it was never archived."""

    session: str
    hash: str
    bytes: int
    sound_bytes: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Proof of a deletion; nothing in it says whose it was. `done_at`: µs, 0 while something of it is left."""

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
        ends = Micros(now + round(seconds * 1e6))
        row = self._database.insert(LEASES).values(name=name, owner=owner, ends_at=ends)
        taken = row.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": owner, "ends_at": ends},
            where=or_(LEASES.c.ends_at <= now, LEASES.c.owner == owner),
        )
        async with self._database.writing() as connection:
            return (await connection.execute(taken)).rowcount == 1

    async def leave(self, name: str, owner: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(LEASES).where(LEASES.c.name == name, LEASES.c.owner == owner))

    # ── deletion ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def condemn(self, sessions: Sequence[str], kind: Kind, asked_by: str) -> Erasure:
        """They are read no more from now on, and whoever is archiving one is refused; `purge` each. The proof says what they
        were."""
        now, removed = await self.now(), list[Removed]()
        made = Erasure(secrets.token_hex(8), kind, clean(asked_by), now, Micros(0), ())
        async with self._database.writing() as connection:
            for session in sessions:
                await self._insert(connection, SESSIONS, [{"session": session, "state": "pending", "due_at": now}])
                gone = (
                    update(SESSIONS)
                    .where(SESSIONS.c.session == session)
                    .values(state="deleting", attempts=SESSIONS.c.attempts + 1, due_at=now + 60_000_000, error="")
                    .returning(SESSIONS.c.hash, SESSIONS.c.bytes, SESSIONS.c.sound_bytes)
                )
                row = (await connection.execute(gone)).one()
                removed.append(Removed(named(session), row.hash, row.bytes, row.sound_bytes))
            erasure = Erasure(made.id, kind, made.asked_by, now, Micros(0), tuple(removed))
            values = asdict(erasure) | {"removed": json.dumps([asdict(one) for one in removed])}
            await connection.execute(ERASURES.insert(), values)
        return erasure

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
                query_done = update(ERASURES).where(ERASURES.c.id == erasure.id).values(done_at=now)
                async with self._database.writing() as connection:
                    await connection.execute(query_done)
                done.append(Erasure(erasure.id, erasure.kind, erasure.asked_by, erasure.asked_at, now, erasure.removed))
        return done

    async def erasures(self, count: int = 100) -> list[Erasure]:
        """The latest first."""
        query = select(ERASURES).order_by(ERASURES.c.asked_at.desc(), ERASURES.c.id).limit(count)
        async with self._database.reading() as connection:
            return [_erasure(row) for row in await connection.execute(query)]

    async def erased(self, since: int | None) -> tuple[int, set[str]]:
        """What was let go of since then (µs; None: since now): the moment to ask from next, and of each session the sha256 of its
        id."""
        if since is None:
            return await self.now(), set()
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

    async def unverified(self, before: int, count: int, state: State = "done") -> list[Standing]:
        """Those read back before `before` (µs), the longest ago first."""
        names = (
            "session",
            "state",
            "attempts",
            "failures",
            "due_at",
            "error",
            "seq",
            "at",
            "hash",
            "bytes",
            "sound_bytes",
        )
        query = (
            select(*(SESSIONS.c[name] for name in names))
            .where(SESSIONS.c.state == state, SESSIONS.c.verified_at < before)
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
        """Objects that no session names, of tries that were killed; `older`: seconds, than any try takes."""
        used = await self.objects()
        return [one for one in await self._objects.list() if one.age >= older and one.name not in used]

    async def delete_objects(self, names: Sequence[str]) -> None:
        await self._objects.delete(names)


def _erasure(row: Any) -> Erasure:
    removed = tuple(Removed(**one) for one in json.loads(row.removed))
    return Erasure(row.id, row.kind, row.asked_by, Micros(row.asked_at), Micros(row.done_at), removed)


__all__ = ["Amount", "Erasure", "Keeps", "Kind", "Removed", "named"]
