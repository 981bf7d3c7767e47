"""Sessions for the API's tests: golden ones, and ones that grow."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from api.house import House
from schemas.bus import Gatekeeping, Outcome, Publication
from schemas.codec import event_from_json
from schemas.config.agent import AgentSpec
from schemas.events import Event, ParticipantJoined, SessionEnded, SessionStarted
from schemas.log import MemoryBus

XSS = "<script>alert(1)</script>"
_GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> list[Event]:
    """A session as its log tells it."""
    lines = (_GOLDEN / f"{name}.jsonl").read_text().splitlines()
    return [event_from_json(json.loads(line)) for line in lines]


async def keep(house: House, session: str, events: list[Event]) -> None:
    """Have the log keep these events as a session of its own, each at its own moment."""
    bus = house.bus
    assert isinstance(bus, MemoryBus)
    await bus.open(session, "gw1", "r", events[:1])
    if events[-1].type == "session.ended":
        await bus.close(session, 1, Publication(1))
    kept = bus._log[bus.partition(session)].sessions[session]
    kept.events = list(events)
    kept.seq, kept.at, kept.listed = events[-1].seq, events[-1].at, True  # a replay, too, once it is over


@dataclass(slots=True)
class Growing:
    """A session that goes on, as its gateway writes it."""

    bus: Gatekeeping
    name: str
    operation: int = 0

    async def publish(self, *events: Event, raises: int | None = None) -> None:
        self.operation += 1
        receipt = await self.bus.publish(self.name, 1, Publication(self.operation, events, raises=raises))
        assert receipt.outcome is Outcome.OK, receipt

    async def close(self, reason: str = "hang_up") -> None:
        self.operation += 1
        receipt = await self.bus.close(self.name, 1, Publication(self.operation, [SessionEnded(reason=reason)]))
        assert receipt.outcome is Outcome.OK, receipt


async def open_session(
    house: House, session: str, *, agent: str = "default", name: str = "", transport: str = "memory"
) -> Growing:
    """`name`: of a participant who is there from the beginning."""
    started = SessionStarted.model_validate(
        {"room": "room", "transport": transport, "agent": AgentSpec(name=agent), "gateway": "gw1"}
    )
    joined = [ParticipantJoined(participant=name.split("\n")[0].lower(), name=name)] if name else []
    claimed = await house.bus.open(session, "gw1", "r", [started, *joined])
    assert claimed.receipt.outcome is Outcome.OK, claimed
    return Growing(house.bus, session)


class Troubled(MemoryBus):
    """Reading of the sessions in `failing` raises their error; of those in `held` it waits until `goes_on`."""

    failing: dict[str, Exception]
    held: set[str]
    goes_on: asyncio.Event
    reads: list[str]

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        self.reads.append(session)
        if session in self.failing:
            raise self.failing[session]
        if session in self.held:
            await self.goes_on.wait()
        return await super().read(session, after, count)


def troubled(house: House) -> Troubled:
    """The house's log, which from now on fails where it is told to."""
    bus = house.bus
    bus.__class__ = Troubled
    assert isinstance(bus, Troubled)
    bus.failing, bus.held, bus.goes_on, bus.reads = {}, set(), asyncio.Event(), []
    return bus
