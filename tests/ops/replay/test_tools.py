"""Sessions whose agents do things, replayed: nothing is done again, and what was answered then is answered again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ops.replay._calls import NOT_CALLED
from ops.replay.check import Stored, check
from ops.replay.real_tools import opened
from ops.replay.scripted import Called, Says, held
from ops.replay.stages import Forked, replay_stages
from ops.replay.turns import ReplayError, replay
from schemas.bus import Bus
from schemas.config.agent import AgentSpec, Tools, TurnTaking, code_version
from schemas.config.collecting import FieldSpec
from schemas.config.conversation import StepSpec
from schemas.config.settings import Settings
from schemas.config.steps import begun
from schemas.events import (
    EndRequested,
    Event,
    FieldCollected,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    ToolCalled,
    ToolReturned,
    TurnEnded,
)
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.ops.replay.piped import recorded_call, serving
from tests.workers.llm.scripted import STOP, ScriptedLlm
from workers.llm import LlmStage
from workers.providers import CalledTool, Delta

ROME = Called("weather", {"city": "Rome"}, "sunny", took=2.5, patience=1.0)
CODE = """
    from pathlib import Path

    from workers.agents import Context, tool


    @tool
    async def book(context: Context, guests: int) -> str:
        "Book a table."
        (Path(__file__).parent / "called").write_text("really")
        return "really booked"


    @tool(repeat=True)
    async def look(context: Context, guests: int) -> str:
        "Is there a table?"
        context.end("no table")
        (Path(__file__).parent / "looked").write_text(context.idempotency_key)
        return "really looked"
"""


def asks(call: Called, *more: Says) -> list[Says]:
    return [Says(1.0, "What is the weather in Rome?", ("It is sunny.",), calls=(call,)), *more]


def of(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def agent(**fields: Any) -> AgentSpec:
    return AgentSpec(greeting="", patience=1.0, filler="One moment.", **fields)


@pytest.mark.parametrize("ahead", [8, 0], ids=["asked ahead", "asked once committed"])
@pytest.mark.parametrize("pool", [False, True], ids=["the worker's own", "the pool's"])
def test_a_session_with_tools_is_decided_again_and_replayed_as_it_was(pool: bool, ahead: int) -> None:
    """The LLM's worker waited for the tool, or the gateway did, and bridged the wait: in the replay, too."""
    spec = agent(turn_taking=TurnTaking(speculate_below=ahead))
    call = Called("weather", {"city": "Rome"}, "sunny", took=2.5, pool=pool, patience=1.0)
    events = held(asks(call, Says(9.0, "Thank you very much.", ("You are welcome.",))), spec, until=14.0)
    checked = check(Stored("tools", events))
    assert checked.sound, list(checked.errors)
    assert checked.decided.untold == 0
    assert [one.text for one in of(events, ReplySentence)].count("One moment.") == int(pool)

    replayed = replay(events, spec)
    assert [pair.otherwise for pair in replayed.turns] == [[], []]
    assert replayed.notes == []
    assert [event.type for event in replayed.events] == [event.type for event in events]
    for was, now in zip(events, replayed.events, strict=True):
        if was.turn is not None:
            assert (was.at - events[0].at) / 1e6 == pytest.approx((now.at - events[0].at) / 1e6, abs=0.05)
    assert violations(replayed.events) == []
    assert check(Stored("again", replayed.events)).sound


def test_words_that_bridged_no_wait_are_found() -> None:
    """A log that says that the gateway bridged a wait, which it did not, is told with the event."""
    call = Called("weather", {"city": "Rome"}, "sunny", took=2.5, pool=True, patience=1.0)
    events = held(asks(call), agent(), until=9.0)
    wronged = [
        event.model_copy(update={"text": "Never mind."}) if getattr(event, "text", "") == "One moment." else event
        for event in events
    ]
    (first, second) = check(Stored("wronged", wronged)).differences[:2]
    assert {first.type, second.type} == {"reply.sentence"}
    assert first.recorded is None
    assert second.decided is None


def test_what_a_tool_had_begun_comes_to_its_end_though_the_turn_does_not() -> None:
    """Who cuts in leaves the tool at work: its result stands in the fork, and the same session can be replayed from there."""
    events = held([*asks(ROME), Says(4.5, "No wait, forget it please.", ("All right.",))], agent(), until=12.0)
    assert len(of(events, ToolReturned)) == len(of(events, ToolCalled))
    replayed = replay(events, agent(), from_turn=1)
    returned = of(replayed.events, ToolReturned)
    assert [one.call for one in returned] == [one.call for one in of(replayed.events, ToolCalled)]
    assert {one.result for one in returned} == {"sunny"}
    assert violations(replayed.events) == []


def test_what_a_tool_asked_of_the_session_belongs_to_its_call() -> None:
    """Where the turn that called it is dropped in the fork, the call is not ended by it."""
    events = ended_by_a_tool()
    again = replay(events, agent())
    (asked,) = of(again.events, EndRequested)
    assert asked.request == f"{of(again.events, ToolCalled)[0].call}/1"
    assert again.events[-1].type == "session.ended"
    assert again.turns[0].otherwise == []

    deaf = agent(turn_taking=TurnTaking(answer="addressed", wake=["hey pizza"]))
    unheard = replay(events, deaf)
    assert of(unheard.events, ToolCalled) == []
    assert of(unheard.events, EndRequested) == []


def ended_by_a_tool() -> list[Event]:
    """It asks for the end when it is called, as `end_call` does."""
    call = Called("end_call", {}, "The call ends.", took=0.2)
    events = held([Says(1.0, "Goodbye then.", ("Goodbye.",), calls=(call,))], agent(), until=8.0)
    told: list[Event] = []
    for event in events:
        if isinstance(event, ToolReturned):
            told.append(
                EndRequested(reason="agent", request=f"{event.call}/1", said=True).model_copy(update={"at": event.at})
            )
        told.append(event)
    return [event.model_copy(update={"seq": seq}) for seq, event in enumerate(told, 1)]


# ── through the pools ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pizza(tmp_path: Path) -> Path:
    """Agents, of which one has a tool that must not be called."""
    (tmp_path / "pizza").mkdir()
    (tmp_path / "pizza" / "agent.py").write_text(dedent(CODE))
    (tmp_path / "pizza" / "agent.toml").write_text("")
    return tmp_path


def booker(agents: Path, **more: Any) -> AgentSpec:
    return AgentSpec(
        name="pizza", greeting="", filler="", patience=0.0, code=code_version(agents / "pizza"), **more
    )  # fmt: skip


def wants(name: str, arguments: Mapping[str, Any]) -> Delta:
    return Delta(finish="tool", calls=(CalledTool(name, dict(arguments)),))


async def made(
    bus: Bus, agents: Path, spec: AgentSpec, script: Sequence[Says], provider: ScriptedLlm, **options: Any
) -> Forked:
    events = await recorded_call(bus, script=script, agent=spec, until=12.0)
    settings = Settings(_env_file=None, agents=agents)  # type: ignore[call-arg]
    async with serving(bus, ["llm", "tts"], llm=LlmStage(provider, settings)):
        forked = await replay_stages(bus, "script", events, bus, stage="llm", agent=spec, **options)
    assert not (agents / "pizza" / "called").exists(), "a replay calls no tool"
    assert violations(forked.events) == []
    checked = check(Stored("fork", forked.events))
    assert checked.sound, list(checked.errors)
    return forked


BOOKED = Called("book", {"guests": 4}, "a table for four at eight", took=0.5)
TABLE = (
    Says(1.0, "A table for four please.", ("It is booked.",), calls=(BOOKED,)),
    Says(8.0, "Thank you very much.", ("You are welcome.",)),
)


@pytest.mark.parametrize("ahead", [8, 0], ids=["asked ahead", "asked once committed"])
async def test_the_same_call_is_answered_as_it_was(bus: Bus, pizza: Path, ahead: int) -> None:
    """A reply that is made anew, by a model that calls the tool again: nobody books anything, and the model reads what was
    answered then."""
    spec = booker(pizza, turn_taking=TurnTaking(speculate_below=ahead))
    provider = ScriptedLlm(
        ["Let me see. ", wants("book", {"guests": 4})], ["It is done.", STOP], ["With pleasure.", STOP]
    )
    forked = await made(bus, pizza, spec, TABLE, provider)
    assert [one.text for one in of(forked.events, ReplySentence)] == ["Let me see.", "It is done.", "With pleasure."]
    (called,) = of(forked.events, ToolCalled)
    (returned,) = of(forked.events, ToolReturned)
    assert (called.name, called.arguments) == ("book", {"guests": 4})
    assert (returned.call, returned.result) == (called.call, "a table for four at eight")
    assert 0.4 < (returned.at - called.at) / 1e6 < 0.7
    told = provider.requests[1].messages
    assert [message["role"] for message in told[-3:]] == ["user", "assistant", "tool"]
    assert told[-1]["content"] == "a table for four at eight"
    assert {end.how for end in of(forked.events, TurnEnded)} == {"played"}
    assert forked.notes == []


async def test_a_call_that_was_never_made_is_not_made(bus: Bus, pizza: Path) -> None:
    """The model is told so, can go on without it, and whoever reads the fork is told, too."""
    provider = ScriptedLlm([wants("book", {"guests": 9})], ["I can't book now.", STOP], ["With pleasure.", STOP])
    forked = await made(bus, pizza, booker(pizza), TABLE, provider)
    (returned,) = of(forked.events, ToolReturned)
    assert returned.error == NOT_CALLED
    assert provider.requests[1].messages[-1]["content"] == f"error: {NOT_CALLED}"
    assert [note.what for note in forked.notes if "book" in note.what] == [
        'what book answers to {"guests": 9}: no tool is called in a replay, and it was not then'
    ]


async def test_a_model_that_calls_without_end_is_stopped(bus: Bus, pizza: Path) -> None:
    """By the agent's rounds, as in any call: then it is given no tools, and its call is none."""
    spec = booker(pizza, tools=Tools(rounds=2))
    provider = ScriptedLlm([wants("book", {"guests": 4})])
    forked = await made(bus, pizza, spec, TABLE[:1], provider)
    assert len(of(forked.events, ToolCalled)) == 2
    assert of(forked.events, ToolReturned)[-1].result == "a table for four at eight"
    assert isinstance(forked.events[-1], SessionEnded)


async def test_a_tool_after_which_nothing_is_said_has_the_last_word_again(bus: Bus, pizza: Path) -> None:
    """The model is not asked on where it was not: it has said goodbye before it hung up."""
    script = (Says(1.0, "Goodbye then.", (), calls=(Called("book", {"guests": 4}, "done", took=0.2),)),)
    provider = ScriptedLlm(["Goodbye. ", wants("book", {"guests": 4})], ["Never said.", STOP])
    forked = await made(bus, pizza, booker(pizza), script, provider)
    assert [one.text for one in of(forked.events, ReplySentence)] == ["Goodbye."]
    assert len(provider.requests) == 1
    assert of(forked.events, ReplyFinished)[-1].reason == "stop"


async def test_fields_are_noted_anew(bus: Bus, pizza: Path) -> None:
    """Whatever the model notes, by the session that the fork is: it changes nothing outside of it."""
    spec = booker(pizza, fields=[FieldSpec(name="guests", type="number", confirm=False)])
    provider = ScriptedLlm([wants("note_field", {"name": "guests", "value": "four"})], ["Four, then.", STOP])
    forked = await made(bus, pizza, spec, TABLE[:1], provider)
    (noted,) = of(forked.events, FieldCollected)
    assert (noted.name, noted.value) == ("guests", 4)
    assert fold_all(forked.events).fields["guests"].value == 4
    assert forked.notes == []


async def test_a_hook_that_has_effects_is_not_called_either(bus: Bus, pizza: Path) -> None:
    """The model answers as if the agent had none; and turn-taking, which would wait for it, decides so again."""
    code = pizza / "pizza" / "agent.py"
    hook = 'def on_user_turn(context, turn):\n    (Path(__file__).parent / "called").write_text("really")\n'
    code.write_text(f"{code.read_text()}\n\n{hook}")
    spec = booker(
        pizza, hooked={"on_enter": "once", "on_user_turn": "once", "on_agent_turn": "once", "on_exit": "once"}
    )
    script = [Says(1.0, "Thank you very much.", ("You are welcome.",))]
    forked = await made(bus, pizza, spec, script, ScriptedLlm(["With pleasure.", STOP]))
    assert [one.text for one in of(forked.events, ReplySentence)] == ["With pleasure."]
    again = replay(held(script, agent(), until=8.0), spec)
    assert check(Stored("again", again.events)).sound


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_real_tools_are_called_again_where_they_may(bus: Bus, pizza: Path, all_of_them: bool) -> None:
    """With a key of the fork's own, and what they ask of a call stays in the fork; the others are answered as they were, unless
    somebody says that all may."""
    may, forked = await called_again(bus, pizza, booker(pizza), unrepeatable=all_of_them)
    assert may == ({"book", "look"} if all_of_them else {"look"})
    booked, looked = of(forked.events, ToolReturned)
    assert booked.result == ("really booked" if all_of_them else "a table for four at eight")
    assert (looked.result, looked.error) == ("really looked", "")
    assert (pizza / "pizza" / "called").exists() is all_of_them
    assert (pizza / "pizza" / "looked").read_text() == f"{forked.session}/{looked.call}"
    (asked,) = of(forked.events, EndRequested)
    assert asked.request == f"{looked.call}/1"


async def test_in_a_step_its_tools_alone_are_called_again(bus: Bus, pizza: Path) -> None:
    """Those of other steps are known, too, and answered as they were while the conversation is not there."""
    steps = [StepSpec(name="hello", tools=["look"]), StepSpec(name="table", tools=["book"])]
    may, forked = await called_again(bus, pizza, begun(booker(pizza, steps=steps)), unrepeatable=True)
    assert may == {"book", "look"}
    assert [one.result for one in of(forked.events, ToolReturned)] == ["a table for four at eight", "really looked"]
    assert not (pizza / "pizza" / "called").exists()


async def called_again(bus: Bus, agents: Path, spec: AgentSpec, *, unrepeatable: bool) -> tuple[set[str], Forked]:
    """The tools that may be, and the fork in which the model wants both."""
    events = await recorded_call(bus, script=TABLE, agent=spec, until=12.0)
    calls = [wants("book", {"guests": 4}), wants("look", {"guests": 4})]
    provider = ScriptedLlm(["Let me see. ", calls[0]], [calls[1]], ["It is done.", STOP], ["With pleasure.", STOP])
    settings = Settings(_env_file=None, agents=agents)  # type: ignore[call-arg]
    tools = await opened(spec, settings, unrepeatable=unrepeatable)
    async with serving(bus, ["llm", "tts"], llm=LlmStage(provider, settings)):
        forked = await replay_stages(bus, "script", events, bus, stage="llm", agent=spec, tools=tools)
    await tools.aclose()
    assert violations(forked.events) == []
    checked = check(Stored("fork", forked.events))
    assert checked.sound, list(checked.errors)
    return set(tools.may), forked


async def test_where_no_tool_may_be_called_again_that_is_said(pizza: Path) -> None:
    """With what to write or to say; and that no hook is asked which might forbid one."""
    settings = Settings(_env_file=None, agents=pizza)  # type: ignore[call-arg]
    code = pizza / "pizza" / "agent.py"
    code.write_text(code.read_text().replace("@tool(repeat=True)", "@tool"))
    with pytest.raises(ReplayError, match="of book, look none has repeat = true; --yes calls them all the same"):
        await opened(booker(pizza), settings, unrepeatable=False)
    code.write_text(f"{code.read_text()}\n\ndef on_tool(context, call):\n    pass\n")
    with pytest.raises(ReplayError, match="pizza has on_tool, which may forbid or change a call"):
        await opened(booker(pizza), settings, unrepeatable=True)
