"""An archive in SQLite, read by Python's own module: SQLAlchemy takes longer to load than all that is read for a command."""

import asyncio
import sqlite3
from collections import namedtuple
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.archive._reading import Reads, glob
from schemas.archive._revisions import agree
from schemas.archive._troubles import database

if TYPE_CHECKING:
    from schemas.archive._objects import Objects

__all__ = ["ReadOnly"]

_PATIENCE = 10.0
"""Seconds that whoever reads waits for somebody who has the file for themselves."""


class ReadOnly(Reads):
    """Of a `sqlite:///` URL whose file is there, by its plain path. Each query has a connection of its own, in a thread."""

    def __init__(self, url: str, blobs: str) -> None:
        super().__init__()
        self._url, self._blobs = url, blobs

    @cached_property
    def _objects(self) -> "Objects":  # type: ignore[override]  # who reads no sound loads nothing for it
        from schemas.archive._objects import Objects

        return Objects(self._blobs)

    async def check(self) -> None:
        """ArchiveOutdated, ArchiveTooNew: its tables are not those of this program; ArchiveError: it can't be read."""
        there = "select name from sqlite_master where name = 'alembic_version'"
        found = await self._fetch("select version_num from alembic_version") if await self._fetch(there) else ()
        agree(str(found[0].version_num) if found else None, self._url)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _fetch(self, query: str, **values: object) -> Sequence[Any]:
        with database(self._url):
            return await asyncio.to_thread(self._rows, query, values)

    def _rows(self, query: str, values: dict[str, object]) -> list[Any]:
        place = Path(self._url.partition(":///")[2]).absolute().as_uri()
        with closing(sqlite3.connect(f"{place}?mode=rw", uri=True, timeout=_PATIENCE)) as connection:
            found = connection.execute(query, values)
            row = namedtuple("Row", [column[0] for column in found.description])  # type: ignore[misc]
            return [row(*one) for one in found]

    def _has(self, name: str, part: str) -> tuple[str, str]:
        return glob(name, part)
