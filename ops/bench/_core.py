"""What benchmarks of one gateway on one core share: the core, a log with workers of fixed cost, the gateway's process."""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from gateway.main import Gateway, start_gateway
from ops.bench.figures import milliseconds
from ops.demo.script import line
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import Role, kept, simulated
from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.events import STAGES
from schemas.log import connect

SHORT_ANSWERS = {
    "STT_MS": "20",
    "STT_TEXT": "What is the capital of France?",
    "LLM_SENTENCES": "1",
    "TTS_CHAR_MS": "40",  # an answer of 1.9 s: as long as the question
}
"""What the pools cost while everybody asks `question_and_silence` over and over; they take 32 jobs at once (WORKER_BATCH)."""
SILENCE = 1.5
"""Of the question's length: 40 % of the time somebody speaks."""


def question_and_silence() -> Pcm:
    """A question and the silence of a quiet room: not zeros, which a gateway would not even show to its VAD."""
    speech = line("capital")
    silence = np.random.default_rng(1).integers(-40, 41, int(SILENCE * len(speech))).astype(np.int16)
    return np.concatenate((speech, silence))


class GatewayGone(AntiphonError):
    """The gateway's process ended while it was asked something."""


@asynccontextmanager
async def cores_apart() -> AsyncIterator[set[int]]:
    """The first core is the gateway's; this process, and what it starts meanwhile, has the others."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or {cores[0]})
    try:
        yield {cores[0]}
    finally:
        os.sched_setaffinity(0, set(cores))


@asynccontextmanager
async def simulated_pools(costs: Mapping[str, str], **settings: str) -> AsyncIterator[tuple[Valkey, Path]]:
    """A log and a worker of fixed cost for each stage, in a folder that is gone afterwards. `costs`: see `simulated`."""
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        folder = Path(data)
        async with Valkey(folder / "valkey") as server:
            every = {
                "REDIS_URL": server.url,
                "HEALTH_PORT": "0",
                "WORKER_SLOTS": "64",
                "LOG_LEVEL": "warning",
                **settings,
                **simulated(costs),
            }
            async with kept([Role(stage, stage, every, folder / f"{stage}.log") for stage in STAGES]):
                yield server, folder


class PinnedGateway:
    """A gateway in a process of its own, on the cores it is given. `phones_port`: where it takes calls, 0 if it takes none."""

    def __init__(self, settings: Mapping[str, Any], cores: set[int]):
        self._pipe, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_gateway, args=(there, dict(settings), cores), daemon=True
        )
        self.phones_port = 0

    async def __aenter__(self) -> "PinnedGateway":
        """It is ready: registered with LiveKit, if that is set. GatewayGone."""
        self._process.start()
        self.phones_port = await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pipe.close()
        await asyncio.to_thread(self._process.join, 10)
        if self._process.is_alive():
            self._process.kill()

    async def ask(self, what: str) -> Any:
        """`sessions`: how many there are; `measure`: count from now on; `report`: what was counted since. GatewayGone."""
        self._pipe.send(what)
        return await self._answer()

    async def _answer(self) -> Any:
        while not await asyncio.to_thread(self._pipe.poll, 0.2):
            if not self._process.is_alive():
                raise GatewayGone("the gateway's process has ended; what it said stands above")
        return self._pipe.recv()


class Meter:
    """What a gateway costs and how late it is, from now on."""

    def __init__(self, gateway: Gateway):
        self._gateway = gateway
        gateway.engine.late.clear()
        self._threads, self._began = cpu_by_thread(), time.perf_counter()

    def report(self) -> dict[str, Any]:
        """`core`: of one core; `threads`: the same by the threads' names; lateness of the ticks in ms."""
        passed = time.perf_counter() - self._began
        used = {name: (cpu - self._threads.get(name, 0.0)) / passed for name, cpu in cpu_by_thread().items()}
        late = list(self._gateway.engine.late)
        return {
            "lateness_p50_ms": milliseconds(late, 50),
            "lateness_p99_ms": milliseconds(late, 99),
            "lateness_max_ms": milliseconds(late, 100),
            "core": round(sum(used.values()), 3),
            "threads": {name: round(load, 3) for name, load in sorted(used.items()) if load >= 0.005},
            "sessions": len(self._gateway.engine.sessions),
        }


def cpu_by_thread() -> dict[str, float]:
    """CPU seconds of this process's threads that live, by their names (Linux). The event loop's is called `event loop`."""
    tick = os.sysconf("SC_CLK_TCK")
    spent: defaultdict[str, float] = defaultdict(float)
    for stat in Path("/proc/self/task").glob("*/stat"):
        try:
            before, _, after = stat.read_text().rpartition(")")
        except OSError:
            continue  # it ended just now
        name = "event loop" if stat.parent.name == str(os.getpid()) else before.partition("(")[2]
        fields = after.split()
        spent[name] += (int(fields[11]) + int(fields[12])) / tick
    return dict(spent)


def _gateway(pipe: Connection, settings: dict[str, Any], cores: set[int]) -> None:
    import uvloop

    os.sched_setaffinity(0, cores)
    uvloop.run(_serve(pipe, Settings(gateway_port=0, log_level="warning", **settings)))


async def _serve(pipe: Connection, settings: Settings) -> None:
    bus = connect(settings)
    await bus.start()
    gateway = await start_gateway(settings, bus)
    if gateway.livekit is not None:
        await gateway.livekit.worker.registered.wait()
    pipe.send(gateway.phones.port if gateway.phones is not None else 0)
    meter: Meter | None = None
    answers: dict[str, Callable[[], Any]] = {
        "sessions": lambda: len(gateway.engine.sessions),
        "report": lambda: meter.report() if meter else {},
    }
    try:
        while True:
            asked = await asyncio.to_thread(pipe.recv)
            if asked == "measure":
                meter = Meter(gateway)
            pipe.send(answers.get(asked, lambda: None)())
    except EOFError:
        pass  # nobody asks any more
    await gateway.aclose()
    await bus.aclose()
