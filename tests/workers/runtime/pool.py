"""A pool of workers on the in-memory log, in virtual time, with a stage the test scripts."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from schemas.audio import AudioRef
from schemas.bus import Publication, Receipt
from schemas.config.agent import AgentSpec
from schemas.config.lease import Lease
from schemas.errors import BusUnavailable
from schemas.events import Event, SessionStarted, Stage, TranscriptFinal
from schemas.jobs import Job, LlmJob, SttJob
from schemas.log import MemoryBus
from workers._stage import Work
from workers.runtime import Worker, WorkerOptions
from workers.testing import LoopClock

Script = Callable[[Sequence[Work]], Awaitable[None]]


class ScriptedStage:
    """A stage that does what the test says. `runs`: (virtual time, job ids) of each call."""

    def __init__(self, script: Script, slots: int = 1, batch: int = 1, stage: Stage = "llm"):
        self.stage: Stage = stage
        self.slots = slots
        self.batch = batch
        self.runs: list[tuple[float, list[str]]] = []
        self.warm: Callable[[], Awaitable[None]] | None = None
        self._script = script

    async def warm_up(self) -> None:
        if self.warm:
            await self.warm()

    async def run(self, works: Sequence[Work]) -> None:
        self.runs.append((LoopClock().now(), [f"{work.job.session}/{work.job.id}" for work in works]))
        await self._script(works)

    async def aclose(self) -> None: ...


class Line:
    """One process's connection to the log. `down`: nothing gets through; `deaf`: it gets through, the answer does not. When it is
    back nobody's job is taken for a while, as the log has it that was away."""

    def __init__(self, bus: MemoryBus):
        self._bus = bus
        self._down, self._back = False, -math.inf
        self.deaf = 0
        self.calls: list[str] = []

    @property
    def down(self) -> bool:
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down, self._back = down, asyncio.get_running_loop().time()

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._bus, name)
        if not asyncio.iscoroutinefunction(target):
            return target

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if name == "take" and asyncio.get_running_loop().time() - self._back < Lease(self._bus.lease).jobs_settle:
                kwargs["reclaim"] = False
            if self.down:
                raise BusUnavailable("REDIS_URL=test: no answer")
            answer = await target(*args, **kwargs)
            if self.deaf and name == "commit":
                self.deaf -= 1
                raise BusUnavailable("REDIS_URL=test: the connection broke before the answer")
            return answer

        return call


class Pool:
    """Workers on one log. `async with Pool() as pool:` stops them at the end."""

    def __init__(self, lease: float = 2.0) -> None:
        self.bus = MemoryBus(clock=LoopClock(), lease=lease)
        self.workers: list[Worker] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._operations: dict[str, int] = {}

    async def __aenter__(self) -> "Pool":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def start(self, handler: ScriptedStage, line: Line | None = None, **options: Any) -> Worker:
        worker = Worker(
            line or self.bus,  # type: ignore[arg-type]
            handler,
            WorkerOptions(consumer=f"w{len(self.workers)}", **options),
            clock=LoopClock(),
        )
        self.workers.append(worker)
        self.tasks.append(asyncio.create_task(worker.run()))
        return worker

    async def session(self, name: str, *jobs: Job) -> None:
        started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="gw")
        await self.bus.open(name, "gw", f"open {name}", [started], jobs)

    async def publish(self, session: str, *jobs: Job, raises: int | None = None) -> Receipt:
        self._operations[session] = operation = self._operations.get(session, 0) + 1
        return await self.bus.publish(session, 1, Publication(operation, jobs=jobs, raises=raises))

    async def events(self, session: str, *types: str) -> list[Event]:
        return [event for event in await self.bus.read(session) if not types or event.type in types]


def llm_job(session: str, turn: int = 1, deadline: float = 20.0, generation: int = 0) -> LlmJob:
    return LlmJob(id=f"llm/{turn}.{generation}", session=session, turn=turn, generation=generation, deadline=deadline)


def stt_job(session: str, *, partial: bool = False, deadline: float = 10.0) -> SttJob:
    audio = [AudioRef(key="k", rate=16_000, samples=16_000)]
    return SttJob(
        id="stt/u1",
        session=session,
        turn=1,
        utterance="u1",
        participant="p",
        audio=audio,
        partial=partial,
        deadline=deadline,
    )


def fact(text: str = "done") -> TranscriptFinal:
    return TranscriptFinal(utterance="u1", participant="p", text=text)


def takes(seconds: float) -> Script:
    """Works so long on a batch, then ends each job with one fact."""

    async def script(works: Sequence[Work]) -> None:
        await asyncio.sleep(seconds)
        for work in works:
            await work.finish([fact()])

    return script
