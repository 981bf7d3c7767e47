"""Sessions older than the server they are held on. A LiveKit server without Redis forgets its rooms when it restarts: people come
back into rooms of the same name with another id, and are offered to everybody as new. Their sessions go on all the same."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from gateway.rooms.livekit.names import PREFIX
from schemas.bus import Listing, Reading
from schemas.events import SessionStarted

FACTS = "livekit"
"""Key in the inputs of `session.started`: how another gateway gets into the same room as the same participant."""
_MOST = 1000
"""Sessions looked at."""


def facts_of(beginning: SessionStarted) -> Mapping[str, Any]:
    """`url`, `room_sid`, `identity` (of the agent), `agent_name`."""
    facts: Mapping[str, Any] = (beginning.inputs or {}).get(FACTS, {})
    return facts


class _Sessions(Reading, Listing, Protocol):
    """Which sessions there are, and how they began."""


class Survivors:
    """`look_again` whenever LiveKit has taken us in: what is opened later bears ids of this server, which the log tells apart."""

    def __init__(self, bus: _Sessions):
        self._bus = bus
        self._found: dict[tuple[str, str], tuple[str, str]] = {}  # room, agent's name → session, the room's id
        self._looked = False
        self._looking = asyncio.Lock()

    def look_again(self) -> None:
        self._looked = False

    async def of(self, room: str, agent_name: str, room_sid: str) -> str:
        """The session that goes on in this room, though its id was another; "" if there is none. BusError."""
        async with self._looking:
            if not self._looked:
                await self._look()
                self._looked = True
        session, sid = self._found.get((room, agent_name), ("", room_sid))
        if sid == room_sid:
            return ""
        known = await self._bus.info(session)
        if known is not None and known.state == "open":
            return session
        self._found.pop((room, agent_name), None)
        return ""

    async def _look(self) -> None:
        sessions = [info.session for info in await self._bus.sessions(_MOST) if info.session.startswith(PREFIX)]
        first = await asyncio.gather(*(self._bus.read(session, 0, 1) for session in sessions))
        self._found = {}
        for session, events in zip(sessions, first, strict=True):
            if events and isinstance(beginning := events[0], SessionStarted):
                facts = facts_of(beginning)
                key = (beginning.room, str(facts.get("agent_name", "")))
                self._found[key] = (session, str(facts.get("room_sid", "")))
