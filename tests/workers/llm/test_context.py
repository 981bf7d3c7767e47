"""A long conversation is summarized behind its turns, and never in their way."""

import asyncio

import pytest

from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.errors import Permanent
from schemas.events import ContextSummarized, MessageReceived, SessionStarted, TurnEnded
from schemas.jobs import HookJob, LlmJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from tests.workers.llm.scripted import STOP, Item, ScriptedLlm, llm_stage
from tests.workers.runtime.pool import Pool
from workers.testing import virtually

AGENT = AgentSpec(instructions="Be brief.", limits={"history_tokens": 400})
WORDS = "one two three four five six seven eight nine ten"
ANSWER: list[Item] = ["Yes.", STOP]


class Long:
    """A conversation of so many turns, and then one more that is asked."""

    def __init__(self, pool: Pool, turns: int = 12, agent: AgentSpec = AGENT) -> None:
        self.pool, self.turns, self.agent, self._operation = pool, turns, agent, 0

    async def begin(self) -> None:
        start = SessionStarted(room="r", transport="memory", agent=self.agent, gateway="gw")
        await self.pool.bus.open("s", "gw", "open", [start])
        for number in range(1, self.turns + 1):
            said = MessageReceived(turn=number, participant="ann", text=f"{number}: {WORDS}")
            await self._publish([said, TurnEnded(turn=number, how="played", heard=f"Answer {number}. {WORDS}")])

    async def ask(self) -> None:
        self.turns += 1
        job = LlmJob.of(self.agent, "s", self.turns, 0, committed=True)
        await self._publish([MessageReceived(turn=self.turns, participant="ann", text="And now?")], [job])

    async def end(self) -> None:
        await self._publish([TurnEnded(turn=self.turns, how="played", heard="Yes.")])

    async def summaries(self) -> list[ContextSummarized]:
        return [event for event in await self.pool.bus.read("s") if isinstance(event, ContextSummarized)]

    async def _publish(self, events: list[MessageReceived | TurnEnded], jobs: list[LlmJob] | None = None) -> None:
        self._operation += 1
        await self.pool.bus.publish("s", 1, Publication(self._operation, events, jobs or []))


@virtually
async def test_older_turns_become_a_summary_after_the_reply() -> None:
    """Its turns are left out of the next chat, which is given the notes instead; once is enough."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER, ["Ann counts ", "to ten.", STOP], ANSWER)
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        talk = Long(pool)
        await talk.begin()
        await talk.ask()
        await asyncio.sleep(2)
        [summary] = await talk.summaries()
        assert (summary.text, summary.model) == ("Ann counts to ten.", "scripted")
        assert 6 <= summary.through <= 10
        assert summary.tokens > 100
        asked = provider.requests[1].messages[1]["content"]
        assert "<call>\nann: 1: one two" in asked
        assert "And now?" not in asked
        await talk.end()
        await talk.ask()
        await asyncio.sleep(2)
        chat = provider.requests[2].messages
        assert "Ann counts to ten." in chat[0]["content"]
        assert chat[1]["content"].startswith(f"{summary.through + 1}: ")
        assert len(await talk.summaries()) == 1


@virtually
@pytest.mark.parametrize("agent", [AgentSpec(), AGENT])
async def test_a_short_conversation_has_no_summary(agent: AgentSpec) -> None:
    """Nor has one whose agent asks for none."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER)
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        talk = Long(pool, 3 if agent is AGENT else 12, agent)
        await talk.begin()
        await talk.ask()
        await asyncio.sleep(2)
        assert len(provider.requests) == 1


@virtually
async def test_who_speaks_goes_first() -> None:
    """A summary is given up as soon as somebody is to be answered, and tried again afterwards."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER, ["Notes", 30.0, "never", STOP], ANSWER, ["Ann counts.", STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        talk = Long(pool)
        await talk.begin()
        await talk.ask()
        await asyncio.sleep(2)
        assert (len(provider.requests), await talk.summaries()) == (2, [])
        await talk.end()
        await talk.ask()
        await asyncio.sleep(2)
        assert [one.text for one in await talk.summaries()] == ["Ann counts."]
        state = fold_all(await pool.bus.read("s"))
        assert "Ann counts." in messages(state, talk.turns)[0]["content"]


@virtually
async def test_a_hook_gives_up_no_summary() -> None:
    """It asks no model: one is called after each turn of an agent with on_agent_turn."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER, ["Ann ", 5.0, "counts.", STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        talk = Long(pool)
        await talk.begin()
        await talk.ask()
        await asyncio.sleep(2)
        hook = HookJob.of(talk.agent, "s", "on_agent_turn", f"on_agent_turn/{talk.turns}", turn=talk.turns)
        await pool.bus.publish("s", 1, Publication(100, [], [hook]))
        await asyncio.sleep(10)
        assert [one.text for one in await talk.summaries()] == ["Ann counts."]


@virtually
async def test_a_summary_waits_until_nobody_waits_for_the_llm() -> None:
    """Of another session, too; meanwhile the oldest turns are left out as they always were."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER, ["Hm. ", 10.0, "Done.", STOP], ["Ann counts.", STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        other = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="gw")
        await pool.bus.open("other", "gw", "open other", [other])
        talk = Long(pool)
        await talk.begin()
        await talk.ask()
        said = MessageReceived(turn=1, participant="bob", text="Hello?")
        job = LlmJob.of(AgentSpec(), "other", 1, 0, committed=True)
        await pool.bus.publish("other", 1, Publication(1, [said], [job]))
        await asyncio.sleep(5)
        assert await talk.summaries() == []
        await asyncio.sleep(20)
        assert [one.text for one in await talk.summaries()] == ["Ann counts."]


@virtually
@pytest.mark.parametrize("script", [[Permanent("no", "bad_request")], [STOP], ["  ", STOP]])
async def test_a_model_that_sums_nothing_up_harms_nobody(script: list[Item]) -> None:
    """The turn is answered, and the next one, too."""
    async with Pool() as pool:
        provider = ScriptedLlm(ANSWER, script, ANSWER, script)
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        talk = Long(pool)
        await talk.begin()
        for _ in range(2):
            await talk.ask()
            await asyncio.sleep(2)
            await talk.end()
        assert await talk.summaries() == []
        assert len(provider.requests) == 4
