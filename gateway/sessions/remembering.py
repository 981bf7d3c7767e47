"""What an agent remembers of a caller, read as they come and written into the session's log: who reads that needs no store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.metrics import GatewayMetrics
from gateway.sessions.log_away import insist
from gateway.turn_taking import State
from schemas.bus import Posting
from schemas.clock import Micros
from schemas.errors import AntiphonError, ArchiveError
from schemas.events import MemoryLoaded
from schemas.session.callers import Known, caller_among

__all__ = ["Memories", "Remembered", "Remembering"]

log = logging.getLogger("antiphon.gateway")

_WITHIN = 2.0
"""Seconds for the archive to answer: who has begun to speak is answered without it."""
_REQUEST = "memory"
"""Of the post: there is one in a session."""


class Remembered(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def updated_at(self) -> Micros: ...


class Memories(Protocol):
    """What is kept of callers: an archive."""

    async def memory(self, agent: str, caller: str) -> Remembered | None:
        """ArchiveError."""


class Remembering:
    """`opening`: gives the archive, or None while there is none."""

    def __init__(
        self, bus: Posting, opening: Callable[[], Awaitable[Memories | None]], metrics: GatewayMetrics
    ) -> None:
        self._bus, self._opening, self._metrics = bus, opening, metrics
        self._archive: Memories | None = None
        self._told = ""

    def caller(self, state: State, transport: str, caller: str) -> str:
        """Whose memory this session wants, now; "": nobody's."""
        if not state.agent.memory.on or state.agents:  # it would be another one's
            return ""
        people: Mapping[str, Known] = state.people
        return caller_among(caller, transport, people)

    async def load(self, session: str, agent: str, caller: str) -> None:
        """Write into the log what is known of the caller. Where the archive does not answer that is nothing, and is said once."""
        text, updated_at = "", Micros(0)
        try:
            async with asyncio.timeout(_WITHIN):
                found = await self._found(agent, caller)
            if found is not None:
                text, updated_at = found.text, found.updated_at
        except (AntiphonError, TimeoutError, OSError) as error:
            self._say(str(error) or f"the archive did not answer within {_WITHIN:g} s")
        else:
            self._told = ""
        event = MemoryLoaded(caller=caller, text=text, updated_at=updated_at)
        await insist("post", lambda: self._bus.post(session, _REQUEST, event), self._metrics)

    async def _found(self, agent: str, caller: str) -> Remembered | None:
        self._archive = self._archive or await self._opening()
        if self._archive is None:
            raise ArchiveError("there is no archive here (ARCHIVE_URL)")
        return await self._archive.memory(agent, caller)

    def _say(self, why: str) -> None:
        if why != self._told:
            self._told = why
            log.warning("nothing is remembered of callers: %s", why)
