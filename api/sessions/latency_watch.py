"""How long answers took up to now, told to all who watch: worked out once for those who look at the same, as answers come."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from api.event_streams import message
from api.sessions.index import Index
from api.sessions.latency import latency_of
from schemas.bus import Listing
from schemas.clock import Micros
from schemas.errors import BusError

APART = 2.0
"""Seconds between two messages at least."""
_RESTS = 9.0
"""Times as long as it takes to work a message out: it costs no more than a tenth of a core."""
ANEW = 10.0
"""Seconds after which it is told again though nothing was answered: the window up to now has moved."""
_AWAY = 1.0
"""Seconds between two tries while the log is away."""


@dataclass(slots=True)
class _Window:
    """Somebody watches it. `told`: the last message, b"" none yet; `told_of`: what it knew, None: nothing, the log was away;
    `at`: when it was told, `rests`: until then it is not told anew (the loop's time)."""

    readers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    told: bytes = b""
    told_of: tuple[int, int] | None = None
    at: float = float("-inf")
    rests: float = float("-inf")


class LatencyWatch:
    """One a process. A window is so many seconds up to now, of one agent or ("") of all."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._windows: dict[tuple[int, str], _Window] = {}

    def __len__(self) -> int:
        """Windows that are watched."""
        return len(self._windows)

    async def stream(self, log: Listing, seconds: int, agent: str) -> AsyncGenerator[bytes, None]:
        """Messages `latency`, a whole each time, and `away` while the log does not answer."""
        window = self._windows.setdefault((seconds, agent), _Window())
        window.readers += 1
        try:
            told = b""
            while True:
                await self._tell(window, told, log, seconds, agent)
                if window.told is not told:
                    told = window.told
                    yield told
                elif window.told_of in (None, self._index.answered):  # nothing came meanwhile
                    await self._index.bell.wait(_AWAY if window.told_of is None else ANEW)
        finally:
            window.readers -= 1
            if not window.readers:
                self._windows.pop((seconds, agent), None)

    async def _tell(self, window: _Window, told: bytes, log: Listing, seconds: int, agent: str) -> None:
        """Have another message than `told`, if there is anything new, or that one is old. One reader does it for all."""
        clock = asyncio.get_running_loop().time
        async with window.lock:
            if window.told is not told:
                return
            if window.told_of == self._index.answered and clock() - window.at < ANEW:
                return
            await asyncio.sleep(max(0.0, window.rests - clock()))
            began, known = clock(), self._index.answered
            try:
                now = await log.now()
                since = Micros(now - seconds * 1_000_000)
                answers = self._index.answers(since, agent)
                latency = await asyncio.to_thread(latency_of, answers, since, now, self._index.unread)
                window.told = message("latency", latency.model_dump_json().encode())
                window.told_of = known
            except BusError as error:
                window.told = message("away", json.dumps({"detail": str(error)}).encode())
                window.told_of = None
            window.at = clock()
            window.rests = window.at + (max(APART, _RESTS * (window.at - began)) if window.told_of else _AWAY)
