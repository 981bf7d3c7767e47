"""What is replayed, and by whom: a session of a log, an archive or a file, and the log whose workers do it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops import console
from ops.reading._files import find_kept
from ops.stack.here import running
from schemas.archive.both import Nothing
from schemas.bus import Reading
from schemas.config.settings import load
from schemas.events import Event
from schemas.log import connected
from schemas.session.history import events_of

if TYPE_CHECKING:
    from ops.replay.stages import Pools

__all__ = ["Recorded", "find_pools", "find_recorded"]

_LINES = ".jsonl"


@dataclass(frozen=True, slots=True)
class Recorded:
    """`source`: where its sounds are; `session`: its id, or what its file is called."""

    source: Reading
    session: str
    events: Sequence[Event]


@asynccontextmanager
async def find_recorded(given: str) -> AsyncIterator[Recorded]:
    """The session that is meant, by id or file. It exits with a sentence if there is none; StoredError, ExportError: it can't be
    read."""
    path = Path(given)
    if path.suffix == _LINES:
        from ops.replay.check import read_stored

        yield Recorded(Nothing(), path.stem, read_stored(path).events)  # of events alone there is no sound
        return
    async with find_kept(given) as kept:
        yield Recorded(kept.log, kept.session, [event async for event in events_of(kept.log, kept.session)])


@asynccontextmanager
async def find_pools() -> "AsyncIterator[Pools]":
    """The log that REDIS_URL names, else that of the stack running here. It exits with a sentence if there is none."""
    settings = load()
    if "redis_url" not in settings.model_fields_set:
        stack = running()
        if stack is None:
            me = console.me()
            console.fail(
                f"nothing runs here whose workers could do it; start something: {me} up, or set REDIS_URL",
                console.UNREACHABLE,
            )
        settings = settings.model_copy(update={"redis_url": stack["redis_url"]})
    async with connected(settings) as log:
        yield log
