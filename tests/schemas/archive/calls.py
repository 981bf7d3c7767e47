"""Calls that have ended, with their sound, and what a log that holds one says of it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ops.bench._turns import Talk
from schemas.bus import Bus, SessionInfo, Snapshot
from schemas.events import Event, audio_of


@dataclass(frozen=True)
class Kept:
    """All that a log says of a session."""

    info: SessionInfo
    events: list[Event]
    sounds: dict[str, bytes]
    snapshot: Snapshot | None

    @property
    def session(self) -> str:
        return self.info.session


@lru_cache(300)
def speech(samples: int, seed: int) -> bytes:
    """No silence, no noise: tones that come and go, as FLAC finds in voices."""
    time = np.arange(samples) / 16_000
    tone = np.sin(2 * np.pi * (110 + 7 * (seed % 19)) * time) * (0.4 + 0.3 * np.sin(2 * np.pi * 3 * time))
    sound = tone * 12_000 + np.random.default_rng(seed).normal(0, 60, samples)
    return sound.astype("<i2").tobytes()


async def call(bus: Bus, name: str, turns: int = 3, *, over: bool = True, sound: bool = True) -> None:
    """Question and answer, so often; `over`: and it was hung up; `sound`: nothing of it is gone already."""
    one = Talk(bus, name)
    await one.open()
    for _ in range(turns):
        await one.turn()
    seed = sum(name.encode())
    for event in await bus.read(name) if sound else ():
        for ref in audio_of(event):
            seed += 1
            key = await bus.put_blob(name, ref.key.partition("/")[2], speech(ref.samples, seed))
            assert key == ref.key
    if over:
        await one.close()


async def kept(log: Bus, name: str, info: SessionInfo | None = None) -> Kept:
    """`info`: as it was found just before; of what is gone since, the rest is missing."""
    events, info = await log.read(name), info or await log.info(name)
    assert info is not None
    keys = [ref.key for event in events for ref in audio_of(event)]
    sounds = {key: pcm for key in keys if (pcm := await log.get_blob(key)) is not None}
    return Kept(info, events, sounds, await log.snapshot(name))


async def ended(bus: Bus, name: str, turns: int = 3, *, sound: bool = True) -> Kept:
    await call(bus, name, turns, sound=sound)
    return await kept(bus, name)
