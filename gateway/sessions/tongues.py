"""Which languages the workers speak, as they announce it: an agent of another one is warned of, in the log and to its callers."""

import asyncio
import logging

from schemas.bus import Announcing
from schemas.clock import Clock
from schemas.config.agent import AgentSpec
from schemas.errors import BusError
from schemas.languages import Announced, Unspoken, unspoken

log = logging.getLogger("antiphon.gateway")

_FRESH = 5.0  # seconds what was heard is believed
_WITHIN = 0.5  # seconds: no session waits for this


class Tongues:
    def __init__(self, bus: Announcing, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._known: list[Announced] = []
        self._asked_at: float | None = None
        self._said: set[str] = set()

    async def warnings(self, agent: AgentSpec) -> list[Unspoken]:
        """Each model that doesn't speak the agent's language; none where nobody has announced anything."""
        now = self._clock.now()
        if self._asked_at is None or now - self._asked_at > _FRESH:
            self._asked_at = now
            try:
                async with asyncio.timeout(_WITHIN):
                    self._known = [*await self._bus.announced("stt"), *await self._bus.announced("tts")]
            except (BusError, TimeoutError):
                pass  # whoever opens a session is told of the log's trouble by that
        found = unspoken(agent, self._known)
        for one in found:
            if one.sentence not in self._said:
                self._said.add(one.sentence)
                log.warning("%s", one.sentence)
        return found
