"""Hooks, steps and hand-overs in the LLM stage, on the in-memory log, in virtual time, through the real runtime and the real
fold."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.events import (
    AgentChanged,
    Event,
    HookBegan,
    HookCalled,
    KnowledgeFound,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    SessionStarted,
    StepEntered,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    UtteranceCaptured,
)
from schemas.jobs import HookJob, LlmJob, TtsJob
from schemas.session.cache import folded
from schemas.session.chat import messages
from tests.workers.llm.scripted import STOP, ScriptedLlm
from tests.workers.runtime.pool import Pool
from workers.llm import LlmStage
from workers.providers import CalledTool, Delta
from workers.testing import virtually

CODE = """
    import asyncio
    import builtins

    from workers.agents import *
    from workers.agents import Answer, Change, Context, Enter, ToolCall, UserTurn, Veto, hook, tool

    ran = builtins.antiphon_ran  # by the test


    @tool
    async def book(guests: int) -> str:
        "Book a table."
        ran.append(("book", guests))
        return f"a table for {guests}"


    def on_enter(context: Context) -> Enter:
        ran.append(("on_enter", context.agent))
        context.state["known"] = True
        return Enter("Hello, Ada.", {"city": "Rome"})


    async def on_user_turn(context: Context, turn: UserTurn) -> object:
        ran.append(("on_user_turn", turn.text))
        match turn.text.split()[0]:
            case "change":
                return Change("A table for the Queen, please.")
            case "veto":
                return Veto("rude")
            case "answer":
                return Answer("We are closed. Come back tomorrow.")
            case "slow":
                await asyncio.sleep(5)
            case "raise":
                raise ValueError("the oven is cold")
            case "nonsense":
                return 42
            case "sales":
                context.goto("selling")
            case "nowhere":
                context.goto("heaven")
            case "billing":
                context.hand_over("billing", context=False)
            case "round":
                context.hand_over("ping")
            case "say":
                context.say("One second.")
        return None


    def on_tool(context: Context, call: ToolCall) -> object:
        ran.append(("on_tool", call.name, dict(call.arguments)))
        guests = call.arguments.get("guests", 0)
        if guests == 1:
            return Change(arguments={"guests": 2})
        if guests > 90:
            return Veto("we have ninety seats")
        if guests == 13:
            return Answer("a table for 13, by the window")
        return None


    def on_idle(context: Context, silence: object) -> object:
        if silence.count < 2:
            return "Are you still there?"
        context.say("Goodbye.")
        context.end("idle")


    def on_exit(context: Context, ending: object) -> None:
        ran.append(("on_exit", ending.reason, list(ending.transcript)))
        context.state["saved"] = "yes"
"""
FILE = """
    instructions = "You sell pizza in {{values.city}}."
    [llm]
    seed = 7
    [idle]
    after = 15
    [handover]
    to = ["billing"]
    most = 3
    [[steps]]
    name = "greeting"
    instructions = "Ask what they want."
    [[steps]]
    name = "selling"
    instructions = "Sell in {{values.city}}."
    tools = ["book"]
    to = []
    temperature = 0.1
    model = "bigger"
    voice = { name = "loud" }
"""
BILLING = """
    instructions = "You do the bills."
    voice = { name = "calm" }
    filler = "Let me see the books."
    tools = { builtin = ["end_call"] }
"""
PING = """
    from workers.agents import Context

    def on_enter(context: Context) -> None:
        context.hand_over("pong" if context.agent == "ping" else "ping")
"""


@pytest.fixture
def ran() -> Iterator[list[Any]]:
    import builtins

    found: list[Any] = []
    builtins.antiphon_ran = found  # type: ignore[attr-defined]
    yield found
    del builtins.antiphon_ran  # type: ignore[attr-defined]


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: list[Any]) -> Path:
    """Read and called without a thread: virtual time does not wait for any."""

    async def at_once(work: Callable[..., Any], *args: Any) -> Any:
        return work(*(() if args and (args[0] in ("on_tool",) or str(args[0]).startswith(("on_", "/"))) else args))

    monkeypatch.setattr("workers.agents._loading.in_thread", at_once)
    monkeypatch.setattr("workers.agents.hooks.in_thread", at_once)
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    for name, text, code in (
        ("pizza", FILE, CODE), ("billing", BILLING, ""), ("ping", "", PING), ("pong", "", PING),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.toml").write_text(dedent(text))
        (tmp_path / name / "instructions.md").write_text("") if name in ("ping", "pong") else None
        (tmp_path / name / "agent.py").write_text(dedent(code)) if code else None
    return tmp_path


def agent(agents: Path, name: str = "pizza") -> AgentSpec:
    return Agents(agents).find(name)


def stage(provider: ScriptedLlm, agents: Path) -> LlmStage:
    return LlmStage(provider, Settings(_env_file=None, agents=agents))  # type: ignore[call-arg]


def called(*calls: tuple[str, dict[str, Any]]) -> Delta:
    return Delta(finish="tool", calls=tuple(CalledTool(name, arguments) for name, arguments in calls))


async def ask(pool: Pool, spec: AgentSpec, text: str = "A table, please.", *, committed: bool = True) -> None:
    await pool.bus.open("a", "gw", "open a", [SessionStarted(room="r", transport="memory", agent=spec, gateway="gw")])
    events: list[Event] = [
        UtteranceCaptured(turn=1, utterance="u1", participant="p", audio=[], duration=1.0),
        TranscriptFinal(turn=1, utterance="u1", participant="p", text=text),
    ]
    if committed:
        events.append(TurnCommitted(turn=1, why="silence"))
    await pool.bus.publish("a", 1, Publication(1, events, [LlmJob.of(spec, "a", 1, 0, committed=committed)]))


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


async def answered(pool: Pool, agents: Path, text: str, *scripts: Any) -> tuple[ScriptedLlm, HookCalled, ReplyFinished]:
    """What the LLM was asked, what on_user_turn decided, and how the reply to `text` ended."""
    provider = ScriptedLlm(*(scripts or (["So it is.", STOP],)))
    pool.start(stage(provider, agents))
    await ask(pool, agent(agents), text)
    end = await finished(pool)
    (hooked,) = [event for event in await log(pool, HookCalled) if event.hook == "on_user_turn"]
    return provider, hooked, end


def last_said(provider: ScriptedLlm) -> str:
    return str([one for one in provider.requests[-1].messages if one["role"] == "user"][-1]["content"])


# ── on_user_turn ─────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_a_turn_may_be_changed(agents: Path) -> None:
    """The LLM is told what the hook made of it, now and in the chat of later turns; the log has both."""
    async with Pool() as pool:
        provider, hooked, end = await answered(pool, agents, "change me")
        assert (hooked.decision, end.reason) == ("changed", "stop")
        assert last_said(provider) == "A table for the Queen, please."
        state = await folded(pool.bus, "a")
        assert messages(state, 2)[1] == {"role": "user", "content": "A table for the Queen, please."}
        assert state.turns[1].text == "change me"


@virtually
async def test_a_turn_may_be_vetoed(agents: Path) -> None:
    """Nothing is said to it, no LLM is asked, and none ever hears of it."""
    async with Pool() as pool:
        provider, hooked, end = await answered(pool, agents, "veto this")
        assert (hooked.decision, hooked.text, end.reason, end.sentences) == ("vetoed", "rude", "silent", 0)
        assert provider.requests == []
        assert [one["role"] for one in messages(await folded(pool.bus, "a"), 2)] == ["system"]


@virtually
async def test_a_turn_may_be_answered(agents: Path) -> None:
    """By the hook's words, sentence by sentence, without an LLM."""
    async with Pool() as pool:
        provider, hooked, end = await answered(pool, agents, "answer me")
        assert (hooked.decision, end.reason, end.sentences) == ("answered", "stop", 2)
        assert [event.text for event in await log(pool, ReplySentence)] == ["We are closed.", "Come back tomorrow."]
        assert provider.requests == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("raise", "ValueError: the oven is cold"),
        ("slow", "nothing came of it within 2 s (hooks.timeout)"),
        ("nonsense", "it returned a int; Change(text), Veto(reason), Answer(text) or None was expected"),
        ("nowhere", "ToolError: there is no step 'heaven'; there are greeting, selling"),
    ],
)
@virtually
async def test_a_hook_that_goes_wrong_decides_nothing(
    agents: Path, text: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was wrong stands in the log, with the line of agent.py, and in a log line; the LLM answers."""
    async with Pool() as pool:
        provider, hooked, end = await answered(pool, agents, text)
        assert hooked.error.startswith(error)
        assert (hooked.decision, end.reason) == ("", "stop")
        assert len(provider.requests) == 1
        assert error in caplog.text
        assert ("agent.py, line" in hooked.error) is (text in ("raise", "nowhere"))


@virtually
async def test_a_hook_may_have_something_said(agents: Path) -> None:
    """It is the reply's first sentence."""
    async with Pool() as pool:
        await answered(pool, agents, "say something")
        assert [event.text for event in await log(pool, ReplySentence)] == ["One second.", "So it is."]


@virtually
async def test_speculation_runs_no_hook_with_effects(agents: Path, ran: list[Any]) -> None:
    """A reply whose turn is not committed stops before its first word; its continuation asks the hook, once."""
    async with Pool() as pool:
        spec, provider = agent(agents), ScriptedLlm(["So it is.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, spec, "change me", committed=False)
        assert ((await finished(pool)).reason, ran, provider.requests) == ("tool", [], [])
        go_on = LlmJob.of(spec, "a", 1, 0, committed=True, resume=1)
        await pool.bus.publish("a", 1, Publication(2, [TurnCommitted(turn=1, why="silence")], [go_on]))
        await until(lambda: log(pool, ReplySentence))
        assert ran == [("on_user_turn", "change me")]


@virtually
async def test_a_pure_hook_is_asked_ahead(agents: Path, ran: list[Any]) -> None:
    """And may do nothing but look."""
    code = agents / "pizza" / "agent.py"
    code.write_text(code.read_text().replace("async def on_user_turn", "@hook(pure=True)\nasync def on_user_turn"))
    async with Pool() as pool:
        spec, provider = agent(agents), ScriptedLlm(["So it is.", STOP])
        assert spec.hooked["on_user_turn"] == "pure"
        pool.start(stage(provider, agents))
        await ask(pool, spec, "sales", committed=False)
        assert (await finished(pool)).reason == "stop"
        (hooked,) = await log(pool, HookCalled)
        assert "pure=True" in hooked.error
        assert not await log(pool, StepEntered)


@virtually
async def test_a_redelivered_job_asks_no_hook_again(agents: Path, ran: list[Any]) -> None:
    """Whose decision stands in the log: it counts, whoever goes on."""
    async with Pool() as pool:
        pool.start(stage(ScriptedLlm([100.0, STOP]), agents))
        await ask(pool, agent(agents), "change me")
        await until(lambda: log(pool, HookCalled))
        pool.tasks[0].cancel()
        provider = ScriptedLlm(["So it is.", STOP])
        pool.start(stage(provider, agents))
        await finished(pool)
        assert ran == [("on_user_turn", "change me")]
        assert last_said(provider) == "A table for the Queen, please."


@pytest.mark.parametrize("hook", ["on_user_turn", "on_enter"])
@virtually
async def test_a_hook_at_work_when_its_worker_died_is_not_called_again(agents: Path, ran: list[Any], hook: str) -> None:
    """It has begun, and nobody knows what it did: that is told, and the call goes on without it."""
    async with Pool() as pool:
        spec = agent(agents)
        if hook == "on_enter":
            job: Any = HookJob.of(spec, "a", "on_enter", "on_enter/0")
            call = job.call
            await pool.bus.open(
                "a", "gw", "o", [SessionStarted(room="r", transport="memory", agent=spec, gateway="gw")]
            )
            await pool.bus.publish("a", 1, Publication(1, [], [job]))
        else:
            await ask(pool, spec, "change me")
            call = "on_user_turn/1.0"
        gone = Died(call, hook)
        pool.start(gone)
        await until(lambda: log(pool, HookBegan))
        pool.tasks[0].cancel()
        pool.start(stage(ScriptedLlm(["So it is.", STOP]), agents))
        await until(lambda: log(pool, HookCalled))
        if hook == "on_user_turn":
            assert (await finished(pool)).reason == "stop"
        (hooked,) = await log(pool, HookCalled)
        assert (hooked.call, hooked.decision) == (call, "")
        assert "unknown how far it was done" in hooked.error
        assert ran == []


class Died(LlmStage):
    """A worker that has a hook begun, and is never heard of again."""

    def __init__(self, call: str, hook: str) -> None:
        super().__init__(ScriptedLlm([STOP]), Settings(_env_file=None))  # type: ignore[call-arg]
        self._call, self._hook = call, hook

    async def run(self, works: Any) -> None:
        for work in works:
            await work.step([HookBegan(call=self._call, hook=self._hook, turn=work.job.turn, cause=work.cause)])
        await asyncio.sleep(1000)


# ── on_tool ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("guests", "booked", "result", "error"),
    [
        (4, [("book", 4)], "a table for 4", ""),
        (1, [("book", 2)], "a table for 2", ""),
        (99, [], "", "we have ninety seats"),
        (13, [], "a table for 13, by the window", ""),
    ],
)
@virtually
async def test_a_call_may_be_changed_vetoed_or_answered(
    agents: Path, ran: list[Any], guests: int, booked: list[Any], result: str, error: str
) -> None:
    """Before it is made; the model is told what came of it."""
    async with Pool() as pool:
        script = ([called(("book", {"guests": guests}))], ["So it is.", STOP])
        await answered(pool, agents, "A table, please.", *script)
        assert [one for one in ran if one[0] == "book"] == booked
        (returned,) = await log(pool, ToolReturned)
        assert (returned.result, returned.error) == (result, error)
        (call,) = await log(pool, ToolCalled)
        assert call.arguments == {"guests": 2 if guests == 1 else guests}
        kinds = [event.type for event in await log(pool, HookCalled, ToolCalled, ToolReturned)]
        assert kinds == ["hook.called", "hook.called", "tool.called", "tool.returned"]


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_a_step_has_instructions_tools_voice_and_llm_of_its_own(agents: Path) -> None:
    """From the next request on, within the same reply; the first step of the file is where it begins."""
    async with Pool() as pool:
        script = ([called(("goto", {"step": "selling"}))], ["We have pizza.", STOP])
        provider, _, _ = await answered(pool, agents, "Hello there.", *script)
        first, second = provider.requests
        assert first.messages[0]["content"] == "You sell pizza in unknown.\n\nAsk what they want."
        assert second.messages[0]["content"] == "You sell pizza in unknown.\n\nSell in unknown."
        assert {tool["function"]["name"] for tool in first.tools} == {"book", "goto", "hand_over"}
        assert {tool["function"]["name"] for tool in second.tools} == {"book", "hand_over"}
        assert (first.model, second.model, second.temperature) == ("", "bigger", 0.1)
        (entered,) = await log(pool, StepEntered)
        assert (entered.step, entered.via) == ("selling", "goto")
        jobs = [d.job for d in (await pool.bus.take("tts", 0, "ear", 9)).deliveries]
        assert [job.voice for job in jobs if isinstance(job, TtsJob)] == ["loud"]
        assert (await folded(pool.bus, "a")).agent.step == "selling"


@virtually
async def test_a_hook_may_enter_a_step(agents: Path) -> None:
    """With what it decided, in one commit; the reply is made in that step."""
    async with Pool() as pool:
        provider, hooked, _ = await answered(pool, agents, "sales please")
        (entered,) = await log(pool, StepEntered)
        assert (entered.seq, entered.via) == (hooked.seq + 1, "on_user_turn")
        assert provider.requests[0].model == "bigger"


@virtually
async def test_a_model_is_told_of_steps_it_cannot_reach(agents: Path) -> None:
    """It may try again; the conversation stays where it is."""
    async with Pool() as pool:
        script = ([called(("goto", {"step": "heaven"}))], ["Then here.", STOP])
        await answered(pool, agents, "Hello there.", *script)
        (returned,) = await log(pool, ToolReturned)
        assert "one of selling was expected" in returned.error
        assert not await log(pool, StepEntered)


# ── another agent ────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_another_agent_goes_on(agents: Path) -> None:
    """With its own instructions, tools and voice, in the same reply, and for all that follow."""
    async with Pool() as pool:
        script = ([called(("hand_over", {"agent": "billing"}))], ["Your bill is ready.", STOP])
        provider, _, _ = await answered(pool, agents, "My bill, please.", *script)
        (changed,) = await log(pool, AgentChanged)
        assert (changed.agent.name, changed.context, changed.via, changed.turn) == ("billing", True, "hand_over", 1)
        second = provider.requests[1]
        assert second.messages[0]["content"] == "You do the bills."
        assert [tool["function"]["name"] for tool in second.tools] == ["end_call"]
        jobs = [d.job for d in (await pool.bus.take("tts", 0, "ear", 9)).deliveries]
        assert [job.voice for job in jobs if isinstance(job, TtsJob)] == ["calm"]
        state = await folded(pool.bus, "a")
        assert (state.agent.name, state.instructions, state.agent.step) == ("billing", "You do the bills.", "")


def knows(agents: Path, name: str, text: str) -> None:
    """The agent has a file, of which it is given what fits a question."""
    (agents / name / "knowledge").mkdir()
    (agents / name / "knowledge" / f"{name}.md").write_text(text)
    file = agents / name / "agent.toml"
    file.write_text(f"{file.read_text()}\n[knowledge]\nmode = 'always'\nwhole = 0\n")


@virtually
async def test_what_a_hook_makes_of_a_turn_is_looked_up(agents: Path) -> None:
    """And not what was said: the LLM is given what fits the words that it is told."""
    knows(agents, "pizza", "The Queen sits by the window. Who wants to change me asks the owner.")
    async with Pool() as pool:
        await answered(pool, agents, "change me")
        (found,) = await log(pool, KnowledgeFound)
        assert (found.query, found.files) == ("A table for the Queen, please.", ["pizza.md"])


@virtually
async def test_another_agent_looks_into_its_own_files(agents: Path) -> None:
    """Within the same reply; what was found in those of the one before is not its."""
    knows(agents, "pizza", "Bills are no business of ours.")
    knows(agents, "billing", "Bills are due in thirty days.")
    async with Pool() as pool:
        script = ([called(("hand_over", {"agent": "billing"}))], ["In thirty days.", STOP])
        provider, _, _ = await answered(pool, agents, "When are my bills due?", *script)
        assert [one.files for one in await log(pool, KnowledgeFound)] == [["pizza.md"], ["billing.md"]]
        first, second = ("\n".join(str(one["content"]) for one in asked.messages) for asked in provider.requests)
        assert ("no business" in first, "thirty days" in first) == (True, False)
        assert ("no business" in second, "thirty days" in second) == (False, True)


@virtually
async def test_without_the_context_the_other_agent_knows_nothing_of_before(agents: Path) -> None:
    """But for the turn in which it was handed over."""
    async with Pool() as pool:
        provider, _, _ = await answered(pool, agents, "billing please")
        assert [one["content"] for one in provider.requests[0].messages] == ["You do the bills.", "billing please"]
        assert (await folded(pool.bus, "a")).chat_from == 1


@virtually
async def test_agents_in_a_circle_come_to_an_end(agents: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two that hand over to each other as they enter: after so many within a minute the one that has it answers."""
    async with Pool() as pool:
        _, _, end = await answered(pool, agents, "round and round")
        assert end.reason == "stop"
        changes = await log(pool, AgentChanged)
        assert 3 <= len(changes) <= 4  # handover.most of the agent that is asked: 3 of pizza, 4 of the others
        refused = [event for event in await log(pool, HookCalled) if event.error]
        assert "within a minute (handover.most = 4)" in refused[-1].error
        assert "within a minute" in caplog.text


@virtually
async def test_an_agent_that_is_not_there_is_told(agents: Path) -> None:
    """To the model, with what there is; the conversation stays with whom it is."""
    import shutil

    async with Pool() as pool:
        spec = agent(agents)
        shutil.rmtree(agents / "billing")
        provider = ScriptedLlm([called(("hand_over", {"agent": "billing"}))], ["Sorry.", STOP])
        pool.start(stage(provider, agents))
        await ask(pool, spec)
        await finished(pool)
        (returned,) = await log(pool, ToolReturned)
        assert "not handed over" in returned.error
        assert not await log(pool, AgentChanged)


# ── beside the replies ───────────────────────────────────────────────────────────────────────────────────────────────


async def beside(pool: Pool, agents: Path, *jobs: HookJob) -> list[HookCalled]:
    pool.start(stage(ScriptedLlm([STOP]), agents))
    spec = agent(agents)
    await pool.bus.open("a", "gw", "open a", [SessionStarted(room="r", transport="memory", agent=spec, gateway="gw")])
    await pool.bus.publish("a", 1, Publication(1, [], jobs))

    async def all_called() -> bool:
        return len(await log(pool, HookCalled)) == len(jobs)

    await until(all_called)
    found: list[HookCalled] = await log(pool, HookCalled)
    return found


@virtually
async def test_on_enter_gives_greeting_values_and_state(agents: Path) -> None:
    """They are the session's from then on: the instructions have the values."""
    async with Pool() as pool:
        (hooked,) = await beside(pool, agents, HookJob.of(agent(agents), "a", "on_enter", "on_enter/0"))
        assert (hooked.decision, hooked.text, hooked.values) == ("greeted", "Hello, Ada.", {"city": "Rome"})
        state = await folded(pool.bus, "a")
        assert (state.data, state.entered) == ({"known": True}, True)
        assert messages(state, 1)[0]["content"] == "You sell pizza in Rome.\n\nAsk what they want."


@virtually
async def test_on_idle_asks_and_then_says_goodbye(agents: Path) -> None:
    """By its count; what it has said or ended beside its answer is asked of the gateway."""
    async with Pool() as pool:
        spec = agent(agents)
        jobs = [HookJob.of(spec, "a", "on_idle", f"on_idle/1.{n}", count=n) for n in (1, 2)]
        first, second = await beside(pool, agents, *jobs)
        assert (first.decision, first.text) == ("said", "Are you still there?")
        assert (second.decision, second.text) == ("said", "")  # it saw to it itself
        await until(lambda: log(pool, SayRequested))
        assert [event.text for event in await log(pool, SayRequested)] == ["Goodbye."]
        ends = [event for event in await log(pool) if event.type == "end.requested"]
        assert [(event.reason, event.said) for event in ends] == [("idle", True)]


@virtually
async def test_on_exit_is_told_why_and_what_was_said(agents: Path, ran: list[Any]) -> None:
    """And keeps what it wants to."""
    async with Pool() as pool:
        await beside(pool, agents, HookJob.of(agent(agents), "a", "on_exit", "on_exit", reason="hang_up"))
        assert ran == [("on_exit", "hang_up", [])]
        assert (await folded(pool.bus, "a")).data == {"saved": "yes"}


@virtually
async def test_a_hook_whose_file_is_gone_is_told(agents: Path) -> None:
    """In its event, with what to do; the session goes on."""
    async with Pool() as pool:
        spec = agent(agents)
        (agents / "pizza" / "agent.py").write_text("def on_enter(:\n")
        pool.start(stage(ScriptedLlm([STOP]), agents))
        started = SessionStarted(room="r", transport="memory", agent=spec, gateway="gw")
        await pool.bus.open("a", "gw", "open a", [started])
        await pool.bus.publish("a", 1, Publication(1, [], [HookJob.of(spec, "a", "on_enter", "on_enter/0")]))
        await until(lambda: log(pool, HookCalled))
        (hooked,) = await log(pool, HookCalled)
        assert "agent.py, line 1" in hooked.error
