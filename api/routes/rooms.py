"""Rooms of the LiveKit server, for operators: made, listed, closed; who is in them; messages and agents sent there."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from livekit import api
from livekit.protocol import agent as jobs
from livekit.protocol import agent_dispatch as protocol
from livekit.protocol import models
from pydantic import BaseModel, Field

from api.access.who import Operator
from api.choice import chosen
from api.house import Anyhow
from api.livekit import rooms
from api.livekit.asking import asking
from api.livekit.entry import Person, entry_of
from api.livekit.fields import Attributes, Line, RoomName, Text
from api.problems import Problem
from api.routes._livekit_here import LiveKitHere
from api.times import iso
from schemas.access.livekit import agent_named, dispatches, job_metadata
from schemas.client import Metadata
from schemas.clock import Micros

router = APIRouter(prefix="/v1/rooms", tags=["rooms"])

Named = Annotated[str, Path(max_length=256)]
Whom = Annotated[str, Path(max_length=256)]
SourceName = Literal["microphone", "camera", "screen_share", "screen_share_audio", "unknown"]


class NewRoom(BaseModel):
    """`room`: "" is a new name. `empty_timeout_s`: how long it stands while nobody has come; `max_participants`: 0 is any
    number, the agent counts; `metadata`: the room's; `agent`: who comes, "" the default one; `call_metadata`: of the call, an
    object."""

    room: RoomName = ""
    empty_timeout_s: Annotated[int, Field(ge=0, le=86_400)] = 300
    max_participants: Annotated[int, Field(ge=0, le=10_000)] = 0
    metadata: Text = ""
    agent: Line = ""
    call_metadata: Metadata = {}


class RoomRow(BaseModel):
    """`participants`: how many are in it, agents included."""

    room: str
    id: str
    created_at: str
    participants: int
    max_participants: int
    empty_timeout_s: int
    metadata: str


class RoomsPage(BaseModel):
    """The newest first; `next`: the cursor of the page after this one."""

    rooms: list[RoomRow]
    next: str | None = None


class TrackRow(BaseModel):
    id: str
    kind: Literal["audio", "video", "data"]
    source: SourceName
    name: str
    muted: bool


class ParticipantRow(BaseModel):
    """`kind`: standard, agent, sip (a phone), ingress, egress, …; `session`: of an agent of ours, its session in the log."""

    identity: str
    name: str
    kind: str
    state: str
    joined_at: str
    metadata: str
    attributes: dict[str, str]
    tracks: list[TrackRow]
    session: str


class Participants(BaseModel):
    participants: list[ParticipantRow]


class NewParticipant(BaseModel):
    """`identity`: "" is a new one."""

    identity: Line = ""
    name: Line = ""
    metadata: Text = ""
    attributes: Attributes = {}


class EntryAnswer(BaseModel):
    """What a LiveKit client comes in with."""

    server_url: str
    participant_token: str
    identity: str


class Mute(BaseModel):
    """`muted`: false asks for the opposite, which LiveKit does only where its configuration allows it (enable_remote_unmute)."""

    muted: bool = True
    sources: Annotated[list[SourceName], Field(min_length=1, max_length=5)] = ["microphone"]


class Tracks(BaseModel):
    tracks: list[TrackRow]


class Message(BaseModel):
    """`to`: identities; nobody is everybody but agents. `topic`: "" has LiveKit's chat kits show the text; under another one goes
    the bare text, as a data packet."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    to: Annotated[list[Line], Field(max_length=100)] = []
    topic: Line = ""


class Sent(BaseModel):
    to: list[str]


class NewDispatch(BaseModel):
    """`agent`: "" is the default one; `metadata`: of the call."""

    agent: Line = ""
    metadata: Metadata = {}


class DispatchRow(BaseModel):
    """`agent_name`: of the gateways it is for; `agent`: which of theirs; `state`: of its newest job; `identity`: of the agent in
    the room, "" before it has come."""

    dispatch: str
    agent_name: str
    agent: str
    state: Literal["none", "pending", "running", "success", "failed"]
    identity: str


class Dispatches(BaseModel):
    agents: list[DispatchRow]


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("", status_code=201)
async def create_room(_: Operator, livekit: LiveKitHere, house: Anyhow, body: NewRoom) -> RoomRow:
    """Make a room ahead of its people. 409: there is one of this name."""
    agent = chosen(house.settings, house.agents, body.agent)
    agents = dispatches(house.settings.livekit_agent_name, agent, body.call_metadata)
    async with asking(livekit) as server:
        if body.room and (await server.room.list_rooms(api.ListRoomsRequest(names=[body.room]))).rooms:
            raise Problem(409, "exists", f"there is a room {body.room!r} already; delete it, or take another name")
        wanted = api.CreateRoomRequest(
            name=body.room or rooms.new_name(),
            empty_timeout=body.empty_timeout_s,
            max_participants=body.max_participants,
            metadata=body.metadata,
            agents=agents,
        )
        return _room(await server.room.create_room(wanted))


@router.get("")
async def list_rooms(
    _: Operator,
    livekit: LiveKitHere,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str, Query(max_length=100, pattern=r"^(\d{1,15}-[\w-]{1,64})?$")] = "",
) -> RoomsPage:
    """All that stand, the newest first."""
    async with asking(livekit) as server:
        found = await rooms.every(server)
    if cursor:
        made, sid = cursor.split("-", 1)
        found = [room for room in found if rooms.place(room) < (int(made), sid)]
    page = found[:limit]
    more = "{}-{}".format(*rooms.place(page[-1])) if len(found) > limit else None
    return RoomsPage(rooms=[_room(room) for room in page], next=more)


@router.get("/{room}")
async def read_room(_: Operator, livekit: LiveKitHere, room: Named) -> RoomRow:
    """One of them."""
    async with asking(livekit) as server:
        return _room(await rooms.find(server, room))


@router.delete("/{room}", status_code=204)
async def delete_room(_: Operator, livekit: LiveKitHere, room: Named) -> None:
    """Close it: everybody is put out, and its session ends."""
    async with asking(livekit) as server:
        await server.room.delete_room(api.DeleteRoomRequest(room=room))


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{room}/participants")
async def list_participants(_: Operator, livekit: LiveKitHere, room: Named) -> Participants:
    """Who is in it: people, phones, agents."""
    async with asking(livekit) as server:
        return Participants(participants=[_participant(one) for one in await rooms.people(server, room)])


@router.post("/{room}/participants", status_code=201)
async def add_participant(
    _: Operator, livekit: LiveKitHere, house: Anyhow, room: Named, body: NewParticipant
) -> EntryAnswer:
    """A token for one more person, whom you give it to. 404: there is no such room."""
    async with asking(livekit) as server:
        await rooms.find(server, room)
    person = Person(room, body.identity, body.name, body.metadata, body.attributes)
    entry = await entry_of(livekit, house.settings, house.agents, house.bus, person)
    return EntryAnswer(server_url=entry.url, participant_token=entry.token, identity=entry.identity)


@router.post("/{room}/participants/{identity:path}/mute")
async def mute_participant(
    _: Operator, livekit: LiveKitHere, room: Named, identity: Whom, body: Mute | None = None
) -> Tracks:
    """Silence somebody's microphone, or another source of theirs; they can open it again themselves."""
    asked = body or Mute()
    async with asking(livekit) as server:
        tracks = await rooms.mute(server, room, identity, asked.muted, asked.sources)
    return Tracks(tracks=[_track(one) for one in tracks])


@router.delete("/{room}/participants/{identity:path}", status_code=204)
async def remove_participant(_: Operator, livekit: LiveKitHere, room: Named, identity: Whom) -> None:
    """Put somebody out; an agent of ours stays out. LiveKit Cloud takes none of the tokens they had until now; another server
    lets them come back until theirs ends (LIVEKIT_TOKEN_TTL)."""
    out = api.RoomParticipantIdentity(room=room, identity=identity, revoke_token_ts=int(time.time()))
    async with asking(livekit) as server:
        await server.room.remove_participant(out)


@router.post("/{room}/messages")
async def send_message(_: Operator, livekit: LiveKitHere, room: Named, body: Message) -> Sent:
    """Text for the people in the room. The agent does not hear of it: to have it say something, post to its session."""
    async with asking(livekit) as server:
        return Sent(to=await rooms.send(server, room, body.text, body.to, body.topic))


# ── agents ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{room}/agents")
async def list_agents(_: Operator, livekit: LiveKitHere, room: Named) -> Dispatches:
    """Which agents were sent there, and whether they have come."""
    async with asking(livekit) as server:
        await rooms.find(server, room)
        return Dispatches(agents=[_dispatch(one) for one in await server.agent_dispatch.list_dispatch(room)])


@router.post("/{room}/agents", status_code=201)
async def send_agent(_: Operator, livekit: LiveKitHere, house: Anyhow, room: Named, body: NewDispatch) -> DispatchRow:
    """Send an agent into a room that stands. Where gateways have no LIVEKIT_AGENT_NAME a room gets its agent once: one whose
    agent is there, or has gone, gets no other."""
    agent = chosen(house.settings, house.agents, body.agent)
    wanted = api.CreateAgentDispatchRequest(
        agent_name=house.settings.livekit_agent_name, room=room, metadata=job_metadata(agent, body.metadata)
    )
    async with asking(livekit) as server:
        await rooms.find(server, room)
        return _dispatch(await server.agent_dispatch.create_dispatch(wanted))


@router.delete("/{room}/agents/{dispatch}", status_code=204)
async def dismiss_agent(
    _: Operator, livekit: LiveKitHere, room: Named, dispatch: Annotated[str, Path(max_length=64)]
) -> None:
    """Have an agent leave: its session ends, the people stay."""
    async with asking(livekit) as server:
        await rooms.find(server, room)
        await server.agent_dispatch.delete_dispatch(dispatch, room)


# ── as they are told ─────────────────────────────────────────────────────────────────────────────────────────────────


def _room(room: models.Room) -> RoomRow:
    return RoomRow(
        room=room.name,
        id=room.sid,
        created_at=iso(Micros(rooms.place(room)[0] * 1000)),
        participants=room.num_participants,
        max_participants=room.max_participants,
        empty_timeout_s=room.empty_timeout,
        metadata=room.metadata,
    )


def _participant(one: models.ParticipantInfo) -> ParticipantRow:
    return ParticipantRow(
        identity=one.identity,
        name=one.name,
        kind=models.ParticipantInfo.Kind.Name(one.kind).lower(),
        state=models.ParticipantInfo.State.Name(one.state).lower(),
        joined_at=iso(Micros((one.joined_at_ms or one.joined_at * 1000) * 1000)),
        metadata=one.metadata,
        attributes=dict(one.attributes),
        tracks=[_track(track) for track in one.tracks],
        session=one.attributes.get("antiphon.session", ""),
    )


def _track(track: models.TrackInfo) -> TrackRow:
    return TrackRow.model_validate(
        {
            "id": track.sid,
            "kind": models.TrackType.Name(track.type).lower(),
            "source": rooms.source_of(track),
            "name": track.name,
            "muted": track.muted,
        }
    )


def _dispatch(one: protocol.AgentDispatch) -> DispatchRow:
    newest = max(one.state.jobs, key=lambda job: job.state.updated_at, default=None)
    state = jobs.JobStatus.Name(newest.state.status).removeprefix("JS_").lower() if newest is not None else "none"
    return DispatchRow.model_validate(
        {
            "dispatch": one.id,
            "agent_name": one.agent_name,
            "agent": agent_named(one.metadata, ()),
            "state": state,
            "identity": newest.state.participant_identity if newest is not None else "",
        }
    )
