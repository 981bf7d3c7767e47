"""A conversation by RTVI's clients (pipecat): where they go to begin one."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.access.who import Caller
from api.house import Anyhow
from api.livekit.entry import Person, entry_of
from api.livekit.fields import Line, RoomName, Text
from api.routes._livekit_here import LiveKitHere
from schemas.client import Metadata

router = APIRouter(tags=["livekit"])


class Wishes(BaseModel):
    """Everything may be left out; what is not named here is not looked at. `metadata`: the participant's; `call_metadata`: of the
    call, an object."""

    agent: Line | None = None
    room: RoomName | None = None
    name: Line | None = None
    metadata: Text | None = None
    call_metadata: Metadata | None = None


class StartRequest(Wishes):
    """`requestData` of the client's startBot. `body`: the same, as those who came from Pipecat Cloud send it."""

    body: Wishes | None = None


class StartAnswer(BaseModel):
    """What pipecat's LiveKitTransport connects with; it refuses what it does not know, so there is nothing else."""

    url: str
    token: str


@router.post("/v1/start")
async def start(
    _: Caller, livekit: LiveKitHere, house: Anyhow, response: Response, body: StartRequest | None = None
) -> StartAnswer:
    """A room with an agent, and the way into it, for an RTVI client: LiveKitTransport of @pipecat-ai/livekit-transport."""
    asked = body or StartRequest()
    inner = asked.body or Wishes()
    person = Person(
        room=asked.room or inner.room or "",
        name=asked.name or inner.name or "",
        metadata=asked.metadata or inner.metadata or "",
        agent=asked.agent or inner.agent or "",
        call=asked.call_metadata or inner.call_metadata or {},
    )
    entry = await entry_of(livekit, house.settings, house.agents, house.bus, person)
    response.headers["Cache-Control"] = "no-store"
    return StartAnswer(url=entry.url, token=entry.token)
