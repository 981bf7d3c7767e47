"""The server behind `RedisBus`: connecting, loading the library, trying again, and saying what is wrong in one sentence."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from schemas.errors import BusError, BusFull, BusReadOnly, BusTooOld, BusUnavailable, PartitionMismatch
from schemas.log import keys
from schemas.log._wire import Blocking, Wire
from schemas.log.library import name_of, source

Argument = str | bytes | int
Rows = list[tuple[str, Any]]

_BROKEN = (RedisConnectionError, RedisTimeoutError, TimeoutError, OSError, ClusterDownError)
_FOR_NOW = ("CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "LOADING", "BUSY", "NOREPLICAS")


class Server(Protocol):
    settled: bool
    """Whether owners had the time to renew first, since we (re)connected."""

    async def start(self, partitions: int | None) -> int: ...
    async def aclose(self) -> None: ...
    async def function(self, name: str, names: Sequence[str], arguments: Sequence[Argument]) -> Any: ...
    async def command(self, key: str, *command: Argument) -> Any: ...
    async def read_streams(self, after: Mapping[str, str], count: int, timeout: float) -> Rows: ...


class _Common:
    """What both kinds of server share: patience, the library, P."""

    def __init__(self, url: str, *, library: str | None = None, settle: float, patience: float, timeout: float) -> None:
        self._url = url
        self._library = library or source()
        self._name = name_of(self._library)
        self._settle = settle
        self._patience = patience
        self._timeout = timeout
        self._connected_at = time.monotonic()
        self._partitions: int | None = None

    @property
    def settled(self) -> bool:
        return time.monotonic() - self._connected_at >= self._settle

    async def function(self, name: str, names: Sequence[str], arguments: Sequence[Argument]) -> Any:
        command = ("FCALL", f"{self._name}_{name}", len(names), *names, *arguments)
        try:
            return await self.command(names[0], *command)
        except BusError as error:
            if "unction not found" not in str(error):
                raise
        await self.start(self._partitions)  # the server came back without what it knew
        return await self.command(names[0], *command)

    async def command(self, key: str, *command: Argument) -> Any:
        return await self._try(lambda: self._send(key, *command))

    async def _try(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Again over broken connections: every request bears a mark, or may be repeated."""
        end, pause = time.monotonic() + self._patience, 0.01
        while True:
            try:
                return await attempt()
            except AuthenticationError as error:
                raise BusUnavailable(f"REDIS_URL: {_place(self._url)} refuses our credentials ({error})") from None
            except (*_BROKEN, RedisClusterException) as error:
                problem = str(error) or type(error).__name__
            except ResponseError as error:
                if not str(error).startswith(_FOR_NOW):
                    raise explained(error, self._url) from None
                problem = str(error)
            if time.monotonic() + pause > end:
                raise BusUnavailable(f"the log at {_place(self._url)} does not answer: {problem} (REDIS_URL)") from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)

    async def _send(self, key: str, *command: Argument) -> Any:
        raise NotImplementedError

    async def _agree(self, asked: int | None) -> int:
        await self.command(keys.PARTITIONS, "SET", keys.PARTITIONS, asked or 1, "NX")
        stored = int(await self.command(keys.PARTITIONS, "GET", keys.PARTITIONS))
        if asked is not None and asked != stored:
            raise PartitionMismatch(
                f"PARTITIONS={asked}, but the log at {_place(self._url)} was made with {stored}; leave PARTITIONS unset or "
                f"set it to {stored} (it is fixed at the first start of a deployment)"
            )
        self._partitions = stored
        return stored

    def _heard(self, info: Mapping[str, str]) -> None:
        """A connection was made."""
        self._connected_at = time.monotonic()
        version = info.get("redis_version", "0")
        if int(version.split(".")[0]) < 7:
            raise BusTooOld(
                f"the server at {_place(self._url)} is Redis {version}; Redis 7.0 or Valkey 8 is needed (REDIS_URL)"
            )


class SingleServer(_Common):
    def __init__(self, url: str, *, library: str | None = None, settle: float, patience: float, timeout: float) -> None:
        super().__init__(url, library=library, settle=settle, patience=patience, timeout=timeout)
        self._wire = Wire(url, timeout, self._heard)
        self._blocking = Blocking(url, timeout)

    async def start(self, partitions: int | None) -> int:
        await self._load()
        return await self._agree(partitions)

    async def _load(self) -> None:
        try:
            await self.command("", "FUNCTION", "LOAD", self._library)
        except BusError as error:
            if "already exists" not in str(error):
                raise
            rows = await self.command("", "FUNCTION", "LIST", "LIBRARYNAME", self._name, "WITHCODE")
            if self._library.encode() not in rows[0]:  # the same version, edited: only developers see that
                await self.command("", "FUNCTION", "LOAD", "REPLACE", self._library)

    async def aclose(self) -> None:
        await self._wire.aclose()
        await self._blocking.aclose()

    async def _send(self, key: str, *command: Argument) -> Any:
        return await self._wire.call(*command)

    async def read_streams(self, after: Mapping[str, str], count: int, timeout: float) -> Rows:
        block = max(1, int(timeout * 1000))
        command = ("XREAD", "COUNT", count, "BLOCK", block, "STREAMS", *after, *after.values())
        rows = await self._try(lambda: self._blocking.read(timeout, *command))
        return [(name.decode(), entries) for name, entries in rows or ()]


class ClusterServer(_Common):
    """Redis Cluster: commands go where their key lives; a blocking read names the streams of one slot, so each partition has
    its own. A read left waiting when another rang is listened to again by the next call."""

    def __init__(self, url: str, *, library: str | None = None, settle: float, patience: float, timeout: float) -> None:
        super().__init__(url, library=library, settle=settle, patience=patience, timeout=timeout)
        self._cluster: RedisCluster | None = None
        self._blocking: dict[str, Blocking] = {}
        self._bells: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def start(self, partitions: int | None) -> int:
        raise NotImplementedError


def explained(error: ResponseError, url: str) -> BusError:
    """The error as the caller knows it."""
    text, place = str(error), _place(url)
    if isinstance(error, OutOfMemoryError) or text.startswith("OOM"):
        return BusFull(f"the log at {place} is out of memory ({text}); raise its maxmemory")
    if text.startswith("MISCONF"):
        return BusFull(f"the log at {place} can't write to its disk ({text})")
    if isinstance(error, ReadOnlyError) or text.startswith("READONLY"):
        return BusReadOnly(
            f"the log at {place} is read-only, a replica perhaps ({text}); REDIS_URL must name the primary"
        )
    if "unknown command" in text.lower() and "FUNCTION" in text:
        return BusTooOld(f"the server at {place} has no functions; Redis 7.0 or Valkey 8 is needed (REDIS_URL)")
    return BusError(f"the log at {place} refused a command: {text}")


def _place(url: str) -> str:
    """Without the password."""
    return url.rpartition("@")[2].removeprefix("redis://").removeprefix("rediss://")
