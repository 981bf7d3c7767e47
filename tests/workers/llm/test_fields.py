"""Fields in the LLM stage: noted in the very step that answers the model, once, and confirmed in a later turn only."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.bus import Publication
from schemas.config.agent import AgentSpec, parse_agent
from schemas.events import (
    FieldCollected,
    MessageReceived,
    SessionStarted,
    ToolReturned,
    TurnCommitted,
    TurnEnded,
)
from schemas.jobs import LlmJob
from schemas.session.fold import fold_all
from tests.workers.llm.scripted import STOP, ScriptedLlm, llm_stage
from tests.workers.runtime.pool import Pool
from workers.providers import CalledTool, Delta
from workers.testing import virtually

AGENT = parse_agent(
    '[[fields]]\nname = "email"\ntype = "email"\n[[fields]]\nname = "guests"\ntype = "number"\nconfirm = false'
)


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time waits for none."""

    async def at_once(work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


def noting(**arguments: object) -> list[Delta]:
    return [Delta(finish="tool", calls=(CalledTool("note_field", arguments),))]


async def turn(pool: Pool, number: int, text: str, agent: AgentSpec = AGENT) -> None:
    """Somebody writes; what comes of it is played."""
    if number == 1:
        await pool.bus.open(
            "s", "gw", "open", [SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")]
        )
    job = LlmJob.of(agent, "s", number, 0, committed=True)
    said = [MessageReceived(turn=number, participant="ann", text=text), TurnCommitted(turn=number, why="text")]
    await pool.bus.publish("s", 1, Publication(number * 2, said, [job]))
    await asyncio.sleep(2)
    await pool.bus.publish("s", 1, Publication(number * 2 + 1, [TurnEnded(turn=number, how="played", heard="Yes.")]))


@virtually
async def test_a_field_is_noted_read_back_and_confirmed() -> None:
    """What the model calls right counts once the caller has heard it, in the turn after."""
    async with Pool() as pool:
        said = {"name": "email", "value": "anna at example dot com"}
        provider = ScriptedLlm(
            noting(**said, confirmed=True),
            ["anna at example dot com, right?", STOP],
            noting(name="email", value="", confirmed=True),
            ["How many are you?", STOP],
        )
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await turn(pool, 1, "It's anna at example dot com.")
        await turn(pool, 2, "Yes.")
        log = await pool.bus.read("s")
        noted = [event for event in log if isinstance(event, FieldCollected)]
        assert [(one.name, one.value, one.confirmed, one.turn) for one in noted] == [
            ("email", "anna@example.com", False, 1),
            ("email", "anna@example.com", True, 2),
        ]
        assert all(one.cause is not None and one.generation == 0 for one in noted)
        answers = [event.result for event in log if isinstance(event, ToolReturned)]
        assert "Read it back: 'anna at example dot com'" in answers[0]
        assert answers[1] == "email = anna@example.com is confirmed. Ask now for guests."
        tools = [tool["function"]["name"] for tool in provider.requests[0].tools]
        assert tools == ["note_field"]
        assert "Ask now for guests." in provider.requests[3].messages[0]["content"]
        assert fold_all(log).fields["email"].confirmed


@virtually
async def test_several_fields_at_once_answer_by_each_other() -> None:
    """Calls of one round are side by side: the last one knows of the first."""
    async with Pool() as pool:
        calls = (
            CalledTool("note_field", {"name": "guests", "value": "four of us"}),
            CalledTool("note_field", {"name": "email", "value": "a@b.org"}),
            CalledTool("note_field", {"name": "colour", "value": "red"}),
        )
        pool.start(llm_stage(ScriptedLlm([Delta(finish="tool", calls=calls)], ["a at b dot org?", STOP])))  # type: ignore[arg-type]
        await turn(pool, 1, "Four, a at b dot org.")
        log = await pool.bus.read("s")
        assert {one.name: one.value for one in log if isinstance(one, FieldCollected)} == {
            "guests": 4,
            "email": "a@b.org",
        }
        answers = [event.result for event in log if isinstance(event, ToolReturned)]
        assert "there is no field 'colour'; there is email, guests" in answers


@virtually
@pytest.mark.parametrize(
    "arguments", [{}, {"name": "email"}, {"name": "email", "value": {"a": 1}}, {"name": 4, "value": 4}]
)
async def test_arguments_that_do_not_fit_are_answered(arguments: dict[str, object]) -> None:
    """Nothing is noted, and the model may try again."""
    async with Pool() as pool:
        pool.start(llm_stage(ScriptedLlm(noting(**arguments), ["Sorry?", STOP])))  # type: ignore[arg-type]
        await turn(pool, 1, "Hm.")
        log = await pool.bus.read("s")
        assert not [event for event in log if isinstance(event, FieldCollected)]
        [returned] = [event for event in log if isinstance(event, ToolReturned)]
        assert returned.result.startswith(("there is no field", "not noted: "))


@virtually
async def test_fields_are_noted_in_every_step() -> None:
    """Whichever tools a step names: its agent is told to note them."""
    steps = '[[fields]]\nname = "email"\ntype = "email"\n[[steps]]\nname = "only"\ntools = []\n'
    async with Pool() as pool:
        provider = ScriptedLlm(noting(name="email", value="anna at example dot com"), ["Right?", STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await turn(pool, 1, "It's anna at example dot com.", parse_agent(steps))
        assert [tool["function"]["name"] for tool in provider.requests[0].tools] == ["note_field"]
        assert [one.name for one in await pool.bus.read("s") if isinstance(one, FieldCollected)] == ["email"]
