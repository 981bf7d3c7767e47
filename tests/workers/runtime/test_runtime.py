"""What the stage runtime promises, in virtual time on the in-memory log."""

import asyncio
import logging
import re
from collections.abc import Sequence

import pytest

from schemas.bus import Outcome
from schemas.errors import Permanent, Transient
from schemas.events import StageFailed
from tests.workers.runtime.pool import Line, Pool, ScriptedStage, fact, llm_job, stt_job, takes
from workers._stage import Work
from workers.testing import LoopClock, virtually


def now() -> float:
    return LoopClock().now()


# ── taking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_lone_job_starts_at_once() -> None:
    """A lone job is run the moment it is enqueued, also by a stage that batches."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(0.1), batch=8)
        pool.start(stage)
        await asyncio.sleep(1.03)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(1)
        assert stage.runs == [(pytest.approx(1.03), ["a/llm/1.0"])]
        assert len(await pool.events("a", "transcript.final")) == 1


@virtually
async def test_waiting_jobs_of_different_sessions_are_one_batch() -> None:
    """Jobs of different sessions that wait while a batch computes are run together, up to the batch size."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(1.0), batch=4)
        pool.start(stage)
        await pool.session("first", llm_job("first"))
        await asyncio.sleep(0.5)
        for number in range(6):
            await pool.session(f"s{number}", llm_job(f"s{number}"))
        await asyncio.sleep(5)
        assert [len(jobs) for _, jobs in stage.runs] == [1, 4, 2]


@virtually
async def test_takes_no_more_than_it_can_run() -> None:
    """A busy worker leaves jobs in the log, where an idle one finds them."""
    async with Pool() as pool:
        busy, idle = ScriptedStage(takes(5.0), slots=2), ScriptedStage(takes(5.0), slots=3)
        pool.start(busy)
        for number in range(5):
            await pool.session(f"s{number}", llm_job(f"s{number}"))
        await asyncio.sleep(0.5)
        assert len(busy.runs) == 2
        pool.start(idle)
        await asyncio.sleep(0.5)
        assert len(idle.runs) == 3


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
@pytest.mark.parametrize("lease", [1.0, 2.0, 8.0])
async def test_lease_is_renewed_while_the_stage_works(lease: float) -> None:
    """A job that takes five leases is run once, though others look for work all the while."""
    async with Pool(lease) as pool:
        first, second = ScriptedStage(takes(5 * lease)), ScriptedStage(takes(0.1))
        pool.start(first)
        await pool.session("a", llm_job("a", deadline=10 * lease))
        await asyncio.sleep(0.1)
        pool.start(second)
        await asyncio.sleep(6 * lease)
        assert (len(first.runs), len(second.runs)) == (1, 0)
        assert len(await pool.events("a", "transcript.final")) == 1


@virtually
async def test_dead_workers_job_is_taken_within_two_and_a_half_seconds() -> None:
    """A worker that dies in mid-job is followed by another within 2.5 s, which runs the second attempt."""
    async with Pool() as pool:
        first, second = ScriptedStage(takes(3.0)), ScriptedStage(takes(0.1))
        pool.start(first)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(1.7)
        pool.start(second)
        await asyncio.sleep(0.1)
        died = now()
        pool.tasks[0].cancel()
        await asyncio.sleep(5)
        assert second.runs[0][0] - died <= 2.5
        (event,) = await pool.events("a", "transcript.final")
        assert event.cause is not None
        assert event.cause.attempt == 2
        assert event.by == "w1"


@virtually
async def test_zombie_appends_nothing() -> None:
    """A worker cut off until its job went to another finds its commit refused and drops the job quietly."""
    async with Pool() as pool:
        answers: list[Outcome] = []

        async def slow(works: Sequence[Work]) -> None:
            await asyncio.sleep(4.0)
            answers.append(await works[0].finish([fact("zombie")]))

        line = Line(pool.bus)
        pool.start(ScriptedStage(slow), line)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(0.2)
        pool.start(ScriptedStage(takes(0.1)))
        line.down = True
        await asyncio.sleep(6)
        line.down = False
        await asyncio.sleep(3)
        assert answers == [Outcome.LOST]
        assert [event.text for event in await pool.events("a", "transcript.final")] == ["done"]  # type: ignore[union-attr]
        assert not await pool.events("a", "stage.failed")


@virtually
@pytest.mark.parametrize("lease", [1.0, 2.0, 8.0])
async def test_a_dead_workers_job_is_taken_when_its_lease_runs_out(lease: float) -> None:
    """Whoever waits does not sleep over the moment at which a dead worker's lease runs out."""
    for died in (0.03, 0.13, 0.23):
        async with Pool(lease) as pool:
            pool.start(ScriptedStage(takes(60.0)))
            await pool.session("a", llm_job("a", deadline=10 * lease))
            await asyncio.sleep(died)
            pool.start(stage := ScriptedStage(takes(0.1)))
            began = now()
            pool.tasks[0].cancel()
            await asyncio.sleep(1.5 * lease)
            [(taken, _)] = stage.runs
            assert taken - began == pytest.approx(lease - died, abs=0.02)


@virtually
async def test_a_steady_stream_hides_no_lapsed_lease() -> None:
    """A worker that is handed one job after another while it waits takes a dead worker's job all the same."""
    async with Pool() as pool:
        dead = ScriptedStage(takes(60.0))
        pool.start(dead)
        await pool.session("dead", llm_job("dead"))
        await asyncio.sleep(0.5)
        pool.tasks[0].cancel()
        stage = ScriptedStage(takes(0.01), slots=4)
        pool.start(stage)
        for number in range(60):
            await pool.session(f"s{number}", llm_job(f"s{number}"))
            await asyncio.sleep(0.05)
        assert len(await pool.events("dead", "transcript.final")) == 1
        assert len(stage.runs) == 61


@virtually
async def test_outage_keeps_jobs_with_their_owners() -> None:
    """When the log was away longer than a lease, owners renew first and nobody's job is taken from a living worker."""
    async with Pool() as pool:
        lines = [Line(pool.bus), Line(pool.bus)]
        stages = [ScriptedStage(takes(8.0)), ScriptedStage(takes(8.0))]
        pool.start(stages[0], lines[0])
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(0.5)
        pool.start(stages[1], lines[1])
        await asyncio.sleep(2)
        for line in lines:
            line.down = True
        await asyncio.sleep(4)
        assert pool.workers[0].obstacles()
        for line in lines:
            line.down = False
        await asyncio.sleep(8)
        assert (len(stages[0].runs), len(stages[1].runs)) == (1, 0)
        assert len(await pool.events("a", "transcript.final")) == 1
        assert not pool.workers[0].obstacles()


@virtually
async def test_commit_whose_answer_was_lost_is_there_once() -> None:
    """A commit whose answer was lost is asked again and appended once."""
    async with Pool() as pool:
        answers: list[Outcome] = []

        async def two_steps(works: Sequence[Work]) -> None:
            answers.append(await works[0].step([fact("one")]))
            answers.append(await works[0].finish([fact("two")]))

        line = Line(pool.bus)
        line.deaf = 1
        pool.start(ScriptedStage(two_steps), line)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(2)
        assert answers == [Outcome.DUP, Outcome.OK]
        assert [event.text for event in await pool.events("a", "transcript.final")] == ["one", "two"]  # type: ignore[union-attr]


@virtually
async def test_barge_in_cancels_the_job() -> None:
    """A raised generation sets `cancelled` within a renewal, and nothing of the voided job is appended."""
    async with Pool() as pool:
        noticed: list[float] = []

        async def until_cancelled(works: Sequence[Work]) -> None:
            await works[0].cancelled.wait()
            noticed.append(now())
            assert await works[0].finish([fact()]) is Outcome.LOST

        pool.start(ScriptedStage(until_cancelled))
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(3.2)
        raised = now()
        await pool.publish("a", raises=1)
        await asyncio.sleep(2)
        assert noticed[0] - raised <= 0.5
        assert not await pool.events("a", "transcript.final")


@virtually
async def test_handler_deaf_to_cancellation_gives_its_slot_back() -> None:
    """A handler that hangs in a void job is cancelled, and the slot serves the next one."""
    async with Pool() as pool:
        stage = ScriptedStage(lambda works: asyncio.Event().wait())  # type: ignore[arg-type,return-value]
        pool.start(stage)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(1)
        await pool.publish("a", raises=1)
        await asyncio.sleep(2)
        await pool.session("b", llm_job("b"))
        await asyncio.sleep(0.1)
        assert [jobs for _, jobs in stage.runs] == [["a/llm/1.0"], ["b/llm/1.0"]]


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_passing_error_is_retried() -> None:
    """An error that can pass is tried again with growing delays, and each time the log says so."""
    async with Pool() as pool:

        async def third_time(works: Sequence[Work]) -> None:
            if len(stage.runs) < 3:
                raise Transient("LLM_BASE_URL=x: busy", "bad_status")
            await works[0].finish([fact()])

        stage = ScriptedStage(third_time)
        pool.start(stage)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(5)
        begun = [at for at, _ in stage.runs]
        assert 0.05 <= begun[1] - begun[0] <= 0.11
        assert 0.1 <= begun[2] - begun[1] <= 0.21
        failures = await pool.events("a", "stage.failed")
        assert [(event.code, event.will_retry) for event in failures if isinstance(event, StageFailed)] == [
            ("bad_status", True),
            ("bad_status", True),
        ]
        assert len(await pool.events("a", "transcript.final")) == 1


@virtually
@pytest.mark.parametrize("patience", [2.0, 60.0])  # six delays, by chance, are 2.55 to 5.1 s
async def test_an_error_that_comes_again_is_said_once(patience: float, caplog: pytest.LogCaptureFixture) -> None:
    """At its first time, and at the end with how often it came: whether the job failed or went through."""
    caplog.set_level(logging.INFO, "antiphon.worker")
    async with Pool() as pool:

        async def seventh_time(works: Sequence[Work]) -> None:
            if len(stage.runs) < 7:
                raise Transient("LLM_BASE_URL=x: busy", "bad_status")
            await works[0].finish([fact()])

        stage = ScriptedStage(seventh_time)
        pool.start(stage, patience=patience)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(15)
        lines = [record for record in caplog.records if re.search("busy|went through", record.getMessage())]
        assert [vars(line)["session"] for line in lines] == ["a", "a"]
        first, last = (line.getMessage() for line in lines)
        assert first == "trying again: LLM_BASE_URL=x: busy"
        if patience > 10:
            assert last == "went through after 6 errors"
        else:
            assert last == f"job failed: LLM_BASE_URL=x: busy ×{len(stage.runs)}"


@virtually
async def test_error_that_does_not_pass_ends_the_job_once() -> None:
    """An error that goes on longer than the runtime's patience is one last stage.failed and a dead letter."""
    async with Pool() as pool:

        async def never(works: Sequence[Work]) -> None:
            raise Transient("LLM_BASE_URL=x: busy", "bad_status")

        pool.start(ScriptedStage(never), patience=3.0)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(4)
        failures = [event for event in await pool.events("a") if isinstance(event, StageFailed)]
        assert [event.will_retry for event in failures].count(False) == 1
        assert not failures[-1].will_retry
        assert (failures[-1].turn, failures[-1].generation, failures[-1].job) == (1, 0, "llm/1.0")
        assert len(await pool.bus.dead_letters()) == 1
        assert await pool.bus.queued("llm") == 0


@virtually
async def test_permanent_and_unforeseen_errors_fail_at_once() -> None:
    """An error that cannot pass, and a bug, end the job at the first try, with their sentence in the log."""
    async with Pool() as pool:

        async def broken(works: Sequence[Work]) -> None:
            if works[0].job.session == "a":
                raise Permanent("LLM_MODEL=x: not known there", "model_missing")
            raise ZeroDivisionError("oh")

        stage = ScriptedStage(broken)
        pool.start(stage)
        await pool.session("a", llm_job("a"))
        await pool.session("b", llm_job("b"))
        await asyncio.sleep(1)
        assert len(stage.runs) == 2
        (first,) = await pool.events("a", "stage.failed")
        (second,) = await pool.events("b", "stage.failed")
        assert isinstance(first, StageFailed)
        assert isinstance(second, StageFailed)
        assert (first.code, first.message) == ("model_missing", "LLM_MODEL=x: not known there")
        assert (second.code, second.message) == ("error", "ZeroDivisionError: oh")


@virtually
async def test_one_bad_job_spoils_no_batch() -> None:
    """When a batch fails, each of its jobs is run alone: only the one to blame fails."""
    async with Pool() as pool:

        async def allergic(works: Sequence[Work]) -> None:
            if any(work.job.session == "bad" for work in works):
                raise ValueError("bad audio")
            for work in works:
                await work.finish([fact()])

        for name in ("s0", "bad", "s2"):
            await pool.session(name, llm_job(name))
        pool.start(ScriptedStage(allergic, batch=4))
        await asyncio.sleep(1)
        assert len(await pool.events("s0", "transcript.final")) == 1
        assert len(await pool.events("s2", "transcript.final")) == 1
        assert len(await pool.events("bad", "stage.failed")) == 1


@virtually
async def test_late_job_is_recorded_not_run() -> None:
    """A job whose deadline passed while it waited is recorded as expired and never run."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(0.1))
        await pool.session("a", llm_job("a", deadline=1.0))
        await asyncio.sleep(1.5)
        pool.start(stage)
        await asyncio.sleep(1)
        assert not stage.runs
        assert len(await pool.events("a", "stage.expired")) == 1
        assert await pool.bus.queued("llm") == 0


@virtually
async def test_job_that_outlives_its_deadline_expires() -> None:
    """A job still running at its deadline is recorded as expired, and its handler is told to stop."""
    async with Pool() as pool:
        stopped: list[float] = []

        async def endless(works: Sequence[Work]) -> None:
            await works[0].cancelled.wait()
            stopped.append(now())

        pool.start(ScriptedStage(endless))
        await pool.session("a", llm_job("a", deadline=3.0))
        await asyncio.sleep(6)
        assert 3.0 <= stopped[0] <= 3.5
        assert len(await pool.events("a", "stage.expired")) == 1
        assert not await pool.events("a", "stage.failed")


@virtually
async def test_job_that_kills_its_workers_is_a_dead_letter() -> None:
    """A job delivered more often than allowed ends as stage.failed(deliveries) without being run again."""
    async with Pool() as pool:
        await pool.session("a", llm_job("a", deadline=100))
        for _ in range(3):
            taken = await pool.bus.take("llm", 0, "dying", 1)
            assert taken.deliveries
            await asyncio.sleep(2.5)
        stage = ScriptedStage(takes(0.1))
        pool.start(stage, max_deliveries=3)
        await asyncio.sleep(3)
        assert not stage.runs
        (failed,) = await pool.events("a", "stage.failed")
        assert isinstance(failed, StageFailed)
        assert failed.code == "deliveries"
        assert "MAX_DELIVERIES" in failed.message
        assert len(await pool.bus.dead_letters()) == 1


@virtually
async def test_handler_that_forgets_a_job_fails_it() -> None:
    """A job its handler left without an end is failed at once, not left to its lease."""
    async with Pool() as pool:
        pool.start(ScriptedStage(takes(0), stage="llm"))
        forgetful = ScriptedStage(lambda works: asyncio.sleep(0), stage="stt")
        pool.start(forgetful)
        await pool.session("a", stt_job("a"))
        await asyncio.sleep(0.5)
        (failed,) = await pool.events("a", "stage.failed")
        assert isinstance(failed, StageFailed)
        assert (failed.code, failed.utterance) == ("unfinished", "u1")


@virtually
async def test_failed_hint_leaves_no_trace() -> None:
    """A partial transcript that fails is dropped without a retry and without an event."""
    async with Pool() as pool:

        async def never(works: Sequence[Work]) -> None:
            raise Transient("busy")

        stage = ScriptedStage(never, stage="stt")
        pool.start(stage)
        await pool.session("a", stt_job("a", partial=True))
        await asyncio.sleep(3)
        assert len(stage.runs) == 1
        assert [event.type for event in await pool.events("a")] == ["session.started"]
        assert await pool.bus.queued("stt") == 0


# ── coming and going ─────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_drain_finishes_what_is_in_hand() -> None:
    """After `stop` nothing new is taken, leases are kept, and what was begun is finished before the worker leaves."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(6.0))
        worker = pool.start(stage)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(0.5)
        worker.stop()
        await pool.session("b", llm_job("b"))
        await pool.tasks[0]
        assert now() == pytest.approx(6.0, abs=0.1)
        assert len(await pool.events("a", "transcript.final")) == 1
        assert [jobs for _, jobs in stage.runs] == [["a/llm/1.0"]]
        assert await pool.bus.queued("llm") == 1


@virtually
async def test_drain_hands_back_what_it_cannot_finish() -> None:
    """What isn't done when the time to drain is over goes back uncounted, and another worker has it at once."""
    async with Pool() as pool:
        worker = pool.start(ScriptedStage(takes(60.0)), drain=2.0)
        await pool.session("a", llm_job("a", deadline=100))
        await asyncio.sleep(0.5)
        worker.stop()
        await pool.tasks[0]
        left = now()
        assert left == pytest.approx(2.5, abs=0.3)
        second = ScriptedStage(takes(0.1))
        pool.start(second)
        await asyncio.sleep(1)
        assert second.runs[0][0] - left <= 0.25
        (event,) = await pool.events("a", "transcript.final")
        assert event.cause is not None
        assert event.cause.attempt == 1


@virtually
async def test_second_stop_hands_back_at_once() -> None:
    """A second `stop` waits for nothing."""
    async with Pool() as pool:
        worker = pool.start(ScriptedStage(takes(60.0)))
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(0.5)
        worker.stop()
        worker.stop()
        await pool.tasks[0]
        assert now() <= 1.0


@virtually
async def test_not_ready_before_warm() -> None:
    """A worker takes nothing and says why until its model has run once; an endpoint that comes up late is waited for."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(0.1))

        async def warm() -> None:
            if now() < 3:
                raise Transient("LLM_BASE_URL=x: cannot be reached")

        stage.warm = warm
        worker = pool.start(stage)
        await pool.session("a", llm_job("a"))
        await asyncio.sleep(2)
        assert worker.obstacles() == ["LLM_BASE_URL=x: cannot be reached"]
        assert not stage.runs
        await asyncio.sleep(5)
        assert not worker.obstacles()
        assert len(stage.runs) == 1


@virtually
async def test_what_a_start_waits_for_is_a_warning_only_when_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    """An endpoint that is being started beside the worker is told of at info; one that isn't there ten seconds later, by a
    warning: both once."""
    caplog.set_level(logging.INFO, "antiphon.worker")
    for longest, levels in ((3, ["INFO"]), (40, ["INFO", "WARNING"])):
        caplog.clear()
        async with Pool() as pool:
            stage = ScriptedStage(takes(0.1))
            until = now() + longest

            async def warm(until: float = until) -> None:
                if now() < until:
                    raise Transient("LLM_BASE_URL=x: cannot be reached")

            stage.warm = warm
            worker = pool.start(stage)
            await asyncio.sleep(longest + 5)
            assert not worker.obstacles()
        assert [record.levelname for record in caplog.records if "LLM_BASE_URL=x" in record.getMessage()] == levels


@virtually
async def test_missing_model_ends_the_worker() -> None:
    """A model that isn't there ends the worker with its sentence, not with a group of exceptions."""
    async with Pool() as pool:
        stage = ScriptedStage(takes(0.1))

        async def warm() -> None:
            raise Permanent("STT_MODEL=x: no model.bin there", "model_missing")

        stage.warm = warm
        pool.start(stage)
        with pytest.raises(Permanent, match="STT_MODEL=x"):
            await pool.tasks[0]
