"""asyncio in virtual time: waiting costs nothing, and the same test always takes the same (virtual) time.

@virtually
async def test_…(): …          # asyncio.sleep(3600) returns at once, `LoopClock().now()` is 3600 s later

simulate(7, main)              # the same for `main(loop)`, what is ready at once in an order drawn from the seed 7
"""

import asyncio
import functools
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from schemas.clock import Now

__all__ = ["LoopClock", "ManualClock", "Stuck", "VirtualLoop", "simulate", "virtually"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Stuck(AssertionError):
    """Every task waits for something that will never come."""


class _Selector(selectors.SelectSelector):
    """Asks the system only where there is more than the loop's own pipe: that one wakes who sleeps, and nobody does."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout) if len(self.get_map()) > 1 else []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to whatever is due next. For code without I/O.

    `seed`: what is ready at once runs in an order drawn from it, so that one seed is one interleaving; None: in the order it
    came. `random`: dice of that seed for the code under test.
    """

    virtual = True
    """What would be done aside, in a thread, is done here."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(_Selector())
        self.random = random.Random(seed)
        self._shuffles = seed is not None
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready:
            if not scheduled:
                raise Stuck("nothing is scheduled and nothing is ready")
            self._virtual = max(self._virtual, scheduled[0]._when)
        if self._shuffles and len(ready) > 1:
            order = list(ready)
            self.random.shuffle(order)
            ready.clear()
            ready.extend(order)
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """A `schemas.clock.Clock` that shows a loop's time; the running one's where none is given."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    def now(self) -> Now:
        return Now((self._loop or asyncio.get_running_loop()).time())


class ManualClock:
    """A `Clock` that stands where the test put it. `time`: seconds."""

    def __init__(self, time: float = 0.0) -> None:
        self.time = time

    def now(self) -> Now:
        return Now(self.time)


def virtually(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, None]:
    """Run an async test on a virtual loop of its own."""

    @functools.wraps(test)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def simulate(seed: int, main: Callable[[VirtualLoop], Coroutine[Any, Any, _T]]) -> _T:
    """Run `main(loop)` to its end in virtual time, in the interleaving that `seed` is."""
    loop = VirtualLoop(seed)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
