"""How many connections there may be, in all and from one address, and how long one may say nothing.

aiohttp takes whoever comes and waits an hour for a request. Here there are so many (`schemas/process/connections`), and each has
its time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from schemas.config.settings import Settings
from schemas.process.connections import Crowd, Proxies, neighbourhood, open_files, proxies_of, spoken_for
from schemas.process.hosts import within

FIRST_WITHIN = 10.0
"""Seconds for a request's head, from the connection's beginning or the last answer, and for its body."""
LARGEST_BODY = 65_536
BYTES = 131_072.0, 131_072.0
"""Bytes of one connection that are read, a second and at once: sound is 32,000. It is counted before anything is parsed, for
parts of a message are no messages yet, however many there are. What is more waits."""
WEBSOCKET = "/ws"
_ONE_READ = 16_384
"""Bytes that are read, and all of them parsed, before anybody else has a turn. asyncio reads 256 KiB."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What the public port lets in: see the settings of the same names."""

    connections: int = 2000
    connections_per_address: int = 100
    sessions_per_address: int = 50
    sessions_per_token: int = 20
    opens_per_minute: int = 120
    proxies: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "DoorLimits":
        """As many connections as the system lets us have."""
        return cls(
            open_files(settings.gateway_connections),
            settings.gateway_connections_per_address,
            settings.gateway_sessions_per_address,
            settings.gateway_sessions_per_token,
            settings.gateway_opens_per_minute,
            settings.gateway_proxies,
        )


def caller_of(request: web.Request, proxies: Proxies) -> str:
    """Whom a request comes from, as `neighbourhood` has it."""
    return spoken_for(request.remote or "", request.headers.getall("X-Forwarded-For", []), proxies)


class Connections(Crowd["Visitor"]):
    """Those of one server. `turned_away`: told of each that is not let in, or has to go for another, with why."""

    def __init__(self, limits: DoorLimits, turned_away: Callable[[str], None] = lambda _: None):
        super().__init__(limits.connections, limits.connections_per_address, turned_away)
        self.proxies = proxies_of(limits.proxies, "GATEWAY_PROXIES")

    @web.middleware
    async def attend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Of every route: a body comes in time, or not at all; a connection is busy while it is answered."""
        visitor = request.protocol
        assert isinstance(visitor, Visitor)
        if request.path == WEBSOCKET:
            return await handler(request)  # it is busy once it has begun: `started`
        try:
            async with asyncio.timeout(FIRST_WITHIN):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body of the request did not come in time") from None
        except (ConnectionError, web.RequestPayloadError):
            raise web.HTTPBadRequest(text="the body of the request can't be read") from None
        self.busy(visitor)
        try:
            return await handler(request)
        finally:
            self.idle(visitor)

    def started(self, request: web.Request) -> None:
        """A WebSocket has said what it wants."""
        visitor = request.protocol
        assert isinstance(visitor, Visitor)
        self.busy(visitor)


class Visitor(web.RequestHandler):
    """One connection, counted."""

    def __init__(self, connections: Connections, manager: web.Server, loop: asyncio.AbstractEventLoop):
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # there is none
            keepalive_timeout=FIRST_WITHIN,
            lingering_time=2.0,
            auto_decompress=False,  # nobody sends so much, and a megabyte holds a second of everybody's time
        )
        self.address, self.proxy = "", False
        self._connections = connections
        self._admitted = False
        self._read_until = 0.0
        self._held: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        self.address, self.proxy = neighbourhood(peer), within(peer, self._connections.proxies)
        why = self._connections.admit(self)
        if why:
            body = b'{"error": {"code": "too_many", "message": "%s"}}' % why.encode()
            refused = cast(asyncio.Transport, transport)
            refused.write(_FULL % (len(body), body))
            refused.close()
            return
        self._admitted = True
        if hasattr(transport, "max_size"):
            transport.max_size = _ONE_READ
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._admitted:
            super().data_received(data)
            self._hold_back(len(data))

    def eof_received(self) -> None:
        if self._admitted:
            super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._admitted:
            self._connections.gone(self)
            if self._held is not None:
                self._held.cancel()
            super().connection_lost(exc)

    def _hold_back(self, size: int) -> None:
        """Not reading is what holds the other side back. aiohttp does so by itself, too; then it is for both to go on."""
        rate, burst = BYTES
        now = self._loop.time()
        self._read_until = max(self._read_until, now - burst / rate) + size / rate
        if self._read_until > now and self.transport is not None:
            self.transport.pause_reading()
            if self._held is None:
                self._held = self._loop.call_at(self._read_until, self._go_on)

    def _go_on(self) -> None:
        self._held = None
        if self.transport is not None and not (self._reading_paused or self._buffer_paused):
            self.transport.resume_reading()

    def log_exception(self, *args: Any, exc_info: Any = True, **more: Any) -> None:
        """What strangers send instead of HTTP is no error of ours, and may hold their tokens."""
        if isinstance(exc_info, HttpProcessingError | ConnectionError):
            self._connections.nonsense()
        else:
            super().log_exception(*args, exc_info=exc_info, **more)

    def leave(self) -> None:
        """At once: somebody else needs the place."""
        if self.transport is not None:
            self.transport.abort()
