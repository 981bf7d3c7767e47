"""Who writes and reads: with a real gateway over a log in memory, its workers by script."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from ops.people.person import CallError
from ops.people.text_caller import TextCaller, ToolUse, tools_in
from schemas.events import Event, SessionStarted, ToolCalled, ToolReturned
from schemas.jobs import TtsJob
from tests.gateway.door import door
from tests.gateway.pools import Pools


def _caller(gateway: Any, agent: str = "", **options: Any) -> TextCaller:
    return TextCaller(f"{gateway.url}/ws".replace("http", "ws", 1), agent=agent, **options)


@pytest.mark.parametrize("reads_the_log", [True, False])
async def test_a_conversation_in_text(reads_the_log: bool) -> None:
    """The greeting, and each line's answer, come whole and at once; no TTS worker is asked, and nobody waits for a sound."""
    async with door() as gateway, Pools(gateway.bus, says=["I hear you.", "Go on."]) as pools:
        pools.held.add("tts")
        async with aclosing(_caller(gateway, "greeter", log=gateway.bus if reads_the_log else None)) as caller:
            await caller.connect()
            assert (await caller.greeting()).said == ("Good day.",)
            for text in ("hello", "and then?"):
                answer = await caller.say(text)
                assert (answer.said, answer.whole, answer.ended) == (("I hear you.", "Go on."), True, None)
                assert answer.latency is not None
                assert [(turn.why, turn.how, turn.heard) for turn in answer.turns] == [
                    ("text", "played", "I hear you. Go on.")
                ]
        assert not [job for job in pools.jobs if isinstance(job, TtsJob)]


async def test_who_has_no_greeting_says_nothing_first() -> None:
    """Where the log is read that is known at once."""
    async with door() as gateway, aclosing(_caller(gateway, log=gateway.bus)) as caller:
        await caller.connect()
        assert (await caller.greeting()).said == ()


async def test_a_failed_answer_comes_with_its_apology() -> None:
    """What is said instead belongs to it, and so does what the gateway complained of."""
    async with (
        door() as gateway,
        Pools(gateway.bus, failing=["llm"]),
        aclosing(_caller(gateway, log=gateway.bus)) as caller,
    ):
        await caller.connect()
        answer = await caller.say("hello")
        assert answer.said == ("I'm sorry, I have trouble answering just now. Please try again in a moment.",)
        assert answer.errors[0].startswith("The answer could not be found")


async def test_an_answer_that_does_not_come_is_not_waited_for_longer() -> None:
    """The time is up: what there is comes back, not whole."""
    async with door() as gateway, aclosing(_caller(gateway, log=gateway.bus)) as caller:
        await caller.connect()
        answer = await caller.say("hello", within=0.2)
        assert (answer.said, answer.whole) == ((), False)


async def test_a_conversation_may_be_left_and_gone_on_with() -> None:
    """Its client may be gone for as long as nobody need speak (limits.idle), and comes back with its ticket."""
    async with door() as gateway, Pools(gateway.bus, says=["Yes."]):
        async with aclosing(_caller(gateway, log=gateway.bus)) as caller:
            await caller.connect()
            await caller.say("hello")
            session, ticket = caller.session, caller.ticket
        begun = (await gateway.bus.read(session))[0]
        assert isinstance(begun, SessionStarted)
        assert (begun.agent.sound, begun.agent.limits.client_gone) == (False, 600.0)
        async with aclosing(_caller(gateway, log=gateway.bus)) as again:
            again.session, again.ticket = session, ticket
            assert await again.connect()
            assert (await again.say("still there?")).said == ("Yes.",)


async def test_who_says_something_after_the_end_is_told() -> None:
    """Once it is over, with the reason."""
    async with door() as gateway, aclosing(_caller(gateway)) as caller:
        await caller.connect()
        gateway.engine.sessions[caller.session].hang_up("hang_up")
        async with asyncio.timeout(5):
            await caller.ended.wait()
        with pytest.raises(CallError, match=r"the conversation is over \(hang_up\)"):
            await caller.say("hello")


def test_tools_are_told_as_they_stand() -> None:
    """One that returned later is told with what it was called with before."""
    called = ToolCalled(seq=1, call="a", name="book", arguments={"guests": 4})
    returned = ToolReturned(seq=2, call="a", name="book", result="done", took=0.5)
    known: list[Event] = [called, returned]
    assert tools_in([called], [called]) == (ToolUse("a", "book", {"guests": 4}),)
    assert tools_in([returned], known) == (ToolUse("a", "book", {"guests": 4}, True, "done", "", 0.5),)
