"""A real phone of Debian's calls in."""

from pathlib import Path

import numpy as np
import pytest

from ops.demo.script import line
from tests.sip.baresip import Baresip
from tests.sip.conftest import needs, office


@pytest.fixture(autouse=True)
def baresip() -> None:
    needs("baresip")


async def test_a_call_is_answered_greeted_heard_and_ended(tmp_path: Path) -> None:
    """A phone that calls hears the greeting, is heard, gets an answer, and its hanging up ends the session."""
    async with (
        office(tmp_path) as here,
        Baresip(tmp_path / "phone", np.concatenate((np.zeros(24_000, np.int16), line("capital")))) as phone,
    ):
        await phone.dial(here.uri())
        await phone.event("CALL_ESTABLISHED")
        session = await here.session()
        await here.event(session, lambda event: event.type == "turn.ended" and event.turn == 1)
        await here.event(session, lambda event: event.type == "transcript.final")
        await here.event(session, lambda event: event.type == "playback.finished" and event.turn != 1)
        assert np.abs(phone.heard().astype(int)).max() > 700
        await phone.command("hangup")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
