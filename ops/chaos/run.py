"""`antiphon chaos`: a real Valkey (`appendfsync always`), real workers with providers of fixed cost, two real gateways and
callers on real sockets; workers, gateways and the server are killed all the time, some are frozen and thawed, and connections
are cut between a request and its reply. Then it stops, everything drains, and the judge reads the logs.
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ops.bench.figures import milliseconds
from ops.chaos.callers import Crowd
from ops.chaos.judge import done_twice, judge, settled
from ops.chaos.proxy import CuttingProxy
from ops.chaos.recovery import RecoveryWatch
from ops.demo.script import line
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Kind, Role, preload, simulated
from ops.stack.system import free_port
from schemas.bus import Reading
from schemas.config.settings import Settings
from schemas.errors import BusUnavailable
from schemas.log import connected

_FROZEN_AT_ONCE = 2
LINES = ("capital", "stop")
_COSTS = {"STT_MS": "150", "LLM_MS": "150", "LLM_TOKEN_MS": "20", "TTS_MS": "150", "TTS_CHAR_MS": "30"}
"""Long enough that a kill often meets a job in mid-work."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """For how long, and seconds between kills. `kills`: on a slow machine it goes on until there were so many; `lease`: LEASE,
    which who is frozen or held back outlasts; `mutant`: run with a broken log, until its logs show something done twice: the
    judge must notice."""

    seconds: float = 60.0
    kills: int = 0
    callers: int = 12
    worker_every: float = 0.4
    gateway_every: float = 2.0
    redis_every: float = 3.0
    cut_every: float = 1.0
    hold_every: float = 1.5
    frozen_share: float = 0.2
    lease: float = 2.0
    drain: float = 20.0
    seed: int = 1
    models: bool = False
    mutant: str | None = None
    workers: tuple[tuple[Kind, int], ...] = (("stt", 2), ("llm", 2), ("tts", 2))
    gateways: int = 2
    keep: Path | None = None


async def chaos(options: Chaos, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Answers `sessions kills refused violations recovery_p95_ms` and what explains them."""
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-chaos-")))
        return await _Run(options, folder, say).run()


class _Run:
    def __init__(self, options: Chaos, folder: Path, say: Callable[[str], None]):
        self._options = options
        self._folder = folder
        self._say = say
        self._random = random.Random(options.seed)
        self._server = Valkey(folder / "valkey", free_port(), "always")
        self._secret = secrets.token_hex(16)
        self._kills = 0
        self._freezes = 0
        self._restarts = 0
        self._calm = asyncio.Event()
        self._frozen: set[int] = set()
        self._processes: list[KeptProcess] = []

    async def run(self) -> dict[str, Any]:
        options = self._options
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        preload()
        await self._server.start()
        proxy = CuttingProxy(
            self._server.port,
            every=options.cut_every,
            hold_every=options.hold_every,
            hold=(1.15 * options.lease, 1.5 * options.lease),
            seed=options.seed,
        )
        await proxy.start()
        direct = Redis.from_url(self._server.url)
        watch = RecoveryWatch(direct)
        try:
            urls = await self._start_processes(self._server.url_at(proxy.port))
            lines = [line(name) for name in LINES]
            crowd = Crowd(urls, lines, options.callers, options.seed, self._secret)
            crowd.start()
            self._say(f"killing for {options.seconds:.0f} s …")
            sessions, violations = await self._kill_everything(watch, direct)
            proxy.calm()
            if violations:
                await crowd.stop(0.0)
            else:
                self._say("no more kills; draining …")
                sessions, violations = await self._drained(crowd, direct)
        finally:
            await watch.aclose()
            await direct.aclose()
            await asyncio.gather(*(process.stop(3.0) for process in self._processes))
            await proxy.stop()
            await self._server.stop()
        return {
            "sessions": sessions,
            "kills": self._kills,
            "refused": self._refused(),
            "violations": len(violations),
            "recovery_p95_ms": milliseconds(watch.seconds, 95) if watch.seconds else None,
            "recovery_p50_ms": milliseconds(watch.seconds, 50) if watch.seconds else None,
            "jobs_recovered": len(watch.seconds),
            "freezes": self._freezes,
            "cuts": proxy.cuts,
            "commits_held": proxy.held,
            "restarts_by_themselves": self._restarts,
            "callers_came_back": crowd.returns,
            "callers_asked_at_the_end": crowd.asked,
            "first_violations": violations[:10],
        }

    async def _drained(self, crowd: Crowd, direct: Redis) -> tuple[int, list[str]]:
        """How many sessions there were, and everything that is wrong once nothing is left to do."""
        await crowd.stop(self._options.drain)
        drained = await settled(direct, self._options.drain)
        async with self._reader() as bus:
            sessions, violations = await judge(bus, direct)
        if not drained:
            violations.append(f"not drained within {self._options.drain:.0f} s")
        return sessions, violations + crowd.not_heard

    def _reader(self) -> contextlib.AbstractAsyncContextManager[Reading]:
        """The log, past the proxy."""
        return connected(Settings(redis_url=self._server.url))

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start_processes(self, redis_url: str) -> list[str]:
        shared = {"REDIS_URL": redis_url, "LOG_LEVEL": "info", "HEALTH_PORT": "0", "DRAIN": "2"}
        shared |= {"LEASE": str(self._options.lease), "GATEWAY_TOKEN_SECRET": self._secret}
        shared["GATEWAY_OPENS_PER_MINUTE"] = "10000"  # all callers are one address
        agent = self._folder / "chaos.toml"
        agent.write_text("limits = { client_gone = 6.0 }\n")  # who never comes back must not outlast the drain
        shared["AGENTS"] = str(agent)
        if not self._options.models:
            shared |= simulated(_COSTS)
        mutant = self._options.mutant is not None
        roles = [
            Role(f"{kind}-{number}", kind, shared, self._folder / "logs" / f"{kind}-{number}.log", mutant)
            for kind, count in self._options.workers
            for number in range(count)
        ]
        ports = [free_port() for _ in range(self._options.gateways)]
        roles += [
            Role(
                f"gateway-{number}",
                "gateway",
                shared | {"GATEWAY_PORT": str(port)},
                self._folder / "logs" / f"gateway-{number}.log",
                mutant,
            )
            for number, port in enumerate(ports)
        ]
        self._processes = [await asyncio.to_thread(KeptProcess, role) for role in roles]
        for port in ports:
            await listening(port)
        return [f"ws://127.0.0.1:{port}/ws" for port in ports]

    async def _kill_everything(self, watch: RecoveryWatch, direct: Redis) -> tuple[int, list[str]]:
        """For as long as was asked, or until a mutant's logs prove it: then how many sessions there are, and what they show."""
        workers = [process for process in self._processes if process.role.kind != "gateway"]
        gateways = [process for process in self._processes if process.role.kind == "gateway"]
        pace = 10.0 if self._options.models else 1.0
        loops = [
            self._every(self._options.worker_every * pace, lambda: self._hit(workers, watch)),
            self._every(self._options.gateway_every * pace, lambda: self._hit(gateways, None)),
            self._every(self._options.redis_every * pace, lambda: self._hit_redis(watch)),
            self._every(0.5, self._replace_the_dead),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        proven = await self._proof(direct)
        self._calm.set()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        for process in self._processes:
            process.signal(signal.SIGCONT)
        await self._replace_the_dead()
        return proven

    async def _proof(self, direct: Redis) -> tuple[int, list[str]]:
        """What the logs of a mutant show, the moment they do; nothing after all the time, or where there is no mutant."""
        if self._options.mutant is None:
            await asyncio.sleep(self._options.seconds)
            while self._kills < self._options.kills:
                await asyncio.sleep(0.1)
            return 0, []
        end = time.monotonic() + self._options.seconds
        async with self._reader() as bus:
            while time.monotonic() < end:
                await asyncio.sleep(0.5)
                with contextlib.suppress(BusUnavailable, RedisError):
                    if (proof := await done_twice(bus, direct))[1]:
                        return proof
        return 0, []

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._calm.is_set():
            due += seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - loop.time())):
                    await self._calm.wait()
            if not self._calm.is_set():
                await act()

    async def _hit(self, processes: Sequence[KeptProcess], watch: RecoveryWatch | None) -> None:
        """Kill one, or freeze it long enough to lose its leases and let it wake as a zombie; best of all in mid-job."""
        victim = await self._victim(processes, watch)
        if self._random.random() < self._options.frozen_share and self._may_freeze(victim, processes):
            self._freezes += 1
            task = asyncio.create_task(self._freeze(victim))
            self._frozen.add(victim.pid)
            task.add_done_callback(lambda _, pid=victim.pid: self._frozen.discard(pid))  # type: ignore[misc]
            return
        pid, killed = victim.pid, time.monotonic()
        self._kills += 1
        await victim.kill()
        if watch is not None:
            await watch.watch(pid, killed)

    async def _victim(self, processes: Sequence[KeptProcess], watch: RecoveryWatch | None) -> KeptProcess:
        """Somebody awake; of the workers one with a job in hand, if there is one within a moment."""
        awake = [process for process in processes if process.pid not in self._frozen] or list(processes)
        for _ in range(30 if watch else 0):
            owners = [owner for _, _, owner in await watch.owned()] if watch else []
            if busy := [process for process in awake if any(f"-{process.pid}-" in owner for owner in owners)]:
                return self._random.choice(busy)
            await asyncio.sleep(0.01)
        return self._random.choice(awake)

    def _may_freeze(self, victim: KeptProcess, processes: Sequence[KeptProcess]) -> bool:
        """Of a stage somebody stays awake: how long all its workers stood still says nothing about taking jobs over."""
        kind = victim.role.kind
        awake = [other for other in processes if other is not victim and other.pid not in self._frozen]
        manned = kind == "gateway" or any(other.role.kind == kind for other in awake)
        return manned and len(self._frozen) < _FROZEN_AT_ONCE

    async def _freeze(self, victim: KeptProcess) -> None:
        pid = victim.pid
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(self._options.lease * self._random.uniform(1.1, 1.75))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def _hit_redis(self, watch: RecoveryWatch) -> None:
        self._kills += 1
        with watch.outage():
            await self._server.kill()
            await self._server.start()

    async def _replace_the_dead(self) -> None:
        for process in self._processes:
            self._restarts += await process.replace_if_dead()

    def _refused(self) -> int:
        """Commits and publications that the fences refused, as the processes' logs say."""
        count = 0
        for path in (self._folder / "logs").glob("*.log"):
            with path.open(errors="replace") as lines:
                count += sum("refused: " in line for line in lines)
        return count


async def listening(port: int, seconds: float = 60.0) -> None:
    for _ in range(int(seconds / 0.05)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise TimeoutError(f"no gateway listens on port {port}")
