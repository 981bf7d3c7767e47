"""Rooms nobody looked after. LiveKit's open-source server offers a room once, when it is made: if no gateway was there
then, or all were full, it has no agent for ever. The watcher finds such rooms and hands them over."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from livekit import api
from livekit.protocol import agent as pb
from livekit.protocol import agent_dispatch as dispatches
from livekit.protocol import models

from gateway.rooms.livekit.names import session_name
from schemas.access.livekit import Access
from schemas.bus import SessionInfo
from schemas.errors import BusError

log = logging.getLogger("antiphon.gateway.livekit")

_HUMAN = (
    models.ParticipantInfo.STANDARD,
    models.ParticipantInfo.SIP,
    models.ParticipantInfo.INGRESS,
    models.ParticipantInfo.CONNECTOR,
)
_SETTLED = 15.0  # seconds until a room with nothing to do is looked at again


@dataclass(frozen=True, slots=True)
class Lonely:
    """A room with people in it whose agent never came. `session`: how the log would call it; `metadata`: the dispatch's."""

    room: str
    room_sid: str
    session: str
    metadata: str


class Watcher:
    """`session_of`: what the log knows of a session; `look_after`: joins a lonely room, if there is a place here.

    Twice in a row a room must look lonely: the offer to a worker may be under way. `looks`: how often it has looked at all rooms.
    """

    def __init__(
        self, access: Access, session_of: Callable[[str], Awaitable[SessionInfo | None]],
        look_after: Callable[[Lonely], None], agent_name: str, *, every: float,
    ):  # fmt: skip
        self._access, self._name, self._every = access, agent_name, every
        self._session_of, self._look_after = session_of, look_after
        self._suspected: set[str] = set()
        self._settled: dict[str, float] = {}  # room sid → loop time until which it needs no look
        self._failing = False
        self.looks = 0

    async def run(self) -> None:
        """Look for ever; each gateway at moments of its own."""
        async with self._access.client() as livekit:
            while True:
                await asyncio.sleep(self._every * random.uniform(0.75, 1.25))
                try:
                    await self.look(livekit)
                    self._failing = False
                except (api.TwirpError, aiohttp.ClientError, OSError, TimeoutError, BusError) as error:
                    if not self._failing:
                        log.warning("can't look for lonely rooms: %s", error)
                    self._failing = True

    async def look(self, livekit: api.LiveKitAPI) -> None:
        """One look at all rooms."""
        now = asyncio.get_running_loop().time()
        rooms = (await livekit.room.list_rooms(api.ListRoomsRequest())).rooms
        there = {room.sid for room in rooms}
        self._settled = {sid: until for sid, until in self._settled.items() if sid in there and until > now}
        suspected = set()
        for room in rooms:
            if room.sid in self._settled:
                continue
            for lonely in await self._lonely(livekit, room, now):
                suspected.add(lonely.session)
                if lonely.session in self._suspected:
                    self._look_after(lonely)
        self._suspected = suspected
        self.looks += 1

    async def _lonely(self, livekit: api.LiveKitAPI, room: models.Room, now: float) -> list[Lonely]:
        answer = await livekit.room.list_participants(api.ListParticipantsRequest(room=room.name))
        people = list(answer.participants)
        if not any(one.kind in _HUMAN and one.state != models.ParticipantInfo.DISCONNECTED for one in people):
            return []
        agents = [one for one in people if one.kind == models.ParticipantInfo.AGENT]
        found = []
        if self._name or not any("lk.publish_on_behalf" not in agent.attributes for agent in agents):
            for dispatch in await livekit.agent_dispatch.list_dispatch(room.name):
                if dispatch.agent_name == self._name and not _served(dispatch):
                    name = session_name(room.sid, dispatch.id if self._name else "")
                    if await self._session_of(name) is None:
                        found.append(Lonely(room.name, room.sid, name, dispatch.metadata))
        if not found:  # agents can be asked for by name at any time; every room's agent comes once
            self._settled[room.sid] = now + (_SETTLED if self._name else float("inf"))
        return found


def _served(dispatch: dispatches.AgentDispatch) -> bool:
    """Whether somebody has, or had, this job."""
    return any(job.state.status not in (pb.JS_FAILED, pb.JS_PENDING) for job in dispatch.state.jobs)
