"""Connections to the server: one that many callers share, and some for reads that block.

On the shared one requests go out as they come and answers come back in their order; a caller that is cancelled gives up its
answer, never the connection. Speaking the protocol here instead of through redis-py's connection saves two turns of the event
loop per call, of which a voice turn makes a dozen, and each process the time to load it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import hiredis

from schemas.clock import Micros
from schemas.log._address import Address
from schemas.process.tasks import unheard

Answer = Any
Command = tuple[str | bytes | int | float, ...]
OnConnect = Callable[[Mapping[str, str]], None]


class ServerError(Exception):
    """The server answered with an error, whose text this is."""


class WrongCredentials(Exception):
    """It takes no such user, or no such password."""


class Unconnected(Exception):
    """There is no connection, or there is none any more."""


class Link(asyncio.Protocol):
    """One connection while it lives. `timeout`: seconds for an answer, after which the connection is given up."""

    def __init__(self, timeout: float) -> None:
        self.broken = False
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=ServerError)
        self._waiting: deque[tuple[asyncio.Future[Answer], float]] = deque()
        self._out: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._closed = self._loop.create_future()

    def send(self, command: Command, block: float = 0.0) -> "asyncio.Future[Answer]":
        """Ask; the answer comes as the future's result, or Unconnected or ServerError as its exception. `block`:
        seconds the command itself may wait, beside the timeout."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        if self.broken or self._transport is None:
            answer.set_exception(Unconnected("the connection was closed"))
            return answer
        self._put(_packed(command))
        return self._awaited(answer, block)

    def send_together(self, *commands: Command, block: float = 0.0) -> "list[asyncio.Future[Answer]]":
        """All in one packet: the server carries out each right after the one before, and nobody's command between them. `block`:
        seconds they may wait, beside the timeout. Whoever gives up at the first error need not ask for the others'."""
        answers: list[asyncio.Future[Answer]] = [self._loop.create_future() for _ in commands]
        for answer in answers:
            answer.add_done_callback(unheard)
        if self.broken or self._transport is None:
            for answer in answers:
                answer.set_exception(Unconnected("the connection was closed"))
            return answers
        self._put(b"".join(map(_packed, commands)))
        return [self._awaited(answer, block) for answer in answers]

    def _put(self, packet: bytes) -> None:
        assert self._transport is not None
        if not self._waiting:
            self._transport.write(packet)  # alone: there is nobody to wait for
        else:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packet)

    def _awaited(self, answer: "asyncio.Future[Answer]", block: float) -> "asyncio.Future[Answer]":
        due = self._loop.time() + block + self._timeout
        self._waiting.append((answer, due))
        if self._watch is None or due < self._watch.when():
            self._watch_until(due)
        return answer

    async def close(self, why: Exception | None = None) -> None:
        self._fail(why or Unconnected("the connection was closed"))
        if self._transport:
            self._transport.abort()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and no instance of it

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (value := self._reader.gets()) is not False:
                answer, _ = self._waiting.popleft()
                if answer.done():  # its caller was cancelled
                    continue
                if isinstance(value, Exception):
                    answer.set_exception(value)
                else:
                    answer.set_result(value)
        except (hiredis.ProtocolError, IndexError) as error:
            self._fail(Unconnected(f"no Redis speaks like that ({error})"))
            if self._transport:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(Unconnected(str(exc or "the server closed the connection")))
        if not self._closed.done():
            self._closed.set_result(None)

    def _flush(self) -> None:
        chunks, self._out = self._out, []
        if self._transport and not self.broken:
            self._transport.write(b"".join(chunks))

    def _look(self) -> None:
        """Is the oldest answer overdue? Those after it would wait too."""
        self._watch = None
        if not self._waiting:
            return
        due = self._waiting[0][1]
        if due > self._loop.time():
            self._watch_until(due)
            return
        self._fail(Unconnected(f"no answer within {self._timeout} s"))
        if self._transport:
            self._transport.abort()

    def _watch_until(self, due: float) -> None:
        if self._watch:
            self._watch.cancel()
        self._watch = self._loop.call_at(due, self._look)

    def _fail(self, why: Exception) -> None:
        self.broken = True
        if self._watch:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            answer, _ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(why)


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed


async def connect(url: str, timeout: float) -> Link:
    """A link to `url`, logged in and on its database."""
    address = Address.of(url)
    loop = asyncio.get_running_loop()
    link = Link(timeout)
    async with asyncio.timeout(timeout):
        if address.path:
            await loop.create_unix_connection(lambda: link, address.path)
        else:
            await loop.create_connection(lambda: link, address.host, address.port, ssl=address.tls())
        try:
            await _log_in(link, address)
        except BaseException:
            await link.close()
            raise
    return link


async def _log_in(link: Link, address: Address) -> None:
    if address.password is not None:
        user = [address.username] if address.username else []
        try:
            await link.send(("AUTH", *user, address.password))
        except ServerError as error:
            raise WrongCredentials(str(error)) from None
    if address.database:
        await link.send(("SELECT", address.database))


class Wire:
    """`url`: of the server; `timeout`: seconds for one answer; `on_connect` hears INFO server at each (re)connection."""

    def __init__(self, url: str, timeout: float = 2.0, on_connect: OnConnect | None = None) -> None:
        self._url = url
        self._timeout = timeout
        self._on_connect = on_connect
        self._link: Link | None = None
        self._connecting = asyncio.Lock()

    async def call(self, *command: str | bytes | int | float) -> Answer:
        """The answer, bytes for strings. Raises ServerError, WrongCredentials, Unconnected, OSError, TimeoutError."""
        return await (await self._linked()).send(command)

    async def call_together(self, *commands: Command) -> list[Answer]:
        """The answers of all, asked in one packet; the same errors."""
        answers = (await self._linked()).send_together(*commands)
        return [await answer for answer in answers]

    async def aclose(self) -> None:
        if self._link:
            await self._link.close()
        self._link = None

    async def _linked(self) -> Link:
        link = self._link
        return await self._connect() if link is None or link.broken else link

    async def _connect(self) -> Link:
        async with self._connecting:
            if self._link and not self._link.broken:
                return self._link
            link = await connect(self._url, self._timeout)
            try:
                if self._on_connect:
                    self._on_connect(parse_info(await link.send(("INFO", "server"))))
            except BaseException:
                await link.close()
                raise
            self._link = link
            return link


class Blocking:
    """Connections for blocking reads, one for each read in progress; a read that is cancelled gives its connection up."""

    def __init__(self, url: str, margin: float = 2.0) -> None:
        self._url = url
        self._margin = margin
        self._free: list[Link] = []

    async def read(self, block: float, *command: str | bytes | int) -> Answer:
        """The answer of a command that blocks up to `block` seconds; the client waits a margin longer."""
        async with self._lent() as link:
            return await link.send(command, block)

    async def read_dated(self, block: float, *command: str | bytes | int) -> tuple[Micros, Micros, Answer]:
        """The same, after the server's time when it began to wait, and what that has become when the answer is read here, both
        in µs. A process that gets no processor reads late, and nobody but itself can know."""
        async with self._lent() as link:
            first, second = link.send_together(("TIME",), command, block=block)
            seconds, micros = await first
            asked, since = int(seconds) * 1_000_000 + int(micros), time.monotonic_ns()
            answer = await second
            return Micros(asked), Micros(asked + (time.monotonic_ns() - since) // 1000), answer

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Link]:
        while self._free and self._free[-1].broken:
            self._free.pop()
        link = self._free.pop() if self._free else await connect(self._url, self._margin)
        try:
            yield link
        except ServerError:
            self._free.append(link)
            raise
        except BaseException:
            await link.close()
            raise
        self._free.append(link)

    async def aclose(self) -> None:
        for link in self._free:
            await link.close()
        self._free.clear()


def parse_info(answer: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in answer.decode().splitlines())
    return {name: value for name, colon, value in lines if colon}
