"""The server behind `RedisBus`: connecting, loading the library, trying again, and saying what is wrong in one sentence."""

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from schemas.clock import Micros
from schemas.config.settings import without_password
from schemas.errors import (
    BusError,
    BusFull,
    BusReadOnly,
    BusTooOld,
    BusUnavailable,
    LeaseMismatch,
    PartitionMismatch,
    in_words,
)
from schemas.log import keys
from schemas.log._wire import Blocking, ServerError, Unconnected, Wire, WrongCredentials
from schemas.log.library import name_of, source
from schemas.process.backoff import Backoff

Argument = str | bytes | int
Rows = list[tuple[str, Any]]

BROKEN = (Unconnected, TimeoutError, OSError)
FOR_NOW = ("CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "LOADING", "BUSY", "NOREPLICAS")


class Server(Protocol):
    hands_over: bool
    """Whether `new_entries` works: one blocking read for all streams."""

    async def start(self, partitions: int | None) -> int: ...
    async def agree_on_lease(self, lease: int, mark: float) -> None: ...
    async def mark_lease(self, lease: int, mark: float) -> None: ...
    async def aclose(self) -> None: ...
    async def function(self, name: str, names: Sequence[str], arguments: bytes) -> Any: ...
    async def command(self, key: str, *command: Argument) -> Any: ...
    async def commands(self, key: str, *commands: tuple[Argument, ...]) -> list[Any]: ...
    async def read_streams(
        self, after: Mapping[str, str], count: int, timeout: float, doorbell: bool = False
    ) -> Rows: ...
    async def new_entries(
        self, streams: Sequence[str], group: str, consumer: str, count: int, timeout: float
    ) -> tuple[Micros, Micros, Rows]: ...


class Common(ABC):
    """What both kinds of server share: patience, the library, P."""

    def __init__(
        self, url: str, *, library: str | None = None, patience: float, timeout: float, setting: str = "REDIS_URL"
    ) -> None:
        """`setting`: that names it, for who is to change it."""
        self._url, self._setting = url, setting
        self._library = library or source()
        self._name = name_of(self._library)
        self._patience = patience
        self._timeout = timeout
        self._partitions: int | None = None

    async def function(self, name: str, names: Sequence[str], arguments: bytes) -> Any:
        command: tuple[Argument, ...] = ("FCALL", f"{self._name}_{name}", len(names), *names, arguments)
        try:
            return await self._try(lambda: self._send(names[0], command))
        except BusError as error:
            if "unction not found" not in str(error):
                raise
        await self.start(self._partitions)  # the server came back without what it knew
        return await self._try(lambda: self._send(names[0], command))

    async def command(self, key: str, *command: Argument) -> Any:
        return await self._try(lambda: self._send(key, command))

    async def commands(self, key: str, *commands: tuple[Argument, ...]) -> list[Any]:
        """The answers of several, whose keys are of the slot of `key`: asked at once, and without a task for each."""
        answers: list[Any] = await self._try(lambda: self._send_together(key, commands))
        return answers

    async def _try(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Again over broken connections: every request bears a mark, or may be repeated."""
        end, pauses = time.monotonic() + self._patience, Backoff(0.01, 0.1)
        while True:
            try:
                return await attempt()
            except WrongCredentials as error:
                raise BusUnavailable(
                    f"{self._setting}: {_place(self._url)} refuses our credentials ({error})"
                ) from None
            except BROKEN as error:
                problem = in_words(error)
            except ServerError as error:
                if not str(error).startswith(FOR_NOW):
                    raise explained(error, self._url, self._setting) from None
                problem = str(error)
            pause = next(pauses)
            if time.monotonic() + pause > end:
                raise BusUnavailable(
                    f"the log at {_place(self._url)} does not answer: {problem} ({self._setting})"
                ) from None
            await asyncio.sleep(pause)

    @abstractmethod
    async def _send(self, key: str, command: tuple[Argument, ...]) -> Any:
        """Once, to the server that has `key`."""

    @abstractmethod
    async def _send_together(self, key: str, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """The same of several."""

    @abstractmethod
    async def _prepare(self) -> None:
        """Load the library on every primary."""

    async def start(self, partitions: int | None) -> int:
        await self._prepare()
        return await self._agree(partitions)

    async def _load(self, command: Callable[..., Awaitable[Any]]) -> None:
        try:
            await command("FUNCTION", "LOAD", self._library)
        except BusError as error:
            if "already exists" not in str(error):
                raise
            rows = await command("FUNCTION", "LIST", "LIBRARYNAME", self._name, "WITHCODE")
            if self._library.encode() not in rows[0]:  # the same version, edited: only developers see that
                await command("FUNCTION", "LOAD", "REPLACE", self._library)

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

    async def agree_on_lease(self, lease: int, mark: float) -> None:
        """`lease`: ms. LeaseMismatch when after `mark` seconds, the time others are remembered for, somebody still has another.

        Not for ever, as P is: with all processes stopped it may be changed. Those that disagree would take jobs from the living.
        """
        until = time.monotonic() + mark
        while True:
            await self.command(keys.LEASE, "SET", keys.LEASE, lease, "NX", "PX", int(mark * 1000))
            stored = int(await self.command(keys.LEASE, "GET", keys.LEASE) or 0)
            if stored == lease:
                return
            if stored and time.monotonic() > until:
                raise LeaseMismatch(
                    f"LEASE={lease / 1000:g}, but others run with LEASE={stored / 1000:g} at the log at {_place(self._url)}; "
                    "give all processes the same, and stop all of them before you change it"
                )
            await asyncio.sleep(min(0.25, mark / 4))

    async def mark_lease(self, lease: int, mark: float) -> None:
        await self.command(keys.LEASE, "SET", keys.LEASE, lease, "PX", int(mark * 1000))

    def _heard(self, info: Mapping[str, str]) -> None:
        """A connection was made."""
        version = info.get("redis_version", "0")
        if int(version.split(".")[0]) < 7:
            raise BusTooOld(
                f"the server at {_place(self._url)} is Redis {version}; Redis 7.0 or Valkey 8 is needed ({self._setting})"
            )


class SingleServer(Common):
    hands_over = True

    def __init__(
        self, url: str, *, library: str | None = None, patience: float, timeout: float, setting: str = "REDIS_URL"
    ) -> None:
        super().__init__(url, library=library, patience=patience, timeout=timeout, setting=setting)
        self._wire = Wire(url, timeout, self._heard)
        self._blocking = Blocking(url, timeout)

    async def _prepare(self) -> None:
        await self._load(lambda *command: self.command("", *command))

    async def aclose(self) -> None:
        await self._wire.aclose()
        await self._blocking.aclose()

    async def _send(self, key: str, command: tuple[Argument, ...]) -> Any:
        return await self._wire.call(*command)

    async def _send_together(self, key: str, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        return await self._wire.call_together(*commands)

    async def read_streams(self, after: Mapping[str, str], count: int, timeout: float, doorbell: bool = False) -> Rows:
        if not after:
            await asyncio.sleep(timeout)
            return []
        command = xread(after, count, timeout)
        return rows_of(await self._try(lambda: self._blocking.read(timeout, *command)))

    async def new_entries(
        self, streams: Sequence[str], group: str, consumer: str, count: int, timeout: float
    ) -> tuple[Micros, Micros, Rows]:
        """Entries nobody was given yet, up to `count` of each stream, now `consumer`'s; none after `timeout` seconds, or when
        the group is gone: `take` makes it again. Before them the server's time, µs, when it was asked and when they were read."""
        block = ("COUNT", count, "BLOCK", max(1, int(timeout * 1000)))
        command: tuple[Argument, ...] = (
            "XREADGROUP",
            "GROUP",
            group,
            consumer,
            *block,
            "STREAMS",
            *streams,
            *(">" for _ in streams),
        )
        try:
            asked, read, answer = await self._try(lambda: self._blocking.read_dated(timeout, *command))
            return asked, read, rows_of(answer)
        except BusError as error:
            if "NOGROUP" in str(error) or "UNBLOCKED" in str(error):
                return Micros(0), Micros(0), []
            raise


def xread(after: Mapping[str, str], count: int, timeout: float) -> tuple[Argument, ...]:
    return ("XREAD", "COUNT", count, "BLOCK", max(1, int(timeout * 1000)), "STREAMS", *after, *after.values())


def rows_of(answer: Any) -> Rows:
    return [(name.decode(), entries) for name, entries in answer or ()]


def explained(error: ServerError, url: str, setting: str) -> BusError:
    """The error as the caller knows it. `setting`: that names the server."""
    text, place = str(error), _place(url)
    if text.startswith("NOAUTH"):
        return BusUnavailable(
            f"{setting}: {place} asks for a password, and {setting} has none; expected redis://:PASSWORD@{place} "
            "(redis://USER:PASSWORD@… with a user)"
        )
    if text.startswith("OOM"):
        return BusFull(f"the log at {place} is out of memory ({text}); raise its maxmemory")
    if text.startswith("MISCONF"):
        return BusFull(f"the log at {place} can't write to its disk ({text}); free some space there, or mend the disk")
    if text.startswith("READONLY"):
        return BusReadOnly(
            f"the log at {place} is read-only, a replica perhaps ({text}); {setting} must name the primary"
        )
    if "unknown command" in text.lower() and "FUNCTION" in text:
        return BusTooOld(f"the server at {place} has no functions; Redis 7.0 or Valkey 8 is needed ({setting})")
    return BusError(f"the log at {place} refused a command: {text}")


def _place(url: str) -> str:
    """Without the password, wherever in it one stands."""
    return re.sub(r"^\w+://", "", without_password(url).rpartition("@")[2]).partition("?")[0]
