"""`antiphon bench log`: what the log adds to a turn, and how many fenced commits a second it takes.

Four stage hops with instant providers over a real server with `appendfsync always`: the gateway publishes an utterance, an
STT, an LLM and a TTS loop are each handed a job and commit the next, and the clip comes back through the gateway's inbox. Nothing
computes, so everything measured is the log: encoding, the server, its disk, waking up, decoding.

What a turn takes depends on the machine and on what else it does: four times in a turn the server waits for its disk
(`disk_p50_ms` each), and both processes are woken. `turn_processor_ms` and `commit_processor_us` depend on the code alone, or
nearly: compare those. `busy`: of a core, while the turns are measured. Near 1 they would wait for each other.
"""

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import psutil

from ops.bench import machine
from ops.bench._driver import Driver
from ops.bench.figures import milliseconds
from ops.stack.embedded.valkey import Valkey
from schemas.audio import AudioRef
from schemas.bus import Delivery, Outcome, Working
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.events import STAGES, Cause, ClipReady, Event, ReplyFinished, ReplySentence, Stage, TranscriptFinal
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.log import connect, connected

_SLOTS, _POLL = 16, 0.25
_SILENCE = AudioRef(key="{p00}:blob:none", rate=16_000, samples=16_000)
_AGENT = AgentSpec()
_BUSY, _STEPS = 256, 100
"""Sessions that commit at once, and how often each."""
_WRITES = 50
"""To the disk, alone."""


def _instant(delivery: Delivery) -> tuple[list[Event], list[Job]]:
    """What a stage with an instant model appends and enqueues."""
    job = delivery.job
    cause = Cause(job=job.id, attempt=delivery.attempt)
    if isinstance(job, SttJob):
        heard = TranscriptFinal(
            turn=job.turn, utterance=job.utterance, participant=job.participant, text="hello there", cause=cause
        )
        return [heard], [job.then] if job.then else []
    if isinstance(job, LlmJob):
        said = ReplySentence(turn=job.turn, generation=job.generation, index=0, text="Good morning.", cause=cause)
        done = ReplyFinished(turn=job.turn, generation=job.generation, sentences=1, cause=cause)
        speak = TtsJob.sentence(_AGENT, job.session, job.turn, job.generation, 0, said.text)
        return [said, done], [speak]
    clip = ClipReady(turn=job.turn, generation=job.generation, index=0, audio=_SILENCE, duration=1.0, cause=cause)
    return [clip], []


async def _serve(bus: Working, stage: Stage) -> None:
    """A worker with no work: take, wait, commit, again, as `workers.runtime` does."""
    consumer = f"bench-{stage}"
    last_ids = dict.fromkeys(range(bus.partitions), "0")
    commits: set[asyncio.Task[None]] = set()

    def commit(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            task = asyncio.create_task(_commit(bus, stage, consumer, delivery))
            commits.add(task)
            task.add_done_callback(commits.discard)

    due = 0.0
    while True:
        if (now := time.monotonic()) >= due:
            for partition in range(bus.partitions):
                taken = await bus.take(stage, partition, consumer, _SLOTS, reclaim=False)
                last_ids[partition] = taken.last_id
                commit(taken.deliveries)
            due = now + _POLL
        handed = await bus.wait(stage, consumer, last_ids, _SLOTS, max(0.0, due - time.monotonic()))
        commit(handed.deliveries)
        await asyncio.sleep(0)  # they go out before the next wait


async def _commit(bus: Working, stage: Stage, consumer: str, delivery: Delivery) -> None:
    events, jobs = _instant(delivery)
    receipt = await bus.commit(stage, consumer, delivery, 0, "final", events, jobs)
    assert receipt.outcome is Outcome.OK, receipt


async def bench(
    sessions: int = 50, seconds: float = 15.0, appendfsync: Literal["always", "everysec"] = "always", **_: Any
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with Valkey(Path(folder), appendfsync=appendfsync) as server:
            assert server.pid is not None
            spent = _Processor(server.pid)
            turns = await _turns(server.url, sessions, seconds)
            in_turns, wall = spent.since()
            rate = await _commits_per_second(server.url, spent)
            in_commits = spent.since()[0]
        disk = await asyncio.to_thread(_disk, Path(folder))
    return {
        "overhead_p50_ms": milliseconds(turns, 50),
        "overhead_p99_ms": milliseconds(turns, 99),
        "disk_p50_ms": milliseconds(disk, 50),
        "turn_processor_ms": {who: round(used / len(turns) * 1e3, 2) for who, used in in_turns.items()},
        "busy": {who: round(used / wall, 3) for who, used in in_turns.items()},
        "commits_per_s": round(rate),
        "commit_processor_us": {who: round(used / (_BUSY * _STEPS) * 1e6, 1) for who, used in in_commits.items()},
        "turns": len(turns),
        "sessions": sessions,
        "appendfsync": appendfsync,
        **machine(),
    }


class _Processor:
    """How much of it this process has used, and the server."""

    def __init__(self, server: int) -> None:
        self._server = psutil.Process(server)
        self.begin()

    def begin(self) -> None:
        self._began, self._used = time.perf_counter(), self._now()

    def since(self) -> tuple[dict[str, float], float]:
        """Seconds of it, and of the clock on the wall."""
        used = {who: now - self._used[who] for who, now in self._now().items()}
        return used, time.perf_counter() - self._began

    def _now(self) -> dict[str, float]:
        times = self._server.cpu_times()
        return {"client": time.process_time(), "server": times.user + times.system}


def _disk(folder: Path) -> list[float]:
    """Seconds until a commit's worth of bytes lies on the disk, as the server has it written; one by one, as turns come."""
    times = []
    with (folder / "disk").open("wb", buffering=0) as file:
        for _ in range(_WRITES):
            time.sleep(0.02)
            begin = time.perf_counter()
            file.write(b"." * 1000)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return times


async def _turns(url: str, sessions: int, seconds: float) -> list[float]:
    """Every session takes a turn about every 5 s. Seconds from before the publish to the clip in the inbox, per turn."""
    settings = Settings(redis_url=url)
    buses = [connect(settings) for _ in range(4)]
    for bus in buses:
        await bus.start()
    servers = [asyncio.create_task(_serve(bus, stage)) for bus, stage in zip(buses, STAGES, strict=False)]
    times: list[float] = []
    async with Driver(buses[3]) as driver:

        async def converse() -> None:
            name = await driver.open()
            end = time.perf_counter() + seconds
            await asyncio.sleep(random.random() * 5)
            while time.perf_counter() < end:
                clip = driver.expect(name, "clip.ready")
                start = time.perf_counter()
                turn, _ = await driver.capture(name, reply=True)
                async with asyncio.timeout(10):
                    await clip
                times.append(time.perf_counter() - start)
                await driver.end_turn(name, turn, "Good morning.")
                await asyncio.sleep(4 + random.random() * 2)
            await driver.close(name)

        await asyncio.gather(*(converse() for _ in range(sessions)))
    for task in servers:
        task.cancel()
    await asyncio.gather(*servers, return_exceptions=True)
    for bus in buses:
        await bus.aclose()
    return times


async def _commits_per_second(url: str, spent: _Processor) -> float:
    """Steps of jobs in hand, each fenced by ownership and utterance: as many sessions at once as a busy pool has, each
    one step after another."""
    async with connected(Settings(redis_url=url)) as bus, Driver(bus) as driver:
        for name in await asyncio.gather(*(driver.open() for _ in range(_BUSY))):
            await driver.capture(name, reply=False)
        taken = await bus.take("stt", 0, "bench", _BUSY, reclaim=False)
        event = TranscriptFinal(utterance="u1", participant="caller", text="hello there")

        async def commit(delivery: Delivery) -> None:
            for step in range(_STEPS):
                receipt = await bus.commit("stt", "bench", delivery, step, "step", [event])
                assert receipt.outcome is Outcome.OK, receipt

        spent.begin()
        start = time.perf_counter()
        await asyncio.gather(*(commit(delivery) for delivery in taken.deliveries))
        return len(taken.deliveries) * _STEPS / (time.perf_counter() - start)
