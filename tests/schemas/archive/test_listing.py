"""Which archived sessions there are: filtered and paged as those of a log are."""

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from schemas.archive import Archive, archive_session, open_archive
from schemas.archive._sqlite import ReadOnly
from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.errors import ArchiveDenied, ArchiveOutdated, ArchiveTooNew, ArchiveUnavailable
from schemas.events import Event, ParticipantJoined, SessionEnded, SessionStarted, audio_of
from schemas.log import MemoryBus
from schemas.session.listing import Row, Rows
from schemas.session.summary import Wanted, names_of
from tests.schemas.archive.calls import ended


async def _many(log: MemoryBus) -> None:
    for number in range(12):
        start = SessionStarted(
            room=f"room-{number % 5}", transport="websocket" if number % 2 else "sip", gateway="g",
            agent=AgentSpec(name=("shop", "desk")[number % 3 == 0]),
        )  # fmt: skip
        who = ParticipantJoined(participant=f"+49{number}", name=("Ann_100%", "Bob\x00", "Ünal")[number % 3])
        await log.open(f"m{number:02}", "g", "q", [start, who])
        reason = "error" if number == 7 else "hang_up"
        await log.close(f"m{number:02}", 1, Publication(1, [SessionEnded(reason=reason)]))
    crowd = [
        ParticipantJoined(participant=f"guest-{number}", name=f"Guest [{number}]* of many") for number in range(40)
    ]
    start = SessionStarted(room="hall", transport="memory", gateway="g", agent=AgentSpec())
    await log.open("crowd", "g", "q", [start, *crowd])
    await log.close("crowd", 1, Publication(1, [SessionEnded(reason="hang_up")]))
    await ended(log, "spoken", 2)

    async def replayed() -> AsyncIterator[Sequence[Event]]:
        yield await log.read("m03")

    await log.take_in("fork-m03-a1b2c3", replayed())


WANTED = [
    Wanted(),
    Wanted(agent="desk"),
    Wanted(agent="shop", transport="sip"),
    Wanted(failed=True),
    Wanted(failed=False, text="room-2"),
    Wanted(caller="ann_100%"),
    Wanted(caller="ann"),
    Wanted(caller="_"),
    Wanted(caller="ünal"),
    Wanted(text="m0"),
    Wanted(text="hall"),
    Wanted(text="guest [39]* of"),
    Wanted(caller="guest [3"),
    Wanted(caller="hall"),
    Wanted(caller="?"),
    Wanted(slow=0.000001),
    Wanted(state="closed"),
    Wanted(state="open"),
    Wanted(forks=True),
    Wanted(forks=False, agent="desk"),
]


async def test_python_alone_reads_sqlite_as_it_is_read_otherwise(tmp_path: Path, log: MemoryBus) -> None:
    """Commands look without SQLAlchemy: sessions, events, folds, sounds, what was made of them, and mistakes are the same."""
    url, sound = f"sqlite:///{tmp_path / 'a b.sqlite'}", str(tmp_path / "sound")
    await _many(log)
    names = [info.session for info in await log.closed(100)]
    sounds = {ref.key: await log.get_blob(ref.key) for event in await log.read("spoken") for ref in audio_of(event)}
    async with open_archive(url, sound, upgrade=True) as whole:
        for name in names:
            await archive_session(log, whole, name)
        plain = ReadOnly(url, sound)
        await plain.check()
        for wanted, order in itertools.product([*WANTED, Wanted(since=1)], ["began", "active"]):
            for before in (None, (10**15, "m03")):
                found, same = [await one.recalled(wanted, 5, before, order) for one in (plain, whole)]  # type: ignore[arg-type]
                assert [(row.told, row.info) for row in found] == [(row.told, row.info) for row in same]
        for name in (*names, "nobody"):
            for reads in (
                lambda one, name=name: one.info(name),
                lambda one, name=name: one.read(name),
                lambda one, name=name: one.read(name, 2, 3),
                lambda one, name=name: one.snapshot(name),
                lambda one, name=name: one.snapshot_before(name, 1),
                lambda one, name=name: one.sounds(name),
                lambda one, name=name: one.gist(name),
                lambda one, name=name: one.recording(name),
            ):
                assert await reads(plain) == await reads(whole)
        assert {key: await plain.get_blob(key) for key in sounds} == sounds
        assert all(sounds.values())
        assert await plain.closed(7) == await whole.closed(7)
        assert await plain.touched("closed", 7) == await whole.touched("closed", 7)
        async with whole.writing() as connection:
            await connection.exec_driver_sql("update alembic_version set version_num = 'r9999'")
        for one in (plain, whole):
            with pytest.raises(ArchiveTooNew, match="its tables are at r9999"):
                await one.check()
    (tmp_path / "none.sqlite").write_bytes(b"no database, but long enough for a head of one" * 40)
    with pytest.raises(ArchiveDenied, match="there is no database of ours"):
        await ReadOnly(f"sqlite:///{tmp_path / 'none.sqlite'}", sound).check()
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(ArchiveOutdated, match="there is no archive yet"):
        await ReadOnly(f"sqlite:///{tmp_path / 'empty.sqlite'}", sound).check()


@pytest.mark.parametrize("order", ["began", "active"])
async def test_filters_and_pages_are_what_a_summary_says(archive: Archive, log: MemoryBus, order: str) -> None:
    """Whatever is wanted, page by page, is what the same sessions' summaries out of the log have, in order."""
    await _many(log)
    rows = [row async for row in Rows(log).each()]
    begins = sorted(row.told.started_at for row in rows)[6]
    for row in rows:
        await archive_session(log, archive, row.told.session)

    def place(row: Row) -> tuple[int, str]:
        return (row.told.started_at if order == "began" else row.info.last_activity, row.told.session)

    for wanted in [*WANTED, Wanted(since=begins)]:
        expected = [
            row.told for row in sorted(rows, key=place, reverse=True) if wanted.finds(row.told, names_of(row.told))
        ]
        found: list[Row] = []
        while page := await archive.recalled(wanted, 5, place(found[-1]) if found else None, order):  # type: ignore[arg-type]
            found += page
        assert [row.told for row in found] == expected, wanted
    spoken = next(row for row in rows if row.told.session == "spoken")
    (recalled,) = await archive.recalled(Wanted(text="spoken"), 5)
    assert tuple(recalled.answers) == tuple(spoken.answers)
    assert len(recalled.answers) == 2
    assert recalled.told.view() == spoken.told.view()


async def test_an_answer_took_as_long_as_is_told(archive: Archive, log: MemoryBus) -> None:
    """What was rounded up to be told is found by what was told."""
    await ended(log, "spoken", 1)
    await archive_session(log, archive, "spoken")
    async with archive.writing() as connection:
        await connection.exec_driver_sql("update sessions set worst = 1.239961")
    for slow, there in ((1.2399, 1), (1.24, 1), (1.2401, 0), (1.241, 0)):
        assert len(await archive.recalled(Wanted(slow=slow), 1)) == there


async def test_a_list_without_an_archive_that_answers_is_the_logs(log: MemoryBus) -> None:
    """What the log has is told, and why the rest is not."""
    from schemas.archive.both import Both

    await ended(log, "s1", 1)

    async def away() -> None:
        raise ArchiveUnavailable("the archive does not answer; is it up?")

    rows = Rows(Both(log, away))  # type: ignore[arg-type]
    assert [row.told.session async for row in rows.each()] == ["s1"]
    assert rows.unreadable == {"the archive": "the archive does not answer; is it up?"}


async def test_a_list_is_found_in_an_index(tmp_path: Path, log: MemoryBus) -> None:
    """No page of a list reads the whole table."""
    from schemas.archive._reading import _page

    async with open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}", "memory://", upgrade=True) as archive:
        for wanted, order in itertools.product(
            [Wanted(), Wanted(agent="a"), Wanted(failed=True), Wanted(text="x")], ["began", "active"]
        ):
            query, values = _page(wanted, 50, (10**15, "x"), order, archive._has)  # type: ignore[arg-type]
            plan = [row.detail for row in await archive._fetch(f"explain query plan {query}", **values)]
            assert not [step for step in plan if step.startswith("SCAN sessions") and "INDEX" not in step], plan
