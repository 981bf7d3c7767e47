"""Getting into rooms by LiveKit's dispatch, on a real server."""

import asyncio
from pathlib import Path

import pytest
from livekit import api, rtc
from livekit.protocol import agent as pb

from gateway.rooms.livekit import door
from schemas.drafts import keep_draft
from schemas.events import SessionEnded, SessionStarted
from tests.gateway.rooms.livekit.site.conftest import Site, agents, eventually, session_of, until


async def test_a_new_room_gets_the_agent(site: Site) -> None:
    """Whoever opens a room finds the agent there, as one participant of kind agent, with a session in the log."""
    await site.gateway()
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    (agent,) = agents(ann)
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert (started.transport, started.room) == ("livekit", "lobby")
    assert started.inputs is not None
    assert started.inputs["livekit"]["identity"] == agent.identity


async def test_an_agent_is_asked_for_by_name(site: Site, tmp_path: Path) -> None:
    """A named agent comes only where it is asked for, and the metadata of the job chooses who it is."""
    (tmp_path / "pirate.toml").write_text('name = "pirate"\ninstructions = "Talk like one."\n')
    await site.gateway(livekit_agent_name="helper", agents=tmp_path)
    ann = await site.person("quiet")
    bob = await site.person(
        "asked", "bob", agents=[api.RoomAgentDispatch(agent_name="helper", metadata='{"agent": "pirate"}')]
    )
    session = await until(lambda: session_of(bob), "the agent")
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert started.agent.name == "pirate"
    assert agents(ann) == []


async def test_a_draft_of_an_agent_is_asked_for_by_its_name(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Whose token names a draft gets it; one that is no longer kept is said to be, and nobody comes in its place."""
    gateway = await site.gateway(livekit_agent_name="helper")
    name = await keep_draft(gateway.bus, 'name = "tried"\ninstructions = "Say only yes."')
    bob = await site.person(
        "asked", "bob", agents=[api.RoomAgentDispatch(agent_name="helper", metadata=f'{{"agent": "{name}"}}')]
    )
    session = await until(lambda: session_of(bob), "the agent")
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    assert (started.agent.name, started.agent.instructions) == ("tried", "Say only yes.")
    ann = await site.person(
        "late", agents=[api.RoomAgentDispatch(agent_name="helper", metadata='{"agent": "draft-gone"}')]
    )
    await until(
        lambda: "room late: the agent can't come: this draft of an agent is no longer kept" in caplog.text, "why"
    )
    assert agents(ann) == []


async def test_asked_for_by_the_api(site: Site) -> None:
    """An explicit dispatch by LiveKit's API brings the agent, and its job is told as running, then as done."""
    await site.gateway(livekit_agent_name="helper")
    ann = await site.person("lobby")
    made = await site.api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name="helper", room="lobby")
    )
    session = await until(lambda: session_of(ann), "the agent")

    async def status() -> "pb.JobStatus | None":
        (dispatch,) = [d for d in await site.api.agent_dispatch.list_dispatch("lobby") if d.id == made.id]
        return dispatch.state.jobs[0].state.status if dispatch.state.jobs else None

    assert await eventually(status, "a job") == pb.JS_RUNNING
    await site.api.agent_dispatch.delete_dispatch(made.id, "lobby")
    await until(lambda: not agents(ann), "the agent leaves")
    ended = (await site.events(session))[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.reason == "end_requested"


async def test_full_is_offered_elsewhere(site: Site) -> None:
    """A gateway with no place left is passed over, and the room gets its agent from another one."""
    small = await site.gateway(livekit_sessions=1)
    first = await site.person("one", "ann")
    await until(lambda: session_of(first), "the agent")
    large = await site.gateway()
    for number in range(4):
        room = await site.person(f"more-{number}", "bob")
        await until(lambda: session_of(room), "the agent")  # noqa: B023 (called at once)
    assert len(small.engine.sessions) == 1
    assert len(large.engine.sessions) == 4


async def test_many_rooms_at_once_do_not_over_commit(site: Site) -> None:
    """Rooms made in the same instant are counted before their jobs arrive: nobody takes more than there is place for."""
    gateways = [await site.gateway(livekit_sessions=3) for _ in range(2)]
    rooms = await asyncio.gather(*(site.person(f"room-{number}") for number in range(8)))
    await until(lambda: sum(bool(session_of(room)) for room in rooms) == 6, "six agents")
    assert [len(gateway.engine.sessions) for gateway in gateways] == [3, 3]


async def test_draining_takes_no_more(site: Site) -> None:
    """A gateway that shuts down finishes its call and gets no new one; the room goes to another gateway."""
    old = await site.gateway()
    ann = await site.person("one", "ann")
    await until(lambda: session_of(ann), "the agent")
    young = await site.gateway()
    leaving = asyncio.create_task(site.stop(old, drain=20.0))
    await until(lambda: old.reception.draining, "it drains")
    bob = await site.person("two", "bob")
    await until(lambda: session_of(bob), "the agent")
    assert len(young.engine.sessions) == 1
    assert len(agents(ann)) == 1
    await site.api.room.delete_room(api.DeleteRoomRequest(room="one"))
    async with asyncio.timeout(10):
        await leaving


async def test_without_workers_a_room_waits_for_them(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where GATEWAY_NEEDS_WORKERS is set no agent comes to stay mute: the job is left to others, and the room is looked after
    once there are workers."""
    caplog.set_level("INFO", "antiphon.gateway.livekit")
    monkeypatch.setattr(door, "LOOK_EVERY", 0.4)
    gateway = await site.gateway(gateway_needs_workers=True, livekit_watch=True)
    await until(gateway.reception.unmanned, "a look at the queues")
    ann = await site.person("lobby")
    await until(lambda: "is left to others: no stt worker for" in caplog.text, "the refusal")
    await site.looks(gateway, 3)
    assert agents(ann) == []
    gateway.reception.needs_workers = False  # as when they have come
    await until(lambda: session_of(ann), "the agent", 20.0)


async def test_a_job_that_fails_says_why(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An agent nobody has is refused, in the log, and the room stays without rather than with a wrong one."""
    await site.gateway(livekit_agent_name="helper", agents=tmp_path)
    ann = await site.person(
        "lobby", agents=[api.RoomAgentDispatch(agent_name="helper", metadata='{"agent": "nobody"}')]
    )
    await until(lambda: "in room lobby is left to others: no agent 'nobody' here" in caplog.text, "the refusal")
    assert agents(ann) == []


async def test_the_connection_comes_back(mortal: Site) -> None:
    """LiveKit restarted: the gateway registers again by itself, and the next room gets its agent."""
    site = mortal
    gateway = await site.gateway()
    assert gateway.livekit is not None
    await site.livekit.kill()
    await until(lambda: not gateway.livekit.worker.registered.is_set(), "it notices")
    await site.livekit.start()
    await until(gateway.livekit.worker.registered.is_set, "it is back", 15)
    ann = await site.person("lobby")
    await until(lambda: session_of(ann), "the agent")


async def test_a_deleted_room_ends_its_session(site: Site) -> None:
    """A room deleted under us ends its session as room_closed, and the place is free again."""
    gateway = await site.gateway()
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    await site.api.room.delete_room(api.DeleteRoomRequest(room="lobby"))
    await until(lambda: not gateway.engine.sessions, "the session ends")

    async def ended() -> bool:
        return isinstance((await site.events(session))[-1], SessionEnded)

    await eventually(ended, "its end in the log")
    assert (await site.events(session))[-1].reason == "room_closed"  # type: ignore[union-attr]
    assert gateway.livekit is not None
    assert gateway.livekit.readings().sessions == 0


async def test_its_permissions_are_few(site: Site) -> None:
    """The agent may speak, hear and tell; it is no administrator and not hidden."""
    await site.gateway()
    ann = await site.person("lobby")
    await until(lambda: session_of(ann), "the agent")
    found = await site.api.room.list_participants(api.ListParticipantsRequest(room="lobby"))
    (agent,) = [one for one in found.participants if one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]
    assert agent.permission.can_publish
    assert agent.permission.can_subscribe
    assert not agent.permission.hidden
    assert not agent.permission.recorder
