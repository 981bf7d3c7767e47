"""Rooms, the people in them, messages and agents, on a real server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from livekit import rtc

from schemas.events import SessionEnded, SessionStarted
from tests.api.livekit.site.conftest import Guests
from tests.gateway.rooms.livekit.site.conftest import Site, agents, eventually, session_of, until


async def made(client: httpx2.AsyncClient, room: str, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/rooms", json={"room": room, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def microphone(room: rtc.Room) -> rtc.LocalTrackPublication:
    track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(48_000, 1))
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    return await room.local_participant.publish_track(track, options)


async def test_a_room_is_made_listed_and_closed(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """It stands with what was asked for; closing it puts everybody out, and then there is none."""
    room = await made(client, "lobby", empty_timeout_s=60, max_participants=5, metadata="for Ann")
    assert (room["empty_timeout_s"], room["max_participants"], room["metadata"]) == (60, 5, "for Ann")
    assert room["created_at"].endswith("Z")
    assert (await client.post("/v1/rooms", json={"room": "lobby"})).json()["code"] == "exists"
    ann = await guests.come(room_name="lobby")
    assert (await client.get("/v1/rooms/lobby")).json()["id"] == room["id"]
    assert (await client.delete("/v1/rooms/lobby")).status_code == 204
    await until(lambda: not ann.isconnected(), "Ann is put out")

    async def gone() -> bool:
        return (await client.get("/v1/rooms/lobby")).status_code == 404

    await eventually(gone, "the room is gone")
    assert (await client.delete("/v1/rooms/lobby")).status_code == 404


async def test_a_room_that_is_made_tells_its_agent_of_the_call(
    site: Site, client: httpx2.AsyncClient, guests: Guests, agents_folder: Path
) -> None:
    """What whoever made it says of the call is in its session; what who comes in later says of it is not."""
    (agents_folder / "helper.toml").write_text('name = "helper"\nprompt_metadata = ["order", "more"]\n')
    await site.gateway(agents=agents_folder)
    await made(client, "lobby", metadata="the room's", agent="helper", call_metadata={"order": {"number": 7}, "own": 1})
    ann = await guests.come("/token", room="lobby", call_metadata={"more": 1})
    session = await until(lambda: session_of(ann), "the agent")
    assert (await begun(site, session)).metadata == {"order": {"number": 7}}


async def begun(site: Site, session: str) -> SessionStarted:
    started = (await site.events(session))[0]
    assert isinstance(started, SessionStarted)
    return started


async def test_a_room_has_room_for_so_many(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """Who comes when the most are in is turned away by the server."""
    await made(client, "small", max_participants=1)
    await guests.come(room_name="small")
    with pytest.raises(rtc.ConnectError):
        await guests.come(room_name="small")


async def test_lists_go_on_where_a_page_ends(site: Site, client: httpx2.AsyncClient) -> None:
    """The newest first, each once, by pages."""
    names = [(await made(client, f"room-{number}"))["room"] for number in range(5)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/v1/rooms", params={"limit": 2, "cursor": cursor})).json()
        assert len(page["rooms"]) <= 2
        found += [room["room"] for room in page["rooms"]]
        cursor = page["next"]
    assert sorted(found) == sorted(names)


async def test_people_are_listed_muted_and_put_out(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """Who is there is told with their tracks; an operator's mute silences them; who is removed is out, and the others stay."""
    ann = await guests.come(room_name="lobby", participant_identity="team/ann", participant_name="Ann")
    bob = await guests.come(room_name="lobby", participant_identity="bob")
    voice = await microphone(ann)

    async def published() -> Any:
        rows = (await client.get("/v1/rooms/lobby/participants")).json()["participants"]
        return next((row for row in rows if row["identity"] == "team/ann" and row["tracks"]), None)

    row = await eventually(published, "Ann's microphone")
    assert (row["name"], row["kind"], row["session"]) == ("Ann", "standard", "")
    assert (row["tracks"][0]["source"], row["tracks"][0]["muted"]) == ("microphone", False)
    muted = await client.post("/v1/rooms/lobby/participants/team/ann/mute")
    assert [track["muted"] for track in muted.json()["tracks"]] == [True]
    await until(lambda: voice.muted, "Ann's client knows")
    back = await client.post("/v1/rooms/lobby/participants/team/ann/mute", json={"muted": False})
    assert (back.status_code, back.json()["code"]) == (409, "refused")
    assert "unmute" in back.json()["detail"]
    assert (await client.delete("/v1/rooms/lobby/participants/team/ann")).status_code == 204
    await until(lambda: not ann.isconnected(), "Ann is out")
    assert bob.isconnected()


async def test_who_is_not_there(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """Rooms, people, sources and dispatches there are none of are 404, and no room comes to be by being asked about."""
    for method, path, body in (
        ("GET", "/v1/rooms/none", None),
        ("GET", "/v1/rooms/none/participants", None),
        ("POST", "/v1/rooms/none/participants", {}),
        ("POST", "/v1/rooms/none/messages", {"text": "hello"}),
        ("POST", "/v1/rooms/none/participants/ann/mute", {}),
        ("DELETE", "/v1/rooms/none/participants/ann", None),
        ("GET", "/v1/rooms/none/agents", None),
        ("POST", "/v1/rooms/none/agents", {}),
        ("DELETE", "/v1/rooms/none/agents/AD_x", None),
    ):
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "missing"), f"{method} {path}: {answer.text}"
    await guests.come(room_name="lobby", participant_identity="ann")
    for method, path, body in (
        ("POST", "/v1/rooms/lobby/participants/bob/mute", {}),
        ("POST", "/v1/rooms/lobby/participants/ann/mute", {}),
        ("DELETE", "/v1/rooms/lobby/participants/bob", None),
        ("POST", "/v1/rooms/lobby/messages", {"text": "hello", "to": ["bob"]}),
        ("DELETE", "/v1/rooms/lobby/agents/AD_x", None),
    ):
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "missing"), f"{method} {path}: {answer.text}"
    assert [room["room"] for room in (await client.get("/v1/rooms")).json()["rooms"]] == ["lobby"]


async def test_somebody_is_added_by_token(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """An operator gets a token to hand on, and its bearer comes into that room under the name they were given."""
    await made(client, "lobby")
    found = (await client.post("/v1/rooms/lobby/participants", json={"identity": "eve", "name": "Eve"})).json()
    eve = await guests.connect(found["server_url"], found["participant_token"])
    assert (eve.name, eve.local_participant.identity, found["identity"]) == ("lobby", "eve", "eve")


async def test_a_message_is_for_the_people(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """LiveKit's chat kits can show it, the agent does not hear it, and a topic of one's own carries the bare text."""
    await site.gateway()
    ann = await guests.come(room_name="lobby", participant_identity="ann")
    session = await until(lambda: session_of(ann), "the agent")
    got: asyncio.Queue[rtc.DataPacket] = asyncio.Queue()
    ann.on("data_received", got.put_nowait)
    sent = await client.post("/v1/rooms/lobby/messages", json={"text": "We close at six. ☕"})
    assert sent.json() == {"to": ["ann"]}
    async with asyncio.timeout(5):
        packet = await got.get()
    assert packet.topic == "lk-chat-topic"
    assert json.loads(packet.data)["message"] == "We close at six. ☕"
    await client.post("/v1/rooms/lobby/messages", json={"text": "bare", "topic": "mine", "to": ["ann"]})
    async with asyncio.timeout(5):
        packet = await got.get()
    assert (packet.topic, packet.data) == ("mine", b"bare")
    assert "message.received" not in [event.type for event in await site.events(session)]


@pytest.mark.parametrize("options", [{"livekit_agent_name": "desk"}])
async def test_an_agent_is_sent_and_dismissed(
    site: Site, client: httpx2.AsyncClient, guests: Guests, agents_folder: Path
) -> None:
    """The one that was asked for comes into a room that stands, and knows what it was told of the call; dismissed, it leaves, its
    session ends, the people stay."""
    (agents_folder / "helper.toml").write_text('name = "helper"\nprompt_metadata = ["order"]\n')
    await site.gateway(livekit_agent_name="desk", agents=agents_folder)
    ann = await site.person("lobby", "ann")  # by a token that asks for no agent
    sent = await client.post("/v1/rooms/lobby/agents", json={"agent": "helper", "metadata": {"order": 7}})
    assert sent.status_code == 201, sent.text
    assert (sent.json()["agent_name"], sent.json()["agent"]) == ("desk", "helper")
    session = await until(lambda: session_of(ann), "the agent")
    assert (await begun(site, session)).metadata == {"order": 7}

    async def running() -> Any:
        rows = (await client.get("/v1/rooms/lobby/agents")).json()["agents"]
        return next((row for row in rows if row["state"] == "running"), None)

    row = await eventually(running, "its job runs")
    assert row["identity"] == agents(ann)[0].identity
    people = (await client.get("/v1/rooms/lobby/participants")).json()["participants"]
    assert [one["session"] for one in people if one["kind"] == "agent"] == [session]
    assert (await client.delete(f"/v1/rooms/lobby/agents/{row['dispatch']}")).status_code == 204
    await until(lambda: not agents(ann), "the agent leaves")
    assert ann.isconnected()

    async def ended() -> Any:
        return next((event for event in await site.events(session) if isinstance(event, SessionEnded)), None)

    assert (await eventually(ended, "the end of its session")).reason == "end_requested"


async def test_agents_that_come_by_themselves_come_once(site: Site, client: httpx2.AsyncClient, guests: Guests) -> None:
    """Without LIVEKIT_AGENT_NAME a room that has its agent gets no second one, however often one is sent."""
    await site.gateway()
    ann = await guests.come(room_name="lobby")
    await until(lambda: session_of(ann), "the agent")
    assert (await client.post("/v1/rooms/lobby/agents", json={})).status_code == 201

    async def settled() -> bool:
        rows = (await client.get("/v1/rooms/lobby/agents")).json()["agents"]
        return len(rows) == 2 and all(row["state"] != "pending" for row in rows)

    await eventually(settled, "both jobs have settled")
    assert len(agents(ann)) == 1
