"""Tools in the LLM stage, on the in-memory log, in virtual time, through the real runtime and the real fold."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from schemas.bus import Publication
from schemas.config.agent import AgentSpec, LlmSpec, Tools, code_version
from schemas.config.settings import Settings
from schemas.events import (
    Event,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, ToolJob
from schemas.session.cache import folded
from schemas.session.chat import messages
from tests.workers.llm.scripted import STOP, ScriptedLlm
from tests.workers.runtime.pool import Pool
from workers.llm import LlmStage
from workers.providers import CalledTool, Delta
from workers.testing import virtually
from workers.tools import ToolStage

CODE = """
    import asyncio

    from workers.agents import Context, ToolError, tool

    import builtins

    ran = builtins.antiphon_ran  # by the test


    @tool
    async def book(context: Context, guests: int) -> str:
        "Book a table."
        ran.append(("book", guests, context.idempotency_key))
        context.state["table"] = guests
        return f"a table for {guests}"


    @tool(timeout=30, patience=2.0)
    async def slow(seconds: float) -> str:
        "Take long."
        ran.append(("slow", seconds))
        await asyncio.sleep(seconds)
        return "done at last"


    @tool(repeat=True, timeout=30)
    async def look(context: Context, seconds: float) -> str:
        "Only look."
        ran.append(("look", context.idempotency_key))
        await asyncio.sleep(seconds)
        return "seen"


    @tool(cancel=True, timeout=30)
    async def stoppable(seconds: float) -> str:
        "Stop when interrupted."
        ran.append(("stoppable",))
        await asyncio.sleep(seconds)
        ran.append(("not stopped",))
        return "went on"


    @tool
    async def talk(context: Context) -> str:
        "Say something meanwhile."
        context.say("I am looking into the kitchen. It is busy.")
        await asyncio.sleep(1)
        return "looked"


    @tool
    async def bad(what: str) -> object:
        "Go wrong."
        if what == "raise":
            raise ValueError("the oven is cold")
        if what == "tell":
            raise ToolError("The oven is off.")
        if what == "bytes":
            return b"12345"
        if what == "much":
            return "x" * 10_000_000
        return object
"""


@pytest.fixture
def ran() -> Iterator[list[Any]]:
    import builtins

    found: list[Any] = []
    builtins.antiphon_ran = found  # type: ignore[attr-defined]
    yield found
    del builtins.antiphon_ran  # type: ignore[attr-defined]


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read without a thread: virtual time does not wait for any."""

    async def at_once(work: Callable[..., Any], *args: Any) -> Any:
        return work(*(() if args and args[0] == str(tmp_path / "pizza" / "agent.py") else args))

    monkeypatch.setattr("workers.agents._loading.in_thread", at_once)
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    (tmp_path / "pizza").mkdir()
    (tmp_path / "pizza" / "agent.py").write_text(dedent(CODE))
    (tmp_path / "pizza" / "agent.toml").write_text("")
    return tmp_path


def agent(agents: Path, **tools: Any) -> AgentSpec:
    return AgentSpec(name="pizza", llm=LlmSpec(seed=7), tools=Tools(**tools), code=code_version(agents / "pizza"))


def stage(provider: ScriptedLlm, agents: Path) -> LlmStage:
    return LlmStage(provider, Settings(_env_file=None, agents=agents))  # type: ignore[call-arg]


def called(*calls: tuple[str, Mapping[str, Any]]) -> Delta:
    return Delta(finish="tool", calls=tuple(CalledTool(name, dict(arguments)) for name, arguments in calls))


async def ask(pool: Pool, spec: AgentSpec, *, committed: bool = True, text: str = "A table, please.") -> None:
    """A session in which somebody said `text`, and the LLM is asked to answer."""
    await pool.bus.open("a", "gw", "open a", [SessionStarted(room="r", transport="memory", agent=spec, gateway="gw")])
    events: list[Event] = [
        UtteranceCaptured(turn=1, utterance="u1", participant="p", audio=[], duration=1.0),
        TranscriptFinal(turn=1, utterance="u1", participant="p", text=text),
    ]
    if committed:
        events.append(TurnCommitted(turn=1, why="silence"))
    job = LlmJob.of(spec, "a", 1, 0, committed=committed)
    await pool.bus.publish("a", 1, Publication(1, events, [job]))


async def log(pool: Pool, *kinds: type[Event]) -> list[Any]:
    return [event for event in await pool.bus.read("a") if not kinds or isinstance(event, kinds)]


async def until(found: Callable[[], Awaitable[object]]) -> None:
    for _ in range(600):
        if await found():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never came")


async def finished(pool: Pool) -> ReplyFinished:
    await until(lambda: log(pool, ReplyFinished))
    found: list[ReplyFinished] = await log(pool, ReplyFinished)
    return found[-1]


@virtually
async def test_a_tool_is_called_and_its_result_answered(ran: list[Any], agents: Path) -> None:
    """What is said before the call is said; then a call in the log, its result, and the answer made of it."""
    async with Pool() as pool:
        provider = ScriptedLlm(["Let me look. ", called(("book", {"guests": 4}))], ["Booked for four.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        end = await finished(pool)
        assert (end.reason, end.sentences) == ("stop", 2)
        kinds = [event.type for event in await log(pool, ReplySentence, ToolCalled, ToolReturned, ReplyFinished)]
        assert kinds == ["reply.sentence", "tool.called", "tool.returned", "reply.sentence", "reply.finished"]
        assert ran == [("book", 4, "a/1.0.0")]
        first, second = provider.requests
        assert [tool["function"]["name"] for tool in first.tools][:2] == ["book", "slow"]
        assert second.messages[-2]["content"] == "Let me look."
        assert second.messages[-2]["tool_calls"][0]["function"] == {"name": "book", "arguments": '{"guests": 4}'}
        assert second.messages[-1] == {"role": "tool", "tool_call_id": "1.0.0", "content": "a table for 4"}
        state = await folded(pool.bus, "a")
        assert state.data == {"table": 4}


@pytest.mark.parametrize("name", ["Book", "functions.book", "BOOK "])
@virtually
async def test_a_name_that_comes_near_is_meant(ran: list[Any], agents: Path, name: str) -> None:
    """Endpoints and models write names in their own way: what can be only one tool is that one, also in the log."""
    async with Pool() as pool:
        provider = ScriptedLlm([called((name, {"guests": 4}))], ["Booked for four.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await finished(pool)
        assert [event.name for event in await log(pool, ToolCalled)] == ["book"]
        assert [event.error for event in await log(pool, ToolReturned)] == [""]


@virtually
async def test_calls_of_a_round_run_side_by_side(ran: list[Any], agents: Path) -> None:
    """Two that take two seconds each are over after two."""
    async with Pool() as pool:
        provider = ScriptedLlm([called(("look", {"seconds": 2}), ("look", {"seconds": 2}))], ["Seen.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await asyncio.sleep(2.5)
        assert len(await log(pool, ToolReturned)) == 2
        assert len({key for _, key in ran}) == 2
        assert (await finished(pool)).reason == "stop"


@virtually
async def test_speculation_runs_no_tool(ran: list[Any], agents: Path) -> None:
    """A reply whose turn is not committed stops before its call; the continuation makes it, without asking the model again."""
    async with Pool() as pool:
        spec = agent(agents)
        provider = ScriptedLlm(["I will book it. ", called(("book", {"guests": 2}))], ["Done.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, spec, committed=False)
        end = await finished(pool)
        assert end.reason == "tool"
        assert end.calls[0].arguments == {"guests": 2}
        assert ran == []
        assert not await log(pool, ToolCalled)
        go_on = LlmJob.of(spec, "a", 1, 0, committed=True, resume=1)
        await pool.bus.publish("a", 1, Publication(2, [TurnCommitted(turn=1, why="silence")], [go_on]))
        await until(lambda: log(pool, ToolReturned))
        await asyncio.sleep(1)
        assert ran == [("book", 2, "a/1.0.0")]
        assert len(provider.requests) == 2
        assert [event.text for event in await log(pool, ReplySentence)] == ["I will book it.", "Done."]


@pytest.mark.parametrize("tool", ["slow", "look"])
@virtually
async def test_a_killed_worker_calls_nothing_twice(ran: list[Any], agents: Path, tool: str) -> None:
    """What had begun is called again only if the tool may be, with the same key; else the model is told that nobody knows."""
    async with Pool() as pool:
        provider = ScriptedLlm([called((tool, {"seconds": 8}))], ["So it is.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await until(lambda: log(pool, ToolCalled))
        await asyncio.sleep(1)
        pool.tasks[0].cancel()
        pool.start(stage(ScriptedLlm(["So it is.", STOP]), agents))
        await finished(pool)
        (returned,) = await log(pool, ToolReturned)
        assert len(await log(pool, ToolCalled)) == 1
        if tool == "slow":
            assert len(ran) == 1
            assert "unknown whether this has happened" in returned.error
        else:
            assert ran == [("look", "a/1.0.0")] * 2
            assert returned.result == "seen"


@virtually
async def test_what_returned_is_not_called_again(ran: list[Any], agents: Path) -> None:
    """A worker that dies behind a result leaves it to the next."""
    async with Pool() as pool:
        provider = ScriptedLlm([called(("book", {"guests": 3}))], [60.0, "Never.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await until(lambda: log(pool, ToolReturned))
        pool.tasks[0].cancel()
        second = ScriptedLlm(["Booked.", STOP])
        pool.start(stage(second, agents))
        await finished(pool)
        assert len(ran) == 1
        assert second.requests[0].messages[-1]["content"] == "a table for 3"
        assert len(await log(pool, ToolCalled)) == len(await log(pool, ToolReturned)) == 1


@pytest.mark.parametrize("tool", ["slow", "stoppable"])
@virtually
async def test_a_barge_in_during_a_call(ran: list[Any], agents: Path, tool: str) -> None:
    """The result lands in the log and in the chat all the same; one that may be is cancelled, and says so."""
    async with Pool() as pool:
        provider = ScriptedLlm([called((tool, {"seconds": 6}))], ["Never said.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await until(lambda: log(pool, ToolCalled))
        interrupted = TurnEnded(turn=1, how="interrupted", reason="barge_in", raises=1, generation=0)
        await pool.bus.publish("a", 1, Publication(2, [interrupted], [], raises=1))
        await asyncio.sleep(1.5)
        state = await folded(pool.bus, "a")
        chat = messages(state, 2)
        if tool == "slow":
            assert "still being done" in chat[-1]["content"]
        await asyncio.sleep(8)
        (returned,) = await log(pool, ToolReturned)
        chat = messages(await folded(pool.bus, "a"), 2)
        assert chat[-2]["tool_calls"][0]["function"]["name"] == tool
        if tool == "slow":
            assert (returned.result, chat[-1]["content"]) == ("done at last", "done at last")
        else:
            assert "cancelled" in returned.error
            assert ran == [("stoppable",)]
        assert not await log(pool, ReplyFinished)


@virtually
async def test_one_moment_is_said_once(ran: list[Any], agents: Path) -> None:
    """A tool that takes longer than its patience: the caller hears the filler, once; then the answer by itself."""
    async with Pool() as pool:
        provider = ScriptedLlm(["I look. ", called(("slow", {"seconds": 9}))], ["There it is.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await finished(pool)
        said = await log(pool, ReplySentence)
        assert [event.text for event in said] == ["I look.", "One moment, please.", "There it is."]
        assert [event.index for event in said] == [0, 1, 2]
        content = provider.requests[1].messages[-1]["content"]
        assert content == "done at last\n(You have said meanwhile: One moment, please.)"


@virtually
async def test_a_tool_speaks(ran: list[Any], agents: Path) -> None:
    """What it says is in the reply, in its place, before its result."""
    async with Pool() as pool:
        provider = ScriptedLlm([called(("talk", {}))], ["It is ready.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        await finished(pool)
        texts = [event.text for event in await log(pool, ReplySentence)]
        assert texts == ["I am looking into the kitchen.", "It is busy.", "It is ready."]


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("bad", {"what": "raise"}, "ValueError: the oven is cold"),
        ("bad", {"what": "tell"}, "The oven is off."),
        ("bad", {"what": "bytes"}, "it returned 5 bytes of binary data"),
        ("book", {"guests": "many"}, "the arguments do not fit (guests: Input should be a valid integer"),
        ("book", {}, "the arguments do not fit (guests: Field required)"),
        ("boook", {"guests": 1}, "there is no tool boook; there are book, slow"),
        ("slow", {"seconds": 100}, "no result within 30 s; it is unknown whether it was done"),
        ("book", {"guests": "x" * 20_000}, "the arguments have more than 16,000 characters"),
        ("book", {"guests": json.loads("[" * 220 + "]" * 220)}, "the arguments are nested more than 32 deep"),
    ],
)
@virtually
async def test_whatever_goes_wrong_the_model_is_told(
    ran: list[Any], agents: Path, name: str, arguments: dict[str, Any], error: str
) -> None:
    """One sentence, and it may try again; the session goes on."""
    async with Pool() as pool:
        provider = ScriptedLlm([called((name, arguments))], ["I am sorry.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        assert (await finished(pool)).reason == "stop"
        (returned,) = await log(pool, ToolReturned)
        assert returned.error.startswith(error)
        assert provider.requests[1].messages[-1]["content"].startswith(f"error: {error}")


@virtually
async def test_a_long_result_is_cut(ran: list[Any], agents: Path) -> None:
    """Ten megabytes become what the model can read, and a word that they were cut."""
    async with Pool() as pool:
        pool.start(stage(ScriptedLlm([called(("bad", {"what": "much"}))], ["Much.", STOP]), agents))
        await ask(pool, agent(agents, result_characters=500))
        await finished(pool)
        (returned,) = await log(pool, ToolReturned)
        assert returned.result.startswith("x" * 500 + "\n(cut: 10,000,000 characters")


@virtually
async def test_rounds_are_bounded(ran: list[Any], agents: Path) -> None:
    """A model that calls and calls is asked at last without tools."""
    async with Pool() as pool:
        round_ = [called(("book", {"guests": 1}))]
        provider = ScriptedLlm(round_, round_, ["That will do.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents, rounds=2))
        assert (await finished(pool)).reason == "stop"
        assert len(ran) == 2
        assert [bool(request.tools) for request in provider.requests] == [True, True, False]


@virtually
async def test_waiting_quietly(ran: list[Any], agents: Path) -> None:
    """The reply is over, and there is nothing to be said: no fallback, no further request."""
    async with Pool() as pool:
        provider = ScriptedLlm([called(("wait_quietly", {}))])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents, builtin=["wait_quietly"]))
        assert (await finished(pool)).reason == "silent"
        assert len(provider.requests) == 1


@virtually
async def test_ending_the_call(ran: list[Any], agents: Path) -> None:
    """After a goodbye the call ends with it; the model is not asked again, and junk arguments are no matter."""
    async with Pool() as pool:
        provider = ScriptedLlm(["Goodbye! ", called(("end_call", {"reason": "x", "y": 1}))])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents, builtin=["end_call"]))
        assert (await finished(pool)).reason == "stop"
        assert len(provider.requests) == 1
        (end,) = [event for event in await log(pool) if event.type == "end.requested"]
        assert end.said


@virtually
async def test_a_broken_agent_py_takes_only_its_tools(ran: list[Any], agents: Path) -> None:
    """The session goes on without them."""
    (agents / "pizza" / "agent.py").write_text("def x(:\n")
    async with Pool() as pool:
        provider = ScriptedLlm(["Hello.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, agent(agents))
        assert (await finished(pool)).reason == "stop"
        assert provider.requests[0].tools == []


# ── the tools' own pool ──────────────────────────────────────────────────────────────────────────────────────────────


def tool_stage(agents: Path) -> ToolStage:
    return ToolStage(Settings(_env_file=None, agents=agents))  # type: ignore[call-arg]


@virtually
async def test_the_pool_runs_what_the_llm_does_not_wait_for(ran: list[Any], agents: Path) -> None:
    """The reply stops and holds no slot; the pool's worker calls; the continuation, which the gateway asks for, has the
    result."""
    async with Pool() as pool:
        spec = agent(agents, pool=True)
        provider = ScriptedLlm(
            ["I look. ", called(("slow", {"seconds": 5}), ("book", {"guests": 2}))], ["There.", STOP]
        )
        pool.start(stage(provider, agents))
        pool.start(tool_stage(agents))
        await ask(pool, spec)
        end = await finished(pool)
        assert end.reason == "tool"
        assert len(await log(pool, ToolReturned)) < 2
        await asyncio.sleep(8)
        calls = await log(pool, ToolCalled)
        assert [(one.pool, one.name) for one in calls] == [(True, "slow"), (True, "book")]
        assert {one.result for one in await log(pool, ToolReturned)} == {"done at last", "a table for 2"}
        await pool.bus.publish("a", 1, Publication(2, [], [LlmJob.of(spec, "a", 1, 0, committed=True, resume=1)]))
        await asyncio.sleep(1)
        assert [event.text for event in await log(pool, ReplySentence)] == ["I look.", "There."]
        assert [message["role"] for message in provider.requests[1].messages[-3:]] == ["assistant", "tool", "tool"]
        assert len(ran) == 2


@pytest.mark.parametrize("tool", ["slow", "look"])
@virtually
async def test_a_killed_worker_of_the_pool_calls_nothing_twice(ran: list[Any], agents: Path, tool: str) -> None:
    """As in the LLM's: again only with leave, else the model is told that nobody knows."""
    async with Pool() as pool:
        pool.start(stage(ScriptedLlm([called((tool, {"seconds": 8}))]), agents))
        pool.start(tool_stage(agents))
        await ask(pool, agent(agents, pool=True))
        await until(lambda: asyncio.sleep(0, bool(ran)))
        await asyncio.sleep(1)
        pool.tasks[1].cancel()
        pool.start(tool_stage(agents))
        await until(lambda: log(pool, ToolReturned))
        await asyncio.sleep(10)
        (returned,) = await log(pool, ToolReturned)
        if tool == "slow":
            assert len(ran) == 1
            assert "unknown whether this has happened" in returned.error
        else:
            assert ran == [("look", "a/1.0.0")] * 2
            assert returned.result == "seen"


@pytest.mark.parametrize("tool", ["slow", "stoppable"])
@virtually
async def test_a_barge_in_while_the_pool_works(ran: list[Any], agents: Path, tool: str) -> None:
    """What may be is cancelled and says so; the rest goes on to its result."""
    async with Pool() as pool:
        pool.start(stage(ScriptedLlm([called((tool, {"seconds": 6}))]), agents))
        pool.start(tool_stage(agents))
        await ask(pool, agent(agents, pool=True))
        await until(lambda: asyncio.sleep(0, bool(ran)))
        ended = TurnEnded(turn=1, how="interrupted", reason="barge_in", raises=1, generation=0)
        await pool.bus.publish("a", 1, Publication(2, [ended], [], raises=1))
        await asyncio.sleep(10)
        (returned,) = await log(pool, ToolReturned)
        assert (returned.result == "done at last") if tool == "slow" else ("cancelled" in returned.error)
        assert ("not stopped",) not in ran


def test_who_is_fenced_by_what(agents: Path) -> None:
    """A call goes on through a barge-in, unless it is one that is cancelled: then it has the reply's fence."""
    fields: dict[str, Any] = {
        "id": "tools/1",
        "session": "a",
        "turn": 1,
        "reply": 3,
        "call": "1",
        "name": "x",
        "timeout": 1.0,
    }
    assert ToolJob(**fields, arguments={}).generation is None
    assert ToolJob(**fields, arguments={}, generation=3).lane is None
