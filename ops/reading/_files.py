"""Sessions that a person names at the command line, in a log or in a file: whoever reads them need not know which."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops import console
from ops.reading._logs import Sessions, find_log
from ops.reading._names import Ambiguous, meant
from schemas.bus import Reading
from schemas.errors import AntiphonError
from schemas.session.listing import Kept

if TYPE_CHECKING:
    from ops.replay.check import Stored

_EXPORT, _EVENTS = ".zip", ".jsonl"


class NoFile(AntiphonError):
    """There is none of that name."""

    exit_code = console.USAGE


@dataclass(frozen=True, slots=True)
class FoundKept:
    """`session`: the id; `log`: where it is kept; `name`: what it was called by whoever asked for it."""

    log: Kept
    session: str
    name: str


def file_of(given: str) -> Path | None:
    """The file that is meant; None: a session is, by its id. A file's name begins with a folder's, or ends in `.jsonl`, or is
    that of a `.zip` that is there."""
    path = Path(given)
    if os.sep in given or path.suffix == _EVENTS or (path.suffix.lower() in (_EXPORT, _EVENTS) and path.exists()):
        return path
    return None


@asynccontextmanager
async def find_kept(given: str, *, sounds: Reading | None = None) -> AsyncIterator[FoundKept]:
    """The session that is meant, by its id or by its file: an export, or one of events (a replay's fork), whose sounds `sounds`
    may have. NoFile; ExportError, StoredError: the file can't be read, or is not as it was written; it exits with a sentence if
    no log has such a session."""
    path = file_of(given)
    if path is None:
        async with find_log(given) as found:
            yield FoundKept(found.log, found.session, given)
        return
    if path.suffix.lower() == _EVENTS:
        from ops.replay.events_file import EventsFile

        events = EventsFile(path, sounds)
        yield FoundKept(events, events.session, given)
        return
    from schemas.session.export import open_export

    with open_export(_there(path)) as file:
        yield FoundKept(file, file.session, given)


async def find_stored(given: str) -> "Stored":
    """The same, every event of it, with the state that stands beside the file, or that the log keeps. NoFile, StoredError; it
    exits with a sentence if no log has such a session."""
    from ops.replay.check import Stored, read_stored
    from schemas.errors import EventError
    from schemas.session.fold import FOLD_VERSION
    from schemas.session.history import events_of
    from schemas.session.snapshot import load

    if (path := file_of(given)) is not None:
        return read_stored(path if path.suffix.lower() == _EVENTS else _there(path))
    async with find_log(given) as found:
        events = [event async for event in events_of(found.log, found.session)]
        kept = await found.log.snapshot(found.session)
    snapshot = None
    if kept is not None and kept.version == FOLD_VERSION:
        try:
            snapshot = load(kept.state)
        except EventError:
            snapshot = None  # who needs one folds the log instead
    return Stored(found.session, events, snapshot=snapshot)


def _there(path: Path) -> Path:
    if not path.exists():
        raise NoFile(f"{path}: there is no such file")
    return path


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
