"""What an operator asked for: a fork through the pools, by the jobs worker."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from ops.jobs.asked import AskedJobs
from ops.jobs.asked_fork import fork
from ops.jobs.doing import Doing, Progress
from ops.jobs.figures import JobFigures
from ops.jobs.letting_go import LettingGo
from ops.stack.embedded.valkey import Valkey
from schemas.archive.store import open_archive
from schemas.background.asked import AskedFor, Stopped
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.events import ReplySentence, SessionEnded
from schemas.log import RedisBus
from tests.ops.replay.piped import AGENT, QUICK, SLOW, at_work, broken_off, recorded_call, serving


@pytest.fixture
async def doing(shared_valkey: Valkey, tmp_path: Path) -> Any:
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    log = RedisBus(shared_valkey.url)
    await log.start()
    settings = Settings(_env_file=None, redis_url=shared_valkey.url)
    async with open_archive(f"sqlite:///{tmp_path}/a.sqlite", str(tmp_path / "sound"), upgrade=True) as archive:
        yield Doing.over(log, archive, settings, LettingGo(log, archive, settings, JobFigures()))
    await log.aclose()


def request(**more: Any) -> dict[str, Any]:
    agent = AGENT.model_copy(update={"instructions": "Be curt."})
    return {
        "session": "script", "from_turn": None, "agent": agent.model_dump(mode="json"),
        "changed": {"instructions": "Be curt."}, **more,
    }  # fmt: skip


async def test_what_depends_on_what_changed_is_done_again(doing: Doing) -> None:
    """Its progress is told in seconds of the call; the result names the fork, and which jobs were done."""
    await recorded_call(doing.log)
    seen: list[tuple[int, int, str]] = []

    async def tell(done: int, of: int, what: str) -> None:
        seen.append((done, of, what))

    async with serving(doing.log):
        result = await fork(doing, request(from_turn=2), Progress(tell))
    assert result["jobs"]["llm"] == {"made": 2}
    said = [event.text for event in await doing.both.read(result["session"]) if isinstance(event, ReplySentence)]
    assert said[:2] == ["Nothing much.", "It rains."]
    assert seen[0] == (0, 0, "reading script")
    assert all(done < of for done, of, _ in seen[1:])


async def test_what_is_deleted_while_it_is_replayed_leaves_no_fork(doing: Doing) -> None:
    """The fork would have in it what was to be gone."""
    await recorded_call(doing.log)

    async def tell(_: int, of: int, __: str) -> None:
        if of:
            await doing.letting_go.remove(["script"], "session", "ann")

    slow = QUICK.model_copy(update={"llm_ms": 400.0})
    async with serving(doing.log, simulation=slow):
        with pytest.raises(AntiphonError, match="'script' was deleted while it was replayed; so is its fork"):
            await fork(doing, request(), Progress(tell))
    assert await doing.both.closed() == []


async def test_stopped_it_keeps_what_was_made(doing: Doing) -> None:
    """The fork ends there."""
    await recorded_call(doing.log)
    told = 0

    async def tell(_: int, of: int, __: str) -> None:
        nonlocal told
        told += bool(of)
        if told > 1:
            raise Stopped("it was stopped")

    slow = QUICK.model_copy(update={"llm_ms": 400.0})
    async with serving(doing.log, simulation=slow):
        with pytest.raises(Stopped):
            await fork(doing, request(), Progress(tell))
    (kept,) = [one.session for one in await doing.log.closed() if one.session.startswith("fork-")]
    last = (await doing.log.read(kept))[-1]
    assert isinstance(last, SessionEnded)
    assert last.reason == "broken_off"


async def test_a_worker_that_ends_leaves_nothing_behind_and_another_does_it(doing: Doing) -> None:
    """What was made by then is a session that says that it was broken off; the job is handed back, and the try does not count."""
    await recorded_call(doing.log)
    asked = AskedFor(doing.settings)
    async with serving(doing.log, simulation=SLOW):
        first = await _working(doing)
        job = await asked.ask("fork", request(), "somebody")
        await at_work(doing.log)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await broken_off(doing.log)
        handed = await asked.get(job.id)
        assert handed is not None
        assert (handed.state, handed.tries, [one.id for one in await asked.due()]) == ("waiting", 0, [job.id])
    async with serving(doing.log):
        second = await _working(doing)
        async with asyncio.timeout(30):
            while (now := await asked.get(job.id)) is None or not now.over:
                await asyncio.sleep(0.05)
        assert (now.state, now.error) == ("done", "")
        assert now.result is not None
        assert isinstance((await doing.both.read(now.result["session"]))[-1], SessionEnded)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    await asked.aclose()


async def _working(doing: Doing) -> "asyncio.Task[None]":
    """What a jobs worker does of what it is asked for."""
    jobs = AskedJobs(doing, doing.settings, name="j")
    task = asyncio.create_task(jobs.run())
    while not await jobs.asked.served():
        await asyncio.sleep(0.02)
    return task
