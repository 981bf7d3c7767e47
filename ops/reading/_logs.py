"""Which log to read: the one REDIS_URL names, that of the stack running here, or one a stopped stack has left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ops import console
from ops.stack.embedded.valkey import Valkey
from ops.stack.here import data_folder, running
from ops.stack.occupied import Occupied
from schemas.bus import Listing, Reading
from schemas.config.settings import Settings, load
from schemas.log import connected

_LEFT = "appendonlydir"


class Sessions(Reading, Listing, Protocol):
    """Sessions, and which there are."""


@dataclass(frozen=True, slots=True)
class Found:
    """`url`: of the log; `api_url`: of the stack that runs over it, where one does and has an API."""

    log: Sessions
    url: str
    api_url: str = ""


@asynccontextmanager
async def log_of(session: str | None) -> AsyncIterator[Sessions]:
    """The log that holds `session` (None: the first there is), started; it exits with a sentence if none does."""
    async with find_log(session) as found:
        yield found.log


@asynccontextmanager
async def find_log(session: str | None) -> AsyncIterator[Found]:
    """The same, and where it is."""
    settings = load()
    if "redis_url" in settings.model_fields_set:
        async with connected(settings) as bus:
            await _require(bus, session, settings.redis_url)
            yield Found(bus, settings.redis_url)
        return
    stack = running()
    if stack is not None:
        async with connected(_at(settings, stack["redis_url"])) as bus:
            if session is None or await bus.info(session) is not None:
                yield Found(bus, stack["redis_url"], stack.get("api_url", ""))
                return
    for folder in _left_behind():
        async with _woken(folder, settings) as woken:
            if woken is not None and (session is None or await woken.log.info(session) is not None):
                yield woken
                return
    if session is None:
        where = f"nothing runs, and {data_folder()} holds none"
        console.fail(f"no log here: {where}; set REDIS_URL, or try: {console.me()} demo")
    console.fail(_unknown(session), console.USAGE)


async def _require(bus: Reading, session: str | None, where: str) -> None:
    if session is not None and await bus.info(session) is None:
        console.fail(_unknown(session), console.USAGE)


def _unknown(session: str) -> str:
    return f'no session "{session}"; `{console.me()} sessions` lists those there are'


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
        async with Valkey(folder / "valkey") as server, connected(_at(settings, server.url)) as bus:
            yield Found(bus, server.url)
    finally:
        occupied.leave()
