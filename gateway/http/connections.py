"""How many connections there may be, in all and from one address, and how long one may say nothing.

aiohttp takes whoever comes and waits an hour for a request. Here a connection that has nothing to do (no request yet, or none any
more) gives way to one that comes when there are too many: half-open ones, however many, keep nobody out.
"""

import asyncio
import ipaddress
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.process.hosts import Network, within

Proxies = tuple[Network, ...]

FIRST_WITHIN = 10.0
"""Seconds for a request's head, from the connection's beginning or the last answer, and for its body."""
LARGEST_BODY = 65_536
BYTES = 131_072.0, 131_072.0
"""Bytes of one connection that are read, a second and at once: sound is 32,000. It is counted before anything is parsed, for
parts of a message are no messages yet, however many there are. What is more waits."""
WEBSOCKET = "/ws"
_ONE_READ = 16_384
"""Bytes that are read, and all of them parsed, before anybody else has a turn. asyncio reads 256 KiB."""
_OTHER_FILES = 1024
"""Files of ours besides: phones' sound, models, the log."""
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


def open_files(wanted: int) -> int:
    """Have the system let us open so many files and some more; answers how many of `wanted` there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_FILES))


def proxies_of(setting: str) -> Proxies:
    """Addresses or networks, comma-separated. SettingsError."""
    found = []
    for name in filter(None, (name.strip() for name in setting.split(","))):
        try:
            found.append(ipaddress.ip_network(name, strict=False))
        except ValueError:
            raise SettingsError(
                f"GATEWAY_PROXIES={name}: expected an address, or a network such as 10.0.0.0/8"
            ) from None
    return tuple(found)


def neighbourhood(address: str) -> str:
    """Whom an address counts as: IPv4 as itself, IPv6 as its /64, which one household has all of."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False)) if not found.is_loopback else str(found)
    return str(found)


def caller_of(request: web.Request, proxies: Proxies) -> str:
    """Whom a request comes from, as `neighbourhood` has it: by our own proxies' word (X-Forwarded-For), nobody else's."""
    peer = request.remote or ""
    told = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",") if within(peer, proxies) else []
    for address in reversed([name.strip() for name in told if name.strip()]):
        if not within(address, proxies):
            return neighbourhood(address)
    return neighbourhood(peer)


class Connections:
    """Those of one server. `turned_away`: told of each that is not let in, or has to go for another, with why."""

    def __init__(self, limits: DoorLimits, turned_away: Callable[[str], None] = lambda _: None):
        self._limits = limits
        self.proxies = proxies_of(limits.proxies)
        self._turned_away = turned_away
        self._by_address: dict[str, dict[Visitor, None]] = {}
        self._idle: dict[Visitor, None] = {}
        self.count = 0

    def admit(self, visitor: "Visitor") -> str:
        """Why not, if not."""
        limits = self._limits
        neighbours = self._by_address.get(visitor.address, {})
        crowded = not visitor.proxy and len(neighbours) >= limits.connections_per_address
        if crowded and not self._make_room(next((one for one in neighbours if one in self._idle), None)):
            return self._no("address", f"this address has {len(neighbours)} connections already")
        if self.count >= limits.connections and not self._make_room(next(iter(self._idle), None)):
            return self._no("connections", "there are too many connections; try again")
        self._by_address.setdefault(visitor.address, {})[visitor] = None
        self._idle[visitor] = None
        self.count += 1
        return ""

    def busy(self, visitor: "Visitor") -> None:
        """It has something to do: it stays."""
        self._idle.pop(visitor, None)

    def idle(self, visitor: "Visitor") -> None:
        """It has nothing to do any more."""
        if visitor in self._by_address.get(visitor.address, {}):
            self._idle[visitor] = None

    def gone(self, visitor: "Visitor") -> None:
        neighbours = self._by_address.get(visitor.address, {})
        if visitor not in neighbours:
            return
        del neighbours[visitor]
        if not neighbours:
            del self._by_address[visitor.address]
        self._idle.pop(visitor, None)
        self.count -= 1

    def _make_room(self, oldest: "Visitor | None") -> bool:
        if oldest is None:
            return False
        self.gone(oldest)
        oldest.leave()
        self._turned_away("idle")
        return True

    def _no(self, code: str, message: str) -> str:
        self._turned_away(code)
        return message

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

    def nonsense(self) -> None:
        """Somebody sent what is no HTTP, or left in the middle of it."""
        self._turned_away("nonsense")

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
