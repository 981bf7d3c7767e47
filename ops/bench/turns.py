"""`antiphon bench turns`: does a turn cost more when the session has grown long?

One session of 205 turns through real LLM, STT and TTS workers with instant providers. The cost of a turn is the CPU time of all
processes (workers, server, this driver; from the scheduler, in ns) and the bytes that went in and out of the server.
`ratio`: the median of turns 195-205 over that of turns 5-15, the worse of CPU and bytes.
"""

import asyncio
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from ops.bench import machine
from ops.bench._driver import Driver
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import Role, kept, preload, simulated
from schemas.config.settings import Settings
from schemas.events import STAGES
from schemas.log import connected

_TURNS = 205
_EARLY, _LATE = range(5, 16), range(195, 206)
_INSTANT = dict.fromkeys(("STT_MS", "LLM_MS", "LLM_TOKEN_MS", "TTS_MS"), "0")


async def bench() -> dict[str, Any]:
    preload()
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with Valkey(Path(folder) / "valkey") as server:
            environment = {"REDIS_URL": server.url, "HEALTH_PORT": "0", **simulated(_INSTANT)}
            roles = [Role(stage, stage, environment, Path(folder) / f"{stage}.log") for stage in STAGES]
            async with kept(roles, 5.0) as workers:
                pids = [os.getpid(), server.pid or 0, *(worker.pid for worker in workers)]
                cpu, moved = await _converse(server.url, pids)
    cpu_ratio, bytes_ratio = _ratio(cpu), _ratio(moved)
    return {
        "ratio": round(max(cpu_ratio, bytes_ratio), 3),
        "cpu_ratio": round(cpu_ratio, 3),
        "bytes_ratio": round(bytes_ratio, 3),
        "cpu_ms_early": round(statistics.median(cpu[turn] for turn in _EARLY) / 1e6, 2),
        "bytes_early": round(statistics.median(moved[turn] for turn in _EARLY)),
        "turns": _TURNS,
        **machine(),
    }


async def _converse(url: str, pids: list[int]) -> tuple[dict[int, float], dict[int, float]]:
    """CPU ns and bytes of each turn."""
    cpu: dict[int, float] = {}
    moved: dict[int, float] = {}
    async with connected(Settings(redis_url=url)) as bus, Redis.from_url(url) as server, Driver(bus) as driver:
        session = await driver.open()
        for turn in range(1, _TURNS + 1):
            cpu_before, moved_before = _cpu(pids), await _bytes(server)
            finished, clip = driver.expect(session, "reply.finished"), driver.expect(session, "clip.ready")
            await driver.capture(session, reply=True)
            async with asyncio.timeout(60):
                await asyncio.gather(finished, clip)
            await driver.end_turn(session, turn, "That is what I was asked to say.")
            cpu[turn], moved[turn] = _cpu(pids) - cpu_before, await _bytes(server) - moved_before
    return cpu, moved


def _cpu(pids: list[int]) -> int:
    """ns on a CPU so far, all threads of all processes."""
    return sum(
        int(task.read_text().split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


async def _bytes(server: Redis) -> int:
    info = await server.info("stats")
    return int(info["total_net_input_bytes"]) + int(info["total_net_output_bytes"])


def _ratio(cost: dict[int, float]) -> float:
    return statistics.median(cost[turn] for turn in _LATE) / statistics.median(cost[turn] for turn in _EARLY)
