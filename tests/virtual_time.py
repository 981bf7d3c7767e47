"""asyncio in virtual time: waiting costs nothing, and the same test always takes the same (virtual) time.

@virtually
async def test_…(): …          # asyncio.sleep(3600) returns at once, `LoopClock().now()` is 3600 s later
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from schemas.clock import Now

P = ParamSpec("P")


class Stuck(AssertionError):
    """Every task waits for something that will never come."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to whatever is due next. For code without I/O."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready:
            if not scheduled:
                raise Stuck("nothing is scheduled and nothing is ready")
            self._virtual = max(self._virtual, scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """A `Clock` that shows the running loop's time."""

    def now(self) -> Now:
        return Now(asyncio.get_running_loop().time())


def virtually(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a virtual loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
