"""`antiphon bench simulate`: how many conversations a minute are simulated in text, by scripted callers with a simulated LLM:
through the real turn-taking and the real LLM stage, each checked as `antiphon simulate` checks it."""

import time
from typing import Any

from ops.bench import machine
from ops.bench.figures import milliseconds
from ops.simulate.line import TextLine
from ops.simulate.places import scene_of
from ops.simulate.run import run_all
from ops.simulate.scenario import Scenario, made
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings, load
from schemas.errors import AntiphonError
from workers.simulated import SimulatedLlm, Simulation

_LINES = (
    "Hello, I'd like to order a pizza.", "A large one, please.", "With mushrooms and olives.",
    "To Garden Street twenty two.", "My name is Anna.", "Thank you, that is all.",
)  # fmt: skip
_SAYS = "I heard you say Thank you, that is all"


async def bench(settings: Settings | None = None, sessions: int = 50, turns: int = 6) -> dict[str, Any]:
    """`sessions` conversations of `turns` turns at once; the LLM needs 30 ms to its first token and 5 ms for each. Answers
    `conversations_per_minute`, and what explains it. AntiphonError: one did not go as it must."""
    settings = settings or load()
    lines = [_LINES[number % len(_LINES)] for number in range(turns)]
    expect = {"said": [_SAYS] if turns >= len(_LINES) else [], "turns": turns}
    scenarios = [made(f"bench-{number}", caller={"lines": lines}, expect=expect) for number in range(sessions)]
    agent = AgentSpec()
    async with scene_of(settings, SimulatedLlm(settings, Simulation()), Agents(), at_once=sessions) as (scene, _):

        def line(one: Scenario) -> TextLine:
            return TextLine(scene, agent, one.spec.caller, one.name)

        await run_all(scenarios[:2], line, None)  # what is loaded with the first one isn't measured
        began, used = time.perf_counter(), time.process_time()
        results = await run_all(scenarios, line, None, parallel=sessions)
        took, used = time.perf_counter() - began, time.process_time() - used
    for result in results:
        if not result.passed:
            raise AntiphonError(f"bench simulate: {'; '.join(f'{one.what}: {one.why}' for one in result.failures)}")
    latencies = [latency for result in results for latency in result.observed.latencies]
    return {
        "conversations_per_minute": round(60 * len(results) / took, 1),
        "turns_per_second": round(sum(result.observed.turns for result in results) / took, 1),
        "processor_ms_per_turn": round(1e3 * used / (sessions * turns), 2),
        "answer_p50_ms": milliseconds(latencies, 50),
        "answer_p95_ms": milliseconds(latencies, 95),
        "sessions": sessions,
        "turns": turns,
    } | machine()
