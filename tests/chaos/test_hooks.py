"""A real LLM worker on a real server is killed in the midst of a hook."""

import asyncio
from pathlib import Path
from textwrap import dedent

import pytest

from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import Role, kept, preload
from ops.stack.system import free_port
from schemas.bus import Bus, Publication
from schemas.config.agent import AgentSpec, load_agent
from schemas.config.settings import Settings
from schemas.events import (
    Event,
    HookBegan,
    HookCalled,
    ReplyFinished,
    SessionStarted,
    TranscriptFinal,
    TurnCommitted,
    UtteranceCaptured,
)
from schemas.jobs import HookJob, Job, LlmJob
from schemas.log import connected

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CODE = """
    import time


    def _work(hook):
        with open({ledger!r}, "ab", buffering=0) as ledger:
            ledger.write(hook + b"\\n")
        time.sleep(20)


    def on_enter(context):
        _work(b"on_enter")


    def on_user_turn(context, turn):
        _work(b"on_user_turn")
"""


async def _begun(bus: Bus, agent: AgentSpec, session: str, events: list[Event], job: Job) -> None:
    started = SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")
    await bus.open(session, "gw", f"open {session}", [started])
    await bus.publish(session, 1, Publication(1, events, [job]))


async def _event(bus: Bus, session: str, kind: type[Event]) -> Event:
    async with asyncio.timeout(60):
        while True:
            for event in await bus.read(session):
                if isinstance(event, kind):
                    return event
            await asyncio.sleep(0.02)


async def test_a_worker_killed_in_a_hook_has_it_called_once(tmp_path: Path) -> None:
    """Over a reply and beside one: whoever takes its job up tells that nobody knows how far it was done, and the call goes on."""
    home, ledger = tmp_path / "agents" / "shop", tmp_path / "ledger"
    home.mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    (home / "agent.toml").write_text("[hooks]\ntimeout = 30\n")
    (home / "agent.py").write_text(dedent(CODE).format(ledger=str(ledger)))
    agent = load_agent(home)
    preload("workers.main", "workers.llm")
    async with Valkey(tmp_path / "valkey", free_port(), "always") as server:
        shared = {
            "REDIS_URL": server.url,
            "AGENTS": str(tmp_path / "agents"),
            "LLM_PROVIDER": "simulated",
            "HEALTH_PORT": "0",
            "LOG_LEVEL": "warning",
        }
        role = Role("llm", "llm", shared, tmp_path / "logs" / "llm.log")
        async with connected(Settings(redis_url=server.url)) as bus, kept([role]) as (worker,):
            heard = UtteranceCaptured(turn=1, utterance="u1", participant="p", audio=[], duration=1.0)
            said = TranscriptFinal(turn=1, utterance="u1", participant="p", text="A table, please.")
            committed = TurnCommitted(turn=1, why="silence")
            reply = LlmJob.of(agent, "reply", 1, 0, committed=True)
            await _begun(bus, agent, "reply", [heard, said, committed], reply)
            await _begun(bus, agent, "enter", [], HookJob.of(agent, "enter", "on_enter", "on_enter/0"))
            async with asyncio.timeout(60):
                while not ledger.exists() or len(ledger.read_text().split()) < 2:
                    await asyncio.sleep(0.02)
            await worker.kill()
            await _event(bus, "reply", ReplyFinished)
            await _event(bus, "enter", HookCalled)
            for session, hook in (("reply", "on_user_turn"), ("enter", "on_enter")):
                events = await bus.read(session)
                assert [event.hook for event in events if isinstance(event, HookBegan)] == [hook]
                (called,) = (event for event in events if isinstance(event, HookCalled))
                assert (called.hook, called.decision) == (hook, "")
                assert "it is unknown how far it was done" in called.error
            (end,) = (event for event in await bus.read("reply") if isinstance(event, ReplyFinished))
            assert (end.reason, end.sentences > 0) == ("stop", True)
    assert sorted(ledger.read_text().split()) == ["on_enter", "on_user_turn"]
