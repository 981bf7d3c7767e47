"""Scenarios run, many at once: each a conversation, held to its end, and what is checked of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.sessions.reception import Refused
from ops.jobs.results import Made
from ops.people.person import CallError
from ops.simulate.expecting import Check, checks, resulting
from ops.simulate.judge import judged
from ops.simulate.line import Line, NoAnswer, TextLine
from ops.simulate.model import Model
from ops.simulate.observed import Observed, observed
from ops.simulate.playing import Playing, TooLong, who_plays
from ops.simulate.scenario import Scenario
from ops.simulate.scene import Scene
from ops.simulate.tempers import cut_in
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import Event

__all__ = ["Result", "hold", "in_text", "run_all"]

_LAST = 15.0
"""Seconds for hanging up, and for what the log has to say of it."""


@dataclass(slots=True)
class Result:
    """Of one scenario. `session`: of its conversation, "" where none came about; `checks`: in order; `seconds`: it took,
    without the judge; `cut_ins`: how often the caller spoke over the agent; `filled`: the structured result, where one is
    expected."""

    scenario: Scenario
    session: str = ""
    checks: list[Check] = field(default_factory=list)
    observed: Observed = field(default_factory=Observed)
    seconds: float = 0.0
    cut_ins: int = 0
    filled: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        found = self.observed
        return {
            "scenario": self.scenario.name,
            "file": str(self.scenario.file) if self.scenario.file else None,
            "passed": self.passed,
            "session": self.session or None,
            "seconds": round(self.seconds, 3),
            "turns": found.turns,
            "ended": found.end or None,
            "variant": found.variant or None,
            "fields": {name: {"value": one.value, "confirmed": one.confirmed} for name, one in found.fields.items()},
            "result": self.filled,
            "latency_p95": None if found.latency_p95 is None else round(found.latency_p95, 3),
            "interruptions": self.cut_ins,
            "checks": [
                {"kind": one.kind, "what": one.what, "passed": one.passed, "why": one.why, "undecided": one.undecided}
                for one in self.checks
            ],
            "tools": [
                {
                    "name": use.name,
                    "arguments": use.arguments,
                    "failed": use.failed,
                    "returned": use.returned,
                    "came": use.came,
                }
                for use in found.tools
            ],
            "transcript": [{"who": line.who, "text": line.text, "interrupted": line.cut} for line in found.transcript],
            "troubles": found.troubles,
        }


MakeLine = Callable[[Scenario], Line]
Fill = Callable[[str, Sequence[Event]], Awaitable[Made]]
"""Fills the structured result of a session, whose log this is."""


def in_text(scene: Scene, agent: AgentSpec) -> MakeLine:
    """Lines to `agent` in `scene`."""
    return lambda scenario: TextLine(scene, agent, scenario.spec.caller, scenario.name)


async def run_all(
    scenarios: Sequence[Scenario], make: MakeLine, model: Model | None, *, parallel: int = 8,
    told: Callable[[Result], None] = lambda _: None, fill: Fill | None = None,
) -> list[Result]:  # fmt: skip
    """In their order, up to `parallel` at once. `model`: plays and judges, where any of them needs it; `told`: of each as it is
    done; `fill`: makes structured results. What goes wrong in one is told in its result."""
    places = asyncio.Semaphore(parallel)

    async def one(scenario: Scenario) -> Result:
        async with places:
            result = await hold(scenario, make(scenario), model, fill)
        told(result)
        return result

    return list(await asyncio.gather(*map(one, scenarios)))


async def hold(scenario: Scenario, line: Line, model: Model | None, fill: Fill | None = None) -> Result:
    """One conversation to its end, and what is to be said of it."""
    result, began = Result(scenario), time.monotonic()
    spec = scenario.spec
    playing, broken = who_plays(spec.caller, model), ""
    try:
        async with asyncio.timeout(spec.caller.seconds):
            broken = await _converse(scenario, line, playing)
    except TimeoutError:
        asked = ": the model that plays the caller does not answer (SIMULATE_LLM_BASE_URL)" if playing.thinks else ""
        broken = f"it was not over after {spec.caller.seconds:g} s (caller.seconds){asked}"
    except asyncio.CancelledError:
        await _over(line)  # who stops us must not leave the agent waiting
        raise
    except Exception as error:
        broken = told_as(error)
    broken = await _over(line) or broken
    result.session, result.cut_ins = line.session, line.cut_ins
    result.seconds = time.monotonic() - began
    if broken:
        result.checks.append(Check("conversation", "the conversation is held to its end", False, broken))
    if line.session:
        result.observed = observed(await line.events(), [message for _, message in line.messages])
        result.checks += checks(spec.expect, result.observed, line.cut_ins)
    if spec.expect.result and fill is not None and line.session:
        result.filled, why = await _filled(line, fill)
        result.checks += resulting(spec.expect.result, result.filled, why)
    if spec.judge.criteria and model is not None and line.session:
        result.checks += await judged(spec.judge.criteria, result.observed.transcript, model, result.observed.end)
    return result


async def _filled(line: Line, fill: Fill) -> tuple[Mapping[str, Any] | None, str]:
    """What the line's structured result is; None, and why there is none."""
    try:
        made = await fill(line.session, await line.events())
    except Exception as error:
        return None, told_as(error)
    return made.result, made.error


def told_as(error: Exception) -> str:
    """In a sentence; an error of ours by its own."""
    return (
        str(error)
        if isinstance(error, AntiphonError | Refused | CallError)
        else f"{type(error).__name__}: {error}"[:500]
    )


async def _converse(scenario: Scenario, line: Line, playing: Playing) -> str:
    """Until somebody ends it; answers what broke it off, "" where nothing did."""
    cuts_in = cut_in(scenario.spec.caller.temper) is not None
    await line.connect()
    try:
        while not line.over and (said := await playing.next(line.events)) is not None:
            await line.say(said, cut_in=cuts_in and playing.goes_on)
    except (NoAnswer, TooLong) as error:
        return str(error)
    return ""


async def _over(line: Line) -> str:
    """Hang up; what kept us from it."""
    try:
        async with asyncio.timeout(_LAST):
            await line.hang_up()
    except TimeoutError:
        return f"the session did not end within {_LAST:g} s of hanging up"
    except Exception as error:
        return told_as(error)
    return ""


@asynccontextmanager
async def asked(model: Model | None) -> AsyncIterator[Model | None]:
    """Warm, and closed at the end. ProviderError: its endpoint is away."""
    if model is None:
        yield None
        return
    try:
        await model.warm_up()
        yield model
    finally:
        await model.aclose()
