"""Why a tick was late, as far as the process can tell: its own sessions, something else in it, or the machine."""

import time
from collections.abc import Callable

EVERY = 10.0
"""Seconds between two complaints."""
_MOST = 0.5
"""Part of the time that makes something the reason."""


class Lateness:
    """`tick`: seconds between two of them; `cpu`: seconds of processor that this process has had, all its threads together."""

    def __init__(self, tick: float, cpu: Callable[[], float] = time.process_time):
        self._tick, self._cpu = tick, cpu
        self._said_at = float("-inf")
        self._unsaid = 0
        self._last: tuple[float, float] | None = None
        self._took = 0.0
        self._wall = self._ran = 0.0

    def begins(self, now: float) -> None:
        """A tick."""
        cpu = self._cpu()
        if self._last is not None:
            self._wall, self._ran = now - self._last[0], cpu - self._last[1]
        self._last = (now, cpu)

    def ended(self, now: float) -> None:
        """The tick that began last."""
        if self._last is not None:
            self._took = now - self._last[0]

    def told(self, now: float, late: float, sessions: int) -> str:
        """What to say of the tick that begins now, `late` seconds after it was due; "" where enough was said lately."""
        self._unsaid += 1
        if now - self._said_at < EVERY:
            return ""
        times = f" (×{self._unsaid} since this was said last)" if self._unsaid > 1 else ""
        self._said_at, self._unsaid = now, 0
        return f"a tick began {late * 1e3:.0f} ms late{times}: {self._why(sessions)}"

    def _why(self, sessions: int) -> str:
        wall, ran, took = (f"{seconds * 1e3:.0f} ms" for seconds in (self._wall, self._ran, self._took))
        if self._ran < _MOST * self._wall:
            return (
                f"in the {wall} before, this process had the processor for {ran} only: other programs keep this machine busy, or "
                "it stood still"
            )
        of = "1 session" if sessions == 1 else f"{sessions} sessions"
        if self._took >= _MOST * self._wall:
            return (
                f"the one before took {took} for {of}, and there are {self._tick * 1e3:.0f}: too much for this machine"
            )
        return f"the one before took {took} for {of}; something else in this process held it up"
