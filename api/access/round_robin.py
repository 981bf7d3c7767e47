"""Work that many have at once, of which one piece is done between two breaths of the loop."""

import asyncio
from collections import deque
from collections.abc import Callable


class Waiting:
    """A place in the row, until its work is done or cancelled."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work: Callable[[], None] | None = work

    def cancel(self) -> None:
        self.work = None


class RoundRobin:
    """Who has more to do afterwards waits again, behind all others."""

    def __init__(self) -> None:
        self._row: deque[Waiting] = deque()
        self._called = False

    def wait(self, work: Callable[[], None]) -> Waiting:
        waiting = Waiting(work)
        self._row.append(waiting)
        self._go_on()
        return waiting

    def _go_on(self) -> None:
        if self._row and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._called = False
        work = None
        while self._row and work is None:
            work = self._row.popleft().work
        self._go_on()
        if work is not None:
            work()
