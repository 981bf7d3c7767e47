"""A real phone calls the whole stack, and asks."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from ops.demo.script import line
from tests.e2e.conftest import House
from tests.gateway.rooms.sip.baresip import Baresip
from tests.gateway.rooms.sip.conftest import needs


@pytest.mark.timeout(120)
async def test_a_question_over_the_phone(house: House, tmp_path: Path) -> None:
    """A caller on a µ-law line hears a spoken greeting, is understood, and hears an answer."""
    needs("baresip")
    before = await house.sessions("sip-")
    question = np.concatenate((np.zeros(16_000 * 4, np.int16), line("capital")))
    async with Baresip(tmp_path / "phone", question, law="pcmu") as phone:
        await phone.dial(f"sip:1@127.0.0.1:{house.phones}")
        await phone.event("CALL_ESTABLISHED")
        while not (begun := await house.sessions("sip-") - before):  # it is answered before its session is opened
            await asyncio.sleep(0.05)
        (session,) = begun
        greeted = await house.event(session, lambda event: event.type == "turn.ended" and event.turn == 1)
        assert greeted.heard  # type: ignore[union-attr]
        await house.event(session, lambda event: event.type == "transcript.final" and "capital" in event.text.lower())
        await house.event(session, lambda event: event.type == "turn.ended" and event.turn != 1 and bool(event.heard))
        assert np.abs(phone.heard().astype(int)).max() > 2_000
        await phone.command("hangup")
        ended = await house.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
