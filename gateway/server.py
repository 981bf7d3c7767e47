"""The gateway's public side: /ws, /join and the desk's pages. Health and figures have a port of their own (`schemas/health`)."""

import asyncio
import contextlib
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.reception import Reception, Refused, new_session
from gateway.room import Digits, PushToTalk, Typed
from gateway.rooms.websocket import Connection, WebSocketRoom
from gateway.session import Session
from gateway.tokens import Grant, TokenRefused, check_secret, verify
from schemas.errors import AgentSpecError, AntiphonError, SettingsError
from schemas.events import SessionStarted

log = logging.getLogger("antiphon.gateway.server")

LARGEST = 65_536
"""Bytes of a frame from a client."""
_START_WITHIN = 10.0
_TURNED_AWAY = 1013
_GRACE = 3.0  # seconds a closed client has to take its leave

_ANYTHING = Grant(join=True)
"""Of clients on this machine, where nobody asks for a token."""

Name = Field("", max_length=120)


class Start(BaseModel):
    """The client's first frame."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["start"]
    version: Literal[1]
    rate: Literal[16_000, 24_000, 48_000] = 24_000
    agent: str = Name
    participant: str = Name
    name: str = Name
    room: str = Name
    session: str = Name
    ticket: str = Field("", max_length=200)


class JoinRoom(BaseModel):
    """The body of POST /join."""

    model_config = ConfigDict(extra="forbid")

    room: str = Field(min_length=1, max_length=256)
    agent: str = Name


class _TurnedAway(Exception):
    """`code`: of the error message; `close`: of the WebSocket."""

    def __init__(self, code: str, message: str, close: int = WSCloseCode.POLICY_VIOLATION) -> None:
        super().__init__(message)
        self.code, self.close = code, close


def is_loopback(host: str) -> bool:
    """Whether listening on `host` is listening to this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Server:
    """`origins`: browser origins let in beside the gateway's own host ("*": all); `join`: (LiveKit room, agent) → session, where
    there is LiveKit."""

    def __init__(
        self, reception: Reception, host: str, port: int, *, secret: str = "", origins: str = "",
        join: Callable[[str, str], Awaitable[str]] | None = None,
    ):  # fmt: skip
        if secret:
            check_secret(secret)
        elif not is_loopback(host):
            raise SettingsError(
                f"GATEWAY_HOST={host} can be reached from outside, so clients need tokens: set GATEWAY_TOKEN_SECRET to "
                "32 characters or more (openssl rand -hex 32), or GATEWAY_HOST to 127.0.0.1"
            )
        self.host, self.port = host, port
        self._reception, self._secret = reception, secret
        self._token_needed = not is_loopback(host)
        self._origins = {origin.strip().rstrip("/") for origin in origins.split(",") if origin.strip()}
        self._house = reception.house
        self._join = join
        self._runner: web.AppRunner | None = None
        self.routes: list[web.RouteDef] = []
        """Further ones, added before `start`."""

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. SettingsError when the port is taken."""
        app = web.Application()
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

    def let_operator_in(self, request: web.Request) -> None:
        """Who may have us dial: a program whose token says `operator`; without a secret, any on this machine; no web page."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            raise web.HTTPForbidden(text="web pages may not ask for this")
        if not self._secret:
            if self._token_needed:
                raise web.HTTPForbidden(text="set GATEWAY_TOKEN_SECRET")
            return
        try:
            grant = verify(self._secret, request.headers.get("Authorization", "").removeprefix("Bearer ").strip())
        except TokenRefused as error:
            raise web.HTTPUnauthorized(text=str(error)) from None
        if not grant.operator:
            raise web.HTTPForbidden(text="this token lacks the claim `operator`: true")

    async def _join_room(self, request: web.Request) -> web.Response:
        """{"room": …, "agent": …}: the agent goes into a LiveKit room. A token must allow that room and agent."""
        try:
            grant = self._let_in(request)
            if not grant.join:
                return _sorry(403, "token", "the token does not allow this; it needs `join`: true")
            wanted = JoinRoom.model_validate_json(await request.read())
        except _TurnedAway as refusal:
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
            grant = self._let_in(request)
            session, connection = await self._begin(socket, await _first_frame(socket), grant)
        except _TurnedAway as refusal:
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

    def _let_in(self, request: web.Request) -> Grant:
        origin = request.headers.get("Origin")
        allowed = not origin or "*" in self._origins or origin.rstrip("/") in self._origins
        if not allowed and urlsplit(origin or "").netloc != request.host:
            raise _TurnedAway("origin", f"pages of {origin} may not connect; add it to GATEWAY_ALLOWED_ORIGINS")
        bearer = request.headers.get("Authorization", "")
        token = (
            bearer.removeprefix("Bearer ").strip() if bearer.startswith("Bearer ") else request.query.get("token", "")
        )
        if not token:
            if self._token_needed:
                raise _TurnedAway("token", "a token is required: ?token=… or Authorization: Bearer …")
            return _ANYTHING
        if not self._secret:
            return _ANYTHING
        try:
            return verify(self._secret, token)
        except TokenRefused as error:
            raise _TurnedAway("token", str(error)) from None

    async def _begin(self, socket: web.WebSocketResponse, start: Start, grant: Grant) -> tuple[Session, Connection]:
        connection = Connection(socket)
        try:
            if start.session:
                session, resumed = await self._resume(start), True
            else:
                session, resumed = await self._open(start, grant), False
        except Refused as refusal:
            later = refusal.code in ("draining", "log")
            raise _TurnedAway(
                refusal.code, str(refusal), _TURNED_AWAY if later else WSCloseCode.POLICY_VIOLATION
            ) from None
        except AgentSpecError as error:
            raise _TurnedAway("agent", str(error)) from None
        room = session.room
        assert isinstance(room, WebSocketRoom)
        ready = {"type": "ready", "version": 1, "session": session.name, "ticket": session.secret}
        room.attach(connection, ready | {"rate": room.rate, "resumed": resumed})
        return session, connection

    async def _open(self, start: Start, grant: Grant) -> Session:
        agent = self._reception.agents.find(grant.agent or start.agent)
        name = new_session("ws")
        participant = grant.participant or start.participant or "caller"
        room = WebSocketRoom(self._house.clock, grant.room or start.room or name, participant, start.rate)
        room.join(start.name)
        return await self._reception.open(name, room, agent)

    async def _resume(self, start: Start) -> Session:
        session = self._reception.local(start.session, start.ticket)
        if session is not None:
            return session

        def make(beginning: SessionStarted) -> WebSocketRoom:
            if beginning.transport != "websocket":
                raise Refused(f"session {start.session} is not a WebSocket session", "ticket")
            return WebSocketRoom(self._house.clock, beginning.room, start.participant or "caller", start.rate)

        return await self._reception.resume(start.session, start.ticket, make)

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


def _sorry(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _obey(room: WebSocketRoom, kind: object, message: dict[str, Any]) -> str | None:
    """Do what a client's message says; answers what is wrong with it, in a sentence."""
    who = room.participant
    match kind:
        case "message":
            text = message.get("text")
            if not isinstance(text, str) or not text.strip() or len(text) > 4000:
                return "`message` needs a `text` of 1 to 4000 characters"
            room.put(Typed(who, text.strip()))
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
        raise _TurnedAway("start", f"{expected}; none came within {_START_WITHIN:.0f} s") from None
    if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
        raise ConnectionResetError
    if frame.type is not WSMsgType.TEXT:
        raise _TurnedAway("start", expected, WSCloseCode.UNSUPPORTED_DATA)
    try:
        return Start.model_validate_json(frame.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise _TurnedAway("start", f"{expected}; {where}: {first['msg']}", WSCloseCode.UNSUPPORTED_DATA) from None


async def _refuse(socket: web.WebSocketResponse, code: str, message: str, close: int) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await socket.send_json({"type": "error", "code": code, "message": message, "fatal": True})
        await asyncio.wait_for(socket.close(code=close, message=message.encode()[:120]), _GRACE)
