"""Conversations in text, through the real turn-taking and the real LLM stage, within this process."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from ops.bench.simulate import bench
from ops.simulate.line import TextLine
from ops.simulate.model import Model
from ops.simulate.places import choose, scene_of
from ops.simulate.run import Result, hold, run_all
from ops.simulate.scenario import Caller, Scenario, made
from ops.simulate.scene import Scene
from ops.simulate.tempers import garbled, heard_as
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError, Permanent
from schemas.events import EndRequested
from tests.ops.simulate.conftest import Answering
from workers.providers import ChatRequest, Delta
from workers.simulated import SimulatedLlm, Simulation

AGENT = AgentSpec(greeting="Hello. What can I do?")


async def results(
    scene: Scene, *scenarios: Scenario, model: Model | None = None, agent: AgentSpec = AGENT
) -> list[Result]:
    return await run_all(scenarios, lambda one: TextLine(scene, agent, one.spec.caller, one.name, 10.0), model)


async def one(scene: Scene, model: Model | None = None, agent: AgentSpec = AGENT, **sections: object) -> Result:
    (result,) = await results(scene, made("one", **sections), model=model, agent=agent)
    return result


async def test_a_scripted_caller_says_all_lines_and_hangs_up(scene: Scene) -> None:
    """Each answered before the next; greeting and answers stand in the transcript."""
    result = await one(
        scene, caller={"lines": ["Hi.", "A pizza."]}, expect={"said": ["say A pizza"], "turns": 2, "ended": False}
    )
    assert result.passed, result.failures
    assert [line.who for line in result.observed.transcript] == ["agent", "caller", "agent", "caller", "agent"]
    assert result.observed.end == "hang_up"
    assert len(result.observed.latencies) == 2


async def test_many_at_once_are_told_in_their_order(scene: Scene) -> None:
    """And what goes wrong in one goes wrong in it alone."""
    many = [
        made(f"s{number}", caller={"lines": [f"Line {number}."]}, expect={"said": [f"Line {number}"]})
        for number in range(12)
    ]
    many[3] = made("s3", caller={"lines": ["x"]}, expect={"said": ["zebra"]})
    found = await results(scene, *many)
    assert [result.scenario.name for result in found] == [scenario.name for scenario in many]
    assert [result.scenario.name for result in found if not result.passed] == ["s3"]


@pytest.mark.parametrize(
    ("temper", "heard"), [("interrupting", "I heard you"), ("impatient", "I heard you say Hi. This is sentence number")]
)
async def test_who_interrupts_is_answered(scene: Scene, temper: str, heard: str) -> None:
    """The agent falls silent at the very word, in each reply but the last."""
    caller = {"lines": ["Hi", "No, wait", "Goodbye"], "temper": temper}
    result = await one(scene, caller=caller, expect={"interruptions": True, "said": ["say Goodbye. This is"]})
    assert result.passed, result.failures
    assert (result.cut_ins, result.observed.interrupted) == (2, 2)
    cut = next(line for line in result.observed.transcript if line.cut)
    assert cut.text == heard


async def test_an_agent_that_cannot_answer_fails(scene: Scene) -> None:
    """What failed is told; the run goes on to its end."""
    settings = Settings(llm_provider="simulated")
    llm = SimulatedLlm(settings, Simulation(llm_trouble="permanent"))
    async with scene_of(settings, llm, Agents()) as (broken, _):
        result = await one(broken, caller={"lines": ["Hi."]})
    (failure,) = result.failures
    assert failure.what == "every turn is answered"
    assert "fails as asked" in failure.why


async def test_an_agent_that_hangs_is_given_up(scene: Scene) -> None:
    """After the caller's own time."""
    settings = Settings(llm_provider="simulated")
    llm = SimulatedLlm(settings, Simulation(llm_trouble="hang"))
    async with scene_of(settings, llm, Agents()) as (broken, _):
        result = await one(broken, caller={"lines": ["Hi."], "seconds": 0.5})
    assert result.failures[0].why == "it was not over after 0.5 s (caller.seconds)"


async def test_an_agent_that_ends_it(scene: Scene) -> None:
    """Then it is over, and so says the log."""
    line = TextLine(scene, AGENT, Caller(lines=["Hi."]), "ends", 10.0)
    await line.connect()
    await line.say("Hi.")
    await scene.bus.post(line.session, "r1", EndRequested(reason="done"))
    async with asyncio.timeout(10):
        while not line.over:
            await asyncio.sleep(0.01)
    await line.hang_up()
    assert (await line.events())[-1].type == "session.ended"


async def test_a_caller_who_never_ends_has_failed(scene: Scene) -> None:
    """By the bound on their lines."""
    caller = {"goal": "talk for ever", "turns": 3}
    result = await one(scene, model=Model(Answering("And one more thing.")), caller=caller)
    assert [check.kind for check in result.failures] == ["conversation"]
    assert result.observed.turns == 3


async def test_played_and_judged(scene: Scene) -> None:
    """By the same model, which is asked in turn."""
    model = Model(Answering("A pizza, please.", "Bye. [END]", '{"passed": true, "why": "It was."}'))
    result = await one(scene, model=model, caller={"goal": "a pizza"}, judge={"criteria": ["The agent is polite."]})
    assert result.passed, result.failures
    assert result.checks[-1].why == "It was."
    assert result.view()["checks"][-1]["kind"] == "judge"


async def test_a_model_that_is_away_fails_the_scenario(scene: Scene) -> None:
    """In its own words."""
    result = await one(scene, model=Model(Answering(Permanent("nobody plays", "gone"))), caller={"goal": "a pizza"})
    assert result.failures[0].why == "nobody plays"


async def test_the_bench_counts() -> None:
    """A small run of it, with every conversation checked."""
    figures = await bench(Settings(llm_provider="simulated"), sessions=3, turns=2)
    assert figures["conversations_per_minute"] > 0
    assert (figures["sessions"], figures["turns"]) == (3, 2)


# ── tempers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_that_get_lost_are_the_same_ones_each_time() -> None:
    """And numbers never do."""
    text = "could you tell me the name of the restaurant and book it for 4 people at 20:30"
    for tempers in (["mumbling"], ["bad line"], ["mumbling", "bad line"]):
        once = garbled(text, tempers, "s/1")  # type: ignore[arg-type]
        assert once == garbled(text, tempers, "s/1")  # type: ignore[arg-type]
        assert once != text
        assert "4" in once.split()
        assert "20:30" in once.split()
    assert garbled(text, ["patient"], "s/1") == text
    assert garbled("no", ["bad line", "mumbling"], "s/1")


def test_sound_on_a_bad_line() -> None:
    """As long as it was; quieter where somebody mumbles, with gaps and noise on a bad line, the same each time."""
    speech = (8_000 * np.sin(np.arange(32_000) / 6)).astype(np.int16)
    bad = heard_as(speech, ["bad line"], "s/1")
    assert len(bad) == len(speech)
    assert (bad == heard_as(speech, ["bad line"], "s/1")).all()
    packets = bad.reshape(-1, 320)
    assert (packets == 0).all(axis=1).any()
    assert np.abs(heard_as(speech, ["mumbling"], "s/1")).max() < 3_000
    assert not len(heard_as(speech[:0], ["bad line"], "s/1"))


# ── who is had ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_by_name_by_file_and_by_folder(tmp_path: Path) -> None:
    """Its scenarios are in its folder, or in one called like its file."""
    root = tmp_path / "agents"
    (root / "pizza").mkdir(parents=True)
    (root / "pizza" / "agent.toml").write_text('greeting = "Pizza."\n')
    (root / "desk.toml").write_text('greeting = "Desk."\n')
    assert choose("pizza", root).scenarios == root / "pizza" / "scenarios"
    assert choose("desk", root).scenarios == root / "desk" / "scenarios"
    assert choose(str(root / "pizza"), None).spec.greeting == "Pizza."
    assert choose(str(root / "pizza"), None).scenarios == root / "pizza" / "scenarios"
    assert choose(str(root / "desk.toml"), None).name == "desk"
    with pytest.raises(AgentSpecError, match="no agent 'taxi' here; there is default, desk, pizza"):
        choose("taxi", root)
    with pytest.raises(AgentSpecError, match="2 agents are there; name one"):
        choose(str(root), None)


class Hanging(Answering):
    """Takes the question, and never answers."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        await asyncio.Event().wait()
        yield Delta()


async def test_a_model_that_hangs_as_it_plays_is_told(scene: Scene) -> None:
    """After the caller's own time, with the setting to look at; the agent is hung up on."""
    result = await one(scene, model=Model(Hanging()), caller={"goal": "a pizza", "seconds": 0.5})
    assert result.failures[0].why == (
        "it was not over after 0.5 s (caller.seconds): the model that plays the caller does not answer (SIMULATE_LLM_BASE_URL)"
    )
    assert result.observed.end == "hang_up"


async def test_a_judge_that_is_away_is_not_asked_for_each_criterion(scene: Scene) -> None:
    """All are undecided, which is no pass."""
    away = Answering(Permanent("nobody judges", "gone"))
    criteria = ["It is polite.", "It is brief."]
    result = await one(scene, model=Model(away), caller={"lines": ["Hi."]}, judge={"criteria": criteria})
    assert [check.what for check in result.failures] == criteria
    assert all("nobody judges" in check.why and check.undecided for check in result.failures)
    assert len(away.asked) == 1


async def test_who_is_stopped_hangs_up(scene: Scene) -> None:
    """So that no agent waits for somebody who is gone."""
    line = TextLine(scene, AGENT, Caller(goal="x"), "stopped", 10.0)
    running = asyncio.create_task(hold(made("stopped", caller={"goal": "x"}), line, Model(Hanging())))
    while not line.session:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert line.over
