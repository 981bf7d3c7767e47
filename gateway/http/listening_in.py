"""Listening in: `GET /listen` gives the sound of a session that goes on here, as it goes, a second behind (docs/websocket.md).

Who listens is an operator's browser, with a token for just that session. The call knows nothing of it and waits for nothing: who
reads too slowly is dropped. Who has come to another gateway than the one with the session is passed on there.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from urllib.parse import quote

from aiohttp import WSCloseCode, WSMsgType, web

from gateway.bucket import Bucket
from gateway.http.admission import TurnedAway
from gateway.http.passing_on import End, owner_of, pass_on
from gateway.http.refusing import refuse
from gateway.http.server import Server
from gateway.sessions.house import House
from gateway.sessions.session import Session
from gateway.sound.tap import BLOCK, DELAY, Tap
from schemas.audio import HEARING_RATE
from schemas.client import EndedMessage, ListeningMessage, to_json
from schemas.errors import BusError
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.listen")

LISTEN = "/listen"
AT_ONE, AT_ALL = 8, 64
"""Who may listen at once: to one session, at one gateway."""
UNREAD = 30
"""Blocks that may wait for one who listens: three seconds."""
_PINGS = 2.0, 20.0  # a second and at once: of who has nothing else to say
_LOG_WITHIN = 1.0  # seconds
_GRACE = 3.0  # seconds a closed one has to take its leave


class Listener:
    """One who listens. `ended`: set once it is to be closed, and how."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.end: End | None = None
        self.too_slow = asyncio.Event()

    def give(self, block: bytes) -> None:
        """One more block; who has left too many unread gets no more."""
        if self.end is not None:
            return
        if len(self._waiting) >= UNREAD:
            self._waiting.clear()
            self.close(WSCloseCode.TRY_AGAIN_LATER, "what was sent is not read as fast as it is spoken")
            self.too_slow.set()
            return
        self._waiting.append(block)
        self._news.set()

    def close(self, code: int, reason: str) -> None:
        """Once what waits is sent."""
        self.end = self.end or (code, reason)
        self._news.set()

    async def send(self, head: ListeningMessage) -> None:
        """The head, then what is given, until the end."""
        try:
            await self._socket.send_str(to_json(head))
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    await self._socket.send_bytes(self._waiting.popleft())
                if self.end is not None:
                    if self.end[0] == WSCloseCode.OK:
                        await self._socket.send_str(to_json(EndedMessage(reason=self.end[1])))
                    return
        except (ConnectionError, RuntimeError):
            pass  # the reader sees the same end

    async def leaves(self) -> None:
        """When it goes, or says what nobody has asked for."""
        pings = Bucket.full(_PINGS[0], asyncio.get_running_loop().time(), _PINGS[1])
        async for frame in self._socket:
            pinged, answered = frame.type is WSMsgType.PING, frame.type is WSMsgType.PONG  # answers our heartbeat
            if not (pinged or answered) or not pings.take(asyncio.get_running_loop().time()):
                self.end = self.end or (WSCloseCode.UNSUPPORTED_DATA, "who listens sends nothing")
                return
            if answered:
                continue
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._socket.pong(frame.data)


class Overheard:
    """A session that is listened to, for as long as it is."""

    def __init__(self, session: Session) -> None:
        self.listeners: set[Listener] = set()
        self.tap = session.playback.tap = Tap(session.room.clock, session.room.rate)
        self._session = session

    async def follow(self) -> None:
        """Until nobody listens, or the session is over here."""
        session = self._session
        while self.listeners and not session.over.is_set():
            self._pass_on(DELAY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BLOCK):
                    await session.over.wait()
        session.playback.tap = None
        if self.listeners:
            self._pass_on(0.0)
        for one in self.listeners:
            if session.ended_as == "lost":
                one.close(WSCloseCode.GOING_AWAY, "the session goes on at another gateway: ask the API again")
            else:
                one.close(WSCloseCode.OK, session.ended_as)

    def _pass_on(self, behind: float) -> None:
        self.tap.follow(self._session.streams)
        for block in self.tap.blocks(behind):
            data = block.astype("<i2", copy=False).tobytes()
            for one in tuple(self.listeners):
                one.give(data)


class ListenDoor:
    """`sessions`: of this gateway, by name; `overheard`: those of them that somebody listens to."""

    def __init__(self, server: Server, house: House, sessions: Mapping[str, Session]) -> None:
        self._server, self._house, self._sessions = server, house, sessions
        self.overheard: dict[str, Overheard] = {}
        self._passed_on = 0
        self._tasks = Tasks()

    def routes(self) -> list[web.RouteDef]:
        return [web.get(LISTEN, self.come_in)]

    async def come_in(self, request: web.Request) -> web.WebSocketResponse:
        """One who listens, until they leave or the session is over here."""
        socket = web.WebSocketResponse(
            max_msg_size=1024, heartbeat=20.0, compress=False, timeout=_GRACE, autoping=False
        )
        await socket.prepare(request)
        try:
            session = self._wanted(request)
            if isinstance(session, Session):
                await self._listen(socket, request, session)
            else:
                await self._listen_elsewhere(socket, request, session)
        except TurnedAway as refusal:
            self._server.refused(refusal.code)
            await refuse(socket, refusal)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, request: web.Request, session: Session) -> None:
        listener = Listener(socket)
        age = await self._age(session)
        overheard = self._join(session, listener)
        log.info("somebody listens", extra={"session": session.name})
        try:
            await self._until_over(listener, listener.send(self._head(session, overheard.tap, age)))
        finally:
            overheard.listeners.discard(listener)
        await self._take_leave(socket, request, listener)

    async def _listen_elsewhere(self, socket: web.WebSocketResponse, request: web.Request, session: str) -> None:
        """Behind one address of several gateways one comes to any of them."""
        url = await owner_of(self._house.bus, session, request.headers, self._house.by)
        if url is None:
            raise TurnedAway("over", "this session does not go on at this gateway; ask the API where it is")
        self._check_room()
        listener = Listener(socket)
        self._passed_on += 1
        try:
            token = self._server.admission.token_of(request)
            far = f"{url.removesuffix('/ws')}{LISTEN}?session={quote(session, safe='')}"
            await self._until_over(listener, self._pass_on(socket, listener, far, token))
        finally:
            self._passed_on -= 1
        await self._take_leave(socket, request, listener)

    async def _pass_on(self, socket: web.WebSocketResponse, listener: Listener, url: str, token: str) -> None:
        end = await pass_on(socket, url, token, self._house.by)
        if end is None:
            listener.too_slow.set()
        else:
            listener.close(*end)

    async def _take_leave(self, socket: web.WebSocketResponse, request: web.Request, listener: Listener) -> None:
        code, reason = listener.end or (WSCloseCode.OK, "")
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(_GRACE):
                await socket.close(code=code, message=reason.encode()[:120])
        if listener.too_slow.is_set() and request.transport is not None:
            request.transport.abort()  # what it doesn't read would stay in our memory

    async def _until_over(self, listener: Listener, giving: Coroutine[None, None, None]) -> None:
        tasks = Tasks(lambda _: None)
        try:
            sending, leaving = tasks.spawn(giving), tasks.spawn(listener.leaves())
            too_slow = tasks.spawn(listener.too_slow.wait())
            await asyncio.wait((sending, leaving, too_slow), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                sending.result()  # TurnedAway, where it was passed on
        finally:
            await tasks.aclose()

    def _wanted(self, request: web.Request) -> Session | str:
        """The session, where it goes on here; else its name."""
        name = self._server.admission.let_listen(request)
        self._server.begins(request)
        session = self._sessions.get(name)
        return name if session is None or session.over.is_set() else session

    async def _age(self, session: Session) -> float | None:
        """Seconds from the session's beginning to what the house's clock calls 0, None where the log does not say."""
        try:
            async with asyncio.timeout(_LOG_WITHIN):
                first, now = await self._house.bus.read(session.name, 0, 1), await self._house.bus.now()
        except (TimeoutError, BusError):
            return None
        return (now - first[0].at) / 1e6 - self._house.clock.now() if first else None

    def _join(self, session: Session, listener: Listener) -> Overheard:
        if session.over.is_set():
            raise TurnedAway("over", "this session is over")
        overheard = self.overheard.get(session.name)
        self._check_room(len(overheard.listeners) if overheard else 0)
        if overheard is None:
            overheard = self.overheard[session.name] = Overheard(session)
            overheard.listeners.add(listener)
            self._tasks.spawn(self._follow(session.name, overheard), f"listen to {session.name}")
        overheard.listeners.add(listener)
        return overheard

    def _check_room(self, same: int = 0) -> None:
        """`same`: how many listen to that session here. TurnedAway: no more may."""
        everybody = sum(len(one.listeners) for one in self.overheard.values()) + self._passed_on
        if same >= AT_ONE or everybody >= AT_ALL:
            raise TurnedAway("too_many", "too many listen already; try again later", WSCloseCode.TRY_AGAIN_LATER)

    async def _follow(self, name: str, overheard: Overheard) -> None:
        try:
            await overheard.follow()
        finally:
            if self.overheard.get(name) is overheard:
                del self.overheard[name]

    def _head(self, session: Session, tap: Tap, age: float | None) -> ListeningMessage:
        """`at` is of the next block, which lies a second behind."""
        ago = tap.passed - tap.taken * BLOCK
        at = None if age is None else max(0.0, round(age + self._house.clock.now() - ago, 3))
        return ListeningMessage(session=session.name, rate=HEARING_RATE, at=at, delay=DELAY)
