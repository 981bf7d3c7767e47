"""Coming back: with the session's own ticket and token, as the participant that the log knows, wherever the session is now."""

import asyncio
from typing import Any

import aiohttp
import pytest

from schemas.access.tokens import Grant, mint
from schemas.client import EndedMessage, ErrorMessage, ReadyMessage, TurnMessage
from schemas.events import ParticipantJoined, TranscriptFinal
from schemas.log import MemoryBus
from schemas.text.clean import identity
from tests.gateway.door import SECRET, START, Door, closing, door, talk, told, until
from tests.gateway.pools import Pools


async def enter(gateway: Door, grant: Grant, **fields: Any) -> tuple[aiohttp.ClientWebSocketResponse, Any]:
    client = await gateway.connect(headers={"Authorization": f"Bearer {mint(SECRET, grant)}"})
    await client.send_json(START | fields)
    return client, told(await client.receive_str(timeout=5))


async def hears(gateway: Door, client: aiohttp.ClientWebSocketResponse, session: str, participant: str) -> None:
    """What the client says is a turn of `participant`, the only one who ever was in this session, and is answered."""
    await talk(client, 0.6)
    quiet = asyncio.create_task(talk(client, 3, 0))
    assert (await until(client, TurnMessage)).how == "played"
    quiet.cancel()
    events = await gateway.bus.read(session)
    assert {event.participant for event in events if isinstance(event, TranscriptFinal)} == {participant}
    assert [event.participant for event in events if isinstance(event, ParticipantJoined)] == [participant]


async def lose(gateway: Door) -> None:
    """Its gateway dies as by SIGKILL: nothing is handed over."""
    for session in list(gateway.engine.sessions.values()):
        session.let_go("killed")
    gateway.reception.leases.adopting = False


@pytest.mark.parametrize(
    "again", [{"participant": "ann"}, {}, {"participant": "mallory", "name": "Mallory", "room": "cellar"}]
)
@pytest.mark.parametrize("adopted", [False, True], ids=["at once", "after the lease"])
async def test_who_comes_back_is_who_the_log_says(adopted: bool, again: dict[str, str]) -> None:
    """A caller named in `start` is heard under that name after a take-over, whatever the returning client says of itself."""
    bus = MemoryBus(lease=1.0)
    async with door(bus) as first, door(bus, "gateway-b") as second, Pools(bus, says=["Yes."], seconds=0.2):
        _, ready = await first.begin(participant="ann", name="Ann", rate=16_000)
        await asyncio.sleep(0.2)  # a few ticks: the log knows her
        await lose(first)
        while adopted and ready.session not in second.engine.sessions:
            await asyncio.sleep(0.05)
        client, resumed = await second.begin(
            **({"session": ready.session, "ticket": ready.ticket, "rate": 16_000} | again)
        )
        assert (type(resumed), resumed.resumed, resumed.rate) == (ReadyMessage, True, 16_000)
        await hears(second, client, ready.session, "ann")


@pytest.mark.parametrize(("adopted", "name"), [(False, "ann"), (True, "ann"), (True, "Ann  von der Tann")])
async def test_named_by_token(adopted: bool, name: str) -> None:
    """A caller named by its token alone is heard after a take-over, be the name one that had to be made fit."""
    bus, ann = MemoryBus(lease=1.0), Grant(participant=name)
    async with (
        door(bus, secret=SECRET) as first,
        door(bus, "gateway-b", secret=SECRET) as second,
        Pools(bus, says=["Yes."], seconds=0.2),
    ):
        _, ready = await enter(first, ann, rate=16_000)
        await asyncio.sleep(0.2)
        await lose(first)
        while adopted and ready.session not in second.engine.sessions:
            await asyncio.sleep(0.05)
        client, _ = await enter(second, ann, session=ready.session, ticket=ready.ticket, rate=16_000)
        await hears(second, client, ready.session, identity(name))


async def test_killed_before_it_could_say_who_came() -> None:
    """A gateway that dies between the session's beginning and its first tick leaves the caller's name in the log all the same."""
    bus = MemoryBus()
    async with door(bus) as first, door(bus, "gateway-b") as second, Pools(bus, says=["Yes."], seconds=0.2):
        first.engine.add = lambda session: None  # type: ignore[method-assign]
        _, ready = await first.begin(participant="ann", name="Ann")
        assert "participant.joined" not in [event.type for event in await bus.read(ready.session)]
        client, _ = await second.begin(session=ready.session, ticket=ready.ticket)
        await hears(second, client, ready.session, "ann")
        (joined,) = [event for event in await bus.read(ready.session) if isinstance(event, ParticipantJoined)]
        assert joined.name == "Ann"


@pytest.mark.parametrize(
    "grant",
    [Grant(participant="bob"), Grant(room="cellar"), Grant(agent="greeter")],
    ids=["participant", "room", "agent"],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_a_token_for_somebody_else(grant: Grant, elsewhere: bool) -> None:
    """A token for another participant, room or agent does not open a session, be the ticket right; its client isn't disturbed."""
    bus = MemoryBus()
    async with door(bus, secret=SECRET) as first, door(bus, "gateway-b", secret=SECRET) as second:
        client, ready = await enter(first, Grant(participant="ann", room="lobby"))
        thief, answer = await enter(second if elsewhere else first, grant, session=ready.session, ticket=ready.ticket)
        assert (type(answer), answer.code) == (ErrorMessage, "token")
        assert (await closing(thief))[1] == 1008
        await client.send_json({"type": "hang_up"})
        assert (await until(client, EndedMessage)).reason == "hang_up"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("token", ["", mint(SECRET, Grant(participant="ann"), -60)], ids=["none", "expired"])
async def test_the_ticket_alone(token: str, elsewhere: bool) -> None:
    """Where tokens are asked for, the ticket alone brings nobody back, nor does a token that has expired."""
    bus = MemoryBus()
    async with door(bus, secret=SECRET) as first, door(bus, "gateway-b", secret=SECRET) as second:
        _, ready = await enter(first, Grant(participant="ann"))
        thief = await (second if elsewhere else first).connect(f"/ws?token={token}")
        await thief.send_json(START | {"session": ready.session, "ticket": ready.ticket})
        messages, code = await closing(thief)
        assert ([message.code for message in messages], code) == (["token"], 1008)


@pytest.mark.parametrize("ticket", ["wrong", ""])
async def test_a_dead_gateways_session(ticket: str) -> None:
    """A wrong ticket does not open a session whose gateway is dead and whose lease has run out; the right one still does."""
    bus = MemoryBus(lease=0.2)
    async with door(bus) as first, door(bus, "gateway-b") as second:
        second.reception.leases.adopting = False
        _, ready = await first.begin(participant="ann")
        await lose(first)
        while ready.session not in await bus.expired(0, 10):
            await asyncio.sleep(0.05)
        thief, answer = await second.begin(session=ready.session, ticket=ticket)
        assert (type(answer), answer.code) == (ErrorMessage, "ticket")
        assert (await closing(thief))[1] == 1008
        _, resumed = await second.begin(session=ready.session, ticket=ready.ticket)
        assert resumed.resumed


async def test_the_button_is_let_go_with_the_line() -> None:
    """Who loses the line with the button pressed does not keep the floor: what was said is answered once they are back."""
    async with door() as gateway, Pools(gateway.bus, says=["Yes."], seconds=0.2):
        client, ready = await gateway.begin()
        await client.send_json({"type": "talk", "pressed": True})
        await talk(client, 0.6)
        await client.close()
        again, _ = await gateway.begin(session=ready.session, ticket=ready.ticket)
        assert (await until(again, TurnMessage)).how == "played"
