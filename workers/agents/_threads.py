"""Functions that wait, in threads that nobody waits for: one that hangs holds up no other, nor the end of the process."""

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Busy", "in_thread", "name_of"]

MOST = 64
"""Threads at once. More can only come of functions that hang."""
MOST_LEFT = 8
"""Threads that one function may have left behind, hanging, before it is called no more."""

_Result = TypeVar("_Result")
_free = threading.BoundedSemaphore(MOST)
_left: Counter[str] = Counter()
_counting = threading.Lock()


class Busy(Exception):
    """All threads are taken: by functions that do not come back."""


def name_of(function: Callable[..., Any]) -> str:
    """A function among those of all agents."""
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', id(function))}"


async def in_thread(work: Callable[[], _Result], name: str, whose: str = "") -> _Result:
    """What `work` answers or raises. Cancelled, it is no longer waited for; a thread can't be stopped. `whose`: the function: one
    that hangs again and again takes no threads from others."""
    if whose and _left[whose] >= MOST_LEFT:
        raise Busy(f"{MOST_LEFT} calls of {name} have not come back; it is called again when one has")
    if not _free.acquire(blocking=False):
        raise Busy(f"{MOST} calls are running already")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()
    context = contextvars.copy_context()
    states: set[str] = set()

    def told(result: _Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}"))
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def count(state: str) -> None:
        with _counting:
            if state == "over" and "left" in states:
                _left[whose] -= 1
            if state == "left" and "over" not in states:
                _left[whose] += 1
            states.add(state)

    def run() -> None:
        result, failed = None, None
        try:
            result = context.run(work)
        except BaseException as error:  # SystemExit ends a thread, not us
            failed = RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
        finally:
            _free.release()
            count("over")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(told, result, failed)

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        count("left")
        raise
