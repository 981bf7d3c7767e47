"""What lists say of sessions that are over, kept beside their logs (`schemas.bus.RowKeeping`): on Redis."""

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from schemas.bus import RowKeeping
from schemas.log import keys
from schemas.log._server import Server


@cache
def _keep_row() -> str:
    return (files(__package__) / "keep_row.lua").read_text("utf-8")


class RedisRowKeeping(RowKeeping):
    """A part of `RedisBus`. A row is a field of its session's hash: whatever deletes or forgets that has it, too."""

    _server: Server

    def partition(self, session: str) -> int:
        raise NotImplementedError  # the log's

    async def kept_rows(self, sessions: Sequence[str]) -> list[bytes | None]:
        names = [keys.session_hash(self.partition(session), session) for session in sessions]
        return list(await asyncio.gather(*(self._server.command(name, "HGET", name, "row") for name in names)))

    async def keep_row(self, session: str, seq: int, row: bytes) -> bool:
        name = keys.session_hash(self.partition(session), session)
        return bool(await self._server.command(name, "EVAL", _keep_row(), 1, name, seq, row))
