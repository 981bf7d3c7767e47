"""Many sessions on one small stack: everybody is answered."""

import asyncio
import time
from collections.abc import Callable

from ops.people.caller import Caller
from schemas.audio import Pcm
from schemas.client import TurnMessage
from tests.e2e.conftest import House

SESSIONS = 40


async def test_forty_sessions_at_once_and_none_is_starved(house: House, lines: Callable[[str], Pcm]) -> None:
    """Forty callers speak at the same moment, with real ears and a real voice and an LLM that says one word; each is answered."""
    house.llm.modes["patient"] = "brief"
    callers = [
        Caller(house.stack.gateways[0], agent="patient", participant=f"c-{number}") for number in range(SESSIONS)
    ]
    await asyncio.gather(*(caller.connect() for caller in callers))
    ends = await asyncio.gather(*(_ask(caller, lines("capital")) for caller in callers))
    await asyncio.gather(*(caller.hang_up() for caller in callers))
    assert [end for end in ends if end != "played"] == []


async def _ask(caller: Caller, question: Pcm) -> str:
    began = time.monotonic()
    await caller.speak(question)
    turn = await caller.wait_for(TurnMessage, 60.0, began, lambda turn: turn.how in ("played", "failed", "expired"))
    return "no answer" if turn is None else turn.how
