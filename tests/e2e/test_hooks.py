"""Hooks, steps and a hand-over in a whole conversation: the real gateway over WebSocket, a real log, real models."""

from collections.abc import Awaitable, Callable
from textwrap import dedent

from ops.people.caller import Caller
from schemas.events import (
    AgentChanged,
    EndRequested,
    HookBegan,
    HookCalled,
    ReplySentence,
    SessionEnded,
    StepEntered,
    ToolReturned,
    TurnCommitted,
    TurnEnded,
)
from schemas.session.promises import violations
from tests.e2e.conftest import House
from tests.e2e.test_conversations import write

SHOP = """
    instructions = "You sell pizza in {{values.city}}."
    [llm.options]
    user = "shop"
    [handover]
    context = false
    [[steps]]
    name = "greeting"
    instructions = "Ask what they want."
    [[steps]]
    name = "order"
    instructions = "Take the order of {{values.city}}."
"""
SHOP_CODE = """
    from workers.agents import Answer, Change, Context, Enter, UserTurn


    def on_enter(context: Context) -> Enter:
        return Enter(f"Hello {context.caller.name}.", {"city": "Rome"})


    async def on_user_turn(context: Context, turn: UserTurn) -> object:
        if "hours" in turn.text:
            return Answer("We are open until nine.")
        if "order" in turn.text:
            context.goto("order")
        if "bill" in turn.text:
            context.hand_over("desk")
        if "secret" in turn.text:
            return Change("Good day.")
        return None


    def on_exit(context: Context, ending: object) -> None:
        raise RuntimeError("another agent has the session: this is not called")
"""
DESK = """
    instructions = "You do the bills."
    fallback = "The books are closed."
    [llm.options]
    user = "desk"
"""
DESK_CODE = """
    from workers.agents import Context


    def on_enter(context: Context) -> str:
        return "The desk speaking. What is your number?"


    def on_exit(context: Context, ending: object) -> None:
        context.state["why"] = ending.reason
        context.state["said"] = len(ending.transcript)
"""


async def test_a_conversation_with_hooks_steps_and_a_hand_over(
    house: House, call: Callable[..., Awaitable[Caller]]
) -> None:
    """Each does in a call what its page says, and the log tells of it."""
    for name, text, code in (("shop", SHOP, SHOP_CODE), ("desk", DESK, DESK_CODE)):
        (house.agents / name).mkdir()
        (house.agents / name / "agent.toml").write_text(dedent(text))
        (house.agents / name / "agent.py").write_text(dedent(code))
        house.llm.modes[name] = "brief"
    caller = Caller(house.stack.gateways[0], agent="shop", participant="ann", name="Ann")
    await caller.connect()
    try:
        session = caller.session
        await house.event(session, lambda event: isinstance(event, TurnEnded), 60)
        assert (await write(caller, "What are your hours?")).heard == "We are open until nine."
        assert house.llm.requests["shop"] == []
        house.llm.modes["shop"] = "pass"
        assert (await write(caller, "I want to order the secret pizza.")).how == "played"
        given = house.llm.last("shop")
        assert given[0]["content"].startswith("You sell pizza in Rome.\n\nTake the order of Rome.")
        assert given[-1]["content"] == "Good day."
        assert (await write(caller, "And now the bill.")).heard == "The desk speaking. What is your number?"
        assert (await write(caller, "It is four.")).how == "played"
        given = house.llm.last("desk")
        assert given[0]["content"].startswith("You do the bills.")
        assert "pizza" not in house.llm.context_of_last("desk")
    finally:
        await caller.hang_up()
    await house.event(session, lambda event: isinstance(event, SessionEnded))
    log = await house.log(session)
    assert violations(log) == []
    greeting = next(event for event in log if isinstance(event, TurnCommitted) and event.why == "greeting")
    first = next(event for event in log if isinstance(event, ReplySentence) and event.turn == greeting.turn)
    assert first.text == "Hello Ann."
    assert [event.step for event in log if isinstance(event, StepEntered)] == ["order"]
    (changed,) = (event for event in log if isinstance(event, AgentChanged))
    assert (changed.agent.name, changed.context, changed.via) == ("desk", False, "on_user_turn")
    called = [event for event in log if isinstance(event, HookCalled)]
    assert [(event.hook, event.decision) for event in called] == [
        ("on_enter", "greeted"),
        ("on_user_turn", "answered"),
        ("on_user_turn", "changed"),
        ("on_user_turn", ""),
        ("on_enter", "greeted"),
        ("on_exit", ""),
    ]
    assert [event.error for event in called] == [""] * len(called)
    assert [event.call for event in log if isinstance(event, HookBegan)] == [event.call for event in called]
    assert called[-1].state["why"] == "hang_up"
    assert not [event for event in log if isinstance(event, EndRequested | ToolReturned)]
    assert log[-1].type == "session.ended"
