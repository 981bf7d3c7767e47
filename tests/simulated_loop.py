"""An event loop in virtual time: sleeping costs nothing, and one seed is one interleaving."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from schemas.clock import Now

T = TypeVar("T")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`time()` jumps to the next timer when nothing is ready; what is ready runs in an order drawn from `seed`."""

    def __init__(self, seed: int) -> None:
        super().__init__(selectors.SelectSelector())
        self.random = random.Random(seed)
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0]._when)
        if len(ready) > 1:
            order = list(ready)
            self.random.shuffle(order)
            ready.clear()
            ready.extend(order)
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """A `Clock` that reads a loop's virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> Now:
        return Now(self._loop.time())


def simulate(seed: int, main: Callable[[SimulatedLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main(loop)` to its end in virtual time."""
    loop = SimulatedLoop(seed)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
