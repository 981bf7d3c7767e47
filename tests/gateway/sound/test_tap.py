"""What who listens in is given: both sides on one clock, whole, in order, and nothing that was taken back."""

from collections.abc import Sequence

import numpy as np
import pytest

from gateway.sound.ring import Stream
from gateway.sound.tap import BLOCK, DELAY, Stereo, Tap
from schemas.audio import HEARING_RATE, Pcm
from schemas.clock import Now


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> Now:
        return Now(self.at)


def flat(seconds: float, level: int, rate: int = HEARING_RATE) -> Pcm:
    return np.full(round(seconds * rate), level, np.int16)


def stream(name: str = "ann") -> Stream:
    return Stream(name, 0, 0.1, 30.0, 100.0)


def whole(blocks: Sequence[Stereo]) -> Stereo:
    return np.concatenate(blocks) if blocks else np.zeros((0, 2), np.int16)


def seconds(sound: Pcm) -> list[tuple[float, int]]:
    """(from when, level) of each change, by tenths of a second."""
    levels = [round(float(np.median(block)), -2) for block in np.array_split(sound, len(sound) // 1600)]
    return [(at / 10, int(level)) for at, level in enumerate(levels) if at == 0 or level != levels[at - 1]]


def run(tap: Tap, clock: Hands, until: float, streams: dict[str, Stream], voices: dict[str, int]) -> list[Stereo]:
    """Let time pass in frames of 20 ms, in which everybody sounds at their level; answers the blocks that came."""
    found: list[Stereo] = []
    while clock.at < 100.0 + until - 1e-9:
        clock.at += 0.02
        for name, one in streams.items():
            one.append(flat(0.02, voices.get(name, 0)), clock.at)
        tap.follow(streams)
        found += tap.blocks()
    return found


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000, 8_000])
def test_both_sides_are_on_one_clock(rate: int) -> None:
    """What is said at 1 s and answered at 2 s is at 1 s and at 2 s, left and right, whatever the room's rate, a second behind."""
    clock = Hands()
    tap, streams = Tap(clock, rate), {"ann": stream()}
    found = run(tap, clock, 1.0, streams, {})
    found += run(tap, clock, 2.0, streams, {"ann": 3000})
    tap.pushed(flat(0.5, 5000, rate), queued=0.0)
    tap.pushed(flat(0.5, 7000, rate), queued=0.5)
    found += run(tap, clock, 4.0, streams, {})
    assert len(found) == round((4.0 - DELAY) / BLOCK)
    assert {block.shape for block in found} == {(1600, 2)}
    sound = whole(found)
    assert seconds(sound[:, 0]) == [(0.0, 0), (1.0, 3000), (2.0, 0)]
    assert seconds(sound[:, 1]) == [(0.0, 0), (2.0, 5000), (2.5, 7000)]


def test_what_was_taken_back_is_not_heard() -> None:
    """Of a sentence that is cut, who listens hears what the caller heard, and what is said after it at its place."""
    clock = Hands()
    tap = Tap(clock, HEARING_RATE)
    tap.pushed(flat(1.0, 5000), queued=0.0)
    found = run(tap, clock, 0.4, {}, {})
    tap.cleared()
    found += run(tap, clock, 0.8, {}, {})
    tap.pushed(flat(0.2, 7000), queued=0.0)
    found += run(tap, clock, 3.0, {}, {})
    assert seconds(whole(found)[:, 1]) == [(0.0, 5000), (0.4, 0), (0.8, 7000), (1.0, 0)]


def test_people_are_mixed_and_come_and_go() -> None:
    """Two who speak at once are both heard, loud ones without wrapping round, and who comes back begins anew."""
    clock = Hands()
    tap, streams = Tap(clock, HEARING_RATE), {"ann": stream(), "bob": stream("bob")}
    found = run(tap, clock, 1.0, streams, {"ann": 20_000, "bob": 20_000})
    del streams["bob"]
    found += run(tap, clock, 2.0, streams, {"ann": 1000})
    streams["bob"] = stream("bob")
    found += run(tap, clock, 4.0, streams, {"ann": 1000, "bob": 2000})
    left = seconds(whole(found)[:, 0])
    assert left == [(0.0, 32_800), (1.0, 1000), (2.0, 3000)]


def test_a_client_ahead_of_time_is_in_order() -> None:
    """Sound that a client sends two seconds early is heard once, at its own pace."""
    clock = Hands()
    tap, streams = Tap(clock, HEARING_RATE), {"ann": stream()}
    tap.follow(streams)
    for level in (1000, 2000):
        streams["ann"].append(flat(1.0, level), clock.at)
    tap.follow(streams)
    found: list[Stereo] = []
    while clock.at < 103.99:
        clock.at += 0.02
        found += tap.blocks()
    assert seconds(whole(found)[:, 0]) == [(0.0, 1000), (1.0, 2000), (2.0, 0)]


def test_memory_is_bounded() -> None:
    """However much is pushed, and however long nobody takes it, a tap holds six seconds."""
    clock = Hands()
    tap, streams = Tap(clock, HEARING_RATE), {"ann": stream()}
    for _ in range(200):
        clock.at += 0.1
        tap.pushed(flat(2.0, 5000), queued=1.0)
        streams["ann"].append(flat(1.0, 1000), clock.at)
        tap.follow(streams)
    assert len(tap._agent._ring) == len(tap._people._ring) == 6 * HEARING_RATE
    assert len(list(tap.blocks())) == round((20.0 - DELAY) / BLOCK)


def test_the_end_is_not_kept_back() -> None:
    """What lies within the last second is given when the session is over."""
    clock = Hands()
    tap, streams = Tap(clock, 24_000), {"ann": stream()}
    found = run(tap, clock, 2.0, streams, {"ann": 1000})
    found += tap.blocks(behind=0.0)
    assert len(found) == 20
