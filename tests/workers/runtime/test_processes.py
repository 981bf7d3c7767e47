"""Real worker processes on a real server: killed, frozen, drained."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Role, preload, simulated
from ops.stack.system import free_port
from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.events import ClipReady, SessionStarted
from schemas.jobs import TtsJob
from schemas.log import RedisBus

pytestmark = pytest.mark.chaos


class Process:
    """A TTS worker with the simulated provider, forked from a process that has the code loaded."""

    def __init__(self, process: KeptProcess, port: int):
        self.process = process
        self.port = port
        self.send = process.signal

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def ready(self) -> None:
        """Until it takes jobs, or the test's time runs out."""
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                if (await self.get("/readyz"))[0] == 200:
                    return
            await asyncio.sleep(0.05)


Start = Callable[..., Any]


@pytest.fixture
async def start(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Start]:
    """`await start(TTS_MS="100")` runs one worker process and waits until it is ready."""
    preload()
    processes: list[Process] = []

    async def begin(**costs: str) -> Process:
        port = free_port()
        environment = {"REDIS_URL": valkey.url, "HEALTH_PORT": str(port)} | simulated(costs)
        role = Role(f"tts-{port}", "tts", environment, tmp_path / f"{port}.log")
        processes.append(one := Process(await asyncio.to_thread(KeptProcess, role), port))
        await one.ready()
        return one

    yield begin
    for one in processes:
        one.send(signal.SIGKILL)
        await one.process.ended()


@pytest.fixture
async def bus(valkey: Valkey) -> AsyncIterator[RedisBus]:
    bus = RedisBus(valkey.url)
    await bus.start()
    yield bus
    await bus.aclose()


async def ask(bus: RedisBus, session: str) -> None:
    """A session that wants one sentence spoken."""
    started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="gw")
    job = TtsJob(id="tts/1.0.0", session=session, turn=1, generation=0, index=0, text="Hello there.", deadline=60)
    await bus.open(session, "gw", f"open {session}", [started])
    await bus.publish(session, 1, Publication(1, jobs=[job]))


async def clips(bus: RedisBus, session: str) -> list[ClipReady]:
    return [event for event in await bus.read(session) if isinstance(event, ClipReady)]


async def until(bus: RedisBus, session: str, within: float) -> list[ClipReady]:
    async with asyncio.timeout(within):
        while not (found := await clips(bus, session)):
            await asyncio.sleep(0.02)
    return found


async def test_killed_workers_job_is_taken_again(bus: RedisBus, start: Start) -> None:
    """A worker killed with SIGKILL in mid-job: another has its job within 2.5 s, as the second attempt."""
    slow = await start(TTS_MS="60000")
    await ask(bus, "a")
    await asyncio.sleep(0.4)
    assert not await clips(bus, "a")
    await start(TTS_MS="1")
    await asyncio.sleep(1.2)  # the second has settled; the first renews on
    slow.send(signal.SIGKILL)
    killed = time.monotonic()
    (clip,) = await until(bus, "a", 10)
    assert time.monotonic() - killed <= 2.5 + 0.5  # the job was taken within 2.5 s; then the clip is made and read
    assert clip.cause is not None
    assert clip.cause.attempt == 2
    assert await bus.queued("tts") == 0


async def test_frozen_worker_appends_nothing(bus: RedisBus, start: Start) -> None:
    """A worker stopped until its job went to another, and woken then, appends nothing and serves on."""
    zombie = await start(TTS_MS="1500")
    await ask(bus, "a")
    await asyncio.sleep(0.4)
    zombie.send(signal.SIGSTOP)
    await start(TTS_MS="1")
    await until(bus, "a", 10)
    zombie.send(signal.SIGCONT)
    while 'outcome="lost"' not in (await zombie.get("/metrics"))[1]:  # or the test's time runs out
        await asyncio.sleep(0.05)
    assert len(await clips(bus, "a")) == 1
    assert (await zombie.get("/readyz"))[0] == 200


async def test_sigterm_drains(bus: RedisBus, start: Start) -> None:
    """SIGTERM: not ready any more, the job in hand is finished, the process ends with 0 and leaves no consumer behind."""
    worker = await start(TTS_MS="1500")
    await ask(bus, "a")
    await asyncio.sleep(0.5)
    worker.send(signal.SIGTERM)
    await asyncio.sleep(0.2)
    assert (await worker.get("/readyz"))[0] == 503
    assert (await worker.get("/healthz"))[0] == 200
    async with asyncio.timeout(10):
        assert await worker.process.ended() == 0
    (clip,) = await clips(bus, "a")
    assert clip.cause is not None
    assert clip.cause.attempt == 1


async def test_lives_without_the_log(valkey: Valkey, bus: RedisBus, start: Start) -> None:
    """While the log is away a worker is alive and not ready; when it is back it works, nothing lost."""
    worker = await start(TTS_MS="1")
    await ask(bus, "a")
    await until(bus, "a", 5)
    await valkey.kill()
    async with asyncio.timeout(10):
        while (await worker.get("/readyz"))[0] == 200:
            await asyncio.sleep(0.1)
    assert "REDIS_URL" in (await worker.get("/readyz"))[1]
    assert (await worker.get("/healthz"))[0] == 200
    await valkey.start()
    await worker.ready()
    await ask(bus, "b")
    assert len(await until(bus, "b", 10)) == 1
