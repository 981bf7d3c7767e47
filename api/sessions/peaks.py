"""How loud a session was, for a waveform: worked out once for each stretch of sound, also while the session grows."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from api.sessions.stories import Stories
from schemas.session.sound import Score, Stretch

_PER_SECOND = 100
_MOST = 512 << 20
"""Bytes of a stretch: hours of it."""
_SESSIONS = 64
_AT_ONCE = 4

_Loudness = NDArray[np.uint16]
"""The largest sample of each hundredth of a second."""


class Peaks(BaseModel):
    """`caller` and `agent`: the largest of each point's samples, 0 to 1, `points` of them, evenly over `duration_s`; `missing`:
    stretches whose sound is gone, which are silent here."""

    duration_s: float
    points: int
    caller: list[float]
    agent: list[float]
    missing: int


@dataclass(slots=True)
class _Known:
    """`stretches`: None where the sound is gone."""

    stretches: dict[Stretch, _Loudness | None] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Loudness:
    """By session, the latest asked for."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def peaks(self, session: str, points: int) -> Peaks:
        """Problem 404: there is no such session."""
        story = await self._stories.told(session)
        known = self._known.setdefault(session, _Known())
        self._known.move_to_end(session)
        if len(self._known) > _SESSIONS:
            self._known.popitem(last=False)
        async with known.lock:
            stretches = story.score.stretches()
            fresh = [one for one in stretches if one not in known.stretches]
            found = await asyncio.gather(*(self._loudness(one) for one in fresh))
            known.stretches.update(zip(fresh, found, strict=True))
        return await asyncio.to_thread(_drawn, story.score, stretches, known.stretches, points)

    async def _loudness(self, stretch: Stretch) -> _Loudness | None:
        async with self._at_once:
            sounds: list[tuple[bytes, int]] = []
            for ref in stretch.audio:
                if sum(len(pcm) for pcm, _ in sounds) >= _MOST:
                    break
                pcm = await self._stories.reader.log.get_blob(ref.key)
                if pcm is not None:
                    sounds.append((pcm, ref.rate))
            if not sounds:
                return None
            return await asyncio.to_thread(_measured, sounds, stretch.offset, stretch.duration)


def _measured(sounds: list[tuple[bytes, int]], offset: float, duration: float) -> _Loudness:
    """The sounds one after the other, from second `offset` on."""
    parts = []
    for pcm, rate in sounds:
        step = max(1, rate // _PER_SECOND)
        samples = np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int32))
        padded = np.pad(samples, (0, -len(samples) % step))
        parts.append(padded.reshape(-1, step).max(axis=1).astype(np.uint16) if len(padded) else np.zeros(0, np.uint16))
    first = round(offset * _PER_SECOND)
    whole: _Loudness = np.concatenate(parts)[first : first + round(duration * _PER_SECOND)]
    return whole


def _drawn(score: Score, stretches: list[Stretch], loudness: dict[Stretch, _Loudness | None], points: int) -> Peaks:
    """It takes what sounded, and not what lay between: by its times a session may be a year long."""
    length = max([score.length, *(stretch.end for stretch in stretches)])
    columns = max(points, round(length * _PER_SECOND) + 1)
    edges = np.linspace(0, columns, points, endpoint=False).astype(np.int64)
    loudest = np.zeros((2, points), np.uint16)
    missing = 0
    for stretch in stretches:
        loud = loudness.get(stretch)
        if loud is None:
            missing += 1
            continue
        at = max(0, round(stretch.at * _PER_SECOND))
        loud = loud[: max(0, columns - at)]
        places = np.searchsorted(edges, at + np.arange(len(loud)), side="right") - 1
        np.maximum.at(loudest[stretch.side], places, loud)
    drawn = np.round(loudest / 32768, 3).clip(0, 1)
    return Peaks(
        duration_s=round(length, 3), points=points, caller=drawn[0].tolist(), agent=drawn[1].tolist(), missing=missing
    )
