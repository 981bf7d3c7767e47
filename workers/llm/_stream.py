"""A provider's stream that can be left at any moment."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from types import TracebackType

from schemas.process.tasks import Tasks
from workers.providers import Delta

_AHEAD = 256
"""Pieces of a reply."""


class Leavable:
    """`async with Leavable(stream, cancelled) as deltas:` iterate; it ends early, and the stream is closed at once, when
    `cancelled` is set. The stream is read while the caller is busy with what came before, but not far ahead: an endpoint that
    sends without end would have the process to itself."""

    def __init__(self, stream: AsyncGenerator[Delta, None], cancelled: asyncio.Event):
        self._stream = stream
        self._cancelled = cancelled
        self._arrived: asyncio.Queue[Delta | Exception | None] = asyncio.Queue(_AHEAD)
        self._tasks = Tasks()

    async def __aenter__(self) -> "Leavable":
        pumping = self._tasks.spawn(self._pump())
        self._tasks.spawn(self._watch(pumping))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.aclose()

    def __aiter__(self) -> "Leavable":
        return self

    async def __anext__(self) -> Delta:
        arrived = None if self._cancelled.is_set() else await self._arrived.get()
        if isinstance(arrived, Exception):
            raise arrived
        if arrived is None or self._cancelled.is_set():
            raise StopAsyncIteration
        return arrived

    async def _pump(self) -> None:
        try:
            async for delta in self._stream:
                await self._arrived.put(delta)
            await self._arrived.put(None)
        except Exception as error:
            await self._arrived.put(error)
        finally:
            with contextlib.suppress(Exception):
                await self._stream.aclose()

    async def _watch(self, pumping: asyncio.Task[None]) -> None:
        await self._cancelled.wait()
        pumping.cancel()
        with contextlib.suppress(asyncio.QueueFull):  # nobody waits for it then
            self._arrived.put_nowait(None)
