"""Which gateways there are."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from api.access.who import Operator
from api.house import Here
from schemas.bus import GatewaySeen
from schemas.events import TransportName

router = APIRouter(prefix="/v1/gateways", tags=["gateways"])


class Gateway(BaseModel):
    """`url`: of its WebSocket, as clients reach it; `places`: sessions it would still take; `draining`: it takes none, and stops;
    `transports`: the kinds of room it opens sessions in."""

    name: str
    url: str
    places: int
    sessions: int
    draining: bool
    transports: list[TransportName]


class Gateways(BaseModel):
    gateways: list[Gateway]


@router.get("")
async def gateways(house: Here, _: Operator) -> Gateways:
    """Those that have told of themselves in the last seconds. `GET /v1/queues/stream` tells of them as they come and go."""
    return Gateways(gateways=gateways_of(await house.bus.gateways()))


def gateways_of(seen: Sequence[GatewaySeen]) -> list[Gateway]:
    return [
        Gateway(
            name=one.name, url=one.url, places=one.places, sessions=one.sessions, draining=one.draining,
            transports=list(one.transports),
        )
        for one in seen
    ]  # fmt: skip
