"""The gateway's public side: /ws, /join and the desk's pages. Health and figures have another port (`schemas/process/health`)."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.http.admission import Admission, TurnedAway
from gateway.http.connections import LARGEST_BODY, WEBSOCKET, Connections, DoorLimits, Visitor, caller_of
from gateway.http.opens import Opens
from gateway.rooms.websocket.reading import read
from gateway.rooms.websocket.room import Client, Connection, WebSocketRoom, client_of, come_back
from gateway.sessions.reception import Reception, Refused, new_session
from gateway.sessions.session import Session
from schemas.access.tokens import Grant
from schemas.client import LARGEST_FRAME, START_WITHIN, ErrorMessage, Name, ReadyMessage, StartMessage, to_json
from schemas.errors import AgentSpecError, AntiphonError, SettingsError
from schemas.events import SessionStarted
from schemas.text.clean import identity, plain

log = logging.getLogger("antiphon.gateway.server")

_GRACE = 3.0  # seconds a closed client has to take its leave


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


class Server:
    """`secret`, `origins`, `hosts`: see Admission; `limits`: how many may come;
    `join`: (LiveKit room, agent) → session, where there is LiveKit."""

    def __init__(
        self, reception: Reception, host: str, port: int, *, secret: str = "", origins: str = "", hosts: str = "",
        limits: DoorLimits | None = None, join: Callable[[str, str], Awaitable[str]] | None = None,
    ):  # fmt: skip
        self.admission = Admission(host, secret=secret, origins=origins, hosts=hosts)
        self.host, self.port = host, port
        self._reception = reception
        self._house = reception.house
        self._join = join
        limits = limits or DoorLimits()
        self.connections = Connections(limits, lambda why: self._house.metrics.refused.labels(why).inc())
        self._opens = Opens(limits, self._house.clock, reception.engine.sessions)
        self._listening: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self.routes: list[web.RouteDef] = []
        """Further ones, added before `start`."""

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. SettingsError when the port is taken."""
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it prints subprotocols: some put tokens there
        app = web.Application(
            middlewares=[self.connections.attend, self.admission.check_host], client_max_size=LARGEST_BODY
        )
        app.router.add_get(WEBSOCKET, self._websocket)
        app.router.add_post("/join", self._join_room)
        app.add_routes(self.routes)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await self._runner.setup()
        manager, loop = self._runner.server, asyncio.get_running_loop()
        assert manager is not None
        try:
            self._listening = await loop.create_server(
                lambda: Visitor(self.connections, manager, loop), self.host, self.port, backlog=1024
            )
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"GATEWAY_PORT={self.port}: cannot listen on {self.host} ({error.strerror}); take another, or 0 for any free one"
            ) from None
        self.port = self._listening.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        if self._listening is not None:
            self._listening.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _join_room(self, request: web.Request) -> web.Response:
        """{"room": …, "agent": …}: the agent goes into a LiveKit room. A token must allow that room and agent."""
        try:
            grant = self.admission.let_in(request)
            if not grant.join:
                return _sorry(403, "token", "the token does not allow this; it needs `join`: true")
            wanted = JoinRoom.model_validate_json(await request.read())
            self._opens.begin(caller_of(request, self.connections.proxies), self.admission.token_of(request))
        except TurnedAway as refusal:
            self._house.metrics.refused.labels(refusal.code).inc()
            return _sorry(429 if refusal.code == "too_many" else 401, refusal.code, str(refusal))
        except ValidationError as error:
            first = error.errors()[0]
            return _sorry(400, "request", f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}")
        if grant.room not in ("", wanted.room) or grant.agent not in ("", wanted.agent):
            return _sorry(403, "token", "the token is for another room or agent")
        if self._join is None:
            return _sorry(
                409, "livekit", "this gateway has no LiveKit: set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
            )
        try:
            return web.json_response({"session": await self._join(wanted.room, wanted.agent)})
        except AntiphonError as error:
            return _sorry(409, "refused", str(error))

    # ── one connection ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            max_msg_size=LARGEST_FRAME + 1, heartbeat=20.0, compress=False, timeout=_GRACE, autoping=False
        )
        await socket.prepare(request)
        try:
            grant = self.admission.let_in(request)
            start = await _first_frame(socket)
            self.connections.started(request)
            who = self._opens.begin(caller_of(request, self.connections.proxies), self.admission.token_of(request))
            session, connection = await self._begin(socket, start, grant, who)
        except TurnedAway as refusal:
            self._house.metrics.refused.labels(refusal.code).inc()
            await _refuse(socket, refusal.code, str(refusal), refusal.close)
            return socket
        except ConnectionError:
            return socket
        room = session.room
        assert isinstance(room, WebSocketRoom)
        try:
            await self._converse(socket, connection, room)
        finally:
            room.detach(connection)
        return socket

    async def _begin(
        self, socket: web.WebSocketResponse, start: StartMessage, grant: Grant, who: tuple[str, ...]
    ) -> tuple[Session, Connection]:
        connection = Connection(socket)
        try:
            if start.session:
                session, resumed = await self._resume(start, grant), True
                self._opens.harmless(who)
            else:
                session, resumed = await self._open_counted(start, grant, who), False
        except Refused as refusal:
            later = refusal.code in ("draining", "log")
            raise TurnedAway(
                refusal.code, str(refusal), WSCloseCode.TRY_AGAIN_LATER if later else WSCloseCode.POLICY_VIOLATION
            ) from None
        except AgentSpecError as error:
            raise TurnedAway("agent", str(error)) from None
        room = session.room
        assert isinstance(room, WebSocketRoom)
        warnings = () if resumed else tuple(session.warnings)
        ready = ReadyMessage(
            session=session.name, ticket=session.ticket, warnings=warnings, rate=room.rate, resumed=resumed
        )
        room.attach(connection, ready)
        return session, connection

    async def _open_counted(self, start: StartMessage, grant: Grant, who: tuple[str, ...]) -> Session:
        self._opens.count(who)
        try:
            session = await self._open(start, grant)
        except BaseException:
            self._opens.given_up(who)
            raise
        self._opens.counted(who, session.name)
        return session

    async def _open(self, start: StartMessage, grant: Grant) -> Session:
        agent = self._reception.agents.find(grant.agent or start.agent)
        name = new_session("ws")
        participant = identity(grant.participant or start.participant or "caller")
        client = Client(participant, start.name, start.rate, grant.agent or start.agent)
        room = WebSocketRoom(self._house.clock, grant.room or start.room or name, participant, start.rate, client.agent)
        room.join(client.name)
        return await self._reception.open(name, room, agent, inputs=client.inputs())

    async def _resume(self, start: StartMessage, grant: Grant) -> Session:
        """With its ticket, and a token that would have let this very client begin it. Who comes back is who the log says."""
        session = self._reception.local(start.session, start.ticket)
        if session is not None:
            room = session.room
            if isinstance(room, WebSocketRoom):
                _covers(grant, room.name, room.participant, room.agent, session.state.agent.name)
            return session

        def may(beginning: SessionStarted) -> None:
            if beginning.transport != "websocket":
                raise Refused(f"session {start.session} is not a WebSocket session", "ticket")
            client = client_of(beginning)
            _covers(grant, beginning.room, client.participant, client.agent, beginning.agent.name)

        def make(beginning: SessionStarted, present: Collection[str]) -> WebSocketRoom:
            return come_back(self._house.clock, beginning, present, start.rate)

        return await self._reception.resume(start.session, start.ticket, may, make)

    async def _converse(self, socket: web.WebSocketResponse, connection: Connection, room: WebSocketRoom) -> None:
        """Read and write until one side ends."""
        reading = asyncio.create_task(read(socket, connection, room, self._house))
        writing = asyncio.create_task(connection.write())
        abandoned = asyncio.create_task(connection.abandoned.wait())
        tasks = (reading, writing, abandoned)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and connection.ended is not None and not connection.abandoned.is_set():
                await asyncio.wait((writing, abandoned), timeout=_GRACE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failed = None if reading.cancelled() else reading.exception()
        if failed is not None and not isinstance(failed, ConnectionError):
            log.error("%s: reading its client failed", room.name, exc_info=failed)
        code, reason = connection.ended or (WSCloseCode.OK, "")
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            await asyncio.wait_for(socket.close(code=code, message=reason.encode()[:120]), _GRACE)
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


def _sorry(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


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
        return StartMessage.model_validate_json(frame.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise TurnedAway("start", f"{expected}; {where}: {first['msg']}", WSCloseCode.UNSUPPORTED_DATA) from None


async def _refuse(socket: web.WebSocketResponse, code: str, message: str, close: int) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await socket.send_str(to_json(ErrorMessage(code=code, message=message, fatal=True)))
        await asyncio.wait_for(socket.close(code=close, message=message.encode()[:120]), _GRACE)
