"""What a session sounded like is mixed in the memory of what sounds at the moment, whatever a log says."""

import numpy as np
import pytest

from schemas.audio import AudioRef, Pcm
from schemas.session import sound
from schemas.session.sound import Mix, Score, Stretch

SECOND = AudioRef(key="k", rate=16_000, samples=16_000)


@pytest.mark.parametrize(
    "said",
    [[Stretch(0.0, 1.0, (SECOND,), 0.0, 1)] * 1_000, [Stretch(0.0, 1e8, (SECOND,) * 1_000, 0.0, 1)]],
    ids=["a thousand at once", "one of a thousand"],
)
async def test_the_same_sound_again_and_again(said: list[Stretch], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is fetched as often as there is room for it, and not a thousand times."""
    monkeypatch.setattr(sound, "_MOST", 3 * 16_000)
    score, fetched = Score(), 0
    score._spoken.extend(said)

    async def fetch(_: AudioRef) -> Pcm:
        nonlocal fetched
        fetched += 1
        return np.ones(16_000, np.int16)

    heard = [block async for block in Mix(score, fetch).blocks(last=16_000)]
    assert fetched == 3
    assert [block.shape for block in heard] == [(16_000, 2)]
    assert heard[0].max() == (3 if len(said) > 1 else 1)
