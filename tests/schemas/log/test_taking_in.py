"""Sessions that were held elsewhere are kept as the log's own are."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus, Outcome
from schemas.config.agent import AgentSpec
from schemas.events import Event, SessionStarted
from schemas.log import MemoryBus, RedisBus
from schemas.session.cache import folded
from schemas.session.fold import fold_all
from tests.golden import scenarios

KINDS = pytest.mark.parametrize("kind", ["memory", "redis"])


async def started(kind: str, valkey: Valkey, partitions: int = 3) -> Bus:
    bus: Bus = MemoryBus(partitions) if kind == "memory" else RedisBus(valkey.url, partitions=partitions)
    await bus.start()
    return bus


async def paged(events: Sequence[Event], size: int = 5) -> AsyncIterator[Sequence[Event]]:
    for first in range(0, len(events), size):
        yield events[first : first + size]


@KINDS
@pytest.mark.parametrize("size", [1, 5, 500])
async def test_it_is_there_with_the_times_it_had(kind: str, size: int, valkey: Valkey) -> None:
    """Event by event as it was, closed, listed among those that ended, and nobody's."""
    bus, log = await started(kind, valkey), scenarios.take_over()
    assert await bus.take_in("s1", paged(log, size)) is Outcome.OK
    assert await bus.read("s1") == log
    assert await folded(bus, "s1") == fold_all(log)
    info = await bus.info("s1")
    assert info is not None
    assert (info.state, info.seq, info.owner, info.epoch, info.generation) == ("closed", len(log), "gw2", 2, 0)
    assert info.last_activity == log[-1].at
    assert [one.session for one in await bus.closed()] == ["s1"]
    assert [one.session for one in await bus.touched("closed", 5)] == ["s1"]
    assert await bus.sessions() == []
    await bus.aclose()


@KINDS
async def test_an_id_is_given_once(kind: str, valkey: Valkey) -> None:
    """Taken in a second time, or while it is open, it changes nothing; nor can it be opened."""
    bus, log = await started(kind, valkey), scenarios.barge_in()
    start = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
    await bus.open("s2", "g", "q", [start])
    assert await bus.take_in("s1", paged(log)) is Outcome.OK
    assert await bus.take_in("s1", paged(log[:4])) is Outcome.EXISTS
    assert await bus.take_in("s2", paged(log)) is Outcome.EXISTS
    assert (await bus.open("s1", "g", "q", [start])).receipt.outcome is Outcome.EXISTS
    assert await bus.read("s1") == log
    assert len(await bus.read("s2")) == 1
    await bus.aclose()


async def test_what_was_begun_and_not_ended_is_nothing(valkey: Valkey) -> None:
    """Killed in the middle: nobody sees a session, and the next try begins anew; what is left goes by itself."""
    import redis.asyncio

    bus, log = await started("redis", valkey, partitions=1), scenarios.barge_in()

    async def broken() -> AsyncIterator[Sequence[Event]]:
        yield log[:5]
        yield log[5:9]
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 (of our own making)
        await bus.take_in("s1", broken())
    raw = redis.asyncio.Redis.from_url(valkey.url)
    assert await raw.xlen("{p00}:ev:s1") == 5
    assert await raw.pttl("{p00}:ev:s1") > 0
    assert await bus.info("s1") is None
    assert await bus.closed() == []
    assert await bus.take_in("s1", paged(log)) is Outcome.OK
    assert await bus.read("s1") == log
    assert await raw.pttl("{p00}:s:s1") > 0
    await raw.aclose()
    await bus.aclose()


@KINDS
async def test_two_of_one_name_at_once_do_not_mix(kind: str, valkey: Valkey) -> None:
    """One is refused; the other is there, and has nothing of the first."""
    bus, first, second = await started(kind, valkey), scenarios.take_over(), scenarios.barge_in()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncIterator[Sequence[Event]]:
        yield second[:4]
        yield second[4:6]
        begun.set()
        await go_on.wait()
        yield second[6:]

    async def overtaken() -> AsyncIterator[Sequence[Event]]:
        yield first[:5]
        yield first[5:8]
        tasks.append(asyncio.create_task(bus.take_in("s1", waiting())))
        await begun.wait()
        yield first[8:10]
        yield first[10:]

    tasks: list[asyncio.Task[Outcome]] = []
    one = await bus.take_in("s1", overtaken())
    go_on.set()
    other = await tasks[0]
    assert {one, other} == {Outcome.OK, Outcome.EXISTS}
    assert await bus.read("s1") == (first if one is Outcome.OK else second)
    await bus.aclose()
