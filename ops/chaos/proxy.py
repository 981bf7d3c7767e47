"""A TCP proxy before Redis that now and then cuts a connection after the request arrived and before its reply returns: the one
case a client can't tell from a request that never arrived; it must ask again, and be told DUP.

And now and then it holds a worker's commit back until the lease has run out: a zombie's request, which must be refused.
"""

import asyncio
import contextlib
import random

from schemas.process.tasks import Tasks

_CHUNK = 1 << 16
_COMMIT = b"_commit"  # how the name of the function ends


class CuttingProxy:
    """`every`, `hold_every`: seconds between cuts and held commits, on average, over all connections; `hold`: for how long, from
    and to. The server may come and go behind it."""

    def __init__(
        self,
        upstream_port: int,
        *,
        every: float,
        hold_every: float,
        hold: tuple[float, float],
        seed: int = 0,
    ):
        self.cuts = 0
        self.held = 0
        self._hold_every, self._hold = hold_every, hold
        self._hold_next = False
        self.port = 0
        self._upstream = upstream_port
        self._every = every
        self._random = random.Random(seed)
        self._cut_next = False
        self._server: asyncio.Server | None = None
        self._timers: list[asyncio.Task[None]] = []
        self._serving = Tasks()
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._timers = [asyncio.create_task(self._arm_cut()), asyncio.create_task(self._arm_hold())]

    async def stop(self) -> None:
        """Nothing of it is left open, at neither end."""
        self.calm()
        if self._server:
            self._server.close()
        await self._serving.aclose()
        for connection in self._connections:
            connection.transport.abort()

    def calm(self) -> None:
        """No more cuts, nothing more is held."""
        for timer in self._timers:
            timer.cancel()
        self._cut_next = self._hold_next = False

    async def _arm_cut(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._every))
            self._cut_next = True

    async def _arm_hold(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._hold_every))
            self._hold_next = True

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        self._serving.spawn(self._serve(reader, writer), "a proxied connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either end hangs up, or we do."""
        with contextlib.ExitStack() as ends:
            ends.callback(self._connections.discard, writer)
            ends.callback(writer.transport.abort)
            try:
                upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            except OSError:
                return
            ends.callback(upstream_writer.transport.abort)
            ways = Tasks()
            up = ways.spawn(self._pump(reader, upstream_writer))
            down = ways.spawn(self._answer(upstream_reader, writer))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await ways.aclose()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._hold_next and _COMMIT in data:
                    self._hold_next = False
                    self.held += 1
                    await asyncio.sleep(self._random.uniform(*self._hold))
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
