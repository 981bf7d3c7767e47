"""What is heard besides the agent's voice: a background, and something while it thinks. Mixed into what leaves, for any room.

It stands between playback and its room, and tells playback of the voice alone: positions, what was taken back and what is left
count no sample of it. The background is ducked under the voice; a loop has no seam.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.room import Room, ToRoom
from gateway.sound.audio_file import read_speech
from gateway.sound.soft import soft
from schemas.audio import Pcm
from schemas.clock import Clock
from schemas.config.sounds import LONGEST

AHEAD = 0.1
"""Seconds of it given to the room ahead of the ear: by so much, at most, the voice comes later."""
DUCKED = 10 ** (-9 / 20)
"""Of its level, under the voice."""
_RAMP = 0.15
"""Seconds in which it is ducked, and comes back; thinking comes and goes so, too."""
_SEAM = 0.25
"""Seconds of a loop's end that fade into its beginning."""
THINKS_AFTER = 0.6
"""Seconds for which an answer is waited for in silence: most are there by then."""

Level = NDArray[np.float32]


@dataclass(slots=True)
class Loop:
    """`sound`: float32 of int16's size, shape (n,), its gain in it; `at`: the next sample."""

    sound: NDArray[np.float32]
    at: int = 0

    def take(self, samples: int) -> NDArray[np.float32]:
        places = np.arange(self.at, self.at + samples) % len(self.sound)
        self.at = (self.at + samples) % len(self.sound)
        return self.sound[places]

    def back(self, samples: int) -> None:
        self.at = (self.at - samples) % len(self.sound)


def read_loop(path: Path | None, rate: int, gain: float) -> Loop:
    """A sound file, or (None) the one that comes along, at `rate`, `gain` dB louder. AudioFileError: it can't be read."""
    key = (str(path), path.stat().st_mtime_ns) if path is not None and path.exists() else ("", 0)
    return Loop(_seamless(path, key, rate) * np.float32(10 ** (gain / 20)))


@lru_cache(maxsize=16)
def _seamless(path: Path | None, key: tuple[str, int], rate: int) -> NDArray[np.float32]:
    """Its last moments lie under its first."""
    pcm = read_speech(path, rate)[: round(LONGEST * rate)] if path is not None else soft(rate)
    sound = pcm.astype(np.float32)
    seam = min(round(_SEAM * rate), len(sound) // 4)
    if seam:
        rise = np.sqrt(np.linspace(0.0, 1.0, seam, dtype=np.float32))
        sound[:seam] = sound[:seam] * rise + sound[-seam:] * rise[::-1]
        sound = sound[:-seam]
    return sound


class _Fader:
    """A level that goes to where it should be, by `step` a sample."""

    def __init__(self, level: float, rate: int):
        self.level, self._step = level, 1.0 / (_RAMP * rate)

    def towards(self, target: float, samples: int) -> Level:
        ramp = self._step * np.arange(1, samples + 1, dtype=np.float32)
        way = target - self.level
        levels = self.level + np.sign(way) * np.minimum(ramp, abs(way))
        self.level = float(levels[-1]) if samples else self.level
        fit: Level = levels.astype(np.float32)
        return fit


class Backdrop:
    """What playback speaks into in place of its `room`. Nothing but the voice is heard until it is furnished with `background`
    and `thinking`; either may be None."""

    def __init__(self, room: Room, clock: Clock):
        self.rate = room.rate
        self.background: Loop | None = None
        self.thinking: Loop | None = None
        self._room, self._clock = room, clock
        self._pushed = 0
        """Samples given to the room and not taken back."""
        self._voice: deque[tuple[int, int]] = deque()
        """From and to which of them the voice is heard, of what may not have sounded yet."""
        self._loud = _Fader(1.0, self.rate)
        self._thinks = _Fader(0.0, self.rate)
        self._thinks_since: float | None = None
        self._on = False

    # ── as playback has it ───────────────────────────────────────────────────────────────────────────────────────────

    def push(self, pcm: Pcm) -> None:
        """The voice."""
        start, self._pushed = self._pushed, self._pushed + len(pcm)
        if self._voice and self._voice[-1][1] == start:
            start = self._voice.pop()[0]
        self._voice.append((start, self._pushed))
        beside = self._beside(len(pcm), DUCKED)
        self._room.push(pcm if beside is None else _fit(pcm + beside))

    def queued(self) -> float:
        """Seconds of the voice that have not sounded."""
        head = self._pushed - round(self._room.queued() * self.rate)
        while self._voice and self._voice[0][1] <= head:
            self._voice.popleft()
        return sum(end - max(start, head) for start, end in self._voice) / self.rate

    def ahead(self) -> float:
        return self._room.queued()

    def clear(self) -> float:
        """Of the voice; what is beside it goes on where it was."""
        dropped = round(self._room.clear() * self.rate)
        self._pushed -= dropped
        for loop in (self.background, self.thinking):
            if loop is not None:
                loop.back(min(dropped, len(loop.sound)))
        voice = 0
        while self._voice and self._voice[-1][1] > self._pushed:
            start, end = self._voice.pop()
            voice += end - max(start, self._pushed)
            if start < self._pushed:
                self._voice.append((start, self._pushed))
        self._fill()
        return voice / self.rate

    def send(self, message: ToRoom) -> None:
        self._room.send(message)

    # ── beside the voice ─────────────────────────────────────────────────────────────────────────────────────────────

    def pump(self, *, heard: bool) -> None:
        """Keep the room `AHEAD` seconds ahead of the ear; `heard`: by anybody, and the session is ours."""
        if self._on and not heard and not self._voice:
            self._pushed -= round(self._room.clear() * self.rate)
        self._on = heard
        self._fill()

    def thinks(self, thinks: bool) -> None:
        """An answer is waited for, or not any more."""
        self._thinks_since = self._clock.now() if thinks else None

    def _fill(self) -> None:
        samples = round((AHEAD - self._room.queued()) * self.rate)
        if not self._on or samples <= 0:
            return
        beside = self._beside(samples, 1.0)
        if beside is not None:
            self._pushed += samples
            self._room.hum(_fit(beside))

    def _beside(self, samples: int, level: float) -> NDArray[np.float32] | None:
        """The next of it; None: there is none."""
        sound: NDArray[np.float32] | None = None
        if self.background is not None:
            sound = self.background.take(samples) * self._loud.towards(level, samples)
        if self.thinking is not None:
            since = self._thinks_since
            thinks = level == 1.0 and since is not None and self._clock.now() - since >= THINKS_AFTER
            if thinks or self._thinks.level > 0.0:
                if self._thinks.level == 0.0:
                    self.thinking.at = 0
                thought = self.thinking.take(samples) * self._thinks.towards(1.0 if thinks else 0.0, samples)
                sound = thought if sound is None else sound + thought
        return sound


def _fit(sound: NDArray[np.float32]) -> Pcm:
    return np.round(np.clip(sound, -32768, 32767)).astype(np.int16)
