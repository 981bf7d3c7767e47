"""What programs ask of LiveKit's door, by HTTP: `POST /join` sends the agent into a room. `antiphon room join` asks here.

Every gateway answers, one without LiveKit with what it lacks: nothing here loads LiveKit's library."""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.http.admission import TurnedAway
from gateway.http.server import Server
from gateway.sessions.reception import Refused
from schemas.client import Name
from schemas.errors import AgentSpecError, AntiphonError
from schemas.text.clean import plain

log = logging.getLogger("antiphon.gateway.livekit")

Join = Callable[[str, str], Awaitable[str]]
"""(room, agent) → session."""


def _fit(text: str) -> str:
    """Another room must not be taken for the one that was meant: what is unfit is refused, not mended."""
    if plain(text, len(text)) != text or set(text) & {"\n", "\t"}:
        raise ValueError("a name of one line, without controls, is expected")
    return text


class JoinRoom(BaseModel):
    """The body of POST /join."""

    model_config = ConfigDict(extra="forbid")

    room: Annotated[str, AfterValidator(_fit), Field(min_length=1, max_length=256)]
    agent: Name = ""


class JoinDesk:
    """`join`: None where there is no LiveKit."""

    def __init__(self, server: Server, join: Join | None):
        self._server, self._join = server, join

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/join", self.join_room)]

    async def join_room(self, request: web.Request) -> web.Response:
        """{"room": …, "agent": …}: the agent goes into a LiveKit room. A token must allow that room and agent."""
        try:
            grant = self._server.admission.let_in(request)
            if not grant.join:
                return _sorry(403, "token", "the token does not allow this; it needs `join`: true")
            wanted = JoinRoom.model_validate_json(await request.read())
            self._server.begins(request)
        except TurnedAway as refusal:
            self._server.turned_away(refusal)
            return _sorry(429 if refusal.code == "too_many" else 401, refusal.code, str(refusal))
        except ValidationError as error:
            first = error.errors()[0]
            return _sorry(400, "request", f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}")
        if grant.room not in ("", wanted.room) or grant.agent not in ("", wanted.agent):
            return _sorry(403, "token", "the token is for another room or agent")
        if self._join is None:
            log.warning("asked into a room without LiveKit: set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
            return _sorry(409, "livekit", "nobody here goes into LiveKit rooms; the gateway's log says what it lacks")
        try:
            return web.json_response({"session": await self._join(wanted.room, wanted.agent)})
        except AgentSpecError as error:
            log.warning("room %s: the agent does not come: %s", wanted.room, error)
            return _sorry(409, "refused", error.told)
        except Refused as refusal:
            return _sorry(503 if refusal.passes else 409, "refused", str(refusal))
        except AntiphonError as error:
            log.warning("room %s: the agent does not come: %s", wanted.room, error)
            return _sorry(503, "refused", "the agent can't come there now; the gateway's log says why")


def _sorry(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
