"""What has ended, or should have, is found, archived, tried again, given up."""

import pytest

from ops.jobs.archiving import TRIES, Archiving
from schemas.archive import Archive, Archived
from schemas.archive.store import Superseded
from schemas.errors import BusUnavailable, EventError
from schemas.events import Event
from schemas.log import MemoryBus
from schemas.session.promises import violations
from tests.ops.jobs.conftest import ToldClock
from tests.schemas.archive.calls import call, ended


async def test_each_that_ended_is_noticed_once(log: MemoryBus, archive: Archive) -> None:
    """Whoever is still there is not; what was archived in between is not either."""
    archiving = Archiving(log, archive, "j1")
    await call(log, "open", 1, over=False)
    await ended(log, "s1", 1)
    assert [one.session for one in await archiving.notice()] == ["s1"]
    await archiving.archive("s1")
    assert await archiving.notice() == []


async def test_a_sweep_finds_what_no_hint_told_of(log: MemoryBus, archive: Archive) -> None:
    """Closed sessions nobody noted, pending ones, done ones that the log has not forgotten; each once."""
    for name in ("s1", "s2", "s3"):
        await ended(log, name, 1)
    saved = log.save()
    archiving = Archiving(log, archive, "j1")
    await archive.note(["s2"])
    await archiving.archive("s3")
    log.restore(saved)  # as if its worker had been killed before it told the log
    due = await archiving.sweep()
    assert sorted((one.session, one.state) for one in due) == [("s1", "pending"), ("s2", "pending"), ("s3", "done")]
    for one in due:
        assert await archiving.archive(one.session) is Archived.DONE
    assert await archiving.sweep() == []
    assert await log.touched("closed", 9) == []


async def test_what_was_never_ended_is_ended_and_archived(log: MemoryBus, archive: Archive, clock: ToldClock) -> None:
    """A session whose gateway is long dead, and which nobody has claimed, is closed as such; one whose gateway lives is not."""
    archiving = Archiving(log, archive, "j1", abandoned=300.0)
    await call(log, "left", 1, over=False)
    clock.time += 290
    await call(log, "fresh", 1, over=False)
    assert await archiving.end_abandoned() == []
    clock.time += 20
    assert await archiving.end_abandoned() == ["left"]
    (ended_as,) = [event for event in await log.read("left") if event.type == "session.ended"]
    assert (ended_as.reason, ended_as.by) == ("gateway_lost", "j1")
    assert violations(await log.read("left")) == []
    assert [one.session for one in await archiving.sweep()] == ["left"]
    assert await archiving.archive("left") is Archived.DONE
    info = await log.info("fresh")
    assert info is not None
    assert info.state == "open"


class Failing(MemoryBus):
    """A log that reads nothing: `error` says why."""

    error: Exception | None = None

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        if self.error is not None:
            raise self.error
        return await super().read(session, after, count)


async def test_what_can_never_be_archived_is_given_up_and_kept(archive: Archive) -> None:
    """After some tries, each later than the one before; who mends it has it tried again."""
    log = Failing()
    archiving = Archiving(log, archive, "j1")
    await ended(log, "s1", 1)
    await archiving.notice()
    log.error = EventError("event 3: no type 'x' is known here")
    for wait in (2, 4, 8, 16, 32, 64, 128, 0):
        before = await archive.now()
        assert await archiving.archive("s1") is None
        standing = await archive.standing("s1")
        assert standing is not None
        assert before <= standing.due_at - wait * 1_000_000 <= await archive.now()
    assert (standing.state, standing.failures) == ("failed", TRIES)
    assert "no type 'x'" in standing.error
    assert await archiving.sweep() == []
    assert [one.session for one in await archive.standings("failed")] == ["s1"]
    assert len(await log.closed()) == 1
    log.error = None
    assert await archiving.archive("s1") is Archived.DONE


async def test_what_passes_is_waited_for_as_long_as_it_takes(archive: Archive) -> None:
    """A log that is away is nobody's failure."""
    log = Failing()
    archiving = Archiving(log, archive, "j1")
    await ended(log, "s1", 1)
    await archiving.notice()
    log.error = BusUnavailable("the log does not answer")
    for _ in range(3 * TRIES):
        assert await archiving.archive("s1") is None
    standing = await archive.standing("s1")
    assert standing is not None
    assert standing.state == "pending"
    assert standing.due_at - await archive.now() <= 601 * 1_000_000
    log.error = None
    assert await archiving.archive("s1") is Archived.DONE


async def test_a_surprise_fails_one_session_only(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and tried again as all else."""
    log = Failing()
    archiving = Archiving(log, archive, "j1")
    await ended(log, "s1", 1)
    log.error = ZeroDivisionError("surprise")
    await archive.note(["s1"])
    assert await archiving.archive("s1") is None
    assert "surprise" in caplog.text
    standing = await archive.standing("s1")
    assert standing is not None
    assert (standing.state, "surprise" in standing.error) == ("pending", True)


async def test_a_log_that_let_go_too_early_is_told(log: MemoryBus, archive: Archive) -> None:
    """What can't be archived any more is no endless job."""
    await archive.note(["s1"])
    assert await Archiving(log, archive, "j1").archive("s1") is Archived.GONE
    standing = await archive.standing("s1")
    assert standing is not None
    assert (standing.state, standing.error) == ("failed", "the log let go of it before it was archived")


async def test_what_is_left_of_an_import_that_was_killed_goes(log: MemoryBus, archive: Archive) -> None:
    """It is nobody's lost call: once it is silent for a minute it is cleared away, and whoever still writes it is refused. A call
    of this name that the log has is archived all the same."""
    archiving = Archiving(log, archive, "j1")
    for name in ("theirs", "s1"):
        attempt = await archive.begin(name, "coming")
        assert attempt is not None
        await archive.put(attempt, 1, [], None, [], 0)
    await ended(log, "s1", 1)
    assert await archiving.sweep() == []
    async with archive.writing() as connection:
        await connection.exec_driver_sql("update sessions set due_at = 0")
    assert sorted((one.session, one.state) for one in await archiving.sweep()) == [
        ("s1", "coming"),
        ("theirs", "coming"),
    ]
    assert await archiving.archive("theirs") is Archived.GONE
    assert await archive.standing("theirs") is None
    assert await archiving.archive("s1") is Archived.DONE
    with pytest.raises(Superseded):
        await archive.put(attempt, 1, [], None, [], 0)
    assert (await archive.amount()).sessions == {"done": 1}
