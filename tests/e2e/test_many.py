"""Many sessions on one small stack: everybody is answered."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from ops.people.caller import Caller
from ops.stack.stack import Plan, Stack
from schemas.audio import Pcm
from schemas.client import TurnMessage
from schemas.config.settings import load

SESSIONS = 40


async def test_forty_sessions_at_once_and_none_is_starved(tmp_path: Path, lines: Callable[[str], Pcm]) -> None:
    """Forty callers speak at the same moment, with real ears and a real voice and a simulated LLM; each is answered."""
    agent = (
        tmp_path / "patient.toml"
    )  # how soon is the benchmarks' business: on a busy machine, too, nobody is left out
    agent.write_text("limits = { stt_deadline = 60.0, tts_deadline = 60.0 }\n")
    environment = {"LLM_PROVIDER": "simulated", "SIMULATED_LLM_SENTENCES": "1", "AGENTS": str(agent)}
    plan = Plan(tmp_path / "stack", free_ports=True, environment=environment)
    async with Stack(plan, load(llm_provider="simulated")) as stack:
        callers = [Caller(stack.gateways[0], participant=f"caller-{number}") for number in range(SESSIONS)]
        await asyncio.gather(*(caller.connect() for caller in callers))
        ends = await asyncio.gather(*(_ask(caller, lines("capital")) for caller in callers))
        await asyncio.gather(*(caller.hang_up() for caller in callers))
    assert [end for end in ends if end != "played"] == []


async def _ask(caller: Caller, question: Pcm) -> str:
    began = time.monotonic()
    await caller.speak(question)
    turn = await caller.wait_for(TurnMessage, 60.0, began, lambda turn: turn.how in ("played", "failed", "expired"))
    return "no answer" if turn is None else turn.how
