"""Whoever calls an agent that can't speak its own language is told so at once."""

import logging

import pytest

from gateway.sessions.tongues import Tongues
from schemas.config.agent import AgentSpec
from schemas.errors import BusUnavailable
from schemas.events import SessionStarted
from schemas.languages import Announced
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from tests.gateway.door import door

SPANISH = Announced("tts", ["es"], "TTS_VOICE=es_ES-davefx-medium", "piper")


async def test_the_first_event_and_the_client_are_told() -> None:
    """`session.started` carries the warning with what to change, `ready` without; where there is none `ready` is as it was."""
    async with door() as gateway:
        client, ready = await gateway.begin()
        assert not ready.warnings
        await client.close()
    bus = MemoryBus()
    await bus.announce("w1", SPANISH, 60)
    async with door(bus) as gateway:
        client, ready = await gateway.begin()
        (warning,) = ready.warnings
        assert warning == "the agent is meant to speak en, but es only is spoken here"
        (started, *_) = await bus.read(ready.session)
        assert isinstance(started, SessionStarted)
        (full,) = started.warnings
        assert 'agent "default" is to speak en' in full
        assert "TTS_VOICE=es_ES-davefx-medium speaks es only" in full
        await client.close()


async def test_the_log_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway's own log says it once, however many call."""
    bus = MemoryBus()
    await bus.announce("w1", SPANISH, 60)
    tongues = Tongues(bus, MonotonicClock())
    with caplog.at_level(logging.WARNING, "antiphon.gateway"):
        first, second = [await tongues.warnings(AgentSpec()) for _ in range(2)]
    assert first == second != []
    assert caplog.messages == [one.sentence for one in first]


async def test_a_log_that_is_away_keeps_no_session_waiting() -> None:
    """Where the log doesn't answer nothing is claimed, and opening the session says what is wrong."""

    class Away(MemoryBus):
        async def announced(self, stage: str) -> list[Announced]:
            raise BusUnavailable("it does not answer")

    assert await Tongues(Away(), MonotonicClock()).warnings(AgentSpec(language="de")) == []
