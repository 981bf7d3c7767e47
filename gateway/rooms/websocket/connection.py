"""One client's socket, on its way out."""

import asyncio
from collections import deque

from aiohttp import web

from schemas.client import ToClient, to_json

_SOUND_BOUND = 5.0  # seconds of sound a client may leave unread
_TEXT_BOUND = 1000  # messages likewise

Close = tuple[int, str]


class ClientConnection:
    """One socket's way out: a bounded queue and the one task that writes. A client that doesn't read is closed with 1013."""

    def __init__(self, socket: web.WebSocketResponse):
        self.socket = socket
        self.ended: Close | None = None
        """Code and reason, once the connection is to be closed."""
        self._queue: deque[bytes | str] = deque()
        self._sound = 0
        self._text = 0
        self._news = asyncio.Event()
        self.abandoned = asyncio.Event()
        """The client does not read: what is queued can't be sent."""

    def send_text(self, message: ToClient) -> None:
        self._text += 1
        self._put(to_json(message))

    def send_sound(self, frame: bytes) -> None:
        self._sound += len(frame)
        self._put(frame)

    def _put(self, item: bytes | str) -> None:
        if self.ended is not None:
            return
        self._queue.append(item)
        self._news.set()

    def drop_sound(self) -> int:
        """Forget sound that has not left yet; answers its bytes."""
        dropped, self._sound = self._sound, 0
        self._queue = deque(item for item in self._queue if isinstance(item, str))
        return dropped

    def close(self, code: int, reason: str, *, now: bool = False) -> None:
        """Close after what is queued was sent, or at once."""
        if self.ended is None:
            self.ended = (code, reason)
            if now:
                self._queue.clear()
                self.abandoned.set()
            self._news.set()

    def stuck(self, rate: int) -> bool:
        """Whether the client has left more unread than we keep."""
        return self._sound > _SOUND_BOUND * rate * 2 or self._text > _TEXT_BOUND

    async def write(self) -> None:
        """Send until closed."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._queue:
                    item = self._queue.popleft()
                    if isinstance(item, bytes):
                        self._sound -= len(item)
                        await self.socket.send_bytes(item)
                    else:
                        self._text -= 1
                        await self.socket.send_str(item)
                if self.ended is not None:
                    code, reason = self.ended
                    await self.socket.close(code=code, message=reason.encode()[:120])
                    return
        except (ConnectionError, RuntimeError):
            pass  # the reader sees the same end
