"""Listening in on a session that goes on: which gateway has it, and a token for just that."""

from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel

from api.access.who import Operator
from api.desk import holder
from api.house import Here
from api.routes.sessions import SessionId
from schemas.access.tokens import Grant, mint

router = APIRouter(prefix="/v1/sessions", tags=["calls"])

GOOD_FOR = 60
"""Seconds within which a token gets one in; who listens goes on listening."""


class WayToListen(BaseModel):
    """`url`: of a WebSocket, with the session's id in it (docs/websocket.md, Listening in); `token`: to be added as `&token=`, ""
    where the gateway asks for none; `gateway`: its name."""

    url: str
    token: str
    expires_in: int
    gateway: str


@router.post("/{session}/listen")
async def listen(house: Here, _: Operator, session: SessionId) -> WayToListen:
    """Where its sound can be heard as it goes, a second behind. Who asked stands in the record. 404: no such session; 409: it has
    ended; 503: no gateway has it at this moment, ask again."""
    gateway = await holder(house.bus, session)
    secret = house.settings.gateway_token_secret.get_secret_value()
    token = mint(secret, Grant(listen=session), GOOD_FOR, house.clock.now()) if secret else ""
    return WayToListen(url=_url(gateway.url, session), token=token, expires_in=GOOD_FOR, gateway=gateway.name)


def _url(gateway: str, session: str) -> str:
    """A gateway's /listen lies beside its /ws."""
    return f"{gateway.removesuffix('/').removesuffix('/ws')}/listen?session={quote(session, safe='')}"
