"""A worker within this process, ready before the clock counts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import AntiphonError
from workers.runtime import Worker


@asynccontextmanager
async def warm(worker: Worker) -> AsyncIterator[None]:
    """It works, and is stopped afterwards. What keeps it from getting ready is raised."""
    running = asyncio.create_task(worker.run())
    try:
        while worker.obstacles() and not running.done():
            await asyncio.sleep(0.02)
        if running.done():
            running.result()
        yield
    finally:
        worker.stop()
        with contextlib.suppress(AntiphonError):
            await running
