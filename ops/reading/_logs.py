"""Which log to read: the one REDIS_URL names, that of the stack running here, or one a stopped stack has left. Beside each: the
archive, with what no log has any more."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ops import console
from ops.reading._names import LAST, Ambiguous, Named, known, meant, near
from ops.stack.embedded.valkey import Valkey
from ops.stack.here import as_the_stack, data_folder, running
from ops.stack.occupied import Occupied
from schemas.archive.both import Both, Live, Nothing, looking
from schemas.archive.place import archive_of
from schemas.bus import Advertising, GatewaySeen, Listing, Overseeing, StageSeen
from schemas.config.settings import Settings, load
from schemas.log import connected

if TYPE_CHECKING:
    from ops.replay.stages import Pools

_LEFT = "appendonlydir"
_SEEN = 1_000
"""Ids among which the one that was mistyped is looked for."""


class Sessions(Listing, Named, Overseeing, Advertising, Protocol):
    """Sessions, which there are, and what they run on."""


class _Log(Live, Overseeing, Advertising, Protocol):
    """A started log."""


class _Kept(Both):
    """A log and the archive, in all that `Sessions` are."""

    def __init__(self, log: _Log, settings: Settings) -> None:
        super().__init__(log, looking(settings))
        self._log = log

    async def stages(self) -> list[StageSeen]:
        return await self._log.stages()

    async def advertise(self, gateway: GatewaySeen, seconds: float) -> None:
        await self._log.advertise(gateway, seconds)

    async def gateways(self) -> list[GatewaySeen]:
        return await self._log.gateways()


class _Nowhere(Nothing):
    """Where no log is, nothing runs either."""

    async def stages(self) -> list[StageSeen]:
        return []

    async def advertise(self, gateway: GatewaySeen, seconds: float) -> None: ...

    async def gateways(self) -> list[GatewaySeen]:
        return []


@asynccontextmanager
async def _with_archive(log: _Log, settings: Settings) -> AsyncIterator[_Kept]:
    kept = _Kept(log, settings)
    try:
        yield kept
    finally:
        await kept.aclose()


@dataclass(frozen=True, slots=True)
class Found:
    """`session`: the id of the one that was meant, "" where none was asked for; `url`: of the log; `api_url`: of the stack that
    runs over it, where one does and has an API."""

    log: Sessions
    session: str
    url: str
    api_url: str = ""


@asynccontextmanager
async def find_log(given: str | None) -> AsyncIterator[Found]:
    """The log that holds the session that is meant (None: the first there is), started, and the archive beside it: the log
    REDIS_URL names, else the running stack's, else those that stopped ones have left, else the archive alone. It exits with a
    sentence if none does."""
    settings = load()
    seen: list[str] = []
    logs = 0
    if "redis_url" in settings.model_fields_set:
        async with connected(settings) as bus, _with_archive(bus, settings) as kept:
            session = await _meant(kept, given, seen)
            if session is None:
                console.fail(_unknown(given or "", seen), console.USAGE)
            yield Found(kept, session, settings.redis_url)
        return
    stack = running()
    if stack is not None:
        logs += 1
        theirs = as_the_stack(stack, settings) if {"archive_url", "archive_blobs"} & {*stack} else settings
        async with connected(_at(settings, stack["redis_url"])) as bus, _with_archive(bus, theirs) as kept:
            session = await _meant(kept, given, seen)
            if session is not None:
                yield Found(kept, session, stack["redis_url"], stack.get("api_url", ""))
                return
    for folder in _left_behind():
        async with _woken(folder, settings) as woken:
            if woken is None:
                continue
            logs += 1
            session = await _meant(woken.log, given, seen)
            if session is not None:
                yield replace(woken, session=session)
                return
    if archive_of(settings) is not None:
        logs += 1
        async with _with_archive(_Nowhere(), settings) as kept:
            session = await _meant(kept, given, seen)
            if session is not None:
                yield Found(kept, session, "")
                return
    if given is None or (given == LAST and not logs):
        where = f"nothing runs, and {data_folder()} holds none"
        console.fail(f"no log here: {where}; set REDIS_URL, or try: {console.me()} demo")
    console.fail(_unknown(given, seen), console.USAGE)


@asynccontextmanager
async def find_pools() -> "AsyncIterator[Pools]":
    """The log whose workers replay: that REDIS_URL names, else the running stack's. It exits with a sentence if there is none."""
    settings = load()
    if "redis_url" not in settings.model_fields_set:
        stack = running()
        if stack is None:
            me = console.me()
            console.fail(
                f"nothing runs here whose workers could do it; start something: {me} up, or set REDIS_URL",
                console.UNREACHABLE,
            )
        settings = _at(settings, stack["redis_url"])
    async with connected(settings) as log:
        yield log


async def _meant(log: Sessions, given: str | None, seen: list[str]) -> str | None:
    """The session's id, "" if none is asked for; None: it isn't here, and `seen` has those that are."""
    if given is None:
        return ""
    try:
        session = await meant(log, given)
    except Ambiguous as error:
        console.fail(str(error), console.USAGE)
    if session is None:
        seen += await known(log, _SEEN)
    return session


def _unknown(given: str, seen: Sequence[str]) -> str:
    if given == LAST:
        return f"there are no sessions yet; hold one: {console.me()} demo"
    found = near(given, seen)
    perhaps = f"did you mean {' or '.join(found)}? " if found else ""
    what = "session and no file" if given.endswith(".zip") else "session"
    return f'no {what} "{given}"; {perhaps}`{console.me()} sessions` lists those there are'


def _at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"redis_url": url})


def _left_behind() -> list[Path]:
    """Folders of stacks that kept a log, the latest first."""
    kept = [path.parent.parent for path in data_folder().glob(f"*/valkey/{_LEFT}")]
    return sorted(kept, key=lambda folder: (folder / "valkey" / _LEFT).stat().st_mtime, reverse=True)


@asynccontextmanager
async def _woken(folder: Path, settings: Settings) -> AsyncIterator[Found | None]:
    """A stopped stack's log, served for as long as it is read; None while a stack is just using it."""
    occupied = Occupied(folder)
    if not occupied.try_to_take("reading"):
        yield None
        return
    try:
        async with (
            Valkey(folder / "valkey") as server,
            connected(_at(settings, server.url)) as bus,
            _with_archive(bus, settings) as kept,
        ):
            yield Found(kept, "", server.url)
    finally:
        occupied.leave()
