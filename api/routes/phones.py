"""Calls by the gateways' own phones (SIP_LISTEN, docs/phones.md), for operators: ring somebody, hand a caller on, press keys,
hang up. Calls by LiveKit's bridge: routes/sip.py."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access.who import Operator
from api.choice import chosen
from api.desk import ask, call_path, holder
from api.house import Here
from api.livekit.fields import Line
from api.problems import Problem
from api.routes.sessions import SessionId
from schemas.client import Metadata

router = APIRouter(prefix="/v1/phones", tags=["phones"])

_LONGER = 10.0
"""Seconds a gateway has to answer, beside those for which it lets a phone ring."""

Keys = r"^[0-9*#A-Da-dwW]*$"
Whom = Annotated[str, Field(min_length=1, max_length=320, pattern=r"^[!-~]+$")]
"""sip:user@host or a number; the gateway looks closer, and calls nobody whom no trunk names."""


class NewPhoneCall(BaseModel):
    """`trunk`: "" is the one that fits; `digits`: to be pressed once answered, w waits half a second; `wait_s`: how long it may
    ring; `metadata`: of the session."""

    to: Whom
    agent: Line = ""
    trunk: Annotated[str, Field(max_length=60)] = ""
    digits: Annotated[str, Field(max_length=64, pattern=Keys)] = ""
    wait_s: Annotated[float, Field(ge=1, le=300)] = 60.0
    metadata: Metadata = {}


class PhoneCall(BaseModel):
    """`gateway`: which one has the call."""

    session: str
    gateway: str


class PhoneTransfer(BaseModel):
    """`to`: sip:user@host or tel:number, which the caller's phone is to call instead."""

    to: Whom


class Transferred(BaseModel):
    """`state`: `there`: they are with the other; `left`: the phone went, and did not say whether they got there."""

    state: Literal["there", "left"]


class Pressed(BaseModel):
    """0-9 * # A-D; w waits half a second."""

    digits: Annotated[str, Field(min_length=1, max_length=64, pattern=Keys)]


@router.post("/calls", status_code=201)
async def dial(house: Here, _: Operator, body: NewPhoneCall) -> PhoneCall:
    """Ring somebody; answers when they do, with the session. 502: they did not take the call, with the reason; 503: no gateway
    has phones, or a free line."""
    agent = chosen(house.settings, house.agents, body.agent)
    if not any("sip" in one.transports for one in await house.bus.gateways()):
        raise Problem(
            503, "no_phones", "no gateway answers phones; start one with SIP_LISTEN and SIP_TRUNKS (docs/phones.md)"
        )
    gateway = await house.way_in.gateway(house.bus, "sip")
    wanted: dict[str, Any] = {
        "to": body.to,
        "agent": agent,
        "trunk": body.trunk,
        "digits": body.digits,
        "wait": body.wait_s,
    }
    wanted |= {"metadata": body.metadata} if body.metadata else {}  # an older gateway takes none
    found = await ask(house.settings, house.clock.now(), gateway, "POST", "/calls", wanted, body.wait_s + _LONGER)
    return PhoneCall(session=found["session"], gateway=gateway.name)


@router.post("/calls/{session}/transfer")
async def transfer(house: Here, _: Operator, session: SessionId, body: PhoneTransfer) -> Transferred:
    """Have the caller's phone call somebody else instead. 502: it did not work, and the call goes on with the agent."""
    gateway = await holder(house.bus, session)
    path = call_path(session, "transfer")
    found = await ask(house.settings, house.clock.now(), gateway, "POST", path, {"to": body.to}, 60 + _LONGER)
    return Transferred(state="left" if found.get("status") == 202 else "there")


@router.post("/calls/{session}/keys", status_code=204)
async def press(house: Here, _: Operator, session: SessionId, body: Pressed) -> None:
    """Press keys, as the agent's phone."""
    gateway = await holder(house.bus, session)
    await ask(house.settings, house.clock.now(), gateway, "POST", call_path(session, "keys"), {"digits": body.digits})


@router.delete("/calls/{session}", status_code=204)
async def hang_up(house: Here, _: Operator, session: SessionId) -> None:
    """Hang up."""
    gateway = await holder(house.bus, session)
    await ask(house.settings, house.clock.now(), gateway, "DELETE", call_path(session))
