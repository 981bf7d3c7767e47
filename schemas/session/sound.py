"""What a session sounded like: who spoke when (left), and of the agent what left the loudspeaker (right)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import soxr

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.events import (
    ClipReady,
    Event,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SessionStarted,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

Fetch = Callable[[AudioRef], Awaitable[Pcm | None]]
"""A blob's sound at 16 kHz (`heard_at`), None if it is gone."""

_BLOCK = HEARING_RATE
_LONGEST, _MOST = 3_600 * HEARING_RATE, 4 * 3_600 * HEARING_RATE
"""Samples of one stretch that are heard, and of all that sound at one moment: nobody speaks for an hour. A few kilobytes of some
stranger's file, which says the same sound again and again, would else be more than any memory holds."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of sound in the recording. `at` and `duration`: seconds; `audio`: blobs, heard one after the other, from second
    `offset` on; `side`: 0 left (users), 1 right (agent)."""

    at: float
    duration: float
    audio: tuple[AudioRef, ...]
    offset: float
    side: int

    @property
    def end(self) -> float:
        return self.at + self.duration


class Score:
    """Follows a log and notes what is to be heard where. Utterances that were replaced are heard in their replacement."""

    def __init__(self) -> None:
        self._began = 0.0
        self._utterances: dict[str, Stretch] = {}
        self._clips: dict[tuple[int | None, int | None, int], dict[int, AudioRef]] = {}
        self._phrases: dict[str, dict[int, AudioRef]] = {}
        """Each clip's blob, by its part."""
        self._why: dict[int, str] = {}
        self._sounding: dict[int | None, tuple[Event, float, float]] = {}
        """Turn → (its playback event, when it began, from which second of the sentence)."""
        self._spoken: list[Stretch] = []
        self.length = 0.0
        """Seconds."""

    def add(self, event: Event) -> None:
        at = event.happened - self._began
        match event:
            case SessionStarted():
                self._began = event.at / 1e6
                at = 0.0
            case UtteranceCaptured():
                for carried in (*event.joins, event.replaces or ""):
                    self._utterances.pop(carried, None)
                duration = sum(ref.duration for ref in event.audio)
                self._utterances[event.utterance] = Stretch(at - duration, duration, tuple(event.audio), 0.0, 0)
            case ClipReady() if event.phrase is not None:
                self._phrases.setdefault(event.phrase, {})[event.part] = event.audio
            case ClipReady():
                self._clips.setdefault((event.turn, event.generation, event.index), {})[event.part] = event.audio
            case TurnCommitted():
                self._why[event.turn] = event.why
            case PlaybackStarted() | PlaybackResumed():
                self._stop(event, at, None)
                self._sounding[event.turn] = (event, at, event.position)
            case PlaybackPaused() | PlaybackFinished():
                self._stop(event, at, event.position)
            case TurnEnded():
                self._stop(event, at, None)
            case _:
                pass
        self.length = max(self.length, at)

    def _stop(self, event: Event, at: float, position: float | None) -> None:
        """What sounded in this turn ends: at `position` of its sentence, or wherever it had come to."""
        sounding = self._sounding.pop(event.turn, None)
        if sounding is None:
            return
        playback, began, offset = sounding
        assert isinstance(playback, PlaybackStarted | PlaybackResumed)
        duration = at - began if position is None else position - offset
        clips = self._clips.get((playback.turn, playback.generation, playback.index))
        if clips is None:  # a turn that speaks a phrase was committed for its sake
            clips = self._phrases.get(self._why.get(playback.turn or 0, ""), {})
        audio = tuple(ref for _, ref in sorted(clips.items()))
        if duration > 0 and audio:
            self._spoken.append(Stretch(began, duration, audio, offset, 1))

    def stretches(self) -> list[Stretch]:
        """In the order in which they begin."""
        return sorted([*self._utterances.values(), *self._spoken], key=lambda stretch: stretch.at)


def heard_at(pcm: bytes, rate: int) -> Pcm:
    """A blob's bytes as sound at 16 kHz. It takes milliseconds for each second of another `rate`."""
    sound: Pcm = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.int16)
    if rate == HEARING_RATE:
        return sound
    resampled: Pcm = soxr.resample(sound, rate, HEARING_RATE).astype(np.int16)
    return resampled


class Mix:
    """The session's sound in blocks, at 16 kHz: only what sounds in the present block is in memory."""

    def __init__(self, score: Score, fetch: Fetch):
        self._stretches = score.stretches()
        self._fetch = fetch
        self._open: list[tuple[int, int, Pcm]] = []
        self.samples = max(
            [round(score.length * HEARING_RATE)] + [round(stretch.end * HEARING_RATE) for stretch in self._stretches]
        )

    async def blocks(self, first: int = 0, last: int | None = None) -> AsyncIterator[Pcm]:
        """Stereo int16, shape (n, 2), about a second each: the samples from `first` up to `last`, without it all `samples`."""
        last = self.samples if last is None else min(last, self.samples)
        waiting = [stretch for stretch in self._stretches if stretch.end * HEARING_RATE > first]
        self._open = []
        for start in range(first, last, _BLOCK):
            end = min(start + _BLOCK, last)
            while waiting and waiting[0].at * HEARING_RATE < end:
                stretch = waiting.pop(0)
                if sum(len(pcm) for _, _, pcm in self._open) < _MOST:
                    await self._begin(stretch)
            yield self._mixed(start, end)
            self._open = [one for one in self._open if one[0] + len(one[2]) > end]

    async def _begin(self, stretch: Stretch) -> None:
        parts = list[Pcm]()
        for ref in stretch.audio:
            if sum(map(len, parts)) >= _MOST:
                break
            if (part := await self._fetch(ref)) is not None:
                parts.append(part)
        if not parts:
            return
        first = round(stretch.offset * HEARING_RATE)
        last = first + min(round(stretch.duration * HEARING_RATE), _LONGEST)
        pcm = np.concatenate(parts)[first:last].copy()  # the rest goes
        self._open.append((max(0, round(stretch.at * HEARING_RATE)), stretch.side, pcm))

    def _mixed(self, start: int, end: int) -> Pcm:
        both = np.zeros((end - start, 2), np.int32)
        for at, side, pcm in self._open:
            first, last = max(at, start), min(at + len(pcm), end)
            if first < last:
                both[first - start : last - start, side] += pcm[first - at : last - at]
        return np.clip(both, -32768, 32767).astype(np.int16)
