"""What goes wrong on the real stack is heard, told and logged, and harms no other session."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from ops.people.caller import Caller
from schemas.audio import Pcm
from schemas.client import SentenceMessage, StateMessage, TurnMessage
from schemas.events import Stage
from schemas.session.promises import violations
from tests.e2e.conftest import House
from tests.e2e.llm_proxy import Mode
from tests.e2e.test_conversations import REPLY, ended, is_speaking, say, write

Connect = Callable[..., Awaitable[Caller]]
Lines = Callable[[str], Pcm]


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
async def test_a_worker_killed_in_mid_turn_is_survived(house: House, call: Connect, lines: Lines, stage: Stage) -> None:
    """SIGKILL of a stage's only worker while a turn is under way: the turn is still answered, by its successor."""
    caller = await call(llm="brief")
    await write(caller, "Hello.")
    began = time.monotonic()
    speaking = asyncio.create_task(caller.speak(lines("first")))
    await asyncio.sleep(len(lines("first")) / 16_000 - 0.05)
    house.stack.supervisor[f"{stage}-1"].kill(signal.SIGKILL)
    await speaking
    turn = await caller.wait_for(TurnMessage, 40.0, began, ended("played"))
    assert turn is not None, [message for when, message in caller.messages if when > began]
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []


async def test_a_failing_llm_becomes_the_fallback_sentence(house: House, call: Connect, lines: Lines) -> None:
    """Whatever the LLM endpoint does wrong for good, the caller hears the spec's fallback instead of silence."""

    async def one(mode: Mode, later: float) -> None:
        await asyncio.sleep(later)
        caller = await call("hasty_llm", llm=mode)
        began = time.monotonic()
        await caller.speak(lines("capital"))
        fallback = await caller.wait_for(TurnMessage, 40.0, began, lambda turn: "trouble answering" in turn.heard)
        assert fallback is not None, (mode, [message for when, message in caller.messages if when > began])
        house.llm.modes[caller.agent] = "brief"
        assert (await write(caller, "And now?")).how == "played", mode
        await caller.hang_up()
        assert violations(await house.log(caller.session)) == [], mode

    modes: tuple[Mode, ...] = ("hang", "500", "half", "empty")
    async with asyncio.TaskGroup() as callers:  # four who fare ill side by side, and don't speak in the same moment
        for number, mode in enumerate(modes):
            callers.create_task(one(mode, 1.5 * number), name=mode)


@pytest.mark.parametrize("stage", ["stt", "tts"])
async def test_a_stage_that_stays_down_is_told(house: House, call: Connect, lines: Lines, stage: Stage) -> None:
    """Without STT the caller is asked to repeat, by a phrase made in advance; without TTS the reply comes as text."""
    caller = await call(f"hasty_{stage}", llm="brief")
    await write(caller, "Hello.")
    process = house.stack.supervisor[f"{stage}-1"]
    process.kill(signal.SIGSTOP)
    try:
        began = time.monotonic()
        await caller.speak(lines("capital"))
        if stage == "stt":
            asked = await caller.wait_for(TurnMessage, 40.0, began, lambda turn: "say it again" in turn.heard)
            assert asked is not None, [message for when, message in caller.messages if when > began]
        else:
            shown = await caller.wait_for(SentenceMessage, 40.0, began, lambda sentence: not sentence.spoken)
            assert shown is not None, [message for when, message in caller.messages if when > began]
            assert shown.text
    finally:
        process.kill(signal.SIGCONT)
    await asyncio.sleep(1.0)
    assert (await say(caller, lines("capital"))).how == "played"
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []


async def test_the_gateway_dies_in_mid_reply(house: House, call: Connect, lines: Lines) -> None:
    """SIGKILL of the gateway: the caller comes back with the ticket, the conversation goes on, nothing is said twice."""
    caller = await call(llm="tale")
    began = time.monotonic()
    await caller.speak(lines("story"))
    assert await caller.wait_for(StateMessage, REPLY, began, is_speaking)
    await asyncio.sleep(1.0)
    house.stack.supervisor["gateway-1"].kill(signal.SIGKILL)
    await caller.drop()
    for _ in range(100):
        try:
            assert await caller.connect()
            break
        except Exception:
            await asyncio.sleep(0.1)
    assert caller.connected
    assert await caller.wait_for(TurnMessage, 60.0, began)
    house.llm.modes[caller.agent] = "brief"
    assert (await say(caller, lines("capital"))).how == "played", await house.told(caller.session)
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []


async def test_redis_is_restarted_in_mid_conversation(house: House, call: Connect, lines: Lines) -> None:
    """SIGKILL of the log's server: it comes back with everything, and the conversation goes on."""
    caller = await call(llm="brief")
    await write(caller, "Hello.")
    house.stack.supervisor["valkey"].kill(signal.SIGKILL)
    await asyncio.sleep(1.5)
    assert (await say(caller, lines("first"))).how == "played"
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []
