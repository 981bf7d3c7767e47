"""A person at the other end of a WebSocket room. Protocol: docs/websocket.md."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import numpy as np
from pydantic import ValidationError

from ops.people.person import FRAME, CallError, Person, Sounded
from schemas.audio import HEARING_RATE, Pcm
from schemas.client import (
    ClearMessage,
    EndedMessage,
    ErrorMessage,
    FromClient,
    HangUpMessage,
    Rate,
    ReadyMessage,
    SentenceMessage,
    StartMessage,
    ToClient,
    from_gateway,
    to_json,
)
from schemas.errors import in_words

_WAITED_FOR = 30.0  # seconds a session waits for its client (limits.client_gone)


class Caller(Person):
    """One client, which sends a sample with the frame that holds it, as a real microphone does."""

    sound = True
    """Whether it asks for a conversation that is spoken, and has a microphone."""

    def __init__(
        self,
        url: str,
        *,
        agent: str = "",
        participant: str = "caller",
        rate: Rate = 24_000,
        token: str = "",
        name: str = "",
        metadata: Mapping[str, Any] = {},
        on_message: Callable[[ToClient], None] | None = None,
    ):
        super().__init__(participant, rate, on_message)
        self.url, self.agent, self.token = url, agent, token
        self.name, self.metadata = name, metadata
        self.ticket = ""
        self._saying: int | None = None
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────

    async def connect(self, url: str | None = None) -> bool:
        """Join, or come back with the ticket when there was a session. Answers whether it was resumed."""
        self.url = url or self.url
        self._http = self._http or aiohttp.ClientSession()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            start = StartMessage(
                type="start", version=1, rate=self.rate, agent=self.agent, participant=self.participant,
                name=self.name, metadata=dict(self.metadata), session=self.session, ticket=self.ticket, sound=self.sound,
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
        self._tasks = [asyncio.create_task(self._listen(self._socket))]
        if self.sound:
            self._tasks.append(asyncio.create_task(self._microphone()))
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
        await self._end_line()
        self._forget_unplayed(time.monotonic())

    async def _end_line(self) -> None:
        """The line is down: nothing more is said, and everybody here knows it."""
        await self._stop_tasks()
        if self._socket is not None:
            with contextlib.suppress(Exception):
                self._socket._response.connection.transport.close()  # type: ignore[union-attr]
            await self._socket.close()

    async def hang_up(self) -> None:
        """End the session and the connection."""
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(Exception):
                await self.send(HangUpMessage(type="hang_up"))
                async with asyncio.timeout(5):
                    await self.ended.wait()
        await self.aclose()

    async def aclose(self) -> None:
        await self._end_line()
        if self._http is not None:
            await self._http.close()
            self._http = None

    @property
    def connected(self) -> bool:
        return self._socket is not None and not self._socket.closed and not self.ended.is_set()

    @property
    def _gone(self) -> bool:
        return self._socket is not None and self._socket.closed

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, message: FromClient) -> None:
        assert self._socket is not None
        await self._socket.send_str(to_json(message))

    async def _microphone(self) -> None:
        """20 ms frames on an absolute schedule; a late one is made up for, so the stream keeps real time."""
        resumed = len(self.spoken) * FRAME / HEARING_RATE if self.spoken else 0.0
        if not self.spoken:
            self.microphone_began = time.monotonic()
        elif (gap := time.monotonic() - self.microphone_began - resumed) > 0:
            self.spoken.extend(
                [np.zeros(FRAME, np.int16)] * round(gap * 50)
            )  # what was not heard while the line was down
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

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, pcm: Pcm, now: float) -> None:
        start = max(now, self._playout_end)
        self.heard.append(Sounded(start, pcm, self._saying))
        self._playout_end = start + len(pcm) / self.rate

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is aiohttp.WSMsgType.BINARY:
                now = time.monotonic()
                self._hear(np.frombuffer(frame.data, np.int16), now)
                await self._tell()
            elif frame.type is aiohttp.WSMsgType.TEXT:
                message = from_gateway(frame.data)
                if message is None:
                    continue
                if isinstance(message, ClearMessage):
                    self._forget_unplayed(time.monotonic())
                if isinstance(message, SentenceMessage) and message.spoken:
                    self._saying = message.turn  # its sound follows
                if isinstance(message, ErrorMessage) and message.fatal:
                    self.error = message.message
                self._note(message)
                await self._tell()
                if isinstance(message, EndedMessage):
                    break
        if any(isinstance(message, EndedMessage) for _, message in self.messages):
            self.ended.set()
        await self._tell()
