"""A gateway in virtual time: real engine, sessions, leases and turn-taking; a memory log and rooms, loudness for a VAD."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.engine import TICK, Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.sessions.session import Session
from schemas.audio import Pcm
from schemas.bus import Bus
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.events import Event
from workers.testing import LoopClock

FRAME = 512


class LoudnessVad:
    """Loud is speech."""

    def __init__(self) -> None:
        self.slots = 0
        self.batches: list[int] = []

    def warm_up(self) -> None: ...

    def take_slot(self) -> int:
        self.slots += 1
        return self.slots

    def give_slot(self, slot: int) -> None: ...

    def run(self, slots: list[int], frames: Pcm) -> list[float]:
        self.batches.append(len(slots))
        return [float(abs(frame).max() > 500) for frame in frames.astype(np.int32)]


class Rig:
    """One gateway. `speak` and `silence` send sound in real (virtual) time; all that is going on goes on meanwhile."""

    def __init__(self, bus: Bus, owner: str = "gateway-a"):
        self.bus = bus
        self.clock = LoopClock()
        self.vad = LoudnessVad()
        self.house = House(bus, self.clock, self.vad, owner)
        self.engine = Engine(self.house, threaded=False)
        self.reception = Reception(self.house, self.engine, Agents())

    async def start(self) -> None:
        await self.engine.start()
        self.reception.start()

    async def die(self) -> None:
        """As SIGKILL: nothing is said, nothing is handed over."""
        for session in list(self.engine.sessions.values()):
            session.let_go("killed")
        await self.reception.aclose()
        await self.engine.aclose()

    async def open(self, agent: AgentSpec | None = None, name: str = "s1") -> tuple[Session, MemoryRoom]:
        room = MemoryRoom(self.clock)
        session = await self.reception.open(name, room, agent or AgentSpec())
        room.join()
        return session, room

    async def log(self, name: str = "s1") -> list[Event]:
        return await self.bus.read(name)

    async def types(self, name: str = "s1") -> list[str]:
        return [event.type for event in await self.bus.read(name)]


@asynccontextmanager
async def rig(bus: Bus, owner: str = "gateway-a") -> AsyncIterator[Rig]:
    one = Rig(bus, owner)
    await one.start()
    try:
        yield one
    finally:
        await one.die()


async def speak(room: MemoryRoom, seconds: float, participant: str = "caller", loudness: int = 5000) -> None:
    """Sound of `loudness`, frame by frame, in real time."""
    for _ in range(round(seconds / TICK)):
        room.hear(np.full(FRAME, loudness, np.int16), participant)
        await asyncio.sleep(TICK)


async def silence(room: MemoryRoom, seconds: float, participant: str = "caller") -> None:
    await speak(room, seconds, participant, 0)


async def ticks(house: House, count: int) -> None:
    """Until a gateway has ticked so often once more, in real time: as many looks at what does not happen, 32 ms apart or more."""

    enough = _of_lateness(house, "_count") + count
    while _of_lateness(house, "_count") < enough:
        await asyncio.sleep(0.01)


def late(house: House) -> float:
    """Seconds by which its ticks were late so far, all together."""
    return _of_lateness(house, "_sum")


def _of_lateness(house: House, of: str) -> float:
    (lateness,) = house.metrics.lateness.collect()
    return next(sample.value for sample in lateness.samples if sample.name.endswith(of))
