"""Where an imported session lies on its way into an archive or an export file: there need be no log for that."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ops.replay.importing import Exists, Keeping, Ways
from schemas.bus import Outcome, SessionInfo, Snapshot
from schemas.clock import Micros
from schemas.codec import decode_event, encode_event
from schemas.errors import AntiphonError
from schemas.events import Event
from schemas.log import keys

if TYPE_CHECKING:
    from schemas.archive import Archive
    from schemas.archive.store import Follows
    from schemas.session.summary import Summary

__all__ = ["Shelf", "put_away"]


async def put_away(
    shelf: "Shelf",
    archive: "Archive",
    session: str,
    *,
    ways: Ways | None = None,
    follows: "Callable[[Summary], Sequence[Follows]]" = lambda _: (),
) -> None:
    """Into the archive, past the log: hours of sound are nothing for the Redis that calls go by. `follows`: what is to be done
    next with it. ArchiveError: it can't be used; AntiphonError: it takes none of this name."""
    from schemas.archive import Archived, archive_session  # and with them SQLAlchemy: who writes a file waits for none

    if await archive.info(session) is not None:  # it came while this one was read
        raise Exists(session, archive, ways or Ways())
    try:
        outcome = await archive_session(shelf, archive, session, follows=follows, state="coming")
    except BaseException:
        with suppress(AntiphonError, OSError):
            await archive.give_up(session)
        raise
    if outcome is Archived.DELETED:
        raise AntiphonError(f"{session}: a session of this name is being deleted; try again in a minute")
    if outcome is not Archived.DONE:
        raise AntiphonError(
            f"{session}: somebody else takes in a session of this name, and began later; look what became of that one"
        )


class Shelf(Keeping):
    """One session in a folder, on its way into an archive or an export file. `folder`: an empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session = ""
        self._events: list[tuple[str, int, Micros, bytes]] = []
        self._sounds: dict[str, Path] = {}

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        async for page in events:
            self._events += [(event.type, event.seq, event.at, encode_event(event)) for event in page]
        self._session = session
        return Outcome.OK

    async def put_blob(self, session: str, name: str, pcm: bytes) -> str:
        return self._put(keys.blob(0, session, name), pcm)

    async def put_shared_blob(self, session: str, pcm: bytes) -> str:
        return self._put(keys.shared_blob(0, pcm), pcm)

    def _put(self, key: str, pcm: bytes) -> str:
        path = self._sounds.setdefault(key, self._folder / f"{len(self._sounds)}.pcm")
        try:
            path.write_bytes(pcm)
        except OSError as error:
            raise AntiphonError(
                f"{self._folder}: the sound of an import can't be laid there ({error.strerror}); free some space, or name "
                "another place (TMPDIR)"
            ) from None
        return key

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        return Outcome.OK  # the folder goes as a whole

    async def get_blob(self, key: str) -> bytes | None:
        path = self._sounds.get(key)
        return path.read_bytes() if path is not None else None

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        if session != self._session:
            return []
        end = None if count is None else after + count
        return [decode_event(kind, body, seq, at) for kind, seq, at, body in self._events[after:end]]

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        if session != self._session or not self._events:
            return None
        _, seq, at, _ = self._events[-1]
        return SessionInfo(session, 0, seq, "closed", "", 1, 0, Micros(0), at)
