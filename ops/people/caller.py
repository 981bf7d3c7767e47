"""A person at the other end of a WebSocket room: speaks in real time, hears in real time, and remembers both exactly.

Used by `antiphon call`, the demo, the benchmarks, chaos and the end-to-end tests. Protocol: docs/websocket.md.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import numpy as np
import soxr
from pydantic import ValidationError

from schemas.audio import HEARING_RATE, Pcm
from schemas.client import (
    ClearMessage,
    EndedMessage,
    ErrorMessage,
    FromClient,
    HangUpMessage,
    ReadyMessage,
    StartMessage,
    ToClient,
    from_gateway,
    to_json,
)
from schemas.errors import AntiphonError, in_words

M = TypeVar("M")

FRAME = HEARING_RATE // 50  # samples in 20 ms
_WAITED_FOR = 30.0  # seconds a session waits for its client (limits.client_gone)


class CallError(AntiphonError):
    """The gateway could not be reached or refused us. `code`: the gateway's own (docs/websocket.md), or unreachable."""

    def __init__(self, message: str, code: str = "unreachable") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Sounded:
    """`pcm` sounded from `start` (monotonic seconds) on, at the caller's `rate`."""

    start: float
    pcm: Pcm


class Caller:
    """One client. `rate`: Hz it asks to hear; `on_message`: told of every text frame, as it comes.

    The microphone runs from `connect` to `hang_up`: silence, and what `speak` is given. Sample n is spoken at
    `microphone_began + n / 16000`, and sent with the frame that holds it, as a real microphone does.
    """

    def __init__(
        self,
        url: str,
        *,
        agent: str = "",
        participant: str = "caller",
        rate: int = 24_000,
        token: str = "",
        on_message: Callable[[ToClient], None] | None = None,
    ):
        self.url, self.agent, self.participant, self.rate, self.token = url, agent, participant, rate, token
        self.session = ""
        self.ticket = ""
        self.messages: list[tuple[float, ToClient]] = []
        self.heard: list[Sounded] = []
        self.spoken: list[Pcm] = []
        self.microphone_began = 0.0
        self.error: str | None = None
        self.ended = asyncio.Event()
        self._on_message = on_message
        self._speech: deque[Pcm] = deque()
        self._said = asyncio.Event()
        self._news = asyncio.Condition()
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last_spoken = 0.0
        self._playout_end = 0.0

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────

    async def connect(self, url: str | None = None) -> bool:
        """Join, or come back with the ticket when there was a session. Answers whether it was resumed."""
        self.url = url or self.url
        self._http = self._http or aiohttp.ClientSession()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            start = StartMessage(
                type="start", version=1, rate=self.rate, agent=self.agent, participant=self.participant,
                session=self.session, ticket=self.ticket,
            )  # fmt: skip
            self._socket = await self._http.ws_connect(self.url, headers=headers, max_msg_size=1 << 20, heartbeat=20)
            await self.send(start)
            answer = await self._socket.receive_str(timeout=15)
        except (aiohttp.ClientError, OSError, TimeoutError, TypeError) as error:
            raise CallError(f"{self.url}: no gateway answers there as expected ({in_words(error)})") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise CallError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "start") from None
        ready = from_gateway(answer)
        if not isinstance(ready, ReadyMessage):
            await self._socket.close()
            why, code = (ready.message, ready.code) if isinstance(ready, ErrorMessage) else (answer, "")
            raise CallError(f"{self.url}: {why}", code)
        self.session, self.ticket = ready.session, ready.ticket
        self._note(ready)
        self._tasks = [asyncio.create_task(self._listen(self._socket)), asyncio.create_task(self._microphone())]
        return ready.resumed

    async def keep(self) -> None:
        """Come back with the ticket whenever the line is lost, until the session ends. CallError: nobody let us in again."""
        while not self.ended.is_set():
            if not self.connected:
                await self._come_back()
            await asyncio.sleep(0.1)

    async def _come_back(self) -> None:
        until = time.monotonic() + _WAITED_FOR
        while True:
            await self.drop()
            try:
                await self.connect()
                return
            except CallError as error:
                if error.code == "over" or time.monotonic() > until:
                    raise
            await asyncio.sleep(0.25)

    async def drop(self) -> None:
        """Lose the connection without a word, as a phone in a tunnel does."""
        if self._socket is not None:
            with contextlib.suppress(Exception):
                self._socket._response.connection.transport.abort()  # type: ignore[union-attr]
        await self._stop_tasks()
        self._forget_unplayed(time.monotonic())

    async def hang_up(self) -> None:
        """End the session and the connection."""
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(Exception):
                await self.send(HangUpMessage(type="hang_up"))
                await asyncio.wait_for(self.ended.wait(), 5)
        await self.aclose()

    async def aclose(self) -> None:
        await self._stop_tasks()
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def connected(self) -> bool:
        return self._socket is not None and not self._socket.closed and not self.ended.is_set()

    @property
    def _gone(self) -> bool:
        """Whether the line is down, so that nothing more will come."""
        return self._socket is not None and self._socket.closed

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, pcm: Pcm) -> float:
        """Say `pcm` (int16 mono, 16 kHz); answers when its last sample was spoken (monotonic seconds)."""
        self._said.clear()
        self._speech.append(pcm)
        await self._said.wait()
        return self._last_spoken

    async def send(self, message: FromClient) -> None:
        assert self._socket is not None
        await self._socket.send_str(to_json(message))

    async def _microphone(self) -> None:
        """20 ms frames on an absolute schedule; a late one is made up for, so the stream keeps real time."""
        resumed = len(self.spoken) * FRAME / HEARING_RATE if self.spoken else 0.0
        if not self.spoken:
            self.microphone_began = time.monotonic()
        elif (gap := time.monotonic() - self.microphone_began - resumed) > 0:
            self.spoken.extend([_SILENCE] * round(gap * 50))  # what was not heard while the line was down
        while True:
            frame, speaking = self._next_frame()
            self.spoken.append(frame)
            due = self.microphone_began + len(self.spoken) * FRAME / HEARING_RATE
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if self._gone:
                return
            await self._transmit(frame)
            if speaking and not self._speech:
                self._said.set()

    async def _transmit(self, frame: Pcm) -> None:
        assert self._socket is not None
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._socket.send_bytes(frame.tobytes())

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

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is aiohttp.WSMsgType.BINARY:
                now = time.monotonic()
                pcm = np.frombuffer(frame.data, np.int16)
                start = max(now, self._playout_end)
                self.heard.append(Sounded(start, pcm))
                self._playout_end = start + len(pcm) / self.rate
                async with self._news:
                    self._news.notify_all()
            elif frame.type is aiohttp.WSMsgType.TEXT:
                message = from_gateway(frame.data)
                if message is None:
                    continue
                if isinstance(message, ClearMessage):
                    self._forget_unplayed(time.monotonic())
                if isinstance(message, ErrorMessage) and message.fatal:
                    self.error = message.message
                self._note(message)
                async with self._news:
                    self._news.notify_all()
                if isinstance(message, EndedMessage):
                    break
        if any(isinstance(message, EndedMessage) for _, message in self.messages):
            self.ended.set()
        async with self._news:
            self._news.notify_all()

    def _note(self, message: ToClient) -> None:
        self.messages.append((time.monotonic(), message))
        if self._on_message:
            self._on_message(message)

    def _forget_unplayed(self, now: float) -> None:
        while self.heard and self.heard[-1].start >= now:
            self.heard.pop()
        if self.heard:
            last = self.heard[-1]
            kept = min(len(last.pcm), max(0, int((now - last.start) * self.rate)))
            self.heard[-1] = Sounded(last.start, last.pcm[:kept])
        self._playout_end = min(self._playout_end, now)

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
            async with self._news:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), min(left, 0.5))

    def first_sound_after(self, moment: float) -> float | None:
        """When the first sample that came after `moment` sounded."""
        return next((sound.start for sound in self.heard if sound.start >= moment), None)

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


_SILENCE = np.zeros(FRAME, np.int16)
