"""Who calls is remembered, and gets a variant: both stand in the session's log."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.remembering import Memories, Remembering
from schemas.archive.store import Archive
from schemas.clock import Micros
from schemas.config.agent import AgentSpec, parse_agent
from schemas.errors import ArchiveError
from schemas.events import AgentChanged, FieldCollected, MemoryLoaded, SessionStarted
from schemas.log import MemoryBus
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from tests.gateway.rig import Rig, rig
from workers.testing import LoopClock, virtually

AGENT = AgentSpec(name="desk", memory={"on": True})


class Known:
    text, updated_at = "Ann likes tea.", Micros(7)


class Shelf:
    """What an archive knows; `asked`: of whom."""

    def __init__(self, known: Known | None = None, error: Exception | None = None, after: float = 0.0) -> None:
        self.known, self.error, self.after, self.asked = known, error, after, list[tuple[str, str]]()

    async def memory(self, agent: str, caller: str) -> Known | None:
        self.asked.append((agent, caller))
        await asyncio.sleep(self.after)
        if self.error is not None:
            raise self.error
        return self.known


def opening(shelf: Memories | None) -> Callable[[], Awaitable[Memories | None]]:
    async def it() -> Memories | None:
        return shelf

    return it


async def call(gateway: Rig, caller: str, agent: AgentSpec = AGENT, name: str = "s1") -> list[MemoryLoaded]:
    """Somebody comes; what is loaded."""
    room = MemoryRoom(gateway.clock)
    await gateway.reception.open(name, room, agent, caller=caller)
    room.join()
    await asyncio.sleep(5)
    return [event for event in await gateway.log(name) if isinstance(event, MemoryLoaded)]


@virtually
async def test_what_is_known_stands_in_the_log() -> None:
    """Once, as soon as somebody who is known has come: whoever folds the log needs no archive."""
    async with rig(MemoryBus(clock=LoopClock())) as gateway:
        shelf = Shelf(Known())
        gateway.house.remembering = Remembering(gateway.bus, opening(shelf), gateway.house.metrics)
        [loaded] = await call(gateway, "ann")
        assert (loaded.caller, loaded.text, loaded.updated_at) == ("ann", "Ann likes tea.", 7)
        assert shelf.asked == [("desk", "ann")]
        state = fold_all(await gateway.log())
        assert state.caller == "ann"
        assert "Ann likes tea." in messages(state, 1)[0]["content"]


@virtually
@pytest.mark.parametrize("case", ["nobody", "off", "unknown"])
async def test_who_is_not_known_is_not_looked_for(case: str) -> None:
    """Nobody vouches for them, or the agent remembers nobody; of one who comes for the first time it stands that nothing is."""
    async with rig(MemoryBus(clock=LoopClock())) as gateway:
        shelf = Shelf()
        gateway.house.remembering = Remembering(gateway.bus, opening(shelf), gateway.house.metrics)
        loaded = await call(gateway, "" if case == "nobody" else "ann", AgentSpec() if case == "off" else AGENT)
        assert bool(shelf.asked) == (case == "unknown")
        assert [event.text for event in loaded] == ([""] if case == "unknown" else [])


@virtually
async def test_who_is_handed_a_caller_does_not_load_their_memory() -> None:
    """It is the first agent's: who came to nobody known there is not looked up for another one."""
    async with rig(MemoryBus(clock=LoopClock())) as gateway:
        remembering = Remembering(gateway.bus, opening(Shelf(Known())), gateway.house.metrics)
        room = MemoryRoom(gateway.clock)
        await gateway.reception.open("s1", room, AgentSpec(), caller="ann")
        session = gateway.engine.sessions["s1"]
        await gateway.bus.post("s1", "hand over", AgentChanged(agent=AGENT, context=True, via="hand_over"))
        await asyncio.sleep(1)
        assert session.state.agent.name == "desk"
        assert remembering.caller(session.state, "memory", "ann") == ""


@virtually
@pytest.mark.parametrize("shelf", [None, Shelf(error=ArchiveError("it is locked")), Shelf(Known(), after=60.0)])
async def test_an_archive_that_does_not_answer_harms_no_call(
    shelf: Shelf | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on without a memory, and that is said once, however many call."""
    async with rig(MemoryBus(clock=LoopClock())) as gateway:
        gateway.house.remembering = Remembering(gateway.bus, opening(shelf), gateway.house.metrics)
        for name in ("s1", "s2"):
            [loaded] = await call(gateway, "ann", name=name)
            assert loaded.text == ""
        assert len([line for line in caplog.messages if "nothing is remembered of callers" in line]) == 1


@virtually
async def test_a_gateway_that_takes_over_does_not_ask_again() -> None:
    """What was loaded stands in the log."""
    bus = MemoryBus(clock=LoopClock())
    async with rig(bus) as gateway:
        shelf = Shelf(Known())
        gateway.house.remembering = Remembering(bus, opening(shelf), gateway.house.metrics)
        assert len(await call(gateway, "ann")) == 1
        session = gateway.engine.sessions["s1"]
        session.remember(await gateway.log(), again=False)
        assert not session._remembers
        assert shelf.asked == [("desk", "ann")]


@virtually
async def test_a_caller_gets_the_same_variant_and_the_log_says_which() -> None:
    """By who they are where that is known, else by the session."""
    agent = parse_agent('greeting = "Hello."\n[[variants]]\nname = "short"\nshare = 0.5\ngreeting = "Hi."')
    async with rig(MemoryBus(clock=LoopClock())) as gateway:
        got: dict[str, set[tuple[str, str]]] = {}
        for number in range(36):
            caller = ("ann", "bob", "")[number % 3]
            await gateway.reception.open(f"s{number}", MemoryRoom(gateway.clock), agent, caller=caller)
            started = (await gateway.log(f"s{number}"))[0]
            assert isinstance(started, SessionStarted)
            assert started.agent.variants == []
            assert started.agent.greeting == ("Hi." if started.variant == "short" else "Hello.")
            got.setdefault(caller, set()).add((started.variant, started.agent.greeting))
        assert len(got["ann"]) == len(got["bob"]) == 1
        assert len(got[""]) == 2


def test_a_real_archive_is_one() -> None:
    """mypy says whether an archive has what a gateway asks for."""
    memories: type[Memories] = Archive
    assert memories is Archive


def test_what_is_expected_follows_the_field() -> None:
    """While the agent's words leave it open: digits are dictated in pieces, what is read back is answered by yes or no."""
    from gateway.turn_taking import facts, start
    from gateway.turn_taking.replying import _expected
    from schemas.clock import Now

    agent = parse_agent('[[fields]]\nname = "code"\ntype = "digits"\n[[fields]]\nname = "mail"\ntype = "email"')
    state = start("s1", agent, Now(0.0)).fork()
    assert _expected(state) == "number"
    facts.apply(state, FieldCollected(name="code", value="55", confirmed=False), Now(1.0))
    assert _expected(state) == "yes_no"
    facts.apply(state, FieldCollected(name="code", value="55", confirmed=True), Now(2.0))
    assert _expected(state) == "spelling"
    state.asked = "How many guests are you?"
    assert _expected(state) == "amount"
    assert _expected(start("s1", AgentSpec(), Now(0.0))) == "free"
