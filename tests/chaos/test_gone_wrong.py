"""What tools, hooks and agents' folders do that they should not, each in a call of its own on real workers and a real server:
one clear sentence to who can act, nothing twice, and the call goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Role, kept, preload
from ops.stack.system import free_port
from schemas.bus import Bus, Publication
from schemas.config.agent import AgentSpec, load_agent
from schemas.config.settings import Settings
from schemas.events import (
    AgentChanged,
    Event,
    HookBegan,
    HookCalled,
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
from schemas.jobs import LlmJob
from schemas.log import connected
from tests.workers.tools import mcp_server

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

SECRET = "sesame-open-1234567890"
RULES = """
[[rule]]
hears = "many guests"
call = "book"
arguments = { guests = "many" }
[[rule]]
hears = "call menu[.]"
call = "menu"
arguments = { course = "dinner" }
"""
RULE = """
[[rule]]
hears = "call NAME[.]"
says = "One moment."
call = "NAME"
"""
CALLED = (
    "much", "binary", "opaque", "not_a_number", "endless", "streams", "circular", "long_excuse", "sulk", "leaves", "tells",
    "cut_secret", "keeps", "no_such_tool", "pooled", "hands_over", "die",
)  # fmt: skip
WILD = """
    import json
    import os
    import time
    from dataclasses import dataclass

    from workers.agents import Answer, Context, tool


    def noted(what):
        with open({ledger!r}, "ab", buffering=0) as ledger:
            ledger.write(what.encode() + b"\\n")


    class Opaque:
        pass


    class Sulking(Exception):
        def __str__(self):
            raise RuntimeError("no")


    @tool
    def book(guests: int) -> str:
        "Book a table."
        return f"a table for {{guests}}"


    @tool
    def much() -> str:
        "Return 10 MB."
        return "x" * 10_000_000


    @tool
    def binary() -> bytes:
        "Return bytes."
        return b"x" * 5_000


    @tool
    def opaque() -> object:
        "Return an object."
        return {{"what": Opaque()}}


    @tool
    def not_a_number() -> float:
        "Return NaN."
        return float("nan")


    @tool
    def endless() -> object:
        "Return a generator."
        return {{"lines": (number for number in iter(int, 1))}}


    @tool
    def streams():
        "Be a generator."
        yield "one"


    @tool
    def circular() -> list:
        "Return what holds itself."
        found = []
        found.append(found)
        return found


    @tool
    def long_excuse() -> str:
        "Raise 10 MB."
        raise ValueError("no " * 3_000_000)


    @tool
    def sulk() -> str:
        "Raise what can't be told."
        raise Sulking


    @tool
    def leaves() -> str:
        "End the process, or try to."
        raise SystemExit(3)


    @tool
    def tells() -> str:
        "Raise a secret."
        raise ValueError("refused: " + os.environ["TOOL_KEY"])


    @tool
    def cut_secret() -> str:
        "Return a secret at the very place where it is cut."
        return "y" * 7_990 + os.environ["TOOL_KEY"] * 3


    @tool
    def keeps(context: Context) -> str:
        "Keep what is no JSON."
        context.state["rate"] = float("nan")
        return "kept"


    @tool(pool=True, timeout=60)
    def pooled() -> str:
        "Take long, in the tools' own pool."
        noted("pooled")
        time.sleep(20)
        return "done"


    @tool(timeout=60)
    def hands_over(context: Context) -> str:
        "Hand over, and take long."
        noted("hands_over")
        context.hand_over("other")
        time.sleep(20)
        return "handed over"
"""
LOOPS = """
    from workers.agents import Context


    def on_user_turn(context: Context, turn):
        if "loop" in turn.text:
            while True:
                pass
        context.hand_over({other!r})


    def on_enter(context: Context):
        if context.agent != {first!r}:
            context.hand_over({other!r})
"""
_One = TypeVar("_One", bound=Event)


@dataclass
class House:
    bus: Bus
    agents: Path
    ledger: Path
    logs: Path
    llm: KeptProcess
    tools: KeptProcess

    async def begin(self, agent: AgentSpec, session: str) -> None:
        started = SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")
        await self.bus.open(session, "gw", f"open {session}", [started])

    async def ask(self, agent: AgentSpec, session: str, text: str, turn: int = 1) -> None:
        events: list[Event] = []
        if turn > 1:
            events.append(TurnEnded(turn=turn - 1, how="played", reason="finished", heard="So it is."))
        about: dict[str, Any] = {"turn": turn, "utterance": f"u{turn}", "participant": "p"}
        events += [UtteranceCaptured(**about, audio=[], duration=1.0), TranscriptFinal(**about, text=text)]
        events.append(TurnCommitted(turn=turn, why="silence"))
        job = LlmJob.of(agent, session, turn, 0, committed=True).model_copy(update={"deadline": 120.0})
        await self.bus.publish(session, 1, Publication(turn, events, [job]))

    async def seen(self, session: str, kind: type[_One], turn: int = 1) -> _One:
        async with asyncio.timeout(90):
            while True:
                for event in await self.bus.read(session):
                    if isinstance(event, kind) and event.turn in (turn, None):
                        return event
                await asyncio.sleep(0.02)

    async def all(self, session: str, kind: type[_One]) -> list[_One]:
        return [event for event in await self.bus.read(session) if isinstance(event, kind)]

    async def goes_on(self, agent: AgentSpec, session: str, turn: int = 2) -> None:
        """Another turn is answered."""
        await self.ask(agent, session, "Are you there?", turn)
        assert (await self.seen(session, ReplyFinished, turn)).reason == "stop"

    async def until_noted(self, what: str) -> None:
        async with asyncio.timeout(90):
            while not (self.ledger.exists() and what in self.ledger.read_text().split()):
                await asyncio.sleep(0.02)

    def write(self, name: str, code: str, text: str = "") -> AgentSpec:
        home = self.agents / name
        home.mkdir(exist_ok=True)
        (home / "agent.toml").write_text(dedent(text))
        (home / "agent.py").write_text(dedent(code))
        return load_agent(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("gone-wrong")
    for name in ("agents", "logs"):
        (folder / name).mkdir()
    (folder / "rules.toml").write_text(RULES + "".join(RULE.replace("NAME", name) for name in CALLED))
    preload("workers.main", "workers.llm")
    async with Valkey(folder / "valkey", free_port(), "always") as server:
        shared = {
            "REDIS_URL": server.url,
            "AGENTS": str(folder / "agents"),
            "LLM_PROVIDER": "simulated",
            "SIMULATED_LLM_RULES": str(folder / "rules.toml"),
            "SIMULATED_LLM_MS": "0",
            "MCP_COMMANDS": sys.executable,
            "TOOL_KEY": SECRET,
            "HEALTH_PORT": "0",
            "LOG_LEVEL": "warning",
        }
        roles = [Role(name, name, shared, folder / "logs" / f"{name}.log") for name in ("llm", "tools")]
        async with connected(Settings(redis_url=server.url)) as bus, kept(roles) as (llm, tools):
            yield House(bus, folder / "agents", folder / "ledger", folder / "logs", llm, tools)


@pytest.fixture(scope="module")
def wild(house: House) -> AgentSpec:
    house.write("other", "", 'instructions = "You are the other one."')
    return house.write("wild", WILD.format(ledger=str(house.ledger)))


@pytest.mark.parametrize(
    ("name", "result", "error"),
    [
        ("much", "x" * 100, ""),
        ("binary", "", "it returned 5,000 bytes of binary data, which can't be read; a tool returns text or JSON"),
        ("opaque", "", "it returned a dict, which JSON can't tell (Opaque has no text of its own)"),
        ("not_a_number", "NaN", ""),
        ("endless", "", "it returned a dict, which may have no end; a tool returns a list"),
        ("streams", "", "it returned a generator, which may have no end; a tool returns a list"),
        ("circular", "", "it returned a list, which JSON can't tell ("),
        ("long_excuse", "", "ValueError: no no no"),
        ("sulk", "", "Sulking: it can't be told: RuntimeError"),
        ("leaves", "", "RuntimeError: SystemExit"),
        ("tells", "", "ValueError: refused: (TOOL_KEY)"),
        ("cut_secret", "yyyy", ""),
        ("keeps", "kept", ""),
        ("no_such_tool", None, None),
    ],
)
async def test_a_tool_that_goes_wrong(
    house: House, wild: AgentSpec, name: str, result: str | None, error: str | None
) -> None:
    """The model is told in one sentence, which is bounded and holds no secret; the call goes on."""
    session = f"wild-{name}"
    await house.begin(wild, session)
    await house.ask(wild, session, f"Please call {name}.")
    assert (await house.seen(session, ReplyFinished)).reason == "stop"
    returned = await house.all(session, ToolReturned)
    if result is None:
        assert returned == []
    else:
        (one,) = returned
        assert one.result.startswith(result)
        assert one.error.startswith(error or "")
        assert bool(one.error) is bool(error)
        assert len(one.result) < 8_200
        assert len(one.error) <= 400
        assert SECRET[:8] not in one.result + one.error
        assert one.state == {}
    await house.goes_on(wild, session)
    logged = (house.logs / "llm.log").read_text() if (house.logs / "llm.log").exists() else ""
    assert SECRET not in logged
    assert len(logged) < 100_000


async def test_arguments_that_do_not_fit(house: House, wild: AgentSpec) -> None:
    """The model is told which, and why."""
    await house.begin(wild, "unfit")
    await house.ask(wild, "unfit", "A table for many guests.")
    error = (await house.seen("unfit", ToolReturned)).error
    assert error.startswith("the arguments do not fit (guests: Input should be a valid integer")
    await house.goes_on(wild, "unfit")


async def test_a_server_of_tools_that_dies_in_mid_call(house: House) -> None:
    """Whoever waits for it is told; the next call has a server again."""
    text = f"""
        [[tools.mcp]]
        name = "kitchen"
        command = {sys.executable!r}
        args = [{mcp_server.__file__!r}]
        allow = ["menu", "die"]
    """
    agent = house.write("kitchen", "", text)
    await house.begin(agent, "mcp")
    turn = 0
    for calls, name in enumerate(("die", "menu"), 1):
        for _ in range(60):  # until it has come up
            turn += 1
            await house.ask(agent, "mcp", f"Please call {name}.", turn)
            assert (await house.seen("mcp", ReplyFinished, turn)).reason == "stop"
            if len(returned := await house.all("mcp", ToolReturned)) == calls:
                break
            await asyncio.sleep(0.5)
    died, answered = returned
    assert died.error
    assert "\n" not in died.error
    assert (answered.result, answered.error) == ("pizza for dinner at home", "")


@pytest.mark.parametrize("code", ["def on_enter(:\n", "import nothing_like_this\n", "raise SystemExit(1)\n"])
async def test_a_folder_with_mistakes_in_it(house: House, code: str) -> None:
    """Its sessions are answered without its tools; the worker's log says where the mistake is."""
    agent = house.write(f"broken{len(code)}", code)
    await house.begin(agent, agent.name)
    await house.ask(agent, agent.name, "Hello.")
    assert (await house.seen(agent.name, ReplyFinished)).reason == "stop"
    said = [line for line in (house.logs / "llm.log").read_text().splitlines() if f"{agent.name}/agent.py" in line]
    assert len(said) == 1
    assert "line 1: " in said[0]
    await house.goes_on(agent, agent.name)


async def test_agents_in_a_circle(house: House) -> None:
    """Three that hand over to the next in each turn, and as they enter: within the minute it stops, and who has the caller
    answers; in each further turn, too."""
    names = ("a", "b", "c")
    specs = [
        house.write(name, LOOPS.format(other=names[(place + 1) % 3], first="a"), "[hooks]\ntimeout = 5\n")
        for place, name in enumerate(names)
    ]
    await house.begin(specs[0], "circle")
    for turn in (1, 2, 3):
        await house.ask(specs[0], "circle", "Round and round.", turn)
        end = await house.seen("circle", ReplyFinished, turn)
        assert (end.reason, end.sentences > 0) == ("stop", True)
    changes = await house.all("circle", AgentChanged)
    assert 3 <= len(changes) <= 5
    refused = [one.error for one in await house.all("circle", HookCalled) if one.error]
    assert refused
    assert all("within a minute (handover.most = 4)" in one for one in refused)


async def test_a_hook_that_loops(house: House) -> None:
    """It decides nothing, in its time; others are asked meanwhile, and the next turn is answered."""
    agent = house.write(
        "loops", LOOPS.format(other="other", first="loops"), "[hooks]\ntimeout = 1\n[handover]\nmost = 1\n"
    )
    await house.begin(agent, "loop")
    await house.ask(agent, "loop", "Please loop.")
    called = await house.seen("loop", HookCalled)
    assert (called.decision, called.error) == ("", "nothing came of it within 1 s (hooks.timeout)")
    assert (await house.seen("loop", ReplyFinished)).reason == "stop"
    await house.goes_on(agent, "loop")


# ── killed in the midst of it ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_worker_killed_in_mid_hand_over(house: House, wild: AgentSpec) -> None:
    """Nobody knows how far it was: the model is told so, the caller stays with whom they were, and nothing is called again."""
    await house.begin(wild, "handing")
    await house.ask(wild, "handing", "Please call hands_over.")
    await house.until_noted("hands_over")
    await house.llm.kill()
    assert (await house.seen("handing", ReplyFinished)).reason == "stop"
    (returned,) = await house.all("handing", ToolReturned)
    assert "unknown whether this has happened" in returned.error
    assert len(await house.all("handing", ToolCalled)) == 1
    assert await house.all("handing", AgentChanged) == []
    assert (await house.seen("handing", ReplySentence)).text == "One moment."
    await house.goes_on(wild, "handing")
    assert house.ledger.read_text().split().count("hands_over") == 1


async def test_a_worker_of_the_pool_killed_in_mid_call(house: House, wild: AgentSpec) -> None:
    """The same of the tools' own pool; the reply that waits for it is told."""
    await house.begin(wild, "pooled")
    await house.ask(wild, "pooled", "Please call pooled.")
    await house.until_noted("pooled")
    await house.tools.kill()
    returned = await house.seen("pooled", ToolReturned)
    assert "unknown whether this has happened" in returned.error
    await house.goes_on(wild, "pooled")
    assert house.ledger.read_text().split().count("pooled") == 1


async def test_a_worker_killed_in_mid_hook_hands_over_once(house: House) -> None:
    """What a hook asked for goes with it: none is entered twice, and the next turn's hook is asked as ever."""
    code = f"""
        import time

        from workers.agents import Context


        def on_user_turn(context: Context, turn):
            if "bill" in turn.text:
                context.hand_over("other")
                with open({str(house.ledger)!r}, "ab", buffering=0) as ledger:
                    ledger.write(b"hooked\\n")
                time.sleep(20)
    """
    house.write("other", "", 'instructions = "You are the other one."')
    agent = house.write("hooked", code, "[hooks]\ntimeout = 30\n")
    await house.begin(agent, "hooked")
    await house.ask(agent, "hooked", "The bill, please.")
    await house.until_noted("hooked")
    await house.llm.kill()
    assert (await house.seen("hooked", ReplyFinished)).reason == "stop"
    (called,) = await house.all("hooked", HookCalled)
    assert "it is unknown how far it was done" in called.error
    assert await house.all("hooked", AgentChanged) == []
    await house.goes_on(agent, "hooked")
    assert len(await house.all("hooked", HookBegan)) == 2
    assert house.ledger.read_text().split().count("hooked") == 1
