"""SIP by TCP: connections phones opened to us, or we to a provider, bounded in number, in what they hold and how long."""

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar

from gateway.rooms.sip.gate import Gate
from gateway.rooms.sip.sources import Address
from gateway.rooms.sip.wire import LARGEST, Wire, content_length, taken
from schemas.errors import SettingsError

log = logging.getLogger("antiphon.gateway.sip")

OF_ADDRESS, OF_ALL, STRANGERS = 10, 200, 20
"""Connections one address may have, and all together; of addresses no trunk names, who are only told so."""
IDLE = 180.0
"""Seconds a connection may say nothing, unless a call goes on by it."""
MESSAGE = 10.0
"""Seconds within which a message is there whole, and the first of a connection begun."""
_STRANGER = 2.0
_UNREAD = 262_144  # bytes a peer may leave unread


class TcpWire(Wire):
    """A listener and the connections. `in_use`: whether a call goes on with the peer at an address."""

    reliable: ClassVar[bool] = True
    token: ClassVar[str] = "TCP"

    def __init__(self, host: str, port: int, gate: Gate, advertised: str = ""):
        super().__init__(host, port, gate, advertised)
        self._server: asyncio.Server | None = None
        self.in_use: Callable[[Address], bool] = lambda _: False
        self.connections: dict[Address, TcpPeer] = {}
        self.strangers: set[TcpPeer] = set()

    async def start(self) -> None:
        self._begin()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: TcpPeer(self), *self.local_addr)
        except OSError as error:
            raise SettingsError(taken(self.local_addr, "TCP", error)) from None
        self.local_addr = (self.local_addr[0], self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self.transactions.close()
        for connection in [*self.connections.values(), *self.strangers]:
            connection.close()
        if self._server is not None:
            self._server.close()

    async def connect(self, to: Address) -> None:
        """Open a connection for what is sent to `to`. OSError when nobody listens."""
        if to not in self.connections:
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().create_connection(lambda: TcpPeer(self, to), *to)

    def full(self, host: str) -> bool:
        """Whether one more connection of `host` is too many. Those we opened ourselves take nobody's place."""
        theirs = [address for address, connection in self.connections.items() if not connection.ours]
        return len(theirs) >= OF_ALL or sum(address[0] == host for address in theirs) >= OF_ADDRESS

    def _write(self, data: bytes, to: Address) -> None:
        connection = self.connections.get(to)
        if connection is not None:
            connection.write(data)


class TcpPeer(asyncio.Protocol):
    """One peer: messages are cut by their Content-Length, empty lines between them are nothing."""

    def __init__(self, wire: TcpWire, peer: Address | None = None):
        self._wire = wire
        self._peer = peer or ("", 0)
        self.ours = peer is not None
        self._stranger = False
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._idle: asyncio.TimerHandle | None = None
        self._half: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if self.ours:
            self._wire.connections[self._peer] = self
            return
        peer = transport.get_extra_info("peername")
        self._peer = (str(peer[0]), int(peer[1])) if peer else ("", 0)
        verdict = self._wire.gate.admit(self._peer[0])
        self._stranger = verdict == "stranger"
        crowded = len(self._wire.strangers) >= STRANGERS if self._stranger else self._wire.full(self._peer[0])
        if verdict == "drop" or crowded:
            self.close()
        elif self._stranger:
            self._wire.strangers.add(self)
            self._half = self._in(_STRANGER)
        else:
            self._wire.connections[self._peer] = self
            self._alive()
            self._half = self._in(MESSAGE)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._idle, self._half):
            if timer is not None:
                timer.cancel()
        self._wire.strangers.discard(self)
        if self._wire.connections.get(self._peer) is self:
            del self._wire.connections[self._peer]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _UNREAD:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := self._next()) is not None:
            if self._stranger:
                answer = self._wire.stranger(message, self._peer)
                if answer is not None:
                    self.write(answer)
                self.close()
                return
            self._alive()
            if self.ours or self._wire.gate.admit(self._peer[0]) == "known":
                self._wire.came(message, self._peer)
        self._within(bool(self._buffer))

    def _within(self, begun: bool) -> None:
        """A message that was begun is to end: whoever sends it byte by byte holds the connection no longer than others."""
        if begun and self._half is None:
            self._half = self._in(MESSAGE)
        elif not begun and self._half is not None and not self._stranger:
            self._half.cancel()
            self._half = None

    def _alive(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if not self.ours:
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._idled)
        if self._half is not None and not self._stranger:  # the next message has its own time
            self._half.cancel()
            self._half = None

    def _idled(self) -> None:
        if self._wire.in_use(self._peer):
            self._alive()
        else:
            self.close()

    def _in(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # who sends so slowly does not read either

    def _next(self) -> bytes | None:
        """The next whole message; a peer that sends none within bounds is cut off."""
        if self._buffer[:2] == b"\r\n" and self._buffer.startswith(b"\r\n\r\n"):
            self.write(b"\r\n")  # the peer asks whether we are there (RFC 5626)
            self._alive()
        self._buffer = self._buffer.lstrip(b"\r\n")
        end = self._buffer.find(b"\r\n\r\n")
        length = content_length(self._buffer[:end]) if end >= 0 else 0
        if length is None or max(end + 4 + length, len(self._buffer) if end < 0 else 0) > LARGEST:
            self.close()
            self._buffer = b""
            return None
        if end < 0 or len(self._buffer) < end + 4 + length:
            return None
        message, self._buffer = self._buffer[: end + 4 + length], self._buffer[end + 4 + length :]
        return message
