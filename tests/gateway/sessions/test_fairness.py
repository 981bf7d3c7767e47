"""What one participant may send, whatever the room."""

import asyncio

from gateway.inputs import Digits, Joined, Left, PushToTalk, Typed
from gateway.sessions.fairness import Fairness
from gateway.turn_taking.replying import LETTERS
from schemas.client import ErrorMessage
from schemas.events import MessageReceived, ParticipantChanged, TurnEnded
from schemas.log import MemoryBus
from tests.gateway.pools import Pools
from tests.gateway.rig import rig, silence, speak
from workers.testing import LoopClock, virtually


@virtually
async def test_one_clients_flood_is_its_own() -> None:
    """15,000 messages of one client leave others' calls alone, and its own session alive."""
    bus = MemoryBus(clock=LoopClock())
    async with rig(bus) as gateway, Pools(bus):
        _, flooded = await gateway.open(name="flooded")
        session, room = await gateway.open(name="honest")
        await asyncio.sleep(1)
        for number in range(15_000):
            flooded.put(Typed("caller", f"number {number}"))
        await speak(room, 1.0)
        await silence(room, 4.0)
        assert [e.how for e in await bus.read("honest") if isinstance(e, TurnEnded)][-1] == "played"
        assert not session.over.is_set()
        flooded.put(Typed("caller", "and one more"))
        await asyncio.sleep(10)
        log = await bus.read("flooded")
        assert sum(isinstance(event, MessageReceived) for event in log) <= LETTERS + 1
        assert [e.how for e in log if isinstance(e, TurnEnded)][-1] == "played"


@virtually
async def test_letters_that_wait_for_a_client_are_bounded() -> None:
    """While nobody hears, so many messages wait and no more; their sender is told."""
    bus = MemoryBus(clock=LoopClock())
    async with rig(bus) as gateway, Pools(bus):
        session, room = await gateway.open()
        await asyncio.sleep(1)
        state = session.state
        state.away_since = state.active
        for number in range(LETTERS + 10):
            session.feed(Typed("caller", f"number {number}"))
        assert sum(turn.letters for turn in session.state.turns.values()) == LETTERS
        assert [error.code for error in room.told(ErrorMessage)] == ["too_many"] * 10


def test_the_first_of_a_flood_count() -> None:
    """So many at once, then so many a second; each participant has a share of its own."""
    fair = Fairness()
    assert sum(fair.may(Typed("ann", "x"), 0.0) for _ in range(100)) == 60
    assert fair.may(Digits("bob", "1"), 0.0)
    assert sum(fair.may(Typed("ann", "x"), 1.0) for _ in range(100)) == 10


def test_a_button_is_always_let_go() -> None:
    """However often it was pressed, its release is heard: nobody holds the floor for ever."""
    fair = Fairness()
    for _ in range(100):
        fair.may(PushToTalk("ann", True), 0.0)
        assert fair.may(PushToTalk("ann", False), 0.0)


def test_what_is_known_of_somebody_comes_late_and_not_never() -> None:
    """Of many changes the last one counts, once there is room; who has left is not changed."""
    fair = Fairness()
    assert fair.may(Joined("ann"), 0.0)
    taken = [fair.may(Joined("ann", attributes={"n": str(n)}), 0.0) for n in range(100)]
    assert sum(taken) == 60
    assert fair.due(0.0) == []
    assert fair.due(0.2) == [Joined("ann", attributes={"n": "99"})]
    assert fair.due(5.0) == []
    for n in range(100):
        fair.may(Joined("ann", attributes={"n": str(n)}), 5.0)
    assert fair.may(Left("ann"), 5.0)
    assert fair.due(60.0) == []


@virtually
async def test_changes_of_attributes_are_bounded_in_the_log() -> None:
    """Thousands of changes become dozens of events, and the last of them is known."""
    bus = MemoryBus(clock=LoopClock())
    async with rig(bus) as gateway, Pools(bus):
        _, room = await gateway.open()
        await asyncio.sleep(1)
        for number in range(5000):
            room.put(Joined("caller", attributes={"number": str(number)}))
        await asyncio.sleep(2)
        changes = [event for event in await gateway.log() if isinstance(event, ParticipantChanged)]
        assert len(changes) <= 70
        assert changes[-1].attributes == {"number": "4999"}
