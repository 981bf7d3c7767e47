"""Functions that wait, in threads that nobody waits for: one that hangs holds up no other, nor the end of the process."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Busy", "in_thread"]

MOST = 64
"""Threads at once. More can only come of functions that hang."""

_Result = TypeVar("_Result")
_free = threading.BoundedSemaphore(MOST)


class Busy(Exception):
    """All threads are taken: by functions that do not come back."""


async def in_thread(work: Callable[[], _Result], name: str) -> _Result:
    """What `work` answers or raises. Cancelled, it is no longer waited for; a thread can't be stopped."""
    if not _free.acquire(blocking=False):
        raise Busy(f"{MOST} calls are running already")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()
    context = contextvars.copy_context()

    def told(result: _Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}"))
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = context.run(work)
        except BaseException as error:  # SystemExit ends a thread, not us
            failed = RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
        finally:
            _free.release()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(told, result, failed)

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    return await done
