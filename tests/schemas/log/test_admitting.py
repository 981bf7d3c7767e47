"""Keys, deeds and allowances: one promise, kept by a real server and by its twin in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.access import keys as api_keys
from schemas.access.allowance import Allowance, Ledger, spent
from schemas.access.audit import KEPT, Deed
from schemas.access.new_key import new_key
from schemas.bus import Bus
from schemas.clock import Micros
from schemas.log import MemoryBus, RedisBus

DEED = Deed(
    Micros(5), "ann", "operator", "1f3a9c2e", "10.0.0.1", "POST /v1/sessions/{session}/end", "ws-1", "room=r", 202
)


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """ "" for the log in memory."""
    if request.param == "memory":
        return ""
    server: Valkey = request.getfixturevalue("shared_valkey")
    return server.url


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    if not url:
        yield MemoryBus()
        return
    log = RedisBus(url)
    await log._server.command("", "FLUSHALL")
    await log.start()
    yield log
    await log.aclose()


async def test_keys_are_kept_and_removed(bus: Bus) -> None:
    """The oldest first; each until it is removed, which happens once."""
    first, _ = new_key("ann", "admin", Micros(1))
    second, _ = new_key("böb", "caller", Micros(2))
    assert await bus.add_key(second)
    assert await bus.add_key(first)
    assert await bus.keys() == [first, second]
    assert await bus.remove_key(first.key)
    assert not await bus.remove_key(first.key)
    assert await bus.keys() == [second]


async def test_that_there_was_a_key_is_not_forgotten(bus: Bus) -> None:
    """With the last one neither; and what removed nothing made none."""
    key, _ = new_key("ann", "admin", Micros(1))
    assert not await bus.remove_key(key.key)
    assert not await bus.had_keys()
    await bus.add_key(key)
    assert await bus.had_keys()
    assert await bus.remove_key(key.key)
    assert (await bus.keys(), await bus.had_keys()) == ([], True)


async def test_keys_are_so_many_at_most(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the most is not added."""
    monkeypatch.setattr("schemas.log._admitting.MOST", 2)
    made = [new_key("ann", "caller", Micros(number))[0] for number in range(3)]
    assert [await bus.add_key(key) for key in made] == [True, True, False]
    assert await bus.keys() == made[:2]
    assert api_keys.MOST > 2


async def test_the_ticket_secret_is_one(bus: Bus) -> None:
    """Whoever asks gets the same, and it is long."""
    one, other = await asyncio.gather(bus.ticket_secret(), bus.ticket_secret())
    assert one == other
    assert len(one) >= 64


async def test_deeds_are_told_the_latest_first(bus: Bus) -> None:
    """In pages, each of them as it was recorded."""
    for number in range(5):
        await bus.record(replace(DEED, at=Micros(number)))
    first = await bus.deeds(3)
    assert [deed.at for deed in first] == [4, 3, 2]
    second = await bus.deeds(3, first[-1].entry)
    assert [deed.at for deed in second] == [1, 0]
    assert replace(second[0], entry="", at=Micros(5)) == DEED


async def test_deeds_are_not_kept_without_end(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at least, and hardly more: the oldest go."""
    assert 1_000 < KEPT < 100_000
    monkeypatch.setattr("schemas.log._admitting.KEPT", 300)
    for number in range(12):
        await asyncio.gather(*(bus.record(replace(DEED, at=Micros(number))) for _ in range(50)))
    kept = await bus.deeds(600)
    assert 300 <= len(kept) <= 300 + 100  # Redis drops whole nodes, of a hundred at most
    assert kept[0].at == 11


async def test_an_allowance_is_spent_and_comes_back(bus: Bus) -> None:
    """So many at once; then one has to wait as long as it says; nobody else does, and to be refused costs nothing."""
    some = Allowance(a_minute=600, at_once=3)
    assert [await bus.spend("ann", some) for _ in range(3)] == [0.0, 0.0, 0.0]
    waits = [await bus.spend("ann", some) for _ in range(3)]
    assert all(0 < wait <= 0.1 for wait in waits)
    assert await bus.spend("bob", some) == 0.0
    assert await bus.spend("bob", some, 5) > 0.0
    assert await bus.spend("bob", some, 2) == 0.0


def test_an_allowance_in_the_long_run() -> None:
    """Somebody who always asks at once when he may gets so many a minute, and the burst."""
    allowance, until, now, got = Allowance(a_minute=60, at_once=10), 0, 0, 0
    while now < 600_000_000:
        until, wait = spent(until, now, allowance)
        got, now = got + (not wait), now + wait
    assert 609 <= got <= 611


def test_a_ledger_forgets_whom_it_has_not_seen_for_longest() -> None:
    """Memory is bounded, however many names one thinks of."""
    ledger, once = Ledger(most=3), Allowance(1, 1)
    for name in ("a", "b", "c", "d"):
        assert ledger.spend(name, 0, once) == 0.0
    assert ledger.spend("d", 0, once) > 0
    assert ledger.spend("a", 0, once) == 0.0
