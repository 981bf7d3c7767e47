"""Clips as sequences of parts: joined, continued in the middle, kept for the next time. Pure but for the memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import TypeVar

import numpy as np

from schemas.events import Viseme, Word
from workers.providers import Sound

_Timing = TypeVar("_Timing", Word, Viseme)


def joined(parts: Sequence[Sound]) -> Sound:
    """One part that sounds like all `parts` one after another."""
    words: list[Word] = []
    visemes: list[Viseme] = []
    at = 0.0
    for part in parts:
        words += [_moved(word, at) for word in part.words]
        visemes += [_moved(viseme, at) for viseme in part.visemes]
        at += len(part.pcm) / part.rate
    return Sound(np.concatenate([part.pcm for part in parts]), parts[0].rate, True, words, visemes)


async def after(sounds: AsyncIterator[Sound], seconds: float) -> AsyncIterator[Sound]:
    """What of a clip follows its first `seconds`. The last part always comes, empty if need be. A word that began
    before is not told again."""
    reached = 0.0
    async for sound in sounds:
        start, reached = reached, reached + len(sound.pcm) / sound.rate
        if start >= seconds - 0.5 / sound.rate:
            yield sound
        elif reached > seconds + 0.5 / sound.rate or sound.last:
            yield _rest(sound, seconds - start)


def _rest(sound: Sound, seconds: float) -> Sound:
    """`sound` without its first `seconds`."""
    return Sound(
        sound.pcm[round(seconds * sound.rate) :],
        sound.rate,
        sound.last,
        [_moved(word, -seconds) for word in sound.words if word.start >= seconds - 1e-6],
        [_moved(viseme, -seconds) for viseme in sound.visemes if viseme.end > seconds + 1e-6],
    )


def _moved(one: _Timing, by: float) -> _Timing:
    return one.model_copy(update={"start": max(0.0, one.start + by), "end": max(0.0, one.end + by)})


class Repeats:
    """Clips that were asked for before. A fixed phrase is kept at once, another text when it comes a second time: a greeting
    is spoken in every session, an answer once."""

    def __init__(self, clips: int = 32, texts: int = 512, longest: float = 20.0) -> None:
        """`longest`: seconds of a clip that is worth keeping."""
        self._clips: OrderedDict[Hashable, Sound] = OrderedDict()
        self._asked: OrderedDict[Hashable, None] = OrderedDict()
        self._most_clips, self._most_texts, self._longest = clips, texts, longest

    def get(self, key: Hashable) -> Sound | None:
        if key in self._clips:
            self._clips.move_to_end(key)
        return self._clips.get(key)

    def offer(self, key: Hashable, clip: Sound, *, fixed: bool) -> None:
        if len(clip.pcm) > self._longest * clip.rate:
            return
        if fixed or key in self._asked:
            self._clips[key] = clip
        self._asked[key] = None
        self._asked.move_to_end(key)
        while len(self._clips) > self._most_clips:
            self._clips.popitem(last=False)
        while len(self._asked) > self._most_texts:
            self._asked.popitem(last=False)
