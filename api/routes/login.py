"""Sign in: a ticket for a key. And who one is, and what there is here to be used."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.access import gate
from api.access.who import Caller, Role
from api.house import Here, House

router = APIRouter(tags=["access"])


class Login(BaseModel):
    """`key`: as `antiphon key add` has shown it."""

    key: str = Field(max_length=200)


class Signed(BaseModel):
    """`ticket`: to be sent as `Authorization: Bearer TICKET`; `sound`: as `?ticket=` in the addresses of sessions' sound, for
    players, which send no header: it opens nothing else. Good for `expires_in` seconds, and for as long as their key is there."""

    ticket: str
    sound: str
    name: str
    role: Role
    expires_in: int


class Features(BaseModel):
    """What this deployment has, or has not: `websocket`, `livekit`: rooms to talk in; `phones`: numbers can be called; `listen`:
    live calls can be listened to; `replay`: sessions can be forked, replayed in batches,
    imported and deleted, by jobs in the background."""

    websocket: bool
    livekit: bool
    phones: bool
    listen: bool
    replay: bool


class Me(BaseModel):
    """`development`: no keys are asked for: whoever reaches this port may do everything."""

    name: str
    role: Role
    development: bool
    features: Features


@router.post("/v1/login")
async def login(asked: Login, house: Here) -> Signed:
    """A ticket for a key."""
    return _signed(await house.gate.login(asked.key))


@router.post("/v1/login/renew")
async def renew(who: Caller, house: Here) -> Signed:
    """A new ticket for one that is still good; for a week, then the key is needed again."""
    return _signed(await house.gate.renew(who))


@router.get("/v1/me")
async def me(request: Request, who: Caller, house: Here) -> Me:
    """Who asks, what they may, and what there is."""
    phones = any("sip" in one.transports for one in await house.bus.gateways())
    features = _features(request, house, phones)
    return Me(name=who.name, role=who.role, development=await house.gate.is_open(), features=features)


def _signed(found: gate.Signed) -> Signed:
    who = found.who
    return Signed(ticket=found.ticket, sound=found.sound, name=who.name, role=who.role, expires_in=found.seconds)


def _features(request: Request, house: House, phones: bool) -> Features:
    """What the routes and the settings make possible, here or at a gateway; whether it works just now, `/v1/gateways` and
    `/v1/livekit/status` say."""
    paths = request.app.state.paths
    return Features(
        websocket="/v1/ws/ticket" in paths,
        livekit=house.livekit is not None,
        phones=phones or bool(house.settings.sip_listen),
        listen="/v1/sessions/{session}/listen" in paths,
        replay="/v1/sessions/{session}/forks" in paths and house.asked.possible,
    )
