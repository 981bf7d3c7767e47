"""Which archived sessions there are: filtered and paged as those of a log are."""

import itertools
from pathlib import Path

import pytest

from schemas.archive import Archive, archive_session, open_archive
from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.errors import ArchiveUnavailable
from schemas.events import ParticipantJoined, SessionEnded, SessionStarted
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
]


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
            query = _page(wanted, 50, (10**15, "x"), order, archive._database.has)  # type: ignore[arg-type]
            async with archive._database.reading() as connection:
                compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
                plan = [row[3] for row in await connection.exec_driver_sql(f"explain query plan {compiled}")]
            assert not [step for step in plan if step.startswith("SCAN sessions") and "INDEX" not in step], plan
