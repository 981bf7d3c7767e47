"""A real phone, real models, the whole stack: somebody calls and asks."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from ops.demo.script import line
from ops.stack import Plan, Stack
from ops.system import free_port
from schemas.events import Event
from schemas.log import connect
from schemas.settings import Settings, load
from tests.sip.baresip import Baresip
from tests.sip.conftest import AGENTS, LOOPBACK, needs


@pytest.mark.e2e
@pytest.mark.models
@pytest.mark.timeout(120)
async def test_a_question_over_the_phone(tmp_path: Path) -> None:
    """A caller on a µ-law line hears a spoken greeting, is understood, and hears an answer."""
    needs("baresip")
    trunks = tmp_path / "trunks.toml"
    trunks.write_text(LOOPBACK)
    port = free_port()
    environment = {"AGENTS": str(AGENTS), "SIP_LISTEN": f"127.0.0.1:{port}", "SIP_TRUNKS": str(trunks)}
    question = np.concatenate((np.zeros(16_000 * 4, np.int16), line("capital")))
    async with (
        Stack(Plan(tmp_path / "stack", free_ports=True, environment=environment), load()) as stack,
        Baresip(tmp_path / "phone", question, law="pcmu") as phone,
    ):
        bus = connect(Settings(redis_url=stack.redis_url))
        await bus.start()
        await phone.dial(f"sip:1@127.0.0.1:{port}")
        await phone.event("CALL_ESTABLISHED")
        session = (await bus.sessions())[0].session
        events: list[Event] = []
        for _ in range(600):
            events = await bus.read(session)
            ends = [event for event in events if event.type == "turn.ended"]
            if len(ends) >= 2 and ends[-1].heard:
                break
            await asyncio.sleep(0.05)
        heard = " ".join(event.text for event in events if event.type == "transcript.final")
        assert "capital" in heard.lower(), [event.type for event in events]
        answers = [event.heard for event in events if event.type == "turn.ended"]
        assert len(answers) >= 2
        assert all(answers)
        assert np.abs(phone.heard().astype(int)).max() > 2_000
        await phone.command("hangup")
        for _ in range(100):
            if (await bus.read(session))[-1].type == "session.ended":
                break
            await asyncio.sleep(0.05)
        assert (await bus.read(session))[-1].type == "session.ended"
        await bus.aclose()
