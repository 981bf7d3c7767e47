"""The gateway's public side: /ws, /join and the desk's pages. Health and figures have a port of their own (`schemas/health`)."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Literal

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.admission import Admission, TurnedAway
from gateway.reception import Reception, Refused, new_session
from gateway.room import LONGEST_MESSAGE, LONGEST_NAME, Digits, PushToTalk, Typed
from gateway.rooms.websocket import Client, Connection, WebSocketRoom, client_of, come_back
from gateway.session import Session
from gateway.tokens import Grant
from schemas.errors import AgentSpecError, AntiphonError, SettingsError
from schemas.events import SessionStarted
from schemas.text import one_line

log = logging.getLogger("antiphon.gateway.server")

LARGEST = 65_536
"""Bytes of a frame from a client."""
_START_WITHIN = 10.0
_TURNED_AWAY = 1013
_GRACE = 3.0  # seconds a closed client has to take its leave

Line = Annotated[str, AfterValidator(lambda text: one_line(text, len(text)))]
Name = Annotated[Line, Field(max_length=LONGEST_NAME)]


class Start(BaseModel):
    """The client's first frame."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["start"]
    version: Literal[1]
    rate: Literal[16_000, 24_000, 48_000] = 24_000
    agent: Name = ""
    participant: Name = ""
    name: Name = ""
    room: Name = ""
    session: Name = ""
    ticket: Annotated[Line, Field(max_length=200)] = ""


class JoinRoom(BaseModel):
    """The body of POST /join."""

    model_config = ConfigDict(extra="forbid")

    room: Annotated[Line, Field(min_length=1, max_length=256)]
    agent: Name = ""


class Server:
    """`secret`, `origins`, `hosts`: see Admission; `join`: (LiveKit room, agent) → session, where there is LiveKit."""

    def __init__(
        self, reception: Reception, host: str, port: int, *, secret: str = "", origins: str = "", hosts: str = "",
        join: Callable[[str, str], Awaitable[str]] | None = None,
    ):  # fmt: skip
        self.admission = Admission(host, secret=secret, origins=origins, hosts=hosts)
        self.host, self.port = host, port
        self._reception = reception
        self._house = reception.house
        self._join = join
        self._runner: web.AppRunner | None = None
        self.routes: list[web.RouteDef] = []
        """Further ones, added before `start`."""

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. SettingsError when the port is taken."""
        app = web.Application(middlewares=[self.admission.check_host])
        app.router.add_get("/ws", self._websocket)
        app.router.add_post("/join", self._join_room)
        app.add_routes(self.routes)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"GATEWAY_PORT={self.port}: cannot listen on {self.host} ({error.strerror}); take another, or 0 for any free one"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _join_room(self, request: web.Request) -> web.Response:
        """{"room": …, "agent": …}: the agent goes into a LiveKit room. A token must allow that room and agent."""
        try:
            grant = self.admission.let_in(request)
            if not grant.join:
                return _sorry(403, "token", "the token does not allow this; it needs `join`: true")
            wanted = JoinRoom.model_validate_json(await request.read())
        except TurnedAway as refusal:
            return _sorry(401, refusal.code, str(refusal))
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
        socket = web.WebSocketResponse(max_msg_size=LARGEST + 1, heartbeat=20.0, compress=False, timeout=_GRACE)
        await socket.prepare(request)
        try:
            grant = self.admission.let_in(request)
            session, connection = await self._begin(socket, await _first_frame(socket), grant)
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

    async def _begin(self, socket: web.WebSocketResponse, start: Start, grant: Grant) -> tuple[Session, Connection]:
        connection = Connection(socket)
        try:
            if start.session:
                session, resumed = await self._resume(start, grant), True
            else:
                session, resumed = await self._open(start, grant), False
        except Refused as refusal:
            later = refusal.code in ("draining", "log")
            raise TurnedAway(
                refusal.code, str(refusal), _TURNED_AWAY if later else WSCloseCode.POLICY_VIOLATION
            ) from None
        except AgentSpecError as error:
            raise TurnedAway("agent", str(error)) from None
        room = session.room
        assert isinstance(room, WebSocketRoom)
        ready = {"type": "ready", "version": 1, "session": session.name, "ticket": session.secret}
        room.attach(connection, ready | {"rate": room.rate, "resumed": resumed})
        return session, connection

    async def _open(self, start: Start, grant: Grant) -> Session:
        agent = self._reception.agents.find(grant.agent or start.agent)
        name = new_session("ws")
        participant = grant.participant or start.participant or "caller"
        client = Client(participant, start.name, start.rate, grant.agent or start.agent)
        room = WebSocketRoom(self._house.clock, grant.room or start.room or name, participant, start.rate, client.agent)
        room.join(client.name)
        return await self._reception.open(name, room, agent, inputs=client.inputs())

    async def _resume(self, start: Start, grant: Grant) -> Session:
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
        reading = asyncio.create_task(self._read(socket, connection, room))
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
        code, reason = connection.ended or (WSCloseCode.OK, "")
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            await asyncio.wait_for(socket.close(code=code, message=reason.encode()[:120]), _GRACE)
        transport = socket._req.transport if socket._req is not None else None
        if transport is not None and connection.abandoned.is_set():
            transport.abort()  # what a client doesn't read would stay in our memory

    async def _read(self, socket: web.WebSocketResponse, connection: Connection, room: WebSocketRoom) -> None:
        async for frame in socket:
            if connection.ended is not None:
                return
            if frame.type is WSMsgType.BINARY:
                if len(frame.data) % 2:
                    _complain(
                        connection,
                        "odd_frame",
                        f"a sound frame of {len(frame.data)} bytes: int16 samples take an even number",
                    )
                    return
                too_far = room.hear(np.frombuffer(frame.data, "<i2"))
                while too_far > 0 and connection.ended is None:  # not reading is what holds the client back
                    await asyncio.sleep(min(too_far, 0.1))
                    too_far -= 0.1
            elif frame.type is WSMsgType.TEXT:
                try:
                    message = json.loads(frame.data)
                    kind = message["type"]
                except (ValueError, TypeError, KeyError, RecursionError):
                    _complain(connection, "bad_frame", "a text frame that is no JSON object with a `type`")
                    return
                error = _obey(room, kind, message)
                if error:
                    connection.send_text({"type": "error", "code": "bad_message", "message": error, "fatal": False})
                if connection.stuck(room.rate):
                    connection.close(_TURNED_AWAY, "the client does not read", now=True)
                    return


def _covers(grant: Grant, room: str, participant: str, *agents: str) -> None:
    """Refused: the token is good, and for somebody else's session."""
    if (
        grant.room not in ("", room)
        or grant.participant not in ("", participant)
        or (grant.agent and grant.agent not in agents)
    ):
        raise Refused("the token is for another room, participant or agent than this session's", "token")


def _sorry(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _obey(room: WebSocketRoom, kind: object, message: dict[str, Any]) -> str | None:
    """Do what a client's message says; answers what is wrong with it, in a sentence."""
    who = room.participant
    match kind:
        case "message":
            text = message.get("text")
            if not isinstance(text, str) or len(text) > LONGEST_MESSAGE or not (typed := Typed(who, text)).text:
                return f"`message` needs a `text` of 1 to {LONGEST_MESSAGE} characters"
            room.put(typed)
        case "talk":
            if not isinstance(message.get("pressed"), bool):
                return "`talk` needs `pressed`: true or false"
            room.put(PushToTalk(who, message["pressed"]))
        case "dtmf":
            digits = message.get("digits")
            if (
                not isinstance(digits, str)
                or not 0 < len(digits) <= 64
                or set(digits.upper()) - set("0123456789*#ABCD")
            ):
                return "`dtmf` needs `digits`: 1 to 64 of 0-9*#A-D"
            room.put(Digits(who, digits.upper()))
        case "played":
            samples = message.get("samples")
            if not isinstance(samples, int) or isinstance(samples, bool) or not room.played(samples):
                return "`played` needs `samples`: how many of those sent since `ready` have sounded"
        case "hang_up":
            room.hang_up()
        case "start":
            return "the session has begun; `start` comes once, as the first frame"
        case _:
            return f"there is no message of type {str(kind)[:40]!r}: message, talk, dtmf, played, hang_up"
    return None


def _complain(connection: Connection, code: str, message: str) -> None:
    connection.send_text({"type": "error", "code": code, "message": message, "fatal": True})
    connection.close(WSCloseCode.UNSUPPORTED_DATA, message)


async def _first_frame(socket: web.WebSocketResponse) -> Start:
    expected = 'the first frame is to be {"type": "start", "version": 1, …}'
    try:
        frame = await asyncio.wait_for(socket.receive(), _START_WITHIN)
    except TimeoutError:
        raise TurnedAway("start", f"{expected}; none came within {_START_WITHIN:.0f} s") from None
    if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
        raise ConnectionResetError
    if frame.type is not WSMsgType.TEXT:
        raise TurnedAway("start", expected, WSCloseCode.UNSUPPORTED_DATA)
    try:
        return Start.model_validate_json(frame.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise TurnedAway("start", f"{expected}; {where}: {first['msg']}", WSCloseCode.UNSUPPORTED_DATA) from None


async def _refuse(socket: web.WebSocketResponse, code: str, message: str, close: int) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await socket.send_json({"type": "error", "code": code, "message": message, "fatal": True})
        await asyncio.wait_for(socket.close(code=close, message=message.encode()[:120]), _GRACE)
