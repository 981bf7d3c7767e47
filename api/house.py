"""What all requests of one API process share. A route asks for it as a parameter: `house: Here`."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.access.gate import KeyGate
from api.access.limits import Limits
from api.event_streams import Streams
from api.figures import Figures
from api.livekit.look import Look
from api.livekit.webhooks import Notices
from api.problems import log_away
from api.queue_watch import QueueWatch
from api.sessions.watch import Sessions
from api.way_in import WayIn
from schemas.access.livekit import Access
from schemas.bus import Bus
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import BusError


@dataclass(slots=True)
class Pulse:
    """Whether the log answers, asked once a second at most: anybody may ask us."""

    because: list[str] = field(default_factory=list)
    asked: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, log: Bus) -> list[str]:
        """What is missing."""
        async with self.asking:
            if time.monotonic() - self.asked > 1.0:
                try:
                    await log.now()
                    self.because = []
                except BusError as error:
                    self.because = [error.told]
                self.asked = time.monotonic()
        return self.because


@dataclass(slots=True)
class House:
    """`sessions`: as they are told; `livekit`: None where no server is named; `waits_for`: why the log can't be
    used since the start, "" once it can."""

    settings: Settings
    bus: Bus
    gate: KeyGate
    limits: Limits
    agents: Agents
    sessions: Sessions
    livekit: Access | None = None
    figures: Figures = field(default_factory=Figures)
    waits_for: str = "the log has not answered yet"
    livekit_look: Look = field(default_factory=Look)
    livekit_notices: Notices = field(default_factory=Notices)
    queues: QueueWatch = field(default_factory=QueueWatch)
    queue_streams: Streams = field(default_factory=Streams)
    way_in: WayIn = field(default_factory=WayIn)
    pulse: Pulse = field(default_factory=Pulse)

    def dismiss(self) -> None:
        """Whoever reads a stream is let go, and comes back to whoever serves then."""
        for streams in (self.sessions.streams, self.queue_streams):
            streams.dismiss()


def house_of(request: Request) -> House:
    """Whether the log is there or not."""
    house: House = request.app.state.house
    return house


# async, as all that routes depend on: for a plain function FastAPI asks a thread, at each request
async def _house(request: Request) -> House:
    return house_of(request)


async def _ready_house(request: Request) -> House:
    house = house_of(request)
    if house.waits_for:
        raise log_away()
    return house


Here = Annotated[House, Depends(_ready_house)]
Anyhow = Annotated[House, Depends(_house)]
"""For routes that do not need the log."""
