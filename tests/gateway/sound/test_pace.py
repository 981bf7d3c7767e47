"""Sound that comes at another rate than it should, told by the clock; and what is told to whom."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gateway.rooms.websocket.connection import ClientConnection
from gateway.rooms.websocket.room import WebSocketRoom
from gateway.sound.pace import RATES, Pace
from schemas.client import ReadyMessage
from schemas.config.agent import AgentSpec
from schemas.log import MemoryBus
from tests.gateway.rig import rig
from workers.testing import LoopClock, virtually


def seems(arrivals: Iterator[tuple[float, int]]) -> int | None:
    pace = Pace()
    for now, samples in arrivals:
        pace.take(samples, now)
    return pace.rate


def live(rate: float, frame: float, seconds: float = 6.0, jitter: float = 0.0) -> Iterator[tuple[float, int]]:
    """A microphone: `frame` seconds of sound after as many seconds, give or take `jitter`."""
    random, last = np.random.default_rng(1), 0.0
    for number in range(1, round(seconds / frame)):
        last = max(last, number * frame + random.uniform(0, jitter))
        yield last, round(rate * frame)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frame", [128 / 48_000, 0.01, 0.02, 0.06, 0.1])
@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_a_live_sender_at_another_rate_is_found_out(rate: int, frame: float, jitter: float) -> None:
    """Whatever the size of its pieces, before anybody holds it up."""
    within = 4.3 if rate < 16_000 else 0.8 + max(0.1, 2 * frame)
    assert seems(live(rate, frame, within + frame, jitter)) == rate


def test_a_sender_that_waits_a_little_too_long_each_time_is_found_out() -> None:
    """Scripts that sleep 20 ms between two pieces of 20 ms are late by a few per cent."""
    assert seems(live(48_000 * 0.95, 0.02)) == 48_000


@pytest.mark.parametrize("frame", [128 / 48_000, 0.02, 0.1])
@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.2])
def test_who_sends_as_they_should_is_left_alone(frame: float, jitter: float) -> None:
    """However unevenly the network brings it."""
    assert seems(live(16_000, frame, 20.0, jitter)) is None
    assert seems(live(16_000 * 0.93, frame, 20.0, jitter)) is None


def test_a_file_sent_as_fast_as_it_goes_is_left_alone() -> None:
    """It comes in bursts: a network's, or those for which there is room."""
    assert seems((0.001 * (n // 20), 320) for n in range(400)) is None
    assert seems((0.25 * (n // 40) + 0.0001 * (n % 40), 320) for n in range(400)) is None


def test_who_catches_up_is_left_alone() -> None:
    """A second of sound that waited for the connection, and then live."""
    waited = ((0.01 + 0.0001 * n, 320) for n in range(50))
    then = ((now + 0.02, samples) for now, samples in live(16_000, 0.02))
    assert seems(pair for pairs in (waited, then) for pair in pairs) is None


def test_who_sends_nothing_while_silent_is_left_alone() -> None:
    """Half the time without sound is not half the rate."""
    words = ((number * 1.2 + 0.02 * n, 320) for number in range(10) for n in range(30))
    assert seems(words) is None


def test_who_is_held_up_tells_nothing_any_more() -> None:
    """What comes then comes at our pace."""
    pace = Pace()
    pace.held_up()
    for now, samples in live(48_000, 0.02):
        pace.take(samples, now)
    assert pace.rate is None


class Client(ClientConnection):
    """What a client is told."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # nothing is written
        self.errors: list[dict[str, Any]] = []

    def _put(self, item: bytes | str) -> None:
        message = json.loads(item) if isinstance(item, str) else {}
        if message.get("type") == "error":
            self.errors.append(message)


async def told(rate: int, loudness: int, seconds: float) -> list[dict[str, Any]]:
    """What a client is told who sends sound of that rate in real time. (The VAD takes what is loud for speech.)"""
    log, clock = MemoryBus(clock=LoopClock()), LoopClock()
    async with rig(log) as gateway:
        client, room = Client(), WebSocketRoom(clock, "s1", "ann", 16_000)
        await gateway.reception.open("s1", room, AgentSpec())
        room.join()
        room.attach(client, ReadyMessage(session="s1", ticket="", rate=16_000, resumed=False))
        end = clock.now() + seconds
        while clock.now() < end:
            await asyncio.sleep(0.02)
            await asyncio.sleep(max(0.0, room.hear(np.full(rate // 50, loudness, np.int16))))
        return client.errors


@virtually
async def test_the_client_is_told_once_and_in_a_sentence() -> None:
    """The rate it seems to be, what is expected and what to do; the session goes on."""
    for rate in (8_000, 24_000, 48_000):
        (error,) = await told(rate, 300, 12.0)
        assert (error["code"], error["fatal"]) == ("sample_rate", False)
        assert f"{rate} samples a second" in error["message"]
        assert "16000" in error["message"]


@virtually
async def test_speech_that_only_comes_early_is_speech() -> None:
    """A file sent at three times real time is no sound at another rate; nor is silence yet."""
    assert await told(48_000, 5000, 6.0) == []
    assert await told(48_000, 0, 6.0) == []
    assert await told(16_000, 300, 6.0) == []
