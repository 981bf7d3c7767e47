"""Whether the LiveKit server answers, found out at most every few seconds however many ask."""

import asyncio
import time
from dataclasses import dataclass, field

from livekit import api

from api.livekit.asking import asking
from api.problems import Problem
from schemas.access.livekit import Access

_FRESH = 2.0
"""Seconds for which what was found is told again."""


@dataclass(slots=True)
class Look:
    """`problem`: "" while it answers and takes our key."""

    problem: str = ""
    _until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, access: Access) -> str:
        async with self._lock:
            if time.monotonic() >= self._until:
                try:
                    async with asking(access) as server:
                        await server.room.list_rooms(api.ListRoomsRequest(names=["-"]))
                    self.problem = ""
                except Problem as problem:
                    self.problem = str(problem)
                self._until = time.monotonic() + _FRESH
            return self.problem
