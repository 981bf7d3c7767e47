"""Archives of earlier programs, brought up to date."""

from pathlib import Path

from sqlalchemy import select, text

from schemas.archive import Archive, archive_session, open_archive
from schemas.archive._revisions import HEAD
from schemas.archive._tables import CHUNKS, SESSIONS, SNAPSHOTS, SOUNDS
from schemas.archive.upgrade import bring_up_to_date
from schemas.log import MemoryBus
from tests.schemas.archive.calls import ended

SINCE = {"gist", "topics", "restarts", "variant", "fields", "result", "result_error"}
"""Columns that the first one had not."""


async def test_an_archive_of_the_first_step(log: MemoryBus, url: str, tmp_path: Path) -> None:
    """Its sessions are read as before, and what has come since is empty."""
    was, sound = await ended(log, "s1"), str(tmp_path / "sound")
    rows = {}
    async with open_archive(f"sqlite:///{tmp_path / 'new.sqlite'}", sound, upgrade=True) as new:
        await archive_session(log, new, "s1")
        async with new._database.reading() as connection:
            for table in (SESSIONS, CHUNKS, SNAPSHOTS, SOUNDS):
                columns = [column for column in table.c if column.name not in SINCE]
                found = await connection.execute(select(*columns))
                rows[table.name] = (columns, [dict(row._mapping) for row in found])
    old = Archive(url, sound)
    if (file := old._database.file) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    async with old._database.writing() as connection:
        await connection.run_sync(bring_up_to_date, "r0001")
        for name, (columns, values) in rows.items():
            quoted = ", ".join(f'"{column.name}"' for column in columns)
            given = ", ".join(f":{column.name}" for column in columns)
            await connection.execute(text(f"insert into {name} ({quoted}) values ({given})"), values)
    assert await old.upgrade() == "r0001"
    await old.check()
    assert await old._database.revision() == HEAD
    assert await old.read("s1") == was.events
    row = await old.told("s1")
    assert row is not None
    assert (row.told.gist, row.told.topics) == ("", ())
    assert (row.told.variant, row.told.fields, row.told.result, row.told.result_error) == ("", {}, None, "")
    assert await old.memories() == []
    assert [await old.gist("s1"), await old.recording("s1"), await old.follow_ups()] == [None, None, []]
    await old.aclose()
