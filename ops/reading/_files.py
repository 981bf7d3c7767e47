"""Sessions that a person names at the command line, in a log or in an export file: whoever reads them need not know which."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops import console
from ops.reading._logs import Sessions, find_log
from ops.reading._names import Ambiguous, meant
from schemas.bus import Reading
from schemas.session.listing import Kept

_EXPORT, _EVENTS = ".zip", ".jsonl"


@dataclass(frozen=True, slots=True)
class FoundKept:
    """`session`: the id; `log`: where it is kept; `name`: what it was called by whoever asked for it."""

    log: Kept
    session: str
    name: str


def file_of(given: str) -> Path | None:
    """The file that is meant; None: a session is, by its id. A file's name ends in `.zip` or `.jsonl`, or begins with a
    folder's."""
    path = Path(given)
    if os.sep in given or (path.suffix.lower() in (_EXPORT, _EVENTS) and path.exists()):
        return path
    return None


@asynccontextmanager
async def find_kept(given: str, *, sounds: Reading | None = None) -> AsyncIterator[FoundKept]:
    """The session that is meant, by its id or by its file: an export, or one of events (a replay's fork), whose sounds `sounds`
    may have. It exits with a sentence if there is none; ExportError, StoredError: the file can't be read, or is not as it was
    written."""
    path = file_of(given)
    if path is None:
        async with find_log(given) as found:
            yield FoundKept(found.log, found.session, given)
        return
    if not path.exists():
        console.fail(f"{path}: there is no such file", console.USAGE)
    if path.suffix.lower() == _EVENTS:
        from ops.replay.events_file import EventsFile

        events = EventsFile(path, sounds)
        yield FoundKept(events, events.session, given)
        return
    from schemas.session.export import open_export

    with open_export(path) as file:
        yield FoundKept(file, file.session, given)


@asynccontextmanager
async def find_two(first: str, second: str) -> AsyncIterator[tuple[FoundKept, FoundKept]]:
    """Both, from one log where it has both: that of a stopped stack can be read by one at a time."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(find_kept(first))
        if file_of(first) is None and file_of(second) is None:
            other = await _beside(one.log, second)
            if other is not None:
                yield one, FoundKept(one.log, other, second)
                return
        if file_of(first) is None or Path(first).suffix.lower() != _EVENTS:
            yield one, await stack.enter_async_context(find_kept(second, sounds=one.log))
            return
        other_one = await stack.enter_async_context(find_kept(second))
        yield await stack.enter_async_context(find_kept(first, sounds=other_one.log)), other_one


async def _beside(log: Kept, given: str) -> str | None:
    """Another session of the same log. None: it is not there, or several are meant, which is told where it is looked for."""
    named: Sessions = log  # type: ignore[assignment]  # by an id one is found in a log
    try:
        return await meant(named, given)
    except Ambiguous:
        return None
