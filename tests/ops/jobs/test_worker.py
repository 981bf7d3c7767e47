"""The jobs worker over real servers: what ends is archived by itself, and whatever was away is gone on with."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from ops.jobs.worker import JobsWorker
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.archive import Archive, open_archive
from schemas.background.hints import QUEUE, Hints, jobs_url
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.log import RedisBus
from tests.schemas.archive.calls import call, ended, kept


def settings(url: str) -> Settings:
    return Settings(_env_file=None, redis_url=url)


async def until(look: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(bus: RedisBus, archive: Archive, url: str) -> AsyncIterator[JobsWorker]:
    jobs = JobsWorker(bus, archive, settings(url), name="j1")
    running = asyncio.create_task(jobs.run())
    try:
        yield jobs
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def forgotten(bus: RedisBus, name: str) -> bool:
    return await bus.info(name) is None


async def test_a_call_that_ends_is_archived_by_itself(valkey: Valkey, archive: Archive) -> None:
    """What ended before the worker came, too; with neither pickles nor results left in Redis."""
    bus = RedisBus(valkey.url, partitions=2)
    await bus.start()
    before = {"s0": await ended(bus, "s0", 1)} if bus.partition("s0") == 0 else {}
    await call(bus, "open", 0, over=False)
    raw = redis.asyncio.Redis.from_url(valkey.url)
    async with working(bus, archive, valkey.url):
        names = [name for name in (f"s{n}" for n in range(1, 20)) if bus.partition(name) == 0][:3]
        for name in names:
            before[name] = await ended(bus, name, 1)
        for name in before:
            await until(lambda name=name: forgotten(bus, name))  # type: ignore[misc]
    for name, was in before.items():
        assert await archive.read(name) == was.events
    assert await bus.info("open") is not None
    assert await raw.keys("arq:result:*") == []
    await raw.aclose()
    await bus.aclose()


async def test_hints_are_json_and_said_once(valkey: Valkey) -> None:
    """The same try of the same session is one job; the next try is another."""
    hints = Hints(valkey.url)
    await hints.open()
    assert await hints.give("archive", "s1", "pending0") is True
    assert await hints.give("archive", "s1", "pending0") is False
    assert await hints.give("archive", "s1", "pending1") is True
    raw = redis.asyncio.Redis.from_url(valkey.url)
    assert await raw.zcard(QUEUE) == 2
    assert (await raw.get("arq:job:antiphon:archive:s1:pending0")).startswith(b"{")
    await raw.aclose()
    await valkey.stop()
    assert await hints.give("archive", "s1", "pending2") is False
    await hints.aclose()
    await valkey.start()


async def test_redis_goes_and_comes_back(valkey: Valkey, archive: Archive) -> None:
    """The worker lives through it, and what ends afterwards is archived."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    async with working(bus, archive, valkey.url) as jobs:
        before = await ended(bus, "s1", 1)
        await until(lambda: forgotten(bus, "s1"))
        await valkey.kill()
        await until(lambda: _no(jobs.serving))
        await valkey.start()
        later = await ended(bus, "s2", 1)
        await until(lambda: forgotten(bus, "s2"))
    assert [await archive.read("s1"), await archive.read("s2")] == [before.events, later.events]
    await bus.aclose()


async def _no(value: bool) -> bool:
    return not value


async def test_lost_hints_are_told_again(valkey: Valkey, archive: Archive) -> None:
    """A queue that was emptied is filled by the next sweep; two workers sweep in turn, not at once."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    await ended(bus, "s1", 1)
    first, second = (JobsWorker(bus, archive, settings(valkey.url), name=name) for name in ("j1", "j2"))
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await first.hints.open()
    await second.hints.open()
    await first.look()
    assert await raw.zcard(QUEUE) == 1
    for key in await raw.keys("arq:*"):
        await raw.delete(key)
    await raw.delete(QUEUE)
    await first.sweep()
    assert b"antiphon:archive:s1:pending0" in await raw.zrange(QUEUE, 0, -1)
    await raw.delete(QUEUE)
    await second.sweep()
    assert await raw.zcard(QUEUE) == 0
    for worker in (first, second):
        await worker.hints.aclose()
    await raw.aclose()
    await bus.aclose()


def test_a_cluster_needs_another_redis() -> None:
    """It is said which setting names one."""
    cluster = Settings(_env_file=None, redis_cluster=True)
    with pytest.raises(SettingsError, match=r"JOBS_REDIS_URL is not set, and REDIS_URL is a cluster"):
        jobs_url(cluster)
    assert jobs_url(cluster.model_copy(update={"jobs_redis_url": "redis://x/1"})) == "redis://x/1"


@asynccontextmanager
async def a_process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.cli",
        "worker",
        "jobs",
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_hint_is_due_by_whatever_clock(valkey: Valkey) -> None:
    """Who gives it may be hours ahead of who takes it, and arq's workers wait for the moment that a hint names."""
    hints = Hints(valkey.url)
    await hints.open()
    assert await hints.give("archive", "s1", "pending0", within=600.0) is True
    raw = redis.asyncio.Redis.from_url(valkey.url)
    due = await raw.zscore(QUEUE, "antiphon:archive:s1:pending0")
    assert due is not None
    assert due / 1e3 < time.time() - 80_000
    assert 500 < await raw.ttl("arq:job:antiphon:archive:s1:pending0") <= 600
    await raw.aclose()
    await hints.aclose()


@pytest.mark.timeout(120)
async def test_as_a_process(valkey: Valkey, tmp_path: Path) -> None:
    """It makes the archive, waits for a log that is not there yet, archives what ended, and ends with 0 when it is told to."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    before = await ended(bus, "s1", 1)
    assert (await kept(bus, "s1")) == before
    await valkey.stop()
    environment = {"REDIS_URL": valkey.url, "ANTIPHON_DATA": str(tmp_path / "data"), "HEALTH_PORT": str(free_port())}
    async with a_process(environment) as process:
        assert process.stderr is not None
        while b"trying again" not in (line := await process.stderr.readline()):
            assert line, "it ended"
        await valkey.start()
        await until(lambda: forgotten(bus, "s1"), 60)
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        assert await process.wait() == 0, rest.decode()
    folder = tmp_path / "data" / "archive"
    async with open_archive(f"sqlite:///{folder / 'archive.sqlite'}", str(folder / "sound")) as archive:
        assert await archive.read("s1") == before.events
    await bus.aclose()
