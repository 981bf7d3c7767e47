"""A person at the other end of a room: speaks in real time, hears in real time, and remembers both exactly.

Used by `antiphon call`, the demo, the benchmarks, chaos and the end-to-end tests. By which way: `Caller`, `LiveKitCaller`.
"""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import soxr

from schemas.audio import HEARING_RATE, Pcm
from schemas.client import FromClient, Rate, StateMessage, ToClient, TurnMessage
from schemas.errors import AntiphonError
from schemas.session.state import OWN

M = TypeVar("M")

FRAME = HEARING_RATE // 50  # samples in 20 ms
_SILENCE = np.zeros(FRAME, np.int16)
_BEGINS = 1.0  # seconds within which an agent that has a greeting says that it prepares to speak
_GREETS = 30.0  # seconds a greeting may take, with the wait for its sound
_MANNERS = 0.5  # seconds between the agent's last sample and the caller's next word


class CallError(AntiphonError):
    """The gateway could not be reached or refused us. `code`: the gateway's own (docs/websocket.md), or unreachable."""

    def __init__(self, message: str, code: str = "unreachable") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Sounded:
    """`pcm` sounded from `start` (monotonic seconds) on, at the caller's `rate`; `turn`: of which it was, where that is known."""

    start: float
    pcm: Pcm
    turn: int | None = None


class Person(ABC):
    """`rate`: Hz they hear at; `on_message`: told of every message, as it comes.

    The microphone runs from `connect` to `hang_up`: silence, and what `speak` is given. Sample n is spoken at
    `microphone_began + n / 16000`.
    """

    def __init__(self, participant: str, rate: Rate, on_message: Callable[[ToClient], None] | None):
        self.participant = participant
        self.rate: Rate = rate
        self.session = ""
        self.messages: list[tuple[float, ToClient]] = []
        self.heard: list[Sounded] = []
        self.spoken: list[Pcm] = []
        self.microphone_began = 0.0
        self.error: str | None = None
        self.ended = asyncio.Event()
        self.on_message = on_message
        self._speech: deque[Pcm] = deque()
        self._said = asyncio.Event()
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_spoken = 0.0
        self._playout_end = 0.0

    # ── the way into the room ────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    async def connect(self, url: str | None = None) -> bool:
        """Join. Answers whether a session was gone on with. CallError: there is no getting in."""

    @abstractmethod
    async def drop(self) -> None:
        """Leave without a word."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the session, and leave."""

    @abstractmethod
    async def aclose(self) -> None: ...

    @abstractmethod
    async def send(self, message: FromClient) -> None: ...

    @property
    @abstractmethod
    def connected(self) -> bool: ...

    @property
    @abstractmethod
    def _gone(self) -> bool:
        """Whether the line is down, so that nothing more will come."""

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, pcm: Pcm) -> float:
        """Say `pcm` (int16 mono, 16 kHz); answers when its last sample was spoken (monotonic seconds)."""
        self._said.clear()
        self._speech.append(pcm)
        await self._said.wait()
        return self._last_spoken

    def _next_frame(self) -> tuple[Pcm, bool]:
        if not self._speech:
            return _SILENCE, False
        speech = self._speech.popleft()
        if len(speech) > FRAME:
            self._speech.appendleft(speech[FRAME:])
            return speech[:FRAME], True
        self._last_spoken = self.microphone_began + (len(self.spoken) * FRAME + len(speech)) / HEARING_RATE
        return np.concatenate((speech, _SILENCE[len(speech) :])), True

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, message: ToClient) -> None:
        self.messages.append((time.monotonic(), message))
        if self.on_message:
            self.on_message(message)

    def _forget_unplayed(self, now: float) -> None:
        while self.heard and self.heard[-1].start >= now:
            self.heard.pop()
        if self.heard:
            last = self.heard[-1]
            kept = min(len(last.pcm), max(0, int((now - last.start) * self.rate)))
            self.heard[-1] = replace(last, pcm=last.pcm[:kept])
        self._playout_end = min(self._playout_end, now)

    async def _tell(self) -> None:
        """Whoever waits looks again."""
        async with self._news:
            self._news.notify_all()

    async def wait_for(
        self, kind: type[M], timeout: float, since: float = 0.0, fits: Callable[[M], bool] = lambda _: True
    ) -> M | None:
        """The first message of a type after `since` (monotonic s) that fits a condition; None after `timeout` s."""
        end = time.monotonic() + timeout
        seen = 0
        while True:
            for when, message in self.messages[seen:]:
                seen += 1
                if when >= since and isinstance(message, kind) and fits(message):
                    return message
            left = end - time.monotonic()
            if left <= 0 or self._gone:
                return None
            await self._wait_for_news(min(left, 0.5))

    async def _wait_for_news(self, timeout: float) -> None:
        """Until something came, or for so long."""
        async with self._news:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._news.wait()

    async def hear_greeting(self) -> bool:
        """Wait until the agent has said what it begins with, and that has sounded. False: it begins with nothing."""
        if await self.wait_for(StateMessage, _BEGINS, fits=lambda message: message.state != "listening") is None:
            return False
        until = time.monotonic() + _GREETS
        while not self.ended.is_set() and (left := until - time.monotonic()) > 0:
            if await self.wait_for(TurnMessage, left, fits=lambda turn: turn.why != "filler") is not None:
                break
            await asyncio.sleep(0.1)  # the line is down for now
        await self.hear_out()
        return True

    async def hear_out(self) -> None:
        """Until what has come has sounded, and a moment longer."""
        await asyncio.sleep(max(0.0, self.silent_at - time.monotonic()) + _MANNERS)

    def first_sound_after(self, moment: float) -> float | None:
        """When the first sample that came after `moment` sounded."""
        return next((sound.start for sound in self.heard if sound.start >= moment), None)

    def answered_after(self, moment: float) -> float | None:
        """When the first sample of an answer sounded that came after `moment`: not of what the agent says of its own accord (to
        greet, to bridge the wait, to apologize), as far as the ends of turns have told."""
        own = {turn.turn for _, turn in self.messages if isinstance(turn, TurnMessage) and turn.why in OWN}
        return next((sound.start for sound in self.heard if sound.start >= moment and sound.turn not in own), None)

    @property
    def silent_at(self) -> float:
        """When the last sample received so far ends."""
        return self._playout_end

    # ── the recording ────────────────────────────────────────────────────────────────────────────────────────────────

    def recording(self) -> tuple[Pcm, Pcm]:
        """Caller and agent on one time line, int16 mono at `rate`, equally long: the two channels of a stereo WAV."""
        spoken = np.concatenate(self.spoken) if self.spoken else np.zeros(0, np.int16)
        left = soxr.resample(spoken, HEARING_RATE, self.rate) if self.rate != HEARING_RATE else spoken
        ends = [round((sound.start - self.microphone_began) * self.rate) + len(sound.pcm) for sound in self.heard]
        length = max([len(left), *ends], default=0)
        right = np.zeros(length, np.int16)
        for sound in self.heard:
            at = max(0, round((sound.start - self.microphone_began) * self.rate))
            right[at : at + len(sound.pcm)] = sound.pcm
        return np.pad(left, (0, length - len(left))), right
