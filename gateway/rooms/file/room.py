"""The file room: a recording is the caller, a stereo WAV (caller left, agent right) is what was said.

In real time, or as fast as it goes. The latter keeps a clock of its own, which moves with the sound, 32 ms a tick, so
silences and timers count the recording's time, whatever the machine does. While a worker (or the log) has something to answer,
that clock goes no faster than real time: what a worker takes is heard in the recording, as it would be in a call. The log's own
times (`at`, leases, deadlines) are always real.

After the recording's end there is silence; the caller hangs up when the agent has listened to it for `patience` seconds.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from gateway.inputs import Attached, Heard, HungUp, Joined, RoomInput
from gateway.room import Room, ToRoom
from gateway.sound.audio_file import describe, frames
from gateway.sound.detector import FRAME
from gateway.sound.queue import PcmQueue
from schemas.audio import HEARING_RATE, Pcm
from schemas.client import StateMessage
from schemas.clock import Clock, Now
from schemas.errors import AudioFileError
from schemas.events import TransportName

log = logging.getLogger("antiphon.gateway.file")

RATE = 24_000
"""Hz of what is written."""
_OUT = FRAME * RATE // HEARING_RATE  # samples written for each frame heard
_AT_MOST = 8  # frames made up for in one tick in real time
CALLER = "caller"
_LONGEST_SILENCE = 120.0  # seconds after the recording's end
_SILENT_FRAME = np.zeros(FRAME, np.int16)


class _Steps:
    """A clock that goes with the sound."""

    def __init__(self, now: float):
        self.time = now

    def now(self) -> Now:
        return Now(self.time)


class FileRoom(Room):
    """`source`: what the caller says; `target`: what is written, None for nothing; `real_time`: else as fast as it goes; `start`:
    seconds of the recording already heard (after a take-over; `target` is then gone on with).

    AudioFileError when the source can't be read. `name` holds both paths, so that another gateway finds them.
    """

    transport: TransportName = "file"
    rate = RATE

    def __init__(
        self, source: Path, target: Path | None, clock: Clock, *, real_time: bool = True, start: float = 0.0,
        participant: str = CALLER, patience: float = 3.0, joins: bool = True,
    ):  # fmt: skip
        describe(source)
        self.name = f"{source.resolve()}|{target.resolve() if target else ''}|{'real' if real_time else 'fast'}"
        self.participant = participant
        self.hurries = not real_time
        self.messages: list[ToRoom] = []
        self.closed = asyncio.Event()
        self._steps = _Steps(clock.now())
        self.clock = clock if real_time else self._steps
        self._real = clock
        self._began = clock.now()
        self._patience = patience
        self._caller = _skip(frames(source, FRAME), round(start * HEARING_RATE / FRAME))
        self._heard = round(start * HEARING_RATE / FRAME)  # frames
        self._first = self._heard
        self._ended_at: int | None = None  # frame after the recording's last
        self._quiet_since = self._heard
        self._state = ""
        self._queue = PcmQueue()
        self._inputs: list[RoomInput] = [Joined(participant)] if joins else []
        self._inputs.append(Attached())
        self._left = soxr.ResampleStream(HEARING_RATE, RATE, 1, dtype="int16")
        self._out = _StereoFile(target, self._heard * _OUT) if target else None

    def position(self) -> float:
        """Seconds of the recording heard so far; kept with the session's lease."""
        return self._heard * FRAME / HEARING_RATE

    # ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Sequence[RoomInput]:
        inputs, self._inputs = self._inputs, []
        if self.closed.is_set():
            return inputs
        if self.hurries:
            due = 1
        else:
            passed = int((self._real.now() - self._began) * HEARING_RATE / FRAME) - (self._heard - self._first)
            due = min(max(passed, 0), _AT_MOST)
        for _ in range(due):
            inputs.append(Heard(self.participant, self._step()))
        if self._over():
            inputs.append(HungUp("hang_up"))
        return inputs

    def push(self, pcm: Pcm) -> None:
        self._queue.push(pcm)

    def hum(self, pcm: Pcm) -> None:
        self._queue.push(pcm, voice=False)

    def queued(self) -> float:
        return self._queue.samples / RATE

    def clear(self) -> float:
        return self._queue.clear() / RATE

    def send(self, message: ToRoom) -> None:
        self.messages.append(message)
        if isinstance(message, StateMessage):
            self._state = message.state
            self._quiet_since = self._heard

    async def aclose(self, reason: str) -> None:
        if self._out is not None:
            self._out.write(self._left.resample_chunk(np.zeros(0, np.int16), last=True), np.zeros(0, np.int16))
            self._out.close()  # a second of sound at most is left to write
        self.closed.set()

    # ── the recording ────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self) -> Pcm:
        """One frame of the caller is heard, and as much of the agent sounds."""
        frame = next(self._caller, None)
        if frame is None and self._ended_at is None:
            self._ended_at = self._quiet_since = self._heard
        said = _SILENT_FRAME if frame is None else np.pad(frame, (0, FRAME - len(frame)))
        self._heard += 1
        self._steps.time += FRAME / HEARING_RATE
        agent = self._queue.take(_OUT)
        if self._out is not None:
            self._out.write(self._left.resample_chunk(said), agent)
        if self._queue.voice:
            self._quiet_since = self._heard
        return said

    def _over(self) -> bool:
        if self._ended_at is None:
            return False
        since_end = (self._heard - self._ended_at) * FRAME / HEARING_RATE
        quiet = (self._heard - self._quiet_since) * FRAME / HEARING_RATE
        listening = self._state in ("", "listening") and quiet >= self._patience
        return since_end >= self._patience and (listening or since_end >= _LONGEST_SILENCE)


class _StereoFile:
    """A stereo WAV that grows. After a take-over it goes on at sample `start`."""

    def __init__(self, path: Path, start: int):
        self._left = self._right = np.zeros(0, np.int16)
        try:
            if start and path.exists():
                self._file = soundfile.SoundFile(path, "r+")
                self._file.seek(min(start, self._file.frames))
            else:
                self._file = soundfile.SoundFile(path, "w", RATE, 2, "PCM_16")
        except (OSError, soundfile.LibsndfileError) as error:
            raise AudioFileError(f"{path}: cannot be written ({error}); give a file in a folder that exists") from None

    def write(self, left: Pcm, right: Pcm) -> None:
        """The next of both channels. The resampled one comes a little later; the file is as long as both."""
        self._left = np.concatenate((self._left, left))
        self._right = np.concatenate((self._right, right))
        if len(self._left) >= RATE:
            self._flush()

    def _flush(self) -> None:
        both = min(len(self._left), len(self._right))
        self._file.write(np.column_stack((self._left[:both], self._right[:both])))
        self._file.flush()
        self._left, self._right = self._left[both:], self._right[both:]

    def close(self) -> None:
        self._flush()
        self._file.close()


def _skip(recording: Iterator[Pcm], count: int) -> Iterator[Pcm]:
    for _ in range(count):
        next(recording, None)
    return recording
