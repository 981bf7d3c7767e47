"""The WebSocket's door: a client begins a session at `/ws`, or comes back to one with its ticket (docs/websocket.md)."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from gateway.http.admission import TurnedAway
from gateway.http.connections import WEBSOCKET
from gateway.http.refusing import refuse
from gateway.http.server import Server
from gateway.rooms.websocket.connection import ClientConnection
from gateway.rooms.websocket.reading import read
from gateway.rooms.websocket.room import WebSocketRoom
from gateway.sessions.reception import Reception, Refused, new_session
from gateway.sessions.session import Session
from schemas.access.tokens import Grant
from schemas.client import LARGEST_FRAME, START_WITHIN, BadMessage, ReadyMessage, StartMessage, beginning
from schemas.clock import Clock
from schemas.config.agent import AgentSpec
from schemas.drafts import is_draft
from schemas.errors import AgentSpecError
from schemas.events import SessionStarted
from schemas.process.logging import of_session
from schemas.process.tasks import Tasks
from schemas.text.clean import identity

log = logging.getLogger("antiphon.gateway.websocket")

_GRACE = 3.0  # seconds a closed client has to take its leave
_CLIENT = "client"
"""Key in the inputs of `session.started`: who the client is."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a session was begun for. It stands in the log: who comes back is who the log says, whatever a client says of itself.
    `agent`: as it was asked for; `rate`: Hz it wants to hear."""

    participant: str = "caller"
    name: str = ""
    rate: int = 24_000
    agent: str = ""

    def inputs(self) -> dict[str, Any]:
        """What of it stands in `session.started`."""
        return {_CLIENT: asdict(self)}


def in_text(agent: AgentSpec) -> AgentSpec:
    """The same agent, without sound. Nobody holds a line: the client may be gone for as long as it may say nothing."""
    limits = agent.limits.model_copy(update={"client_gone": max(agent.limits.client_gone, agent.limits.idle)})
    return agent.model_copy(update={"sound": False, "limits": limits})


def client_of(beginning: SessionStarted) -> Client:
    """Whom a session was begun for, by its log."""
    known = (beginning.inputs or {}).get(_CLIENT, {})
    return Client(**{name: known[name] for name in Client.__slots__ if name in known})


def come_back(clock: Clock, beginning: SessionStarted, present: Collection[str], rate: int = 0) -> "WebSocketRoom":
    """The room of a session that goes on at another gateway, without its client yet. `present`: who is there by the log; `rate`:
    what the client wants to hear now."""
    client = client_of(beginning)
    room = WebSocketRoom(clock, beginning.room, client.participant, rate or client.rate, client.agent)
    if client.participant not in present:
        room.join(client.name)  # its gateway died before it could say so
    return room


def rejoin_websocket(
    clock: Clock,
) -> Callable[[str, SessionStarted, object, Collection[str]], Awaitable["WebSocketRoom"]]:
    """After a take-over the room waits for its client."""

    async def rejoin(_: str, beginning: SessionStarted, __: object, present: Collection[str]) -> WebSocketRoom:
        return come_back(clock, beginning, present)

    return rejoin


class WebSocketDoor:
    def __init__(self, reception: Reception, server: Server):
        self._reception, self._server = reception, server
        self._house = reception.house

    def routes(self) -> list[web.RouteDef]:
        return [web.get(WEBSOCKET, self.come_in)]

    async def come_in(self, request: web.Request) -> web.WebSocketResponse:
        """One client, from its `start` until it leaves."""
        socket = web.WebSocketResponse(
            max_msg_size=LARGEST_FRAME + 1, heartbeat=20.0, compress=False, timeout=_GRACE, autoping=False
        )
        await socket.prepare(request)
        try:
            grant = self._server.admission.let_in(request)
            start = await _first_frame(socket)
            self._server.connections.started(request)
            who = self._server.begins(request)
            session, connection = await self._begin(socket, start, grant, who)
        except TurnedAway as refusal:
            self._server.turned_away(refusal)
            await refuse(socket, refusal)
            return socket
        except ConnectionError:
            return socket
        room = session.room
        assert isinstance(room, WebSocketRoom)
        try:
            with of_session(session.name):
                await self._converse(socket, connection, room)
        finally:
            room.detach(connection)
        return socket

    async def _begin(
        self, socket: web.WebSocketResponse, start: StartMessage, grant: Grant, who: tuple[str, ...]
    ) -> tuple[Session, ClientConnection]:
        connection = ClientConnection(socket)
        try:
            if start.session:
                session, resumed = await self._resume(start, grant, who), True
            else:
                session, resumed = await self._open_counted(start, grant, who), False
        except Refused as refusal:
            code = WSCloseCode.TRY_AGAIN_LATER if refusal.passes else WSCloseCode.POLICY_VIOLATION
            raise TurnedAway(refusal.code, str(refusal), code) from None
        except AgentSpecError as error:
            raise TurnedAway("agent", error.told, detail=str(error)) from None
        room = session.room
        assert isinstance(room, WebSocketRoom)
        warnings = () if resumed else tuple(session.warnings)
        ready = ReadyMessage(
            session=session.name, ticket=session.ticket, warnings=warnings, rate=room.rate, resumed=resumed,
            talk=session.state.agent.turn_taking.mode,
        )  # fmt: skip
        room.attach(connection, ready)
        return session, connection

    async def _open_counted(self, start: StartMessage, grant: Grant, who: tuple[str, ...]) -> Session:
        self._server.opens.count(who)
        try:
            session = await self._open(start, grant)
        except BaseException:
            self._server.opens.given_up(who)
            raise
        self._server.opens.counted(who, session.name)
        return session

    async def _open(self, start: StartMessage, grant: Grant) -> Session:
        agent = await self._agent(grant, start.agent)
        agent = agent if start.sound else in_text(agent)
        name = new_session("ws")
        participant = identity(grant.participant or start.participant or "caller")
        client = Client(participant, start.name, start.rate, grant.agent or start.agent)
        room = WebSocketRoom(self._house.clock, grant.room or start.room or name, participant, start.rate, client.agent)
        room.join(client.name)
        return await self._reception.open(
            name,
            room,
            agent,
            inputs=client.inputs(),
            metadata={**start.metadata, **grant.metadata},
            draft=is_draft(client.agent),
            caller=grant.caller,
        )

    async def _agent(self, grant: Grant, wanted: str) -> AgentSpec:
        """A draft is for whoever has a token that names it; where nobody needs one, for whoever knows its name."""
        name = grant.agent or wanted
        if not is_draft(name):
            return self._reception.agents.find(name)
        if self._server.admission.asks_for_tokens and not grant.agent:
            raise Refused("a draft of an agent needs a token that names it (POST /v1/ws/ticket)", "token")
        return await self._reception.draft(name)

    async def _resume(self, start: StartMessage, grant: Grant, who: tuple[str, ...]) -> Session:
        """With its ticket, and a token that would have let this very client begin it. Who comes back is who the log says. To one
        that is here they come back for nothing; to read the log of one that another gateway had costs as much as to begin one."""
        session = self._reception.local(start.session, start.ticket)
        if session is not None:
            room = session.room
            if isinstance(room, WebSocketRoom):
                _covers(grant, room.name, room.participant, room.agent, session.state.agent.name)
            self._server.opens.harmless(who)
            return session

        def may(beginning: SessionStarted) -> None:
            if beginning.transport != "websocket":
                raise Refused(f"session {start.session} is not a WebSocket session", "ticket")
            client = client_of(beginning)
            _covers(grant, beginning.room, client.participant, client.agent, beginning.agent.name)

        def make(beginning: SessionStarted, present: Collection[str]) -> WebSocketRoom:
            return come_back(self._house.clock, beginning, present, start.rate)

        session = await self._reception.resume(start.session, start.ticket, may, make)
        self._server.opens.moved(who, session.name)
        return session

    async def _converse(self, socket: web.WebSocketResponse, connection: ClientConnection, room: WebSocketRoom) -> None:
        """Read and write until one side ends."""
        tasks = Tasks(lambda _: None)  # told below, where it matters
        reading = tasks.spawn(read(socket, connection, room, self._house))
        writing = tasks.spawn(connection.write())
        abandoned = tasks.spawn(connection.abandoned.wait())
        try:
            await asyncio.wait((reading, writing, abandoned), return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and connection.ended is not None and not connection.abandoned.is_set():
                await asyncio.wait((writing, abandoned), timeout=_GRACE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.aclose()
        failed = None if reading.cancelled() else reading.exception()
        if failed is not None and not isinstance(failed, ConnectionError):
            log.error("reading its client failed", exc_info=failed)
        code, reason = connection.ended or (WSCloseCode.OK, "")
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(_GRACE):
                await socket.close(code=code, message=reason.encode()[:120])
        transport = socket._req.transport if socket._req is not None else None
        if transport is not None and connection.abandoned.is_set():
            transport.abort()  # what a client doesn't read would stay in our memory


def _covers(grant: Grant, room: str, participant: str, *agents: str) -> None:
    """Refused: the token is good, and for somebody else's session."""
    if (
        grant.room not in ("", room)
        or (grant.participant and identity(grant.participant) != participant)
        or (grant.agent and grant.agent not in agents)
    ):
        raise Refused("the token is for another room, participant or agent than this session's", "token")


async def _first_frame(socket: web.WebSocketResponse) -> StartMessage:
    expected = 'the first frame is to be {"type": "start", "version": 1, …}'
    try:
        async with asyncio.timeout(START_WITHIN):
            while (frame := await socket.receive()).type in (WSMsgType.PING, WSMsgType.PONG):
                if frame.type is WSMsgType.PING:
                    await socket.pong(frame.data)
    except TimeoutError:
        raise TurnedAway("start", f"{expected}; none came within {START_WITHIN:.0f} s") from None
    if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
        raise ConnectionResetError
    if frame.type is not WSMsgType.TEXT:
        raise TurnedAway("start", expected, WSCloseCode.UNSUPPORTED_DATA)
    try:
        return beginning(frame.data)
    except BadMessage as error:
        raise TurnedAway("start", f"{expected}; {error}", WSCloseCode.UNSUPPORTED_DATA) from None
