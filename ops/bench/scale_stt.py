"""`antiphon bench scale-stt`: does a pool of STT workers scale, and does its latency stay?

1, 2, 4 and 8 real worker processes over a real Valkey, with a provider of fixed cost (100 ms a batch of up to 8, as a GPU that
computes elsewhere), many sessions. Throughput: everything waits in the queue. Latency: jobs come evenly at half of what the
pool can do, from utterance published to transcript in the gateway's inbox.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from ops.bench import machine
from ops.bench._driver import Driver
from ops.bench.figures import milliseconds
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Role, kept, preload, simulated
from schemas.config.settings import Settings
from schemas.log import connected

_COST, _BATCH = 0.1, 8
_POOLS = (1, 2, 4, 8)


async def bench(seconds: float = 8.0) -> dict[str, Any]:
    preload()
    rows = {}
    for workers in _POOLS:
        with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
            async with (
                Valkey(Path(folder) / "valkey") as server,
                _pool(server.url, Path(folder), workers),
                _driver(server.url) as driver,
            ):
                full = workers * _BATCH / _COST
                rate = await _throughput(driver, full, seconds)
                waits = await _at_half_load(driver, full / 2, seconds)
        rows[workers] = {"per_s": round(rate, 1), "p50_ms": milliseconds(waits, 50), "p95_ms": milliseconds(waits, 95)}
    last = _POOLS[-1]
    return {
        "efficiency_8": round(rows[last]["per_s"] / (last * rows[1]["per_s"]), 3),
        "p95_at_half_load_ratio": round(rows[last]["p95_ms"] / rows[1]["p95_ms"], 3),
        "workers": rows,
        "cost_ms": _COST * 1e3,
        "batch": _BATCH,
        **machine(),
    }


def _pool(url: str, folder: Path, count: int) -> AbstractAsyncContextManager[list[KeptProcess]]:
    environment = {"REDIS_URL": url, "WORKER_BATCH": str(_BATCH), "HEALTH_PORT": "0"}
    environment |= simulated({"STT_MS": str(_COST * 1e3)})
    roles = [Role(f"stt-{number}", "stt", environment, folder / f"stt-{number}.log") for number in range(count)]
    return kept(roles, 5.0)


@asynccontextmanager
async def _driver(url: str) -> AsyncIterator[Driver]:
    async with connected(Settings(redis_url=url)) as bus, Driver(bus) as driver:
        await asyncio.gather(*(driver.open() for _ in range(4 * _BATCH * _POOLS[-1])))
        await _hear(driver, next(iter(driver.sessions)))  # the pool is ready
        yield driver


async def _hear(driver: Driver, session: str) -> float:
    """One utterance to its transcript; seconds."""
    final = driver.expect(session, "transcript.final")
    start = time.perf_counter()
    await driver.capture(session, reply=False)
    async with asyncio.timeout(60):
        await final
    return time.perf_counter() - start


async def _throughput(driver: Driver, full: float, seconds: float) -> float:
    """Transcripts a second while every session has a job waiting; twice the pool's batches are always queued."""
    done = 0
    end = time.perf_counter() + seconds

    async def talk(session: str) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await _hear(driver, session)
            done += time.perf_counter() < end

    busy = itertools.islice(driver.sessions, int(full * _COST) * 3)
    await asyncio.gather(*(talk(session) for session in busy))
    return done / seconds


async def _at_half_load(driver: Driver, rate: float, seconds: float) -> list[float]:
    """Utterances at an even pace, each of another session."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    tasks = []
    for number, session in zip(range(int(rate * seconds)), itertools.cycle(driver.sessions), strict=False):
        await asyncio.sleep(max(0.0, begin + number / rate - loop.time()))
        tasks.append(asyncio.create_task(_hear(driver, session)))
    return await asyncio.gather(*tasks)
