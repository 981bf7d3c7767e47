"""The archive's database: SQLite or PostgreSQL by URL, its transactions, and whether its tables are those this program knows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from schemas.archive._reading import glob
from schemas.archive._revisions import HEAD, KNOWN, agree
from schemas.archive._troubles import database
from schemas.config.settings import without_password
from schemas.errors import (
    ArchiveDenied,
    ArchiveLocked,
    ArchiveUnavailable,
    SettingsError,
)

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_LOCK_FOR = 10.0
"""Seconds that a writer waits for another one."""
_UPGRADING = 7_201_012
"""PostgreSQL's advisory lock of whoever brings the tables up to date."""


def url_of(given: str) -> URL:
    """With the driver of ours. SettingsError: it is none we know."""
    try:
        url = make_url(given)
    except ArgumentError:
        raise SettingsError(f"ARCHIVE_URL={without_password(given)}: expected {EXPECTED}") from None
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise SettingsError(f"ARCHIVE_URL={without_password(given)}: expected {EXPECTED}")
    return url.set(drivername=driver)


EXPECTED = "sqlite:///folder/archive.sqlite or postgresql://user:password@host/database"


_PRAGMAS = (
    "synchronous=FULL",  # what is told done is on the disk
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is overwritten
    "mmap_size=268435456",
)


class Database:
    """`writing()` and `reading()` are transactions; whatever goes wrong within comes out as an ArchiveError."""

    def __init__(self, given: str, *, patience: float = _LOCK_FOR) -> None:
        self.url, self._patience = given, patience
        self._url = url_of(given)
        self.is_sqlite = self._url.drivername.startswith("sqlite")
        options: dict[str, Any] = {"connect_args": {"timeout": patience}}
        if not self.is_sqlite:
            options |= {"pool_size": 4, "max_overflow": 4, "pool_pre_ping": True, "pool_timeout": patience}
        self._engine: AsyncEngine = create_async_engine(self._url, **options)
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        self._writing = self._engine.execution_options(
            antiphon_write=True
        )  # not before: it knows only the events there are

    def insert(self, table: Table) -> Any:
        """The database's own kind, which knows what to do about a row that is there already."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def has(self, name: str, part: str) -> tuple[str, str]:
        """That a session's indexed names have `part` in them, in the way in which the database finds that fastest: SQL, and the
        value that it calls `name`."""
        return glob(name, part) if self.is_sqlite else (f"strpos(found, :{name}) > 0", part)

    @property
    def file(self) -> Path | None:
        """Of SQLite; None: there is none."""
        name = self._url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        with database(self.url):
            async with self._engine.connect() as connection:
                yield connection

    async def fetch(self, query: str, **values: object) -> Sequence[Any]:
        """The rows of one query, `:name`s in it for values."""
        async with self.reading() as connection:
            return (await connection.execute(text(query), values)).all()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """All of it, or nothing."""
        with database(self.url):
            async with self._writing.begin() as connection:
                yield connection

    async def scrub(self) -> None:
        """What was deleted stands nowhere in SQLite's files any more. (PostgreSQL's autovacuum sees to it in its own time.)"""
        if not self.is_sqlite:
            return
        with database(self.url):
            async with self._engine.execution_options(antiphon_plain=True).connect() as connection:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def copy(self, file: Path) -> None:
        """One moment of it, whole, while it is used. ArchiveDenied: PostgreSQL is copied by `pg_dump`."""
        if not self.is_sqlite:
            raise ArchiveDenied(
                f"ARCHIVE_URL={without_password(self.url)}: PostgreSQL is backed up with pg_dump (docs/operating/archive.md)"
            )
        with database(self.url):
            async with self._engine.execution_options(antiphon_plain=True).connect() as connection:
                await connection.exec_driver_sql("VACUUM INTO ?", (str(file),))

    async def aclose(self) -> None:
        await self._engine.dispose()

    async def revision(self) -> str | None:
        """Of its tables; None: there are none."""
        if (file := self.file) is not None and not file.exists():
            return None
        async with self.reading() as connection:
            return await connection.run_sync(_revision)

    async def check(self) -> None:
        """ArchiveOutdated, ArchiveTooNew: its tables are not those of this program."""
        agree(await self.revision(), self.url)

    async def upgrade(self) -> str | None:
        """Bring the tables up to date, one process at a time; answers what they were at. ArchiveTooNew."""
        from schemas.archive.upgrade import bring_up_to_date

        if (file := self.file) is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise ArchiveUnavailable(
                    f"ARCHIVE_URL={without_password(self.url)}: {file.parent} can't be made ({error.strerror}); name another"
                ) from None
        if self.is_sqlite:
            await self._let_readers_read()
        async with self.writing() as connection:
            if not self.is_sqlite:
                await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _UPGRADING})
            before = await connection.run_sync(_revision)
            if before is not None and before not in KNOWN:
                agree(before, self.url)
            if before != HEAD:
                await connection.run_sync(bring_up_to_date)
        return before

    async def _let_readers_read(self) -> None:
        """While somebody writes (WAL). The file remembers it; whoever changes that waits for nobody, so it is tried again."""
        end = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                with database(self.url):
                    async with self._engine.execution_options(antiphon_plain=True).connect() as connection:
                        await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except ArchiveLocked:
                if asyncio.get_running_loop().time() > end:
                    raise
            await asyncio.sleep(0.02)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("select version_num from alembic_version")).scalar()
    return None if found is None else str(found)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = (
        None  # transactions are begun by us: else a reader that begins to write is refused at once
    )
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("antiphon_plain"):
        return
    write = options.get("antiphon_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
