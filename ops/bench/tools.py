"""`antiphon bench tools`: what a tool costs beside a plain answer, and whether one is ever called twice.

A real Valkey with `appendfsync always`, real LLM workers, the simulated LLM. A turn in which a tool of 0 ms is called and
answered asks the LLM twice; the first answer, the call, costs nothing here, so that what it takes longer than a plain one is
ours. Then as many turns with a tool that takes a while run at once while their workers are killed, one after another, with
SIGKILL: the tool writes each call into a file, and no key may stand there twice.
"""

import asyncio
import contextlib
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

from ops.bench import machine
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Role, kept, preload
from ops.stack.system import free_port
from schemas.bus import Bus, Publication
from schemas.config.agent import AGENT_FILE, AgentSpec, Tools, load_agent
from schemas.config.conversation import CODE_FILE
from schemas.config.settings import Settings
from schemas.events import (
    ReplyFinished,
    SessionStarted,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob
from schemas.log import connected

__all__ = ["bench", "killed"]

_CODE = '''
    import asyncio
    import os

    from workers.agents import Context, tool


    @tool
    async def nothing() -> str:
        """Do nothing."""
        return "done"


    @tool(timeout=30)
    async def work(context: Context) -> str:
        """Work for a while, and write down that it was called."""
        with open({ledger!r}, "ab", buffering=0) as ledger:
            ledger.write(context.idempotency_key.encode() + b"\\n")
        await asyncio.sleep(0.2)
        return "done"
'''
_PATIENCE = 120.0


async def bench(turns: int = 200, sessions: int = 500, **_: Any) -> dict[str, Any]:
    """`turns`: of each kind, one after another; `sessions`: calls while workers are killed."""
    figures = await _overhead(turns)
    figures |= await killed(sessions)
    return {**figures, **machine()}


async def _overhead(turns: int) -> dict[str, Any]:
    plain = AgentSpec(name="bench")
    took: dict[str, list[float]] = {"plain": [], "tool": []}
    async with _Workers(1, {"SIMULATED_LLM_CALLS": "nothing"}) as run:
        for number in range(turns + 10):
            for kind, agent in (("plain", plain), ("tool", run.agent)):
                seconds = await run.turn(f"{kind}-{number}", agent)
                if number >= 10:  # warm
                    took[kind].append(seconds)
    p50 = {kind: statistics.median(each) * 1e3 for kind, each in took.items()}
    return {
        "overhead_ms": round(p50["tool"] - p50["plain"], 2),
        "plain_p50_ms": round(p50["plain"], 2),
        "tool_p50_ms": round(p50["tool"], 2),
        "turns": turns,
    }


async def killed(calls: int, workers: int = 3, every: float = 0.4, *, pool: bool = False) -> dict[str, Any]:
    """`pool`: the tools' own workers call, and are killed; here nobody goes on with the reply then.

    `twice`: keys that were called more than once; `lost`: turns that never came to an end; `unknown`: calls of which the model
    was told that nobody knows."""
    async with _Workers(
        workers, {"SIMULATED_LLM_CALLS": "work", "WORKER_SLOTS": "16", "MAX_DELIVERIES": "50"}, pool=pool
    ) as run:
        turns = [asyncio.create_task(run.turn(f"k{number}", run.agent)) for number in range(calls)]
        kills = 0
        dice = random.Random(4711)
        while not all(turn.done() for turn in turns):
            await asyncio.sleep(every)
            if kills < calls // 10:
                await dice.choice(run.workers).kill()
                kills += 1
        lost = sum(
            1 for turn in await asyncio.gather(*turns, return_exceptions=True) if isinstance(turn, BaseException)
        )
        counts = Counter(run.ledger.read_text().split()) if run.ledger.exists() else Counter()
        events = [event for number in range(calls) for event in await run.bus.read(f"k{number}")]
        unknown = sum(isinstance(event, ToolReturned) and "unknown" in event.error for event in events)
        began = sum(isinstance(event, ToolCalled) for event in events)
    return {
        "twice": sum(1 for count in counts.values() if count > 1),
        "calls": began,
        "ran": len(counts),
        "unknown": unknown,
        "lost": lost,
        "kills": kills,
    }


class _Workers:
    """LLM workers on a server of their own, with an agent that has the tools above."""

    def __init__(self, count: int, environment: dict[str, str], *, pool: bool = False):
        self._count, self._environment, self._pool = count, environment, pool

    async def __aenter__(self) -> "_Workers":
        self._stack = contextlib.AsyncExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-bench-")))
        (folder / "agents" / "bench").mkdir(parents=True)
        (folder / "logs").mkdir()
        self.ledger = folder / "ledger"
        home = folder / "agents" / "bench"
        (home / CODE_FILE).write_text(dedent(_CODE).format(ledger=str(self.ledger)))
        (home / AGENT_FILE).write_text("")
        spec = load_agent(home)
        self.agent = spec.model_copy(update={"tools": Tools(rounds=1, pool=self._pool)})
        server = await self._stack.enter_async_context(Valkey(folder / "valkey", free_port(), "always"))
        self.bus: Bus = await self._stack.enter_async_context(connected(Settings(redis_url=server.url)))
        preload("workers.main", "workers.llm")
        shared = {
            "REDIS_URL": server.url,
            "AGENTS": str(folder / "agents"),
            "LLM_PROVIDER": "simulated",
            "HEALTH_PORT": "0",
            "LOG_LEVEL": "warning",
            "SIMULATED_LLM_TOKEN_MS": "0",
            **self._environment,
        }
        roles = [Role(f"llm-{n}", "llm", shared, folder / "logs" / f"llm-{n}.log") for n in range(self._count)]
        tools = [Role(f"tools-{n}", "tools", shared, folder / "logs" / f"tools-{n}.log") for n in range(self._count)]
        started: list[KeptProcess] = await self._stack.enter_async_context(
            kept([*roles, *(tools if self._pool else [])])
        )
        self.workers = started[self._count :] or started
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def turn(self, session: str, agent: AgentSpec) -> float:
        """Seconds from the job to the end of its reply."""
        started = SessionStarted(room="bench", transport="memory", agent=agent, gateway="bench")
        await self.bus.open(session, "bench", f"open {session}", [started])
        heard = UtteranceCaptured(turn=1, utterance="u1", participant="p", audio=[], duration=1.0)
        said = TranscriptFinal(turn=1, utterance="u1", participant="p", text="Do it.")
        job = LlmJob.of(agent, session, 1, 0, committed=True).model_copy(update={"deadline": _PATIENCE})
        committed = TurnCommitted(turn=1, why="silence")
        began = time.perf_counter()
        await self.bus.publish(session, 1, Publication(1, [heard, said, committed], [job]))
        seen = 0
        async with asyncio.timeout(_PATIENCE):
            while True:
                events = await self.bus.read(session, seen)
                seen += len(events)
                over = ToolReturned if self._pool else ReplyFinished
                if any(isinstance(event, over) for event in events):
                    return time.perf_counter() - began
                await asyncio.sleep(0.001 if self._count == 1 else 0.1)
