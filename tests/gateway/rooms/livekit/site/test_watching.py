"""Rooms whose agent did not come by itself, and sessions whose gateway died."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from livekit import api

from gateway.main import Gateway
from gateway.rooms.livekit import door
from gateway.rooms.livekit.names import session_name
from gateway.rooms.livekit.room import LiveKitRoom
from ops.stack.embedded.livekit import LiveKit
from ops.stack.processes import KeptProcess, Role, preload
from schemas.events import Event, ParticipantJoined, ParticipantLeft, SessionEnded, SessionResumed
from tests.gateway.rooms.livekit.site.conftest import Site, agents, eventually, session_of, until
from tests.servers import livekit_binary


async def test_a_room_older_than_every_gateway_gets_its_agent(site: Site) -> None:
    """A room made while no gateway was there gets its agent when one arrives: once, though two arrive."""
    ann = await site.person("early")
    gateways = [await site.gateway(livekit_watch=True) for _ in range(2)]
    session = await until(lambda: session_of(ann), "the agent")
    for gateway in gateways:
        await site.looks(gateway, 3)
    assert len(agents(ann)) == 1
    assert sum(len(gateway.engine.sessions) for gateway in gateways) == 1
    assert [info.session for info in await gateways[0].bus.sessions()] == [session]


async def test_two_that_come_at_once(site: Site) -> None:
    """Two gateways that join the same room in the same instant: one comes, nobody ever sees the other."""
    ann = await site.person("lobby")
    names = [f"nobody-asks-{number}" for number in range(2)]
    gateways = [await site.gateway(livekit_watch=True, livekit_agent_name=name) for name in names]
    came = await asyncio.gather(*(gateway.livekit.join("lobby") for gateway in gateways), return_exceptions=True)
    assert sorted(type(one).__name__ for one in came) == ["Refused", "str"]
    await until(lambda: len(agents(ann)) == 1, "one agent")
    for gateway in gateways:  # one that came late would have come by then
        await site.looks(gateway, 2)
    there = await site.api.room.list_participants(api.ListParticipantsRequest(room="lobby"))
    assert len(there.participants) == 2
    assert [agent.attributes["antiphon.session"] for agent in agents(ann)] == [
        one for one in came if isinstance(one, str)
    ]
    assert sum(len(gateway.engine.sessions) for gateway in gateways) == 1


async def test_an_agent_asked_for_too_early_comes_later(site: Site) -> None:
    """A dispatch by name that found no gateway is served when one arrives; a room that asked for another agent is left."""
    asked = api.RoomAgentDispatch(agent_name="helper")
    ann = await site.person("asked", "ann", agents=[asked])
    bob = await site.person("other", "bob", agents=[api.RoomAgentDispatch(agent_name="somebody")])
    await site.gateway(livekit_watch=True, livekit_agent_name="helper")
    await until(lambda: session_of(ann), "the agent")
    assert agents(bob) == []


async def test_who_had_an_agent_gets_no_second(site: Site) -> None:
    """When the session of a room has ended, the watcher does not send another agent into it."""
    gateway = await site.gateway(livekit_watch=True)
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    gateway.engine.sessions[session].hang_up("end_requested")
    await until(lambda: not agents(ann), "the agent leaves")
    await site.looks(gateway, 3)
    assert agents(ann) == []


async def test_a_room_made_anew_keeps_its_session(mortal: Site) -> None:
    """LiveKit restarted under a call: the same session goes on in the room, with one agent."""
    site = mortal
    gateway = await site.gateway(livekit_watch=True)
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    await site.livekit.kill()
    await site.livekit.start()
    again = await site.person("lobby", "ann-again")
    await until(lambda: session_of(again), "the agent", 20)
    await site.looks(gateway, 3)
    # a join that took too long for whoever asked may be in the room for a moment, and puts out the one before it
    await until(lambda: [one.attributes.get("antiphon.session") for one in agents(again)] == [session], "that agent")
    assert list(gateway.engine.sessions) == [session]


@pytest.fixture
async def forgetful(mortal: Site, tmp_path: Path) -> AsyncIterator[Site]:
    """A site with a LiveKit server without Redis: after a restart it knows none of its rooms, and gives them other ids."""
    site = mortal
    await site.livekit.kill()
    site.livekit = LiveKit(tmp_path / "forgetful", binary=livekit_binary())
    await site.livekit.start()
    yield site
    await site.livekit.kill()


@pytest.mark.parametrize("dies", ["never", "later", "with it"])
async def test_a_livekit_that_forgot_its_rooms(forgetful: Site, dies: str) -> None:
    """LiveKit forgot the room; its session's gateway lives, dies later or dies with it: that session goes on there, alone."""
    site = forgetful
    first = await site.gateway(livekit_watch=True)
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    (before,) = agents(ann)
    await eventually(lambda: _has(site, session, ParticipantJoined), "ann is known")
    second = await site.gateway(livekit_watch=True)
    await site.livekit.kill()
    if dies == "with it":
        await site.stop(first)
    await ann.disconnect()  # else it comes back, too, and puts out the next
    await site.livekit.start()
    ann = await site.person("lobby")
    if dies == "later":  # and nobody is there just then whom the session would know
        await until(lambda: agents(ann), "the agent is back", 15)
        await ann.disconnect()
        await eventually(lambda: _has(site, session, ParticipantLeft), "ann has left")
        await _room_is_held(first, session)
        await site.stop(first)
    if dies != "never":
        await until(lambda: session in second.engine.sessions, "the take-over", 15)
    if dies == "later":
        ann = await site.person("lobby")
    await until(lambda: session_of(ann), "the agent", 15)
    await site.looks(second, 2)
    assert [(one.identity, one.attributes["antiphon.session"]) for one in agents(ann)] == [(before.identity, session)]
    assert [info.session for info in await second.bus.sessions()] == [session]
    assert not await second.bus.closed()


async def _has(site: Site, session: str, kind: type[Event]) -> bool:
    return any(isinstance(event, kind) for event in await site.events(session))


async def _room_is_held(gateway: Gateway, name: str) -> None:
    """Until the log holds where the session's room is now."""
    session = gateway.engine.sessions[name]
    room = session.room
    assert isinstance(room, LiveKitRoom)
    await until(lambda: room.position()["sid"] and session_name(room.position()["sid"]) != name, "the room's new id")
    known = session.now()
    await until(lambda: session.held_at > known, "a hold")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways of this process look for lonely rooms more often, and believe sooner that a room is gone."""
    monkeypatch.setattr(door, "LOOK_EVERY", 0.4)
    monkeypatch.setattr(door, "MADE_ANEW_WITHIN", 2.0)


StartProcess = Callable[[str], Awaitable[KeptProcess]]


@pytest.fixture
async def start_process(site: Site, tmp_path: Path) -> AsyncIterator[StartProcess]:
    """Gateways that are processes, by their names, once LiveKit knows them: forked from one that has the code loaded."""
    preload("gateway.rooms.livekit.door")
    started: list[KeptProcess] = []

    async def start(name: str) -> KeptProcess:
        environment = {
            **site.livekit.environment,
            "REDIS_URL": site.valkey.url,
            "GATEWAY_PORT": "0",
            "GATEWAY_ID": name,
            "HEALTH_PORT": "0",
            "LIVEKIT_WATCH": "false",
            "LEASE": "1",
        }
        log = tmp_path / f"{name}.log"
        started.append(await asyncio.to_thread(KeptProcess, Role(name, "gateway", environment, log)))
        await until(lambda: log.exists() and "registered with LiveKit" in log.read_text(), name, 20.0)
        return started[-1]

    yield start
    for process in started:
        process.signal(signal.SIGKILL)
        await process.stop(5.0)


@pytest.mark.timeout(90)
async def test_a_dead_gateways_session_goes_on(site: Site, start_process: StartProcess) -> None:
    """A gateway killed with -9: another has its session, in the same room, as the same participant, and nobody else."""
    first = await start_process("first")
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    there = [(one.identity, one.attributes) for one in agents(ann)]
    assert len(there) == 1, f"{there}\n{first.role.log.read_text()}"
    second = await site.gateway(livekit_sessions=1)
    first.signal(signal.SIGKILL)

    async def taken() -> bool:
        return any(isinstance(event, SessionResumed) for event in await site.events(session))

    await eventually(taken, "the take-over")
    await until(lambda: [one.identity for one in agents(ann)] == [there[0][0]], "the same participant, once")
    assert second.engine.sessions[session].room.name == "lobby"
    await site.api.room.delete_room(api.DeleteRoomRequest(room="lobby"))
    await until(lambda: not second.engine.sessions, "the session ends with its room")


@pytest.mark.timeout(90)
async def test_a_zombie_is_put_out(site: Site, start_process: StartProcess) -> None:
    """A gateway that slept through its lease finds its place in the room taken, and ends nothing when it wakes."""
    first = await start_process("first")
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    (before,) = agents(ann)
    second = await site.gateway()
    first.signal(signal.SIGSTOP)
    await until(lambda: session in second.engine.sessions, "the take-over")
    first.signal(signal.SIGCONT)
    await eventually(lambda: _has_lost(first), "it has noticed")
    # the session is taken first, its place in the room then
    await until(lambda: [one.sid != before.sid for one in agents(ann)] == [True], "the other's agent, alone")
    there = await site.api.room.list_participants(api.ListParticipantsRequest(room="lobby"))
    assert sorted(one.identity for one in there.participants) == sorted(["ann", before.identity])
    assert session in second.engine.sessions
    assert not any(isinstance(event, SessionEnded) for event in await site.events(session))


async def _has_lost(gateway: KeptProcess) -> bool:
    """Whether its own figures say that it has lost a session."""
    page = re.search(r"health page on (http://\S+)", gateway.role.log.read_text())
    assert page is not None
    async with aiohttp.ClientSession() as http, http.get(f"{page[1]}/metrics") as answer:
        return 'antiphon_gateway_sessions_ended_total{reason="lost"} 1.0' in await answer.text()


async def test_a_room_that_is_gone_is_not_made_again(site: Site, start_process: StartProcess) -> None:
    """A session whose room ended with its gateway ends as room_closed, and nobody stands in an empty room."""
    first = await start_process("first")
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    first.signal(signal.SIGSTOP)
    await site.api.room.delete_room(api.DeleteRoomRequest(room="lobby"))
    first.signal(signal.SIGKILL)
    await site.gateway()

    async def ended() -> bool:
        return isinstance((await site.events(session))[-1], SessionEnded)

    await eventually(ended, "its end", 15)
    assert (await site.events(session))[-1].reason == "room_closed"  # type: ignore[union-attr]
    assert not (await site.api.room.list_rooms(api.ListRoomsRequest(names=["lobby"]))).rooms


async def test_a_gateway_without_livekit_leaves_it_alone(site: Site, start_process: StartProcess) -> None:
    """A gateway that has no LiveKit does not end the session of one that had; one that has it takes it over."""
    first = await start_process("first")
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    other = await site.gateway(livekit_url="")
    first.signal(signal.SIGKILL)
    await until(lambda: session in other.engine.broken, "it looks away")
    second = await site.gateway()
    await until(lambda: session in second.engine.sessions, "the take-over")


@pytest.mark.parametrize("after", [0.0, 0.03, 0.06, 0.1, 0.15])
async def test_a_gateway_that_closes_while_it_joins_is_in_no_room(site: Site, after: float) -> None:
    """Closed at any moment of a join, a gateway leaves no agent behind that would come back into the room by itself."""
    gateway = await site.gateway()
    ann = await site.person("lobby")
    assert gateway.livekit is not None
    await until(lambda: gateway.livekit.readings().sessions, "the job")
    await asyncio.sleep(after)
    await site.stop(gateway)
    await until(lambda: not agents(ann), "nobody sees it any more", 3.0)

    async def alone() -> bool:
        there = await site.api.room.list_participants(api.ListParticipantsRequest(room="lobby"))
        return [one.identity for one in there.participants] == ["ann"]

    await eventually(alone, "nor does the server", 3.0)
