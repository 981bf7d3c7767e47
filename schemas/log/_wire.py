"""One connection that many callers share: requests go out as they come, answers come back in their order.

A caller that is cancelled gives up its answer, never the connection. Blocking reads have connections of their own.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

Answer = Any
Command = tuple[str | bytes | int | float, ...]
OnConnect = Callable[[Mapping[str, str]], None]


class Wire:
    """`url`: of the server; `timeout`: seconds for one answer; `on_connect` hears INFO server at each (re)connection."""

    def __init__(self, url: str, timeout: float = 2.0, on_connect: OnConnect | None = None) -> None:
        self._pool = ConnectionPool.from_url(url, socket_timeout=None, socket_connect_timeout=timeout)
        self._timeout = timeout
        self._on_connect = on_connect
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()

    async def call(self, *command: str | bytes | int | float) -> Answer:
        """The answer, bytes for strings. Raises redis.exceptions: ResponseError, ConnectionError, TimeoutError (built in)."""
        return await self.ask(lambda: command)

    async def ask(self, make: Callable[[], Command]) -> Answer:
        """The same, of a command that is made when the connection it goes out on is there."""
        link = self._link
        if link is None or link.broken:
            link = await self._connect()
        answer = link.send(make())
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError:
            await link.close(RedisConnectionError(f"no answer within {self._timeout} s"))  # what follows would wait too
            raise

    async def aclose(self) -> None:
        if self._link:
            await self._link.end()
        self._link = None

    async def _connect(self) -> "_Link":
        async with self._connecting:
            if self._link and not self._link.broken:
                return self._link
            if self._link:
                await self._link.close(RedisConnectionError("broken"))
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                async with asyncio.timeout(self._timeout):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    if self._on_connect:
                        await connection.send_command("INFO", "server", check_health=False)
                        self._on_connect(parse_info(await connection.read_response(disable_decoding=True)))
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            self._link = _Link(connection)
            return self._link


class _Link:
    """A connection while it lives, with a task that writes what is asked and one that hands out what is answered."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.broken = False
        self._connection = connection
        self._waiting: deque[asyncio.Future[Answer]] = deque()
        self._out: list[bytes] = []
        self._asked = asyncio.Event()
        self._tasks = [asyncio.create_task(self._run(loop)) for loop in (self._write, self._read)]

    def send(self, command: Command) -> "asyncio.Future[Answer]":
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        packed = pack_command(command)  # type: ignore[arg-type]
        writer = self._connection._writer  # what `send_packed_command` writes to, without its task switch
        if writer and not self._waiting:
            writer.write(packed)  # alone: there is nobody to wait for
        else:
            self._out.append(packed)
            self._asked.set()
        self._waiting.append(answer)
        return answer

    async def close(self, why: Exception) -> None:
        self._fail(why)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._connection.disconnect(nowait=True)

    async def end(self) -> None:
        """Close and wait until it is closed."""
        self._fail(RedisConnectionError("closed"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError, RedisError):
            await self._connection.disconnect()

    async def _write(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            chunks, self._out = self._out, []
            await self._connection.send_packed_command(chunks, check_health=False)

    async def _read(self) -> None:
        while True:
            try:
                value = await self._connection.read_response(disable_decoding=True)
            except ResponseError as error:
                value = error
            answer = self._waiting.popleft()
            if answer.done():  # its caller was cancelled
                continue
            if isinstance(value, Exception):
                answer.set_exception(value)
            else:
                answer.set_result(value)

    async def _run(self, loop: Callable[[], Any]) -> None:
        try:
            await loop()
        except asyncio.CancelledError:
            self._fail(RedisConnectionError("closed"))
            raise
        except Exception as error:
            await self.close(error if isinstance(error, RedisConnectionError) else RedisConnectionError(str(error)))

    def _fail(self, why: Exception) -> None:
        self.broken = True
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(why)


class Blocking:
    """Connections for blocking reads, one for each read in progress; a read that is cancelled gives its connection up."""

    def __init__(self, url: str, margin: float = 2.0) -> None:
        self._pool = ConnectionPool.from_url(url, socket_timeout=None, socket_connect_timeout=margin)
        self._margin = margin
        self._free: list[AbstractConnection] = []

    async def read(self, block: float, *command: str | bytes | int) -> Answer:
        """The answer of a command that blocks up to `block` seconds; the client waits a margin longer."""
        async with self._lend() as connection, asyncio.timeout(block + self._margin):
            await connection.send_command(*command, check_health=False)
            return await connection.read_response(
                disable_decoding=True
            )  # its own timeout would leave the answer unread

    @contextlib.asynccontextmanager
    async def _lend(self) -> AsyncIterator[AbstractConnection]:
        connection: AbstractConnection = self._free.pop() if self._free else self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self._margin):
                await connection.connect()  # type: ignore[no-untyped-call]
            yield connection
        except ResponseError:
            self._free.append(connection)
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._free.append(connection)

    async def aclose(self) -> None:
        for connection in self._free:
            with contextlib.suppress(OSError, RedisError):
                await connection.disconnect()
        self._free.clear()


def parse_info(answer: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in answer.decode().splitlines())
    return {name: value for name, colon, value in lines if colon}
