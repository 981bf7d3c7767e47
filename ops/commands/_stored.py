"""What the commands that replay share: a session is a file, or one of the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._looking import read

if TYPE_CHECKING:
    from ops.reading import Sessions
    from ops.replay.check import Stored

Named = Annotated[
    str,
    typer.Argument(
        metavar="SESSION", help="A session's id, the beginning of it, `last`; or a file: events, an export."
    ),
]


def stored(given: str) -> "Stored":
    """The session of a file, or of the log. StoredError; it exits with a sentence where no log has it."""
    from ops.replay.check import SUFFIXES, read_stored

    path = Path(given)
    if path.exists() or path.suffix in SUFFIXES or "/" in given:
        return read_stored(path)
    return read(given, _kept)


async def _kept(log: "Sessions", session: str) -> "Stored":
    from ops.replay.check import Stored
    from schemas.errors import EventError
    from schemas.session.fold import FOLD_VERSION
    from schemas.session.history import events_of
    from schemas.session.snapshot import load

    events = [event async for event in events_of(log, session)]
    found = await log.snapshot(session)
    snapshot = None
    if found is not None and found.version == FOLD_VERSION:
        try:
            snapshot = load(found.state)
        except EventError:
            snapshot = None  # who needs one folds the log instead
    return Stored(session, events, snapshot=snapshot)
