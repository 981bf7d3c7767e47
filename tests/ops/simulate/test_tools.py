"""Tools of an agent's own code, called by a scripted model in a test: by the fixture, and as a scenario expects them."""

from pathlib import Path

import pytest

from ops.simulate.conversation import Call, Conversation

CODE = """
from workers.agents import Context, tool


@tool
async def book(context: Context, guests: int, at: str = "20:00") -> str:
    '''Book a table.

    guests: how many people
    at: the time
    '''
    return f"booked for {guests} at {at}"


@tool
def menu() -> str:
    '''What there is to eat.'''
    raise RuntimeError("the oven is off")
"""


@pytest.fixture(autouse=True)
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "agents" / "pizza"
    folder.mkdir(parents=True)
    (folder / "agent.toml").write_text('greeting = "Pizza Napoli."\n[tools]\nbuiltin = ["end_call"]\n')
    (folder / "agent.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTS", "agents")
    monkeypatch.setenv("LLM_PROVIDER", "simulated")


@pytest.mark.agent("pizza")
async def test_a_call_is_made_and_answered(conversation: Conversation) -> None:
    """With its arguments, its result in the log, and what the model says of it heard by the caller."""
    conversation.model([Call("book", guests=4), "It is booked."])
    assert await conversation.say("A table for four.") == "It is booked."
    assert conversation.called("book", guests=4)
    assert not conversation.called("book", guests=5)
    (use,) = conversation.tools
    assert (use.came, use.failed, use.returned) == ("booked for 4 at 20:00", False, True)


@pytest.mark.agent("pizza")
async def test_a_tool_that_fails_is_told(conversation: Conversation) -> None:
    """And the conversation goes on."""
    conversation.model([Call("menu"), "We have none today."])
    assert await conversation.say("What is there?") == "We have none today."
    (use,) = conversation.called("menu")
    assert use.failed
    assert "the oven is off" in use.came


@pytest.mark.agent("pizza")
async def test_the_agent_ends_it(conversation: Conversation) -> None:
    """After what it says."""
    conversation.model([Call("end_call"), "Goodbye."])
    await conversation.say("That is all.")
    assert conversation.called("end_call")
    assert conversation.ended


@pytest.mark.agent("pizza")
@pytest.mark.parametrize("pool", [True, False])
async def test_a_slow_tool_of_the_pool(conversation: Conversation, tmp_path: Path, pool: bool) -> None:
    """As in a deployment that has such workers: the answer follows when the tool has returned."""
    agent = tmp_path / "agents" / "pizza" / "agent.toml"
    agent.write_text(agent.read_text().replace("[tools]", f"[tools]\npool = {str(pool).lower()}"))
    conversation.model([Call("book", guests=4), Call("menu"), "It is booked."])
    assert await conversation.say("A table for four.") == "It is booked."
    assert conversation.called("book", guests=4)
    assert conversation.called("menu")
    assert [event.pool for event in conversation.events if event.type == "tool.called"] == [pool, pool]
