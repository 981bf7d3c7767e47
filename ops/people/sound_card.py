"""This machine's microphone and loudspeaker (PortAudio, by way of sounddevice), and what lies between them and a call.

PortAudio asks and answers in a thread of its own; the buffers here are where it meets the event loop."""

import ctypes
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AntiphonError, in_words


class NoSound(AntiphonError):
    """There is no microphone, or no loudspeaker, or nothing to reach them by; the message says which, and what would help."""


class Buffer:
    """Samples on their way between two threads, int16 mono. `limit`: samples kept; of more the oldest are dropped."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._parts: deque[Pcm] = deque()
        self._given = 0
        self._waiting = 0

    def put(self, pcm: Pcm) -> None:
        with self._lock:
            self._parts.append(pcm)
            self._given += len(pcm)
            self._waiting += len(pcm)
            if self._limit is not None and self._waiting > self._limit:
                self._take(self._waiting - self._limit)

    def take(self, count: int) -> Pcm:
        """The next `count` samples; silence for those that aren't there yet."""
        with self._lock:
            found = self._take(min(count, self._waiting))
        return np.pad(found, (0, count - len(found)))

    def clear(self) -> None:
        with self._lock:
            self._parts.clear()
            self._waiting = 0

    @property
    def waiting(self) -> int:
        """Samples that were put and not taken yet."""
        return self._waiting

    @property
    def position(self) -> int:
        """Of all that was put, the sample that is taken next: also of what was dropped."""
        with self._lock:
            return self._given - self._waiting

    def _take(self, count: int) -> Pcm:
        taken: list[Pcm] = []
        self._waiting -= count
        while count:
            part = self._parts.popleft()
            if len(part) > count:
                self._parts.appendleft(part[count:])
            taken.append(part[:count])
            count -= len(taken[-1])
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)


_LATE = HEARING_RATE // 5
"""Samples of the microphone that may wait: clocks differ a little, and what is later than that only delays."""


class SoundCard:
    """`microphone`: what was heard, at 16 kHz; `loudspeaker`: what is to sound, at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.microphone, self.loudspeaker = Buffer(_LATE), Buffer()
        self.level = 0.0
        """Of the microphone's last block: root mean square, 0 to 1."""

    def heard(self, block: Pcm) -> None:
        self.level = float(np.sqrt(np.mean(np.square(block, dtype=np.float64)))) / 32768 if len(block) else 0.0
        self.microphone.put(block)


@contextmanager
def sound_card(rate: int) -> Iterator[SoundCard]:
    """The default microphone and loudspeaker, open. NoSound: there is something missing."""
    devices = _sounddevice()
    card = SoundCard(rate)

    def listen(block: Any, *_: object) -> None:
        card.heard(block[:, 0].copy())

    def speak(block: Any, count: int, *_: object) -> None:
        block[:, 0] = card.loudspeaker.take(count)

    with ExitStack() as streams:
        for what, kind, hz, callback in (
            ("microphone", devices.InputStream, HEARING_RATE, listen),
            ("loudspeaker", devices.OutputStream, rate, speak),
        ):
            try:
                streams.enter_context(kind(samplerate=hz, channels=1, dtype="int16", callback=callback))
            except (devices.PortAudioError, ValueError) as error:
                raise NoSound(f"no {what} can be opened here ({in_words(error)})") from None
        yield card


_say_nothing = ctypes.CFUNCTYPE(None)(lambda: None)
"""ALSA writes what it makes up for by itself (a late block, a name it does not know) across whatever stands on the screen."""


def _silence_alsa() -> None:
    with suppress(OSError):  # none here: not Linux
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_say_nothing)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise NoSound("the package sounddevice is not installed: pip install 'antiphon[talk]'") from None
    except OSError:  # it looks for the library as it is imported
        raise NoSound("PortAudio is not installed; on Debian and Ubuntu: apt-get install libportaudio2") from None
    _silence_alsa()
    return sounddevice
