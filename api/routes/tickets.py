"""The way to a call by WebSocket: a ticket, and a gateway to show it to. Sound never passes through the API."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from api.access.who import Caller
from api.choice import chosen_or_draft
from api.house import Here
from schemas.access.tokens import Grant, mint
from schemas.client import Metadata, Name

router = APIRouter(prefix="/v1/ws", tags=["calls"])

GOOD_FOR = 120
"""Seconds within which a ticket gets one in. Who is in stays; who comes back later gets a new one."""


class TicketAsked(BaseModel):
    """`agent`: "" is the usual one; `participant`, `room`: "" leaves them to the client; `metadata`: of the session, before
    what its client says. Who asks with an operator's key vouches for the participant: agents remember people by that."""

    model_config = ConfigDict(extra="forbid")

    agent: Name = ""
    participant: Name = ""
    room: Name = ""
    metadata: Metadata = {}


class Ticket(BaseModel):
    """`url`: of a gateway's WebSocket, docs/websocket.md; `token`: for it, as `?token=`, "" where it asks for none; `agent`: what
    the token is for, to be said in `start`; `gateway`: its name."""

    url: str
    token: str
    expires_in: int
    agent: str
    gateway: str


@router.post("/ticket")
async def ticket(request: Request, house: Here, who: Caller, asked: TicketAsked | None = None) -> Ticket:
    """A short-lived ticket, and the gateway with the most room. 503: none is there, none has a place, or they lack workers."""
    asked = asked or TicketAsked()
    agent = await chosen_or_draft(house.bus, house.settings, house.agents, asked.agent)
    asker = f"key {who.key}" if who.key else f"address {request.state.address}"
    gateway = await house.way_in.gateway(house.bus, "websocket", asker)
    secret = house.settings.gateway_token_secret.get_secret_value()
    grant = Grant(
        room=asked.room,
        participant=asked.participant,
        agent=agent,
        metadata=asked.metadata,
        unvouched=bool(asked.participant) and not who.vouches,
    )
    token = mint(secret, grant, GOOD_FOR, house.clock.now()) if secret else ""
    return Ticket(url=gateway.url, token=token, expires_in=GOOD_FOR, agent=agent, gateway=gateway.name)
