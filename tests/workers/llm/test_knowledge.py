"""An agent's files in the LLM stage: looked up by the model, or given with the question. Real files, the real index, the
real runtime and the real fold."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.bus import Publication
from schemas.config.agent import AgentSpec, load_agent
from schemas.config.settings import Settings
from schemas.events import (
    Event,
    KnowledgeFound,
    MessageReceived,
    ReplyFinished,
    SessionStarted,
    ToolCalled,
    ToolReturned,
    TurnCommitted,
    TurnEnded,
)
from schemas.jobs import LlmJob
from schemas.session.cache import folded
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from tests.workers.llm.scripted import STOP, ScriptedLlm
from tests.workers.runtime.pool import Pool
from workers.llm import LlmStage
from workers.providers import CalledTool, Delta
from workers.testing import virtually

FITS = "(From your own files, not said by the user; it may help you to answer what follows:)"
HOURS, PRICES = "# Opening hours\nTuesday to Sunday, 11 to 22.", "# Prices\nA margherita is 9 euros."


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read without a thread: virtual time does not wait for any."""

    async def at_once(work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    (tmp_path / "pizza" / "knowledge").mkdir(parents=True)
    (tmp_path / "pizza" / "knowledge" / "hours.md").write_text(HOURS)
    (tmp_path / "pizza" / "knowledge" / "prices.md").write_text(PRICES)
    return tmp_path


def pizza(agents: Path, mode: str) -> AgentSpec:
    (agents / "pizza" / "agent.toml").write_text(
        f'instructions = "Be brief."\n[knowledge]\nmode = "{mode}"\nwhole = 0\n'
    )
    return load_agent(agents / "pizza")


def stage(provider: ScriptedLlm, agents: Path) -> LlmStage:
    return LlmStage(provider, Settings(_env_file=None, agents=agents))  # type: ignore[call-arg]


class Talk:
    def __init__(self, pool: Pool, agent: AgentSpec) -> None:
        self._pool, self._agent, self._turn = pool, agent, 0

    async def asks(self, text: str, *, committed: bool = True) -> int:
        """How often the reply to it has been finished."""
        bus = self._pool.bus
        if not self._turn:
            start = SessionStarted(room="r", transport="memory", agent=self._agent, gateway="gw")
            await bus.open("a", "gw", "open a", [start])
        self._turn += 1
        job = LlmJob.of(self._agent, "a", self._turn, 0, committed=committed)
        said: list[Event] = [MessageReceived(turn=self._turn, participant="p", text=text)]
        await bus.publish("a", 1, Publication(2 * self._turn, said, [job]))
        await asyncio.sleep(2)
        if committed:
            over: list[Event] = [
                TurnCommitted(turn=self._turn, why="text"), TurnEnded(turn=self._turn, how="played", heard="So it is."),
            ]  # fmt: skip
            await bus.publish("a", 1, Publication(2 * self._turn + 1, over, []))
        return len(await self.log(ReplyFinished))

    async def log(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in await self._pool.bus.read("a") if isinstance(event, kinds)]


@virtually
async def test_the_model_looks_it_up(agents: Path) -> None:
    """By a call like any other: it stands in the log, and the answer is made of it."""
    async with Pool() as pool:
        wanted = Delta(finish="tool", calls=(CalledTool("search_knowledge", {"query": "margherita price"}),))
        provider = ScriptedLlm([wanted], ["Nine euros.", STOP])
        pool.start(stage(provider, agents))
        talk = Talk(pool, pizza(agents, "tool"))
        assert await talk.asks("What is a margherita?") == 1
        first, second = provider.requests
        assert [tool["function"]["name"] for tool in first.tools] == ["search_knowledge"]
        [called], [returned] = await talk.log(ToolCalled), await talk.log(ToolReturned)
        assert (called.repeat, called.pool) == (True, False)
        assert returned.result == "[prices.md: Prices]\nA margherita is 9 euros."
        assert second.messages[-1]["content"] == returned.result
        assert await talk.log(KnowledgeFound) == []


@virtually
async def test_what_fits_is_given_with_the_question(agents: Path) -> None:
    """For a model that calls no tools: it is told of none; what it is given stands in the log, so that the same request can be
    made of the log alone; and it is given for this question, not kept in the chat."""
    async with Pool() as pool:
        provider = ScriptedLlm(["So it is.", STOP])
        pool.start(stage(provider, agents))
        talk = Talk(pool, pizza(agents, "always"))
        assert await talk.asks("What does a margherita cost here?") == 1
        first = provider.requests[0]
        assert first.tools == []
        given = f"{FITS}\n[prices.md: Prices]\nA margherita is 9 euros."
        assert first.messages[-1]["content"] == f"{given}\n\nWhat does a margherita cost here?"
        [found] = await talk.log(KnowledgeFound)
        assert (found.files, found.turn, found.query) == (["prices.md"], 1, "What does a margherita cost here?")
        before_its_end = [event for event in await pool.bus.read("a") if not isinstance(event, TurnEnded)]
        (agents / "pizza" / "knowledge" / "prices.md").unlink()  # the log alone
        assert messages(fold_all(before_its_end), 1, session="a") == first.messages
        assert (await folded(pool.bus, "a")).turns[1].known is None
        assert await talk.asks("And on a Sunday, say?") == 2
        last = provider.requests[-1].messages
        assert [one["content"] for one in last[1:3]] == ["What does a margherita cost here?", "So it is."]
        assert "[hours.md: Opening hours]" in last[3]["content"]


@virtually
async def test_few_words_count_with_those_before(agents: Path) -> None:
    """ "And at weekends?" is about what was asked before; a question that finds nothing is asked as it stands."""
    async with Pool() as pool:
        provider = ScriptedLlm(["So it is.", STOP])
        pool.start(stage(provider, agents))
        talk = Talk(pool, pizza(agents, "always"))
        await talk.asks("Thank you, and that is it then.")
        assert provider.requests[-1].messages[-1]["content"] == "Thank you, and that is it then."
        await talk.asks("What are your opening hours now?")
        await talk.asks("And at weekends?")
        found = await talk.log(KnowledgeFound)
        assert [(one.query, one.files) for one in found] == [
            ("Thank you, and that is it then.", []),
            ("What are your opening hours now?", ["hours.md"]),
            ("And at weekends? What are your opening hours now?", ["hours.md"]),
        ]


@virtually
async def test_files_that_are_not_here_leave_the_question(agents: Path) -> None:
    """A worker without the agent's folder answers by what it has."""
    async with Pool() as pool:
        provider = ScriptedLlm(["So it is.", STOP])
        pool.start(LlmStage(provider, Settings(_env_file=None)))  # type: ignore[call-arg]
        talk = Talk(pool, pizza(agents, "always"))
        assert await talk.asks("What does a margherita cost here?") == 1
        assert provider.requests[0].messages[-1]["content"] == "What does a margherita cost here?"
