"""`RedisBus`, the part beside sessions: queues from outside, dead letters, gateways, drafts, languages."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgpack

from schemas.bus import (
    DRAFTS,
    Advertising,
    Announcing,
    Buried,
    Burying,
    DeadLetter,
    Drafting,
    GatewaySeen,
    Outcome,
    Overseeing,
    StageSeen,
)
from schemas.clock import Micros
from schemas.languages import Announced
from schemas.log import _calls as calls
from schemas.log import keys
from schemas.log._letters import LetterId, buried, cursor
from schemas.log._server import Server
from schemas.log._workers_seen import SILENT, stages_seen
from schemas.stages import POOLS, Stage

_CHUNK = 200
"""Letters that are read at once where only one stage's are asked for."""


class RedisOutside(Overseeing, Burying, Announcing, Advertising, Drafting):
    """`RedisBus` is one."""

    partitions: int
    _server: Server

    async def now(self) -> Micros:
        seconds, micros = await self._server.command("", "TIME")
        return Micros(int(seconds) * 1_000_000 + int(micros))

    async def _call(self, function: str, call: calls.Call, *names: str) -> Any:
        return calls.unpacked(await self._server.function(function, names, calls.packed(call)))

    # ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def stages(self) -> list[StageSeen]:
        call = calls.StagesCall(silent=int(SILENT * 1000))
        rows: Sequence[dict[Stage, calls.StageRow]] = await asyncio.gather(
            *(self._call("stages", call, keys.leases(partition)) for partition in range(self.partitions))
        )
        return stages_seen({stage: [row[stage] for row in rows] for stage in POOLS})

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def dead_letters(self, count: int = 50, before: str = "", stage: Stage | None = None) -> list[DeadLetter]:
        last = cursor(before)
        found = await asyncio.gather(
            *(self._letters(partition, count, last, stage) for partition in range(self.partitions))
        )
        letters = sorted((pair for some in found for pair in some), key=lambda pair: pair[0], reverse=True)
        return [letter for _, letter in letters[:count]]

    async def _letters(
        self, partition: int, count: int, last: LetterId | None, stage: Stage | None
    ) -> list[tuple[LetterId, DeadLetter]]:
        """One partition's, the latest first."""
        name, chunk = keys.dead_letters(partition), _CHUNK if stage else count
        found: list[tuple[LetterId, DeadLetter]] = []
        end = "+" if last is None else last.entry if partition < last.partition else f"({last.entry}"
        while len(found) < count:
            rows = await self._server.command(name, "XREVRANGE", name, end, "-", "COUNT", chunk)
            for entry, flat in rows:
                one = LetterId.at(partition, entry.decode())
                letter = _letter(one, dict(zip(flat[::2], flat[1::2], strict=True)))
                if stage in (None, letter.stage):
                    found.append((one, letter))
            if len(rows) < chunk:
                break
            end = f"({rows[-1][0].decode()}"
        return found[:count]

    async def buried(self) -> Buried:
        return buried(await asyncio.gather(*(self._lie_in(partition) for partition in range(self.partitions))))

    async def _lie_in(self, partition: int) -> tuple[int, str]:
        """How many letters, and the latest one's entry. In this order: what comes or goes in between makes a pair that never
        comes again."""
        name = keys.dead_letters(partition)
        rows = await self._server.command(name, "XREVRANGE", name, "+", "-", "COUNT", 1)
        letters = int(await self._server.command(name, "XLEN", name))
        return letters, rows[0][0].decode() if rows else ""

    async def retry(self, letter: str) -> Outcome:
        one = LetterId.of(letter)
        if one is None or one.partition >= self.partitions:
            return Outcome.MISSING
        call = calls.RetryCall(letter=one.entry)
        return Outcome(await self._call("retry", call, keys.dead_letters(one.partition)))

    async def discard(self, letter: str) -> bool:
        one = LetterId.of(letter)
        if one is None or one.partition >= self.partitions:
            return False
        name = keys.dead_letters(one.partition)
        return bool(await self._server.command(name, "XDEL", name, one.entry))

    # ── what processes tell of themselves ────────────────────────────────────────────────────────────────────────────

    async def announce(self, consumer: str, what: Announced, seconds: float) -> None:
        told = (list(what.languages), what.setting, what.provider)
        await self._tell(f"{keys.SPEAKS}:{what.stage}", consumer, told, seconds)

    async def announced(self, stage: Stage) -> list[Announced]:
        return [Announced(stage, *what[:3]) for what in await self._told(f"{keys.SPEAKS}:{stage}")]

    async def advertise(self, gateway: GatewaySeen, seconds: float) -> None:
        told = asdict(gateway) | {"transports": list(gateway.transports)}
        await self._tell(keys.GATEWAYS, gateway.name, (told,), seconds)

    async def gateways(self) -> list[GatewaySeen]:
        names = GatewaySeen.__slots__  # a newer gateway may tell more
        told = await self._told(keys.GATEWAYS)
        known = [GatewaySeen(**{name: value for name, value in what.items() if name in names}) for what, *_ in told]
        return sorted(known, key=lambda gateway: gateway.name)

    async def _tell(self, name: str, who: str, what: Sequence[Any], seconds: float) -> None:
        if not seconds:
            await self._server.command(name, "HDEL", name, who)
            return
        until = await self.now() + int(seconds * 1e6)
        await self._server.command(name, "HSET", name, who, msgpack.packb((until, *what)))
        await self._server.command(name, "PEXPIRE", name, int(2000 * seconds))

    async def _told(self, name: str) -> list[Sequence[Any]]:
        """What is still believed; the rest is forgotten."""
        rows, now = await asyncio.gather(self._server.command(name, "HGETALL", name), self.now())
        told = {who: msgpack.unpackb(row) for who, row in zip(rows[::2], rows[1::2], strict=True)}
        if gone := [who for who, (until, *_) in told.items() if until <= now]:
            await self._server.command(name, "HDEL", name, *gone)
        return [what for who, (_, *what) in told.items() if who not in gone]

    # ── drafts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put_draft(self, name: str, toml: str, seconds: float) -> None:
        names, key, now = keys.DRAFTS, keys.draft(name), await self.now()
        await self._server.command(names, "ZREMRANGEBYSCORE", names, "-inf", now)
        await self._server.command(names, "ZADD", names, now + int(seconds * 1e6), name)
        await self._server.command(names, "PEXPIRE", names, int(seconds * 1000))
        await self._server.command(key, "SET", key, toml, "PX", int(seconds * 1000))
        if old := await self._server.command(names, "ZRANGE", names, 0, -DRAFTS - 1):
            await self._server.command(names, "ZREM", names, *old)
            await self._server.command(names, "DEL", *(keys.draft(one.decode()) for one in old))

    async def draft(self, name: str) -> str | None:
        key = keys.draft(name)
        toml = await self._server.command(key, "GET", key)
        return None if toml is None else str(toml.decode())


def _letter(one: LetterId, fields: dict[bytes, bytes]) -> DeadLetter:
    session, job, reason = (fields[name].decode() for name in (b"session", b"job", b"reason"))
    stage: Any = fields[b"stage"].decode()
    attempt, at = int(fields[b"attempt"]), Micros(int(fields[b"at"]))
    return DeadLetter(str(one), session, stage, job, attempt, reason, at, b"body" in fields)
