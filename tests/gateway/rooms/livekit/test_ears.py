"""Who is in a room and can't be heard is told of: a publication of the SDK's is but a name here."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from gateway.rooms.livekit._ears import Ears


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at


def publication(muted: bool, sid: str = "TR_1") -> Any:
    return SimpleNamespace(
        sid=sid, kind=rtc.TrackKind.KIND_AUDIO, source=rtc.TrackSource.SOURCE_MICROPHONE, muted=muted, track=None,
        audio_features=[], subscribed=False, set_subscribed=lambda wanted: None,
    )  # fmt: skip


@pytest.mark.parametrize(("muted", "comes", "told"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_a_microphone_of_which_nothing_comes_is_told_of_once(
    muted: bool, comes: bool, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Not one that is muted, and not one that sends silence."""
    clock = Clock()
    ears = Ears(clock)  # type: ignore[arg-type]
    ears.consider(SimpleNamespace(identity="ann", track_publications={"TR_1": publication(muted)}))  # type: ignore[arg-type]
    if comes:
        ears._ears["ann"].frames.append(np.zeros(512, np.int16))
    for _ in range(200):
        clock.at += 0.1
        list(ears.drain())
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == told
    assert all("ann is not heard: no sound came of track TR_1" in warning for warning in warnings)


def test_of_two_microphones_the_one_that_is_dead_is_left_for_the_other() -> None:
    """Clients that publish twice are heard by what lives."""
    clock = Clock()
    ears = Ears(clock)  # type: ignore[arg-type]
    both = {sid: publication(False, sid) for sid in ("TR_1", "TR_2")}
    ears.consider(SimpleNamespace(identity="ann", track_publications=both))  # type: ignore[arg-type]
    (first,) = ears.tracks.values()
    for _ in range(60):
        clock.at += 0.1
        list(ears.drain())
    (second,) = ears.tracks.values()
    assert {first, second} == {"TR_1", "TR_2"}
