"""A recording is cut into what its people said, as a gateway would have heard it: in one pass, with seconds of it in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.sound.audio_file import sides
from gateway.sound.detector import FRAME
from gateway.sound.ring import Stream
from gateway.sound.vad import Vad, VoiceActivity
from ops.replay._captions import Caption
from ops.replay._composing import AGENT, CALLER
from schemas.audio import HEARING_RATE, Pcm
from schemas.config.agent import TurnTaking

PAUSE = 0.6
"""Seconds of silence that end a piece."""
LONGEST = 20.0
"""Seconds after which unbroken speech is cut, as `TurnTaking.max_utterance` does."""
_BEFORE = 0.15
"""Seconds before a piece that belong to it: where the VAD believes speech, its first sound is past."""
_KEPT = 30.0
"""Seconds of a recording that can still be cut."""
_MUTED = 4  # of 32768: no microphone is so quiet


@dataclass(frozen=True, slots=True)
class Piece:
    """What one side said. `start`, `end`: samples (16 kHz) of the recording; `side`: CALLER or AGENT; `text`: if it is told."""

    side: int
    start: int
    end: int
    pcm: Pcm
    text: str | None = None


class Cutting:
    """`length`: seconds of the recording read so far.

    `swap`: the agent is on the left; `by`: captions to cut by, where one channel has everybody's voice: each with its side.
    """

    def __init__(
        self,
        path: Path,
        *,
        swap: bool = False,
        by: Sequence[tuple[Caption, int]] = (),
        vad: VoiceActivity | None = None,
    ) -> None:
        self.length = 0.0
        self._path, self._swap, self._by = path, swap, by
        self._vad = vad or Vad(2)

    def pieces(self) -> Iterator[Piece]:
        """As they come to their ends. AudioFileError: the recording can't be read, or is broken further on."""
        listeners: list[_Listener] = []
        for block in sides(self._path):
            if not listeners:
                listeners = self._listeners(block.shape[1])
            self.length += len(block) / HEARING_RATE
            for side, listener in enumerate(listeners):
                listener.stream.append(block[:, side], 0.0)
            yield from self._heard(listeners)
        for listener in listeners:
            listener.stream.append(np.zeros(FRAME - 1, np.int16), 0.0)  # what is left of a frame counts
        yield from self._heard(listeners)
        for listener in listeners:
            yield from listener.finish(round(self.length * HEARING_RATE))

    def _listeners(self, channels: int) -> list["_Listener"]:
        if channels == 1 and self._by:
            return [_ByCaptions(self._vad.take_slot(), self._by)]
        if channels == 1:
            return [_BySpeech(AGENT if self._swap else CALLER, self._vad.take_slot())]
        return [_BySpeech(side ^ self._swap, self._vad.take_slot()) for side in (CALLER, AGENT)]

    def _heard(self, listeners: Sequence["_Listener"]) -> Iterator[Piece]:
        """Each whole frame of all, together through the VAD."""
        while listeners and listeners[0].stream.waiting >= FRAME:
            frames = np.stack([listener.stream.next_frame() for listener in listeners])
            levels = np.abs(frames.astype(np.int32))
            probabilities = [0.0] * len(listeners)
            awake = [
                row
                for row, listener in enumerate(listeners)
                if not listener.stream.sleeps(int(levels[row].max()) <= _MUTED) and listener.wants_vad
            ]
            if awake:
                found = self._vad.run([listeners[row].stream.slot for row in awake], frames[awake])
                for row, probability in zip(awake, found, strict=True):
                    probabilities[row] = probability
            for row, listener in enumerate(listeners):
                yield from listener.frame(probabilities[row], float(levels[row].mean()))


class _Listener:
    """One channel."""

    wants_vad = True

    def __init__(self, slot: int) -> None:
        self.stream = Stream("", slot, TurnTaking().start_speech, _KEPT, 0.0)

    def frame(self, probability: float, level: float) -> Iterator[Piece]:
        """The stream's next frame is decided on; answers what has come to its end."""
        raise NotImplementedError

    def finish(self, end: int) -> Iterator[Piece]:
        """The recording has ended at sample `end`."""
        raise NotImplementedError

    def _cut(self, side: int, start: int, end: int, text: str | None = None) -> Piece:
        return Piece(side, start, end, self.stream.cut(start, end), text)


class _BySpeech(_Listener):
    """Cuts where somebody falls silent for `PAUSE`."""

    def __init__(self, side: int, slot: int) -> None:
        super().__init__(slot)
        self._side = side
        self._start: int | None = None
        self._stop: int | None = None
        self._cut_at = 0

    def frame(self, probability: float, level: float) -> Iterator[Piece]:
        for edge in self.stream.decide(probability, level):
            if edge.kind == "start":
                if self._start is None:
                    self._start = max(edge.position - round(_BEFORE * HEARING_RATE), self._cut_at)
                self._stop = None
            elif edge.kind == "stop":
                self._stop = edge.position
        now = self.stream.detector.position
        if self._start is None:
            return
        if self._stop is not None and now - self._stop >= PAUSE * HEARING_RATE:
            yield from self._ended(self._stop)
        elif now - self._start >= LONGEST * HEARING_RATE:
            stop = self._stop
            yield from self._ended(now if stop is None else stop)
            if stop is None:  # they speak on
                self._start = now

    def finish(self, end: int) -> Iterator[Piece]:
        if self._start is not None:
            yield from self._ended(end if self._stop is None else min(self._stop, end))

    def _ended(self, end: int) -> Iterator[Piece]:
        start, self._start, self._stop = self._start, None, None
        self._cut_at = end
        if start is not None and start < end:
            yield self._cut(self._side, start, end)


class _ByCaptions(_Listener):
    """Cuts as captions say, which know who speaks; a voice alone doesn't tell that."""

    wants_vad = False

    def __init__(self, slot: int, by: Sequence[tuple[Caption, int]]) -> None:
        super().__init__(slot)
        self._by = sorted(by, key=lambda one: one[0].end)
        self._next = 0

    def frame(self, probability: float, level: float) -> Iterator[Piece]:
        self.stream.decide(0.0, level)
        yield from self._until(self.stream.detector.position)

    def finish(self, end: int) -> Iterator[Piece]:
        yield from self._until(end, past=True)

    def _until(self, now: int, *, past: bool = False) -> Iterator[Piece]:
        while self._next < len(self._by):
            caption, side = self._by[self._next]
            start, end = round(caption.start * HEARING_RATE), round(caption.end * HEARING_RATE)
            if end > now and not past:
                return
            self._next += 1
            end = min(end, now)
            start = max(start, end - round(LONGEST * HEARING_RATE))
            if start < end:
                yield self._cut(side, start, end, caption.text)
