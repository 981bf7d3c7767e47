"""`batch` as it is typed: here, by the jobs worker, on a page; and gone on with."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from ops import cli, console
from ops.commands import batch
from ops.jobs.worker import JobsWorker
from ops.stack.embedded.valkey import Valkey
from schemas.archive.store import open_archive
from schemas.config.settings import load
from schemas.log import RedisBus
from tests.ops.replay.piped import AGENT, recorded_call, serving


@pytest.fixture
async def bus(shared_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The log that REDIS_URL names, with two calls in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", shared_valkey.url)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    log = RedisBus(shared_valkey.url)
    await log.start()
    await recorded_call(log, "first", agent=AGENT.model_copy(update={"name": "desk"}))
    await recorded_call(log, "second")
    yield log
    await log.aclose()


async def antiphon(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = await asyncio.to_thread(CliRunner().invoke, cli.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def last(out: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


async def test_what_got_better_and_worse_is_told(bus: RedisBus) -> None:
    """A table, a line for each that differs, a page with its plot; and as JSON, of those that are wanted."""
    async with serving(bus):
        code, out, error = await antiphon("batch", "--set", "instructions=Be curt.", "--html", "page.html")
        assert code == console.DONE, error
        assert "changed: instructions = 'Be curt.'" in out
        assert "p50 to answer, ms" in out
        assert "Of 2 sessions" in out
        page = await asyncio.to_thread(Path("page.html").read_text)
        assert page.count('<path class="was"') == 1
        assert page.count('<circle class="is"') == 2
        assert "http" not in page.replace("http-equiv", "")
        code, out, _ = await antiphon("batch", "--agent", "desk", "--set", "instructions=Be curt.", "--json")
        told = last(out)
        assert [row["session"] for row in told["sessions"]] == ["first"]
        assert told["figures"]["turns"] == [3, 3]
    forks = [one.session for one in await bus.closed() if one.session.startswith("fork-")]
    assert len(forks) == 2  # the second command found what the first had made


async def test_where_no_terminal_reads_it_says_now_and_then_how_far_it_is(
    bus: RedisBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, a line each time; none between two, and none for whoever wants JSON alone."""
    monkeypatch.setattr(batch, "_LINES", 0.0)
    async with serving(bus):
        code, out, error = await antiphon("batch", "--set", "llm.seed=5", "--at-once", "1")
        assert code == console.DONE, error
        lines = error.splitlines()
        assert lines[0].startswith("0 of 2 sessions replayed; ")
        assert lines[-1].startswith("2 of 2 sessions replayed")
        assert "sessions replayed" not in out
        assert (await antiphon("batch", "--set", "llm.seed=5", "--json"))[2] == ""
        monkeypatch.setattr(batch, "_LINES", 3_600.0)
        assert (await antiphon("batch", "--set", "llm.seed=5"))[2] == ""


async def test_the_jobs_worker_does_it_where_one_runs(bus: RedisBus, tmp_path: Path) -> None:
    """Asked for by its record; the result is the same."""
    async with (
        serving(bus),
        open_archive(f"sqlite:///{tmp_path}/a.sqlite", str(tmp_path / "sound"), upgrade=True) as archive,
    ):
        jobs = JobsWorker(bus, archive, load())
        working = asyncio.create_task(jobs.run())
        try:
            while not await jobs.asked.asked.served():
                await asyncio.sleep(0.05)
            code, out, error = await antiphon("batch", "--set", "llm.seed=3", "--reference", "original", "--json")
            assert code == console.DONE, error
            told = last(out)
            assert {row["session"] for row in told["sessions"]} == {"first", "second"}
            assert told["figures"]["wer_to_reference"] == [0.0, 0.0]
            (record,) = await jobs.asked.asked.latest("batch")
            assert record.state == "done"
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], console.USAGE, "everything would be as it was recorded; give --set, --with or --stage"),
        (["--set", "llm.temprature=1"], console.USAGE, "temprature"),
        (["--set", "voice"], console.USAGE, "expected NAME=VALUE"),
    ],
)
async def test_wrong_usage_is_one_sentence(bus: RedisBus, arguments: list[str], code: int, says: str) -> None:
    """Before anything is begun."""
    found, _, error = await antiphon("batch", *arguments)
    assert found == code
    assert says in " ".join(error.split())


async def test_where_nobody_works_each_says_so(bus: RedisBus) -> None:
    """None is replayed, and why."""
    code, out, _ = await antiphon("batch", "--set", "llm.seed=3", "--json")
    told = last(out)
    assert code == console.DONE
    assert told["figures"]["unreplayed"] == 2
    assert all("this replay needs LLM workers" in row["error"] for row in told["sessions"])
