"""Who may use the API, as the log keeps it (`schemas.bus.Admitting`): on Redis, and its twin in memory."""

import secrets
from dataclasses import astuple, replace
from functools import cache
from importlib.resources import files

import msgpack

from schemas.access.allowance import Allowance, Ledger
from schemas.access.audit import KEPT, Deed
from schemas.access.keys import MOST, ApiKey
from schemas.bus import Admitting
from schemas.log import keys
from schemas.log._server import Server


@cache
def _spend() -> str:
    return (files(__package__) / "spend.lua").read_text("utf-8")


class RedisAdmitting(Admitting):
    """A part of `RedisBus`: plain commands, for none of this is a session's."""

    _server: Server

    async def keys(self) -> list[ApiKey]:
        rows = await self._server.command(keys.API_KEYS, "HGETALL", keys.API_KEYS)
        found = [ApiKey(*msgpack.unpackb(row)) for row in rows[1::2]]
        return sorted(found, key=lambda key: (key.made, key.key))

    async def add_key(self, key: ApiKey) -> bool:
        if int(await self._server.command(keys.API_KEYS, "HLEN", keys.API_KEYS)) >= MOST:
            return False
        await self._server.command(keys.KEYED, "SET", keys.KEYED, "1")
        await self._server.command(keys.API_KEYS, "HSET", keys.API_KEYS, key.key, msgpack.packb(astuple(key)))
        return True

    async def remove_key(self, key: str) -> bool:
        if not await self._server.command(keys.API_KEYS, "HEXISTS", keys.API_KEYS, key):
            return False
        await self._server.command(keys.KEYED, "SET", keys.KEYED, "1")  # it was made before that was noted
        return bool(await self._server.command(keys.API_KEYS, "HDEL", keys.API_KEYS, key))

    async def had_keys(self) -> bool:
        return bool(await self._server.command(keys.KEYED, "EXISTS", keys.KEYED))

    async def ticket_secret(self) -> str:
        name = keys.TICKET_SECRET
        await self._server.command(name, "SET", name, secrets.token_hex(32), "NX")
        kept: bytes = await self._server.command(name, "GET", name)
        return kept.decode()

    async def record(self, deed: Deed) -> None:
        body = msgpack.packb(astuple(replace(deed, entry="")))
        await self._server.command(keys.AUDIT, "XADD", keys.AUDIT, "MAXLEN", "~", KEPT, "*", "d", body)

    async def deeds(self, count: int = 100, before: str = "") -> list[Deed]:
        latest = f"({before}" if before else "+"
        rows = await self._server.command(keys.AUDIT, "XREVRANGE", keys.AUDIT, latest, "-", "COUNT", count)
        return [replace(Deed(*msgpack.unpackb(fields[1])), entry=entry.decode()) for entry, fields in rows]

    async def spend(self, who: str, allowance: Allowance, cost: float = 1.0) -> float:
        name = f"{keys.SPENT}:{who}"
        asked = msgpack.packb({"interval": allowance.interval, "at_once": allowance.at_once, "cost": cost})
        return int(await self._server.command(name, "EVAL", _spend(), 1, name, asked)) / 1e6


class MemoryAdmitting(Admitting):
    """The same, for one process."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._keyed = False
        self._secret = secrets.token_hex(32)
        self._deeds: list[Deed] = []
        self._entries = 0
        self._spent = Ledger()

    def _now(self) -> int:
        raise NotImplementedError  # the log's

    async def keys(self) -> list[ApiKey]:
        return sorted(self._keys.values(), key=lambda key: (key.made, key.key))

    async def add_key(self, key: ApiKey) -> bool:
        if len(self._keys) >= MOST:
            return False
        self._keys[key.key], self._keyed = key, True
        return True

    async def remove_key(self, key: str) -> bool:
        return self._keys.pop(key, None) is not None

    async def had_keys(self) -> bool:
        return self._keyed

    async def ticket_secret(self) -> str:
        return self._secret

    async def record(self, deed: Deed) -> None:
        self._entries += 1
        self._deeds.append(replace(deed, entry=f"{self._entries}-0"))
        del self._deeds[:-KEPT]

    async def deeds(self, count: int = 100, before: str = "") -> list[Deed]:
        last = int(before.partition("-")[0]) if before else self._entries + 1
        return [deed for deed in reversed(self._deeds) if int(deed.entry.partition("-")[0]) < last][:count]

    async def spend(self, who: str, allowance: Allowance, cost: float = 1.0) -> float:
        return self._spent.spend(who, self._now(), allowance, cost)
