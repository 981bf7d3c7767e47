"""Closed sessions can be found while their log is there."""

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus, Outcome, Publication
from schemas.config.agent import AgentSpec
from schemas.events import SessionEnded, SessionStarted
from schemas.log import MemoryBus, RedisBus


async def _two_sessions(bus: Bus) -> None:
    """s1 open, s2 closed."""
    for name in ("s1", "s2"):
        start = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
        await bus.open(name, "g", "q", [start])
    await bus.close("s2", 1, Publication(1, [SessionEnded(reason="hang_up")]))


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_a_closed_session_is_listed_apart_from_the_open_ones(kind: str, valkey: Valkey) -> None:
    """`sessions` lists what is open, `closed` what is over and can still be read."""
    bus = MemoryBus() if kind == "memory" else RedisBus(valkey.url, partitions=1)
    await bus.start()
    await _two_sessions(bus)
    assert [info.session for info in await bus.sessions()] == ["s1"]
    assert [(info.session, info.state) for info in await bus.closed()] == [("s2", "closed")]
    await bus.aclose()


async def test_a_log_past_its_retention_is_not_listed(valkey: Valkey) -> None:
    """The list forgets a session with its log, and holds no key without a time to live."""
    import redis.asyncio

    bus = RedisBus(valkey.url, partitions=1, retention=0.05)
    await bus.start()
    await _two_sessions(bus)
    client = redis.asyncio.Redis.from_url(valkey.url)
    assert 0 <= await client.pttl("{p00}:closed") <= 50 or not await client.exists("{p00}:closed")
    await client.delete("{p00}:ev:s2", "{p00}:s:s2")
    assert await bus.closed() == []
    await client.aclose()
    await bus.aclose()


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_who_watches_learns_which_sessions_moved(kind: str, valkey: Valkey) -> None:
    """`touched` names each session with its last event's moment, the latest first, from a moment on, and never more than
    asked."""
    bus = MemoryBus(partitions=2) if kind == "memory" else RedisBus(valkey.url, partitions=2)
    await bus.start()
    await _two_sessions(bus)
    (closed,) = await bus.touched("closed", 10)
    assert (closed.session, closed.at) == ("s2", (await bus.read("s2"))[-1].at)
    receipt = await bus.publish("s1", 1, Publication(1, [SessionEnded(reason="x")]))
    for name in ("s3", "s4"):
        start = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
        await bus.open(name, "g", "q", [start])
    found = await bus.touched("open", 10)
    assert [(one.session, one.at) for one in found] == [
        (name, (await bus.read(name))[-1].at) for name in ("s4", "s3", "s1")
    ]
    assert [one.session for one in await bus.touched("open", 10, since=found[1].at)] == ["s4", "s3"]
    assert [one.session for one in await bus.touched("open", 2)] == ["s4", "s3"]
    assert found[2].at == receipt.at
    await bus.aclose()


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_a_log_is_forgotten_only_when_it_is_over_and_the_one_that_is_meant(kind: str, valkey: Valkey) -> None:
    """An open session stays, and a closed one with another last event; then nothing of it is left, and asking again is no
    harm."""
    bus = MemoryBus(partitions=2) if kind == "memory" else RedisBus(valkey.url, partitions=2)
    await bus.start()
    await _two_sessions(bus)
    own, others = await bus.put_blob("s2", "u1", b"\1\0"), await bus.put_blob("s1", "u1", b"\2\0")
    shared = await bus.put_shared_blob("s2", b"\3\0")
    sounds = [own, others, shared]
    assert await bus.forget("s1", 1, sounds) is Outcome.HELD
    assert await bus.forget("s2", 1, sounds) is Outcome.REWOUND
    assert [await bus.get_blob(key) for key in sounds] == [b"\1\0", b"\2\0", b"\3\0"]
    assert await bus.forget("s2", 2, sounds) is Outcome.OK
    assert [await bus.get_blob(key) for key in sounds] == [None, b"\2\0", b"\3\0"]
    assert (await bus.info("s2"), await bus.read("s2"), await bus.closed(), await bus.touched("closed", 9)) == (
        None, [], [], [],
    )  # fmt: skip
    assert await bus.forget("s2", 2, sounds) is Outcome.MISSING
    assert [info.session for info in await bus.sessions()] == ["s1"]
    await bus.aclose()
