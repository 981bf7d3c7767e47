"""A TCP proxy before Redis that now and then cuts a connection after the request arrived and before its reply returns.

That is the one case a client can't tell from a request that never arrived: it must ask again, and be told DUP.
"""

import asyncio
import contextlib
import random

_CHUNK = 1 << 16


class CuttingProxy:
    """`every`: seconds between cuts, on average, over all connections. The server may come and go behind it."""

    def __init__(self, upstream_port: int, *, every: float, seed: int = 0):
        self.cuts = 0
        self.port = 0
        self._upstream = upstream_port
        self._every = every
        self._random = random.Random(seed)
        self._cut_next = False
        self._server: asyncio.Server | None = None
        self._timer: asyncio.Task[None] | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._timer = asyncio.create_task(self._arm())

    async def stop(self) -> None:
        self.calm()
        if self._server:
            self._server.close()
        for connection in self._connections:
            connection.transport.abort()

    def calm(self) -> None:
        """No more cuts."""
        if self._timer:
            self._timer.cancel()
        self._cut_next = False

    async def _arm(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._every))
            self._cut_next = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._connections.add(writer)
        up = asyncio.create_task(self._pump(reader, upstream_writer))
        down = asyncio.create_task(self._answer(upstream_reader, writer))
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, upstream_writer):
            end.transport.abort()
        await asyncio.gather(up, down, return_exceptions=True)  # uvloop: writing to an aborted one is a RuntimeError
        self._connections.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                writer.write(data)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass replies on; when armed, swallow the next one and hang up: the request has been carried out by then."""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._cut_next:
                    self._cut_next = False
                    self.cuts += 1
                    return
                writer.write(data)
                await writer.drain()
