"""Tasks with a parent: whoever spawns them hears of what fails, and they end with it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Tasks", "unheard"]

log = logging.getLogger("antiphon.tasks")

_Result = TypeVar("_Result")


def unheard(done: asyncio.Future[Any]) -> None:
    """For `add_done_callback`, where perhaps nobody waits: its error, if there is one, is no complaint of asyncio's."""
    if not done.cancelled():
        done.exception()


class Tasks:
    """Children of one owner. `failed`: told the error of each that fails; without it, the process' log is."""

    def __init__(self, failed: Callable[[BaseException], None] | None = None) -> None:
        self._failed = failed
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, _Result], name: str | None = None) -> asyncio.Task[_Result]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        """Every child but the one that asks for it."""
        asking = asyncio.current_task()
        for task in self._running:
            if task is not asking:
                task.cancel()

    async def aclose(self) -> None:
        """Cancel them, and wait until they are gone; the one that asks for it stays."""
        self.cancel()
        asking = asyncio.current_task()
        await asyncio.gather(*(task for task in self._running if task is not asking), return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._failed is not None:
            self._failed(error)
        else:
            log.error("%s failed", task.get_name(), exc_info=error)
