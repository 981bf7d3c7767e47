"""Tokens for LiveKit rooms, in the shape of LiveKit's own kits and in the shorter ones that front ends post."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.access.who import Caller, Operator
from api.choice import choosable
from api.house import Anyhow, House
from api.livekit.entry import Entry, Person, agent_asked_for, call_asked_for, entry_of, public_url
from api.livekit.fields import Attributes, Line, RoomName, Text, a_persons
from api.livekit.webhooks import Notices
from api.routes._livekit_here import LiveKitHere
from api.times import iso
from schemas.access.livekit import Access
from schemas.client import Metadata
from schemas.clock import Micros

router = APIRouter(tags=["livekit"])

_NOT_KEPT = {"Cache-Control": "no-store"}


class AgentDispatch(BaseModel):
    """`agent_name`: an agent of ours, or the gateways' LIVEKIT_AGENT_NAME; `metadata`: `{"agent": NAME}` names one of ours; what
    else stands in the object is the call's metadata."""

    agent_name: Line | None = None
    metadata: Text | None = None


class RoomConfig(BaseModel):
    """Of LiveKit's RoomConfiguration what may be asked for; the rest of it is not looked at."""

    agents: Annotated[list[AgentDispatch], Field(max_length=10)] | None = None


class TokenRequest(BaseModel):
    """LiveKit's TokenSourceRequest: everything may be left out. What is not named here is not looked at."""

    room_name: RoomName | None = None
    participant_name: Line | None = None
    participant_identity: Line | None = None
    participant_metadata: Text | None = None
    participant_attributes: Attributes | None = None
    room_config: RoomConfig | None = None


class TokenAnswer(BaseModel):
    """LiveKit's TokenSourceResponse."""

    server_url: str
    participant_token: str


class ShortTokenRequest(BaseModel):
    """`room` or `room_name`, `identity` or `participant_identity`, `name` or `participant_name`, `metadata` or
    `participant_metadata`; `agent`: who shall answer; `call_metadata`: of the call, an object; `participant_attributes` and
    `room_config` as LiveKit's kits send them. Everything may be left out."""

    room: RoomName | None = None
    room_name: RoomName | None = None
    identity: Line | None = None
    participant_identity: Line | None = None
    name: Line | None = None
    participant_name: Line | None = None
    metadata: Text | None = None
    participant_metadata: Text | None = None
    participant_attributes: Attributes | None = None
    agent: Line | None = None
    call_metadata: Metadata | None = None
    room_config: RoomConfig | None = None


class ShortTokenAnswer(TokenAnswer):
    """The same two twice: as short front ends call them, and as LiveKit's kits do, which post here, too."""

    token: str
    url: str


class AgentTokenRequest(BaseModel):
    """`identity`: "" is a new one."""

    room: Annotated[RoomName, Field(min_length=1)]
    identity: Line = ""
    name: Line = ""


class Webhooks(BaseModel):
    """What came to this process. `counts`: by LiveKit's event; `last_at`: when LiveKit wrote the newest."""

    counts: dict[str, int]
    last: str
    last_at: str | None


class Status(BaseModel):
    """`url`: as browsers reach the server; `problem`: why it can't be used now, "" where it can; `room`: of those who name none,
    "" a new one each; `agents`: that may be chosen, the default one first; `agent_name`: the gateways' LIVEKIT_AGENT_NAME."""

    url: str
    reachable: bool
    problem: str
    room: str
    agents: list[str]
    agent_name: str
    token_ttl_s: float
    webhooks: Webhooks


@router.get("/v1/livekit/status")
async def status(who: Caller, livekit: LiveKitHere, house: Anyhow) -> Status:
    """Whether LiveKit answers, and what a token is given for when nothing is asked for. 503 livekit_off: there is none."""
    settings = house.settings
    notices = house.livekit_notices if who.may("operator") else Notices()
    problem = await house.livekit_look.look(livekit)
    return Status(
        url=public_url(settings),
        reachable=not problem,
        # it names the server's address inside
        problem=problem if who.may("operator") or not problem else "LiveKit can't be used now",
        room=settings.livekit_room,
        agents=choosable(settings, house.agents),
        agent_name=settings.livekit_agent_name,
        token_ttl_s=settings.livekit_token_ttl,
        webhooks=Webhooks(
            counts=dict(notices.counts),
            last=notices.last,
            last_at=iso(Micros(notices.last_at * 1_000_000)) if notices.last_at else None,
        ),
    )


@router.post("/v1/livekit/agent-token", status_code=201)
async def agent_token(
    _: Operator, livekit: LiveKitHere, house: Anyhow, response: Response, body: AgentTokenRequest
) -> TokenAnswer:
    """Lets a program of yours into one room as an agent: to hear, to speak with one voice, to send data, to set its own
    attributes. Good for 15 minutes, to get in with. It never has the identity of an agent of ours."""
    response.headers.update(_NOT_KEPT)
    identity = a_persons(body.identity) or f"bot-{secrets.token_hex(8)}"
    made = livekit.agent_token(body.room, identity, body.name, worker=False)
    return TokenAnswer(server_url=public_url(house.settings), participant_token=made)


@router.post("/v1/livekit/token", status_code=201)
async def token(
    who: Caller, livekit: LiveKitHere, house: Anyhow, response: Response, body: TokenRequest | None = None
) -> TokenAnswer:
    """LiveKit's token endpoint (TokenSource.endpoint): lets one person into one room, to hear, speak, show and chat there.

    Without `room_name` it is LIVEKIT_ROOM, or a new room; without an identity a new one. The agent is one of API_AGENTS, and
    comes when the room is made: in a room that is there already, it stays who it was, and so does the call's metadata.
    """
    asked = body or TokenRequest()
    person = Person(
        room=asked.room_name or "",
        identity=asked.participant_identity or "",
        name=asked.participant_name or "",
        metadata=asked.participant_metadata or "",
        attributes=asked.participant_attributes or {},
        agent=_agent(asked.room_config, house),
        call=_call(asked.room_config),
        vouched=who.vouches,
    )
    entry = await _let_in(livekit, house, person, response)
    return TokenAnswer(server_url=entry.url, participant_token=entry.token)


@router.post("/token")
@router.post("/api/token")
async def short_token(
    who: Caller, livekit: LiveKitHere, house: Anyhow, response: Response, body: ShortTokenRequest | None = None
) -> ShortTokenAnswer:
    """The same for front ends that ask in fewer words."""
    asked = body or ShortTokenRequest()
    person = Person(
        room=asked.room or asked.room_name or "",
        identity=asked.identity or asked.participant_identity or "",
        name=asked.name or asked.participant_name or "",
        metadata=asked.metadata or asked.participant_metadata or "",
        attributes=asked.participant_attributes or {},
        agent=asked.agent or _agent(asked.room_config, house),
        call=asked.call_metadata or _call(asked.room_config),
        vouched=who.vouches,
    )
    entry = await _let_in(livekit, house, person, response)
    return ShortTokenAnswer(token=entry.token, url=entry.url, participant_token=entry.token, server_url=entry.url)


def _agent(config: RoomConfig | None, house: House) -> str:
    wanted = [(one.agent_name or "", one.metadata or "") for one in (config and config.agents) or []]
    return agent_asked_for(wanted, house.settings, house.agents)


def _call(config: RoomConfig | None) -> dict[str, Any]:
    return call_asked_for([one.metadata or "" for one in (config and config.agents) or []])


async def _let_in(livekit: Access, house: House, person: Person, response: Response) -> Entry:
    response.headers.update(_NOT_KEPT)
    return await entry_of(livekit, house.settings, house.agents, house.bus, person)
