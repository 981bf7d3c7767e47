"""The pizzeria that ships (docs/pizza.md), by its own scenarios and by a model of which each word is known."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.simulate.conversation import Call, Conversation
from workers.agents import AgentCode, Context, ToolError, load

PIZZA = Path(__file__).parents[3] / "ops" / "agents" / "pizza"
TWO = [{"pizza": "margherita", "size": "large", "count": 2}]


@pytest.fixture(autouse=True)
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTS", str(PIZZA.parent))
    monkeypatch.setenv("LLM_PROVIDER", "simulated")
    monkeypatch.setenv("PIZZA_BOOK", str(tmp_path / "orders.jsonl"))
    monkeypatch.setenv("PIZZA_SECONDS", "0")


@pytest.fixture
def code() -> Iterator[AgentCode]:
    """Its code, read anew, so that it has this test's settings."""
    forget()
    yield load(PIZZA)
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.startswith("antiphon_agent_")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def orders(folder: Path) -> list[dict[str, Any]]:
    book = folder / "orders.jsonl"
    return [json.loads(line) for line in book.read_text().splitlines()] if book.exists() else []


async def run(code: AgentCode, context: Context, name: str, **arguments: Any) -> Any:
    tool = code.tools[name]
    return await tool.run(context, tool.fit(arguments))


async def test_nothing_is_ordered_that_nobody_heard(code: AgentCode, tmp_path: Path) -> None:
    """Neither without an order, nor in the turn in which it was noted; and twice by one key is once."""
    context = Context(idempotency_key="s/1", turn=1)
    with pytest.raises(ToolError, match="call order first"):
        await run(code, context, "place_order")
    assert "2 large margherita for 22 euros" in await run(code, context, "order", pizzas=TWO)
    with pytest.raises(ToolError, match="must hear first"):
        await run(code, context, "place_order")
    noted = dict(context.state)
    for _ in range(2):  # a worker died in the first
        later = Context(idempotency_key="s/2", turn=2, state=dict(noted))
        assert "number of the order is 1" in await run(code, later, "place_order")
    (order,) = orders(tmp_path)
    assert order["pizzas"] == TWO


@pytest.mark.parametrize(
    "wrong", [{"pizza": "tuna"}, {"pizza": "funghi", "count": 0}, {"pizza": "funghi", "count": 21}]
)
def test_what_does_not_fit_never_reaches_the_kitchen(code: AgentCode, wrong: dict[str, Any]) -> None:
    """The model is told what is allowed."""
    with pytest.raises(Exception, match=r"pizzas\.0"):
        code.tools["order"].fit({"pizzas": [wrong]})
    with pytest.raises(Exception, match="pizzas"):
        code.tools["order"].fit({"pizzas": []})


async def test_a_number_that_is_none_is_asked_for_again(code: AgentCode) -> None:
    """The model is told so."""
    with pytest.raises(ToolError, match="no phone number"):
        await run(code, Context(), "leave_message", number="soon", about="x")


@pytest.mark.agent("pizza")
async def test_a_model_in_a_hurry(conversation: Conversation, tmp_path: Path) -> None:
    """One that orders before anybody has agreed is held back by the tool, and orders in the next turn."""
    forget()
    conversation.model([Call("order", pizzas=TWO), Call("place_order"), "Two large margherita for 22 euros?"])
    await conversation.say("Two large margheritas.")
    assert orders(tmp_path) == []
    (held,) = conversation.called("place_order")
    assert held.failed
    conversation.model([Call("place_order"), "It is ordered."])
    assert await conversation.say("Yes.") == "It is ordered."
    assert [order["pizzas"] for order in orders(tmp_path)] == [TWO]


def test_its_scenarios_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three callers, by the rules that stand in for a model."""
    forget()
    monkeypatch.setenv("SIMULATED_LLM_RULES", str(PIZZA / "rehearsal.toml"))
    done = CliRunner().invoke(cli.app, ["simulate", "pizza", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["passed"], found["failed"]) == (3, 0)
