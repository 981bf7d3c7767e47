"""Worker and gateway processes that can be killed often: forked from a server that has the code loaded, so a restart takes
milliseconds and the machine's time goes into the test, not into imports."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.events import STAGES, Stage

Kind = Stage | Literal["gateway", "jobs"]

_forks = multiprocessing.get_context("forkserver")


def preload(*more: str) -> None:
    """Before the first process: what the server that forks them has loaded."""
    _forks.set_forkserver_preload(["workers.main", "workers.simulated", "gateway.main", "ops.stack.processes", *more])


@dataclass(frozen=True, slots=True)
class Role:
    """What a process is to be. `environment`: its settings, beside what is inherited; `mutant`: its log asks no job's owner."""

    name: str
    kind: Kind
    environment: Mapping[str, str]
    log: Path
    mutant: bool = False


def simulated(costs: Mapping[str, str]) -> dict[str, str]:
    """Settings of workers that load no model. `costs`: what they take and say, `{"STT_MS": "20"}` for SIMULATED_STT_MS=20."""
    providers = {f"{stage.upper()}_PROVIDER": "simulated" for stage in STAGES}
    return providers | {f"SIMULATED_{name}": value for name, value in costs.items()}


class KeptProcess:
    """One role, always filled: whoever dies is replaced at once."""

    def __init__(self, role: Role):
        self.role = role
        self.kills = 0
        self._changing = asyncio.Lock()
        self._process = self._fork()

    def _fork(self) -> multiprocessing.process.BaseProcess:
        process = _forks.Process(target=_become, args=(self.role,), name=self.role.name, daemon=True)
        process.start()
        return process

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def signal(self, sent: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sent)

    async def kill(self) -> None:
        """SIGKILL, then a new process in its place."""
        async with self._changing:
            self.signal(signal.SIGKILL)
            self.kills += 1
            await asyncio.to_thread(self._process.join)
            self._process = await asyncio.to_thread(self._fork)

    async def replace_if_dead(self) -> bool:
        """Start it again if it ended by itself; that is worth telling."""
        async with self._changing:
            if self._process.is_alive():
                return False
            self._process = await asyncio.to_thread(self._fork)
            return True

    async def ended(self) -> int | None:
        """Its exit code, once it has ended by itself, or of a signal."""
        await asyncio.to_thread(self._process.join)
        return self._process.exitcode

    async def stop(self, grace: float) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        await asyncio.to_thread(self._process.join, grace)
        if self._process.is_alive():
            self.signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.join)


@asynccontextmanager
async def kept(roles: Sequence[Role], grace: float = 3.0) -> AsyncIterator[list[KeptProcess]]:
    """All of them, stopped afterwards within `grace` seconds."""
    processes: list[KeptProcess] = []
    try:
        for role in roles:
            processes += [await asyncio.to_thread(KeptProcess, role)]
        yield processes
    finally:
        await asyncio.gather(*(process.stop(grace) for process in processes))


def _become(role: Role) -> None:
    """In the forked process: settings from the environment, output to its log file, then the role's own main."""
    os.environ.update(role.environment)
    descriptor = os.open(role.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())

    import uvloop

    uvloop.run(_serve(role))


async def _serve(role: Role) -> None:
    from schemas.config.settings import load
    from schemas.log import RedisBus, connect
    from schemas.log.library import without_ownership

    settings = load()
    if role.kind == "jobs":
        from ops.jobs.worker import run_jobs

        await run_jobs(settings)
        return
    bus = (
        RedisBus(settings.redis_url, lease=settings.lease, library=without_ownership())
        if role.mutant
        else connect(settings, holds=True)
    )
    if role.kind == "gateway":
        from gateway.main import run_gateway

        await run_gateway(settings, bus=bus)
    else:
        from workers.main import run_worker

        await run_worker(role.kind, settings, bus=bus)
