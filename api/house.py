"""What all requests of one API process share. A route asks for it as a parameter: `house: Here`."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.access.gate import KeyGate
from api.access.limits import Limits
from api.agent_watch import AgentWatch
from api.built import built_app
from api.event_streams import Streams
from api.figures import Figures
from api.livekit.look import Look
from api.livekit.webhooks import Notices
from api.problems import log_away
from api.queue_watch import QueueWatch
from api.sessions.watch import Sessions
from api.way_in import WayIn
from schemas.access.livekit import Access
from schemas.background.asked import AskedFor
from schemas.bus import Bus
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import BusError
from schemas.process.log_clock import LogClock

NOT_YET = "the log has not answered yet"
"""Of a log that may just be being started, as we are: nothing has failed."""
Hearer = tuple[str, str, str]
"""An operator's name and key, and the session they hear."""
_PATIENCE = 2.0
"""Seconds that whoever reads the figures waits for the queues."""


@dataclass(slots=True)
class Pulse:
    """Whether the log answers (`because`: that it does not), and what calls would lack (`missing`): looked at once a second at
    most, for anybody may ask us."""

    because: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    asked: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def feel(self, house: "House") -> "Pulse":
        async with self.asking:
            if time.monotonic() - self.asked > 1.0:
                try:
                    await house.clock.look(house.bus)
                    self.because, self.missing = [], await _missing(house)
                except BusError as error:
                    self.because, self.missing = [error.told], []
                self.asked = time.monotonic()
        return self


@dataclass(slots=True)
class House:
    """`sessions`: as they are told; `livekit`: None where no server is named; `asked`: what the jobs worker is asked for;
    `coming`: bytes that each upload under way may come to; `exports`: how many are being sent;
    `clock`: by which answers, tickets and tokens are dated; `waits_for`: why the log can't be used since the start (at first
    NOT_YET), "" once it can; `streams`: all but those of sessions; `heard`: since when somebody hears the file of a call that is
    not over (monotonic)."""

    settings: Settings
    bus: Bus
    gate: KeyGate
    limits: Limits
    agents: Agents
    sessions: Sessions
    livekit: Access | None = None
    asked: AskedFor = field(default_factory=lambda: AskedFor(Settings(_env_file=None)))
    clock: LogClock = field(default_factory=LogClock)
    figures: Figures = field(default_factory=Figures)
    waits_for: str = NOT_YET
    livekit_look: Look = field(default_factory=Look)
    livekit_notices: Notices = field(default_factory=Notices)
    queues: QueueWatch = field(default_factory=QueueWatch)
    agent_watch: AgentWatch = field(default_factory=AgentWatch)
    streams: Streams = field(default_factory=Streams)
    way_in: WayIn = field(default_factory=WayIn)
    pulse: Pulse = field(default_factory=Pulse)
    heard: dict[Hearer, float] = field(default_factory=dict)
    coming: dict[object, int] = field(default_factory=dict)
    exports: int = 0

    def dismiss(self) -> None:
        """Whoever reads a stream is let go, and comes back to whoever serves then."""
        for streams in (self.sessions.streams, self.streams):
            streams.dismiss()


async def look_at_queues(house: House) -> None:
    """For whoever reads the figures: how much waits, as it is or was a second ago. Unknown while the log does not answer."""
    try:
        if house.waits_for:
            raise BusError(house.waits_for)
        async with asyncio.timeout(_PATIENCE):
            looked = await house.queues.latest(house.bus)
    except (BusError, TimeoutError):
        house.figures.backlog.unknown()
        return
    house.figures.backlog.told(
        (seen.stage, seen.queued, seen.running, seen.oldest, len(seen.workers)) for seen in looked.stages
    )


async def _missing(house: House) -> list[str]:
    """In words for anybody: why it is so, operators are told elsewhere. BusError."""
    looked = await house.queues.latest(house.bus)
    missing = [] if looked.gateways else ["a gateway"]
    missing += [f"a worker for {seen.stage.upper()}" for seen in looked.stages if not seen.workers]
    if house.livekit is not None and await house.livekit_look.look(house.livekit):
        missing.append("LiveKit")
    if built_app(house.settings.api_web) is None:
        missing.append("the web app")
    return missing + house.clock.told()


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
