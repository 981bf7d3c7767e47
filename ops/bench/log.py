"""`antiphon bench log`: what the log adds to a turn, and how many fenced commits a second it takes.

Four stage hops with instant providers over a real server with `appendfsync always`: the gateway publishes an utterance, an
STT, an LLM and a TTS loop are each handed a job and commit the next, and the clip comes back through the gateway's inbox. Nothing
computes, so everything measured is the log: encoding, the server, waking up, decoding.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

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
        speak = TtsJob.sentence(AgentSpec(), job.session, job.turn, job.generation, 0, said.text)
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
            turns = await _turns(server.url, sessions, seconds)
            rate = await _commits_per_second(server.url)
    return {
        "overhead_p50_ms": milliseconds(turns, 50),
        "overhead_p99_ms": milliseconds(turns, 99),
        "commits_per_s": round(rate),
        "turns": len(turns),
        "sessions": sessions,
        "appendfsync": appendfsync,
        **machine(),
    }


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


async def _commits_per_second(url: str, sessions: int = 256, commits: int = 100) -> float:
    """Steps of jobs in hand, each fenced by ownership and utterance: as many sessions at once as a busy pool has, each
    one step after another."""
    async with connected(Settings(redis_url=url)) as bus, Driver(bus) as driver:
        for name in await asyncio.gather(*(driver.open() for _ in range(sessions))):
            await driver.capture(name, reply=False)
        taken = await bus.take("stt", 0, "bench", sessions, reclaim=False)
        event = TranscriptFinal(utterance="u1", participant="caller", text="hello there")

        async def commit(delivery: Delivery) -> None:
            for step in range(commits):
                receipt = await bus.commit("stt", "bench", delivery, step, "step", [event])
                assert receipt.outcome is Outcome.OK, receipt

        start = time.perf_counter()
        await asyncio.gather(*(commit(delivery) for delivery in taken.deliveries))
        return len(taken.deliveries) * commits / (time.perf_counter() - start)
