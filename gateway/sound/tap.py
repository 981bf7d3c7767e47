"""One session's sound for who listens in: what is said in the room (left) and what the agent says (right), on one clock.

It is there only while somebody listens. The call but tells it what it gives to its room, and what it takes back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from gateway.sound.ring import Stream
from schemas.audio import HEARING_RATE, Pcm
from schemas.clock import Clock

DELAY = 1.0
"""Seconds it lies behind: what is taken back by a barge-in has not been told by then."""
BLOCK = 0.1
"""Seconds of one block."""
Stereo = NDArray[np.int16]
"""Shape (n, 2): left, right."""

_KEPT = 6.0
"""Seconds that are kept: those behind, what clients send ahead of time, and what may come late."""
_TINY = 1e-6  # seconds: sums of tenths are not exact
_APART = 0.5
"""Seconds by which a participant's sound may lag before it is put to where time is."""


class _Track:
    """One side, mixed from whoever is on it: a ring whose beginning moves on as it is taken. `at`: samples taken so far."""

    def __init__(self, rate: int) -> None:
        self.rate, self.at = rate, 0
        self._ring = np.zeros(round(_KEPT * rate), np.int16)

    def add(self, at: int, pcm: Pcm) -> None:
        """Lay `pcm` over what is at sample `at`; what was taken already, or lies too far ahead, is left out."""
        late = max(0, self.at - at)
        at, pcm = at + late, pcm[late:]
        pcm = pcm[: max(0, self.at + len(self._ring) - at)]
        for place, piece in self._pieces(at, len(pcm)):
            mixed = self._ring[place].astype(np.int32) + pcm[piece]
            self._ring[place] = np.clip(mixed, -32768, 32767)

    def silence(self, at: int) -> None:
        """Nothing is heard from sample `at` on."""
        at = max(at, self.at)
        for place, _ in self._pieces(at, self.at + len(self._ring) - at):
            self._ring[place] = 0

    def take(self, samples: int) -> Pcm:
        out = np.empty(samples, np.int16)
        for place, piece in self._pieces(self.at, samples):
            out[piece] = self._ring[place]
            self._ring[place] = 0
        self.at += samples
        return out

    def _pieces(self, at: int, samples: int) -> Iterator[tuple[slice, slice]]:
        """Where samples [at, at + samples) lie in the ring, and which of them."""
        size, done = len(self._ring), 0
        while done < samples:
            place = (at + done) % size
            length = min(samples - done, size - place)
            yield slice(place, place + length), slice(done, done + length)
            done += length


@dataclass(slots=True)
class _Followed:
    """A participant: samples of `stream` copied up to `head`, laid up to `at`."""

    stream: Stream
    head: int
    at: int


class Tap:
    """`clock`: the session's; `rate`: Hz of what its room is given. Blocks are counted from now: `taken` of them were given."""

    def __init__(self, clock: Clock, rate: int) -> None:
        self.began = clock.now()
        self.taken = 0
        self._clock = clock
        self._people = _Track(HEARING_RATE)
        self._agent = _Track(rate)
        self._followed: dict[str, _Followed] = {}
        self._resampler = None if rate == HEARING_RATE else soxr.ResampleStream(rate, HEARING_RATE, 1, dtype="int16")
        self._resampled = np.zeros(0, np.int16)

    def pushed(self, pcm: Pcm, queued: float) -> None:
        """The room was given sound, behind `queued` seconds of other sound."""
        self._agent.add(round((self.passed + queued) * self._agent.rate), pcm)

    def cleared(self) -> None:
        """What the room had not played yet was taken back."""
        self._agent.silence(round(self.passed * self._agent.rate))

    def follow(self, streams: Mapping[str, Stream]) -> None:
        """Copy what came in since the last time, a few times a second."""
        now = round(self.passed * HEARING_RATE)
        for name, stream in streams.items():
            known = self._followed.get(name)
            if known is None or known.stream is not stream:
                self._followed[name] = _Followed(stream, stream.head, now)
                continue
            pcm = stream.cut(known.head, stream.head)
            known.head = stream.head
            if known.at + len(pcm) < now - _APART * HEARING_RATE:
                known.at = now - len(pcm)
            self._people.add(known.at, pcm)
            known.at += len(pcm)
        for name in self._followed.keys() - streams.keys():
            del self._followed[name]

    def blocks(self, behind: float = DELAY) -> Iterator[Stereo]:
        """What lies `behind` seconds and was not given yet, in blocks of `BLOCK` seconds at 16 kHz."""
        while (self.taken + 1) * BLOCK <= self.passed - behind + _TINY:
            yield self._block()

    def _block(self) -> Stereo:
        self.taken += 1
        samples = round(BLOCK * HEARING_RATE)
        both = np.empty((samples, 2), np.int16)
        both[:, 0] = self._people.take(samples)
        both[:, 1] = self._agents(samples)
        return both

    def _agents(self, samples: int) -> Pcm:
        """The agent's side; its filter has read a block ahead, for it keeps some samples to itself."""
        if self._resampler is None:
            return self._agent.take(samples)
        length = round(BLOCK * self._agent.rate)
        while len(self._resampled) < samples or self._agent.at < (self.taken + 1) * length:
            more: Pcm = self._resampler.resample_chunk(self._agent.take(length))
            self._resampled = np.concatenate((self._resampled, more))
        out, self._resampled = self._resampled[:samples], self._resampled[samples:]
        return out

    @property
    def passed(self) -> float:
        """Seconds since it began."""
        return self._clock.now() - self.began
