"""Phones by LiveKit's SIP bridge, for operators: trunks, dispatch rules, calls. (The gateway's own phones: routes/phones.py.)

Rooms and phones are named in bodies, not in addresses: numbers stand in them, and addresses end up in proxies' logs.
"""

import ipaddress
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from api.access.who import Operator
from api.choice import chosen
from api.house import Anyhow
from api.livekit.asking import away
from api.livekit.fields import Line, RoomName
from api.livekit.telephony import NOBODY, Login, Refusal, Rule, Telephony, TelephonyError
from api.problems import Problem
from api.routes._livekit_here import LiveKitHere
from schemas.access.livekit import Access, job_metadata
from schemas.access.livekit_errors import LiveKitError
from schemas.client import Metadata

router = APIRouter(prefix="/v1/sip", tags=["sip"])

_STATUS: dict[Refusal, int] = {
    "form": 422, "missing": 404, "refused": 409, "no_bridge": 503, "no_redis": 503, "no_agent": 503, "not_taken": 502,
}  # fmt: skip


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


Number = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\+?[0-9A-Za-z*#._-]+$")]
Address = Annotated[str, Field(max_length=49), AfterValidator(_network)]
"""IP or CIDR."""
Host = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[0-9A-Za-z.\-\[\]:]+$")]
Destination = Annotated[
    str,
    Field(max_length=320, pattern=r"^((tel:)?\+?[0-9*#.-]{1,40}|sips?:[0-9A-Za-z+*#._~%-]{1,64}@[0-9A-Za-z.\-\[\]:]{1,253})$"),
]  # fmt: skip
"""A number, tel:+1… or sip:user@host, and nothing around it."""
SipId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z]{2,4}_[A-Za-z0-9]+$")]
Numbers = Annotated[list[Number], Field(max_length=100)]
User = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Password = Annotated[SecretStr, Field(max_length=256)]


class InboundTrunk(BaseModel):
    """Lets calls in: to these numbers (none: any), from these addresses, or with this login. One of both is needed."""

    kind: Literal["inbound"]
    name: Line
    numbers: Numbers = []
    addresses: Annotated[list[Address], Field(max_length=100)] = []
    user: User = ""
    password: Password = SecretStr("")


class OutboundTrunk(BaseModel):
    """Lets calls out, by the provider at `address`, as one of `numbers`."""

    kind: Literal["outbound"]
    name: Line
    address: Host
    numbers: Annotated[Numbers, Field(min_length=1)]
    user: User = ""
    password: Password = SecretStr("")
    transport: Literal["auto", "udp", "tcp", "tls"] = "auto"


NewTrunk = Annotated[InboundTrunk | OutboundTrunk, Field(discriminator="kind")]


class TrunkRow(BaseModel):
    """`who`: of an inbound one, the addresses and the user that may call; `address`: of an outbound one, the provider's."""

    id: str
    kind: Literal["inbound", "outbound"]
    name: str
    numbers: list[str]
    who: list[str] = []
    address: str = ""


class Trunks(BaseModel):
    trunks: list[TrunkRow]


class NewRule(BaseModel):
    """`room`: one for all callers; "": one for each, whose name begins with `prefix`. `trunks`: ids, none is all; `pin`: to be
    keyed in first; `agent`: who answers, "" the default one; `metadata`: of each call."""

    name: Line
    room: RoomName = ""
    prefix: Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z._-]+$")] = "call-"
    trunks: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)] = []
    pin: Annotated[str, Field(max_length=16, pattern=r"^[0-9]*$")] = ""
    agent: Line = ""
    metadata: Metadata = {}
    hide_number: bool = False


class RuleRow(BaseModel):
    """`room`: its name, or `prefix…`; `pin`: whether one is asked for; `agents`: as they are dispatched."""

    id: str
    name: str
    room: str
    pin: bool
    trunks: list[str]
    agents: list[str]


class Rules(BaseModel):
    rules: list[RuleRow]


class Made(BaseModel):
    id: str


class NewCall(BaseModel):
    """`trunk`: an outbound one's id; `room`: "" is a new one; `metadata`: of the call, where it makes the room;
    `wait_s`: how long it may ring before we give up."""

    trunk: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z]{2,4}_[A-Za-z0-9]+$")]
    to: Number
    room: RoomName = ""
    agent: Line = ""
    metadata: Metadata = {}
    wait_s: Annotated[int, Field(ge=1, le=80)] = 40


class OneCall(BaseModel):
    """Which phone: the room it is in, and its identity there."""

    room: Annotated[str, Field(min_length=1, max_length=256)]
    identity: Annotated[str, Field(min_length=1, max_length=256)]


class Transfer(OneCall):
    to: Destination


class CallRow(OneCall):
    """`number`: the caller's, or whom we called; `called`: ours; `status`: of LiveKit's bridge (active, ringing, …)."""

    number: str
    called: str
    status: str


class Calls(BaseModel):
    calls: list[CallRow]


@asynccontextmanager
async def _phones(livekit: Access) -> AsyncIterator[Telephony]:
    try:
        async with Telephony(livekit) as phones:
            yield phones
    except TelephonyError as error:
        raise Problem(_STATUS[error.code], error.code, str(error)) from None
    except LiveKitError as error:
        raise away(error) from None


async def _rows(livekit: Access, *kinds: str) -> list[dict[str, Any]]:
    async with _phones(livekit) as phones:
        return [row for row in await phones.everything() if row["kind"] in kinds]


# ── trunks and rules ─────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/trunks")
async def list_trunks(_: Operator, livekit: LiveKitHere) -> Trunks:
    """Without their passwords."""
    return Trunks(
        trunks=[
            TrunkRow(
                id=row["id"],
                kind=row["kind"],
                name=row["name"],
                numbers=row["numbers"],
                who=row.get("from", []),
                address=row.get("by", ""),
            )
            for row in await _rows(livekit, "inbound", "outbound")
        ]
    )


@router.post("/trunks", status_code=201)
async def add_trunk(_: Operator, livekit: LiveKitHere, body: NewTrunk) -> Made:
    """Nobody may call in, and nobody is called, until a trunk says so."""
    login = Login(body.user, body.password.get_secret_value()) if body.user else NOBODY
    async with _phones(livekit) as phones:
        if isinstance(body, InboundTrunk):
            return Made(id=await phones.add_inbound(body.name, body.numbers, body.addresses, login))
        return Made(id=await phones.add_outbound(body.name, body.address, body.numbers, login, body.transport))


@router.get("/rules")
async def list_rules(_: Operator, livekit: LiveKitHere) -> Rules:
    """Where calls that come in go."""
    return Rules(
        rules=[
            RuleRow(
                id=row["id"],
                name=row["name"],
                room=row["room"],
                pin=row["pin"],
                trunks=row["trunks"],
                agents=row["agents"],
            )
            for row in await _rows(livekit, "rule")
        ]
    )


@router.post("/rules", status_code=201)
async def add_rule(_: Operator, livekit: LiveKitHere, house: Anyhow, body: NewRule) -> Made:
    """Send calls that come in to rooms, with an agent."""
    metadata = job_metadata(chosen(house.settings, house.agents, body.agent), body.metadata)
    name = house.settings.livekit_agent_name
    rule = Rule(body.name, body.room, body.prefix, body.trunks, body.pin, name, metadata, body.hide_number)
    async with _phones(livekit) as phones:
        return Made(id=await phones.add_rule(rule))


@router.delete("/trunks/{id}", status_code=204)
@router.delete("/rules/{id}", status_code=204)
async def remove(_: Operator, livekit: LiveKitHere, id: SipId) -> None:
    """A trunk (ST_…) or a rule (SDR_…); calls that go on are not touched."""
    async with _phones(livekit) as phones:
        await phones.remove(id)


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/calls")
async def list_calls(_: Operator, livekit: LiveKitHere) -> Calls:
    """The phones that are in rooms now."""
    async with _phones(livekit) as phones:
        return Calls(calls=[CallRow.model_validate(row) for row in await phones.calls()])


@router.post("/calls", status_code=201)
async def call(_: Operator, livekit: LiveKitHere, house: Anyhow, body: NewCall) -> OneCall:
    """Call somebody into a room where an agent is; answers when they do. 502: they did not take the call, with the reason."""
    room = body.room or f"call-{secrets.token_hex(8)}"
    metadata = job_metadata(chosen(house.settings, house.agents, body.agent), body.metadata)
    name = house.settings.livekit_agent_name
    async with _phones(livekit) as phones:
        identity = await phones.call(body.trunk, body.to, room, agent=name, metadata=metadata, wait=body.wait_s)
    return OneCall(room=room, identity=identity)


@router.post("/calls/hang-up", status_code=204)
async def hang_up(_: Operator, livekit: LiveKitHere, body: OneCall) -> None:
    """End one call; the others in the room stay."""
    async with _phones(livekit) as phones:
        await phones.hang_up(body.room, body.identity)


@router.post("/calls/transfer", status_code=204)
async def transfer(_: Operator, livekit: LiveKitHere, body: Transfer) -> None:
    """Hand a call on to another number. 502: the other side did not take it; the call goes on with the agent."""
    async with _phones(livekit) as phones:
        await phones.transfer(body.room, body.identity, body.to)
