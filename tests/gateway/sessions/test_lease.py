"""LEASE, at its least, its usual and a long value: what follows from it holds at each."""

import asyncio

import pytest

from gateway.room import Room
from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.reception import Reception
from gateway.transport import Transport
from schemas.bus import Held, Hold, Outcome
from schemas.config.lease import Lease
from schemas.errors import BusUnavailable
from schemas.log import MemoryBus
from tests.gateway.pools import Pools
from tests.gateway.rig import Rig, rig, silence, speak
from workers.testing import LoopClock, virtually

LEASES = pytest.mark.parametrize("lease", [1.0, 2.0, 8.0])


class Line:
    """A gateway's connection to a log that others reach, too. `down`: nothing of its gateway's gets through."""

    def __init__(self, log: MemoryBus):
        self.log = log
        self.down = False

    def __getattr__(self, name: str) -> object:
        target = getattr(self.log, name)
        if not asyncio.iscoroutinefunction(target):
            return target

        async def call(*arguments: object, **named: object) -> object:
            if self.down:
                raise BusUnavailable("the line is cut")
            return await target(*arguments, **named)

        return call


@virtually
@LEASES
async def test_silent_before_it_ends(lease: float) -> None:
    """A gateway that is cut off is silent before its lease ends, by the log's time; its sound went on for most of it."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    line = Line(log)
    async with rig(line) as gateway, Pools(log, says=["A long one."], seconds=30):  # type: ignore[arg-type]
        session, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 1.5)
        assert room.queued() > 0
        line.down = True
        held = session.held_at
        while room.queued() > 0:
            await silence(room, 0.032)
        info = await log.info("s1")
        assert info is not None
        assert await log.now() < info.lease_ends - 0.2 * lease * 1e6
        assert gateway.clock.now() - held == pytest.approx(0.75 * lease, abs=0.07)


@virtually
@LEASES
async def test_held_in_time(lease: float) -> None:
    """A living gateway renews four times a lease, so that more than half of it is always left, though a renewal be lost."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    holds: list[float] = []

    class Lossy(Line):
        async def hold(self, *arguments: object) -> Held:
            holds.append(LoopClock().now())
            if len(holds) % 3 == 0:
                raise BusUnavailable("lost")
            return await log.hold(*arguments)  # type: ignore[arg-type]

    async with rig(Lossy(log)) as gateway:  # type: ignore[arg-type]
        _, room = await gateway.open()
        least = lease
        for _ in range(int(6 * lease / 0.096)):
            await silence(room, 0.096)
            info = await log.info("s1")
            assert info is not None
            least = min(least, (info.lease_ends - await log.now()) / 1e6)
        assert least > 0.45 * lease
        assert len(holds) < 7 * 6


@virtually
@LEASES
async def test_taken_over_when_it_ends(lease: float) -> None:
    """A killed gateway's session is another's as soon as the lease is over, and no sooner."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    first = Rig(log)
    await first.start()
    session, room = await first.open()
    await silence(room, 1.1 * lease)
    async with rig(log, "gateway-b"):
        await asyncio.sleep(lease)  # both have been there for a while
        held = session.held_at
        await first.die()
        while (info := await log.info("s1")) is None or info.epoch == 1:
            await asyncio.sleep(0.02)
        taken = LoopClock().now() - held
        assert lease <= taken <= 1.25 * lease + 0.05


@virtually
@LEASES
async def test_owners_first(lease: float) -> None:
    """When the log was away from everybody for longer than a lease, owners renew before anybody takes what is theirs."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    here, there = Line(log), Line(log)
    async with rig(here) as first, rig(there, "gateway-b"):  # type: ignore[arg-type]
        await first.open()
        await asyncio.sleep(1.3 * lease)
        here.down = there.down = True
        await asyncio.sleep(3 * lease)
        here.down = there.down = False
        await asyncio.sleep(2 * lease)
        info = await log.info("s1")
        assert info is not None
        assert (info.epoch, info.owner) == (1, "gateway-a")


@virtually
@LEASES
async def test_held_while_its_room_is_rejoined(lease: float) -> None:
    """A take-over that takes three leases to find its room keeps the session all the while."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    first = Rig(log)
    await first.start()
    await first.open()

    async def slowly(*_: object) -> Room | None:
        await asyncio.sleep(3 * lease)
        return None

    def prepared(reception: Reception) -> None:
        reception.transports = {"memory": Transport("memory", slowly)}

    async with rig(log, "gateway-b") as second, rig(log, "gateway-c") as third:
        prepared(second.reception)
        prepared(third.reception)
        await first.die()
        await asyncio.sleep(6 * lease)
        info = await log.info("s1")
        assert info is not None
        assert (info.state, info.epoch) == ("closed", 2)


@virtually
async def test_nobody_takes_over_from_themselves() -> None:
    """A gateway that finds its own session among those whose lease ran out leaves it as it is, with its client in the room."""
    log = MemoryBus(clock=LoopClock())
    async with rig(log) as gateway:
        session, _ = await gateway.open()
        await asyncio.sleep(1.0)
        await gateway.reception.leases._tasks.aclose()
        await gateway.reception.aclose()  # no hold from here on
        await asyncio.sleep(3.0)
        assert await log.expired(log.partition("s1"), 1) == ["s1"]
        await gateway.reception.adopt("s1")
        assert gateway.engine.sessions["s1"] is session
        info = await log.info("s1")
        assert info is not None
        assert info.epoch == 1


@virtually
async def test_who_comes_back_while_it_is_taken_over_keeps_it() -> None:
    """A client that comes back with its ticket while its session's room is still being rejoined is the one who has it."""
    log = MemoryBus(clock=LoopClock())
    first = Rig(log)
    await first.start()
    session, _ = await first.open()
    came_back = asyncio.Event()

    async def slowly(*_: object) -> Room:
        await came_back.wait()
        return MemoryRoom(LoopClock())

    async with rig(log, "gateway-b") as second:
        second.reception.transports = {"memory": Transport("memory", slowly)}
        await first.die()
        while (info := await log.info("s1")) is None or info.epoch == 1:
            await asyncio.sleep(0.05)
        room = MemoryRoom(LoopClock())
        back = await second.reception.resume("s1", session.ticket, lambda _: None, lambda *_: room)
        came_back.set()
        await asyncio.sleep(1.0)
        assert second.engine.sessions["s1"] is back
        assert not back.over.is_set()


@virtually
@LEASES
async def test_who_has_another_lease(lease: float) -> None:
    """A session's lease is as long as its owner asked for, whatever others would ask for."""
    log = MemoryBus(clock=LoopClock(), lease=lease)
    async with rig(log) as gateway:
        await gateway.open()
        before = await log.now()
        held = await log.hold("gateway-a", log.partition("s1"), [Hold("s1", 1)])
        assert held.receipts[0].outcome is Outcome.OK
        info = await log.info("s1")
        assert info is not None
        assert info.lease_ends - before == pytest.approx(lease * 1e6, abs=1e4)


@LEASES
def test_its_parts(lease: float) -> None:
    """Silent before it ends and after two renewals could be lost; owners have the time to renew before others take."""
    parts = Lease(lease)
    assert 2 * parts.renewed_every < parts.silent_after < parts.seconds
    assert parts.again_after <= parts.renewed_every
    assert parts.again_after <= parts.sessions_settle
    assert parts.jobs_settle > 0.1
