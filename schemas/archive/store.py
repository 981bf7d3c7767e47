"""The durable store of sessions that are over: `async with open_archive(url, blobs) as archive:`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.archive._database import Database
from schemas.archive._following import FollowState, FollowsUp, FollowUp
from schemas.archive._keeping import Amount, Erasure, Keeps, Kind, Removed
from schemas.archive._objects import MEMORY, Objects
from schemas.archive._reading import Order, PageEnd, Reads, Remembered, Sound, StoredRecording, is_ours
from schemas.archive._writing import (
    Attempt,
    FollowKind,
    Follows,
    Standing,
    State,
    Superseded,
    Whole,
    follow_kind,
    follow_up_id,
)

__all__ = [
    "MEMORY",
    "Amount",
    "Archive",
    "Attempt",
    "Erasure",
    "FollowKind",
    "FollowState",
    "FollowUp",
    "Follows",
    "Kind",
    "Order",
    "PageEnd",
    "Remembered",
    "Removed",
    "Sound",
    "Standing",
    "State",
    "StoredRecording",
    "Superseded",
    "Whole",
    "follow_kind",
    "follow_up_id",
    "is_ours",
    "open_archive",
]


class Archive(Reads, Keeps, FollowsUp):
    """Sessions as a database and an object store keep them. It is read as the log is (`schemas.session.listing.Kept`); only who
    archives writes. `patience`: seconds a writer waits for another one."""

    def __init__(self, url: str, blobs: str, *, patience: float = 10.0) -> None:
        Reads.__init__(self)
        self._database = Database(url, patience=patience)
        self._objects = Objects(blobs)

    @property
    def place(self) -> str:
        """Of its database, with its password: not to be shown."""
        return self._database.url

    @property
    def files(self) -> list[Path]:
        """What of it lies on this machine: its database's file, the folder of its sound."""
        return [path for path in (self._database.file, self._objects.folder) if path is not None]

    async def check(self) -> None:
        """ArchiveOutdated, ArchiveTooNew: its tables are not those of this program; ArchiveError: it can't be reached."""
        await self._database.check()

    async def upgrade(self) -> str | None:
        """Bring its tables up to date; answers the revision they were at, None: there were none."""
        return await self._database.upgrade()

    async def copy_database(self, file: Path) -> None:
        """As it is now, into a file that isn't there yet. ArchiveDenied: it is PostgreSQL's, which has tools of its own."""
        await self._database.copy(file)

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction, for who measures or mends."""
        return self._database.writing()

    async def analyze(self) -> None:
        """Have the database look at its tables, so that it knows which index is worth while."""
        async with self._database.writing() as connection:
            await connection.exec_driver_sql("analyze")

    async def aclose(self) -> None:
        await self._database.aclose()

    async def _fetch(self, query: str, **values: Any) -> Sequence[Any]:
        return await self._database.fetch(query, **values)

    def _has(self, name: str, part: str) -> tuple[str, str]:
        return self._database.has(name, part)


@asynccontextmanager
async def open_archive(
    url: str, blobs: str, *, upgrade: bool = False, patience: float = 10.0
) -> AsyncIterator[Archive]:
    """`url`: sqlite:///file or postgresql://…; `blobs`: a folder, s3://bucket/prefix, or memory://; `upgrade`: make its tables,
    or bring them up to date, as only who archives does. ArchiveError: why it can't be used; SettingsError: it is no such
    address."""
    archive = Archive(url, blobs, patience=patience)
    try:
        await (archive.upgrade() if upgrade else archive.check())
        yield archive
    finally:
        await archive.aclose()
