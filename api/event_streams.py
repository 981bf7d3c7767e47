"""Server-sent events to any number of readers: what is told is made once, and a reader is but a place in it.

Nothing is queued for anybody. Who reads slowly falls behind, and is then told anew from what is kept elsewhere; who does not read
at all is let go.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from api.problems import Problem
from schemas.errors import BusError

log = logging.getLogger("antiphon.api")

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent: whoever stands between may close what is silent."""
STUCK = 30.0
"""Seconds in which a reader takes nothing at all, after which it is let go."""
WELCOME_FOR = 2.0
"""Seconds after which it is asked whether the readers' keys are still good."""
MOST_STREAMS = 2_000
_ASKED_AT_ONCE = 50
_WOKEN_AT_ONCE, _BETWEEN = 4, 0.002
"""So many readers, and seconds until the next of them: what else is asked for comes between."""
Messages = AsyncGenerator[bytes, None]

COMMENT = b": \n\n"
BEGIN = b"retry: 1000\n\n"
"""Milliseconds after which whoever was let go may come back."""


def message(kind: str, data: bytes, name: str = "") -> bytes:
    """One event. `data`: JSON on one line; `name`: its id, from which a reader who comes back goes on."""
    head = f"id: {name}\nevent: {kind}\ndata: " if name else f"event: {kind}\ndata: "
    return head.encode() + data + b"\n\n"


class Bell:
    """Wakes all who wait, some at a time, so that five hundred of them neither hold the loop nor crowd it for a while."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}
        """In the order in which they came."""

    def ring(self) -> None:
        waiting, self._waiting = [*self._waiting], {}
        self._wake(waiting)

    def _wake(self, waiting: list[asyncio.Future[None]]) -> None:
        for future in waiting[:_WOKEN_AT_ONCE]:
            if not future.done():
                future.set_result(None)
        if rest := waiting[_WOKEN_AT_ONCE:]:
            asyncio.get_running_loop().call_later(_BETWEEN, self._wake, rest)

    async def wait(self, seconds: float) -> bool:
        """Until it rings, or False after `seconds`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(future, None)
        return True


class Ring:
    """The latest messages, numbered upwards; older ones are forgotten. `base`: the number before the first that is kept."""

    def __init__(self, base: int, most: int = 500, most_bytes: int = 1 << 20) -> None:
        self.base = self.last = base
        self.bell = Bell()
        self._kept: deque[tuple[int, bytes]] = deque()
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0

    def add(self, number: int, text: bytes) -> None:
        self._kept.append((number, text))
        self._bytes += len(text)
        self.last = number
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self.base, gone = self._kept.popleft()
            self._bytes -= len(gone)

    def restart(self, base: int) -> None:
        """Nothing of what is kept is so any more."""
        self._kept.clear()
        self.base = self.last = base
        self._bytes = 0

    def after(self, number: int) -> list[tuple[int, bytes]] | None:
        """What came after `number`; None: some of it is forgotten."""
        if number < self.base:
            return None
        if number >= self.last:
            return []
        found = []
        for kept, text in reversed(self._kept):
            if kept <= number:
                break
            found.append((kept, text))
        return found[::-1]


class Streams:
    """Who is reading. Problem 503: too many are."""

    def __init__(self) -> None:
        self._reading: dict[asyncio.Task[None], Scope] = {}
        self._watching: asyncio.Task[None] | None = None
        self._over = False

    def __len__(self) -> int:
        return len(self._reading)

    def dismiss(self) -> None:
        """Everybody is let go, and comes back to whoever serves then."""
        self._over = True
        for task in self._reading:
            task.cancel()

    def of(self, messages: Messages) -> "EventStream":
        if self._over or len(self._reading) >= MOST_STREAMS:
            raise Problem(
                503,
                "streams",
                f"{len(self._reading)} streams are being read here; come back later",
                {"Retry-After": "5"},
            )
        return EventStream(messages, self)

    @contextlib.contextmanager
    def read(self, pump: asyncio.Task[None], scope: Scope) -> Iterator[None]:
        """Meanwhile `pump` sends to whoever asked; it is cancelled once they would not be let in any more."""
        self._reading[pump] = scope
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            del self._reading[pump]
            if not self._reading and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        """One for all of them: five hundred who look by themselves, each at another moment, take a twentieth of our time."""
        while True:
            await asyncio.sleep(WELCOME_FOR)
            for number, (pump, scope) in enumerate([*self._reading.items()]):
                if not await _welcome(scope):
                    pump.cancel()
                if number % _ASKED_AT_ONCE == _ASKED_AT_ONCE - 1:
                    await asyncio.sleep(0)


class EventStream(Response):
    """The answer to somebody who reads events until they leave, or the events end."""

    media_type = "text/event-stream"

    def __init__(
        self,
        messages: Messages | None = None,
        streams: Streams | None = None,
        status_code: int = 200,  # where FastAPI looks for it
    ) -> None:
        super().__init__(
            status_code=status_code,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            media_type="text/event-stream",
        )
        del self.headers["content-length"]
        self._messages = messages
        self._streams = streams if streams is not None else Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (visitor := scope.get("state", {}).get("visitor")) is not None:
            visitor.follow()
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        pump: asyncio.Task[None] = asyncio.create_task(self._pump(send))
        gone: asyncio.Task[None] = asyncio.create_task(_gone(receive))
        try:
            with self._streams.read(pump, scope):
                await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = gone.done()
            for task in (pump, gone):
                task.cancel()
            (ended, _) = await asyncio.gather(pump, gone, return_exceptions=True)
        if isinstance(ended, TimeoutError):  # whoever serves it closes a connection whose answer stays unfinished
            log.info("a reader of %s took nothing for %.0f s and was let go", scope["path"], STUCK)
        elif isinstance(ended, Exception):
            raise ended
        elif not left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        assert self._messages is not None
        async with contextlib.aclosing(self._messages) as messages:
            await _out(send, BEGIN)
            async for text in messages:
                await _out(send, text)


async def _out(send: Send, text: bytes) -> None:
    """TimeoutError: nothing was taken for too long."""
    body: dict[str, Any] = {"type": "http.response.body", "body": text, "more_body": True}
    async with asyncio.timeout(STUCK):
        await send(body)


async def _welcome(scope: Scope) -> bool:
    """Whether who reads would still be let in; while the log is away, as before. Nobody is whose key can't be looked at."""
    who = scope.get("state", {}).get("who")
    if who is None:
        return True
    try:
        return bool(await scope["app"].state.house.gate.still_lets_in(who))
    except BusError:
        return True
    except Exception:
        log.exception("whether a reader is still welcome is not known")
        return False


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
