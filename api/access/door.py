"""The public port: how many connections, how long one may say nothing, and what is answered to what is no HTTP.

uvicorn waits for a request's head as long as it takes, takes as many connections as come, and answers nonsense in plain text.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.access.round_robin import RoundRobin, Waiting
from api.figures import Figures
from api.problems import MEDIA_TYPE, body_of
from schemas.config.settings import Settings
from schemas.process.connections import Crowd, Proxies, neighbourhood, open_files, proxies_of
from schemas.process.hosts import within

FIRST_WITHIN = 10.0
"""Seconds for a request's head, from the connection's beginning or the last answer."""
READ_WITHIN = 30.0
"""Seconds in which somebody takes something of what is sent to them."""
_AT_ONCE, _CRUMBS = 4096, 512
"""Bytes that are parsed before anybody else has a turn: of a body of known length; and of a head, or a body in chunks, since h11
makes an event of each chunk, however small."""


class _Quiet(logging.Logger):
    """uvicorn warns of each nonsense that strangers send; here it is counted. Its errors are told, but for those it makes itself
    when it cancels, at the end, what takes too long."""

    def warning(self, *_: object, **__: object) -> None: ...

    def error(self, *given: Any, **named: Any) -> None:
        if not isinstance(named.get("exc_info"), asyncio.CancelledError):
            logging.getLogger("uvicorn.error").error(*given, **named)


class _Held(FlowControl):
    """uvicorn's wish to be told no more for now; whether the socket is read is the visitor's to say, who may hold some still."""

    def __init__(self, transport: asyncio.Transport, again: Callable[[], None]) -> None:
        super().__init__(transport)
        self._again = again

    def resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self._again()


_QUIET = _Quiet("uvicorn.quiet", logging.WARNING)


class Door(Crowd["Visitor"]):
    """Those who are connected to one process. SettingsError: API_PROXIES names what is no address."""

    def __init__(self, settings: Settings, figures: Figures) -> None:
        super().__init__(
            open_files(settings.api_connections),
            settings.api_connections_per_address,
            lambda why: figures.refused.labels(why).inc(),
        )
        self.proxies: Proxies = proxies_of(settings.api_proxies, "API_PROXIES")
        self.chunked = RoundRobin()
        """Those whose bodies come in chunks: however many they are, everybody else waits for one of them at most."""
        figures.connections.set_function(lambda: self.count)


def visitors(door: Door) -> type["Visitor"]:
    """What uvicorn makes one of for each connection."""
    return type("Visitor", (Visitor,), {"door": door})


class Visitor(H11Protocol):
    """One connection, counted. `begin`: its request is whole; `follow`: it is answered for as long as it stays."""

    door: Door
    address, proxy = "", False
    _said_all = _follows = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _QUIET
        self.app_state = {**self.app_state, "visitor": self}
        self._admitted = False
        self._unread = b""
        self._later: asyncio.Handle | Waiting | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        self.address, self.proxy = neighbourhood(peer), within(peer, self.door.proxies)
        if why := self.door.admit(self):
            transport.write(_raw(503, "too_many", why, b"Retry-After: 5\r\n"))
            transport.close()
            return
        self._admitted = True
        super().connection_made(transport)
        self.flow = _Held(transport, self._go_on)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._admitted:
            self._unread += data
            if self._later is None and not self._in_chunks:
                self._parse()
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._admitted:
            self.door.gone(self)
            for waiting in (self._later, self._deadline, self._stalled):
                if waiting is not None:
                    waiting.cancel()
            super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Who has said all may still listen: they are answered what they have asked. (Who follows a stream has left, as far as
        can be told.) uvicorn would close at once."""
        self._said_all = True
        return not self._has_all()

    def _has_all(self) -> bool:
        """They have said all, and nothing is to be answered any more."""
        asked = self._under_way and not self.cycle.more_body and not self._follows
        return self._said_all and not asked and not (self._unread and not self.transport.is_closing())

    def begin(self) -> None:
        """It is answered now: it stays."""
        self.door.busy(self)

    def follow(self) -> None:
        """Its answer has no end."""
        self._follows = True
        if self._has_all():
            self.transport.close()

    def leave(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def on_response_complete(self) -> None:
        self._follows = False
        self.door.idle(self)
        self._expect_head()
        super().on_response_complete()
        self._read_or_not()
        if self._has_all():
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(READ_WITHIN, self.leave)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self.door.nonsense()
        self.transport.write(_raw(400, "http", "this is no HTTP/1.1 request, or its head is too long"))
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return False  # WebSockets are the gateways'; it is answered as what it is otherwise

    def _parse(self) -> None:
        """A little at a time, as much as uvicorn wants."""
        self._later = None
        if self.transport.is_closing() or self.flow.read_paused:
            return
        most = _AT_ONCE if self._under_way and not self._in_chunks else _CRUMBS
        piece, self._unread = self._unread[:most], self._unread[most:]
        super().data_received(piece)
        if self._has_all():  # half a request, perhaps
            self.transport.close()
            return
        if self._under_way and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._go_on()

    def _go_on(self) -> None:
        """With what is left of what came, and then with more of it."""
        if self._unread and self._later is None and not self.flow.read_paused:
            self._later = self.door.chunked.wait(self._parse) if self._in_chunks else self.loop.call_soon(self._parse)
        self._read_or_not()

    def _read_or_not(self) -> None:
        """The socket is read once all that came is parsed: who sends faster than that has to wait. (uvicorn resumes it by itself,
        too.)"""
        if self._unread or self.flow.read_paused:
            self.transport.pause_reading()
        elif not self._said_all:
            self.transport.resume_reading()

    @property
    def _in_chunks(self) -> bool:
        """What comes now is a body in chunks."""
        chunked = self._under_way and self.cycle.more_body
        return chunked and any(name == b"transfer-encoding" for name, _ in self.headers)

    @property
    def _under_way(self) -> bool:
        cycle: Any = self.cycle  # None before the first
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(FIRST_WITHIN, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self._under_way:
            return
        if self.conn.trailing_data[0]:
            self.transport.write(_raw(408, "slow", f"the head of the request did not come within {FIRST_WITHIN:g} s"))
        self.transport.close()


def _raw(status: int, code: str, detail: str, more: bytes = b"") -> bytes:
    body = json.dumps(body_of(status, code, detail).model_dump()).encode()
    phrase = {400: b"Bad Request", 408: b"Request Timeout", 503: b"Service Unavailable"}[status]
    return b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        phrase,
        MEDIA_TYPE.encode(),
        more,
        len(body),
        body,
    )
