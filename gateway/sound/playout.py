"""A loudspeaker reckoned by the clock: what was pushed sounds at its rate, one sample after the other."""

from schemas.clock import Clock


class Playout:
    """`rate`: Hz. While `stop`ped (nobody listens) nothing sounds."""

    def __init__(self, clock: Clock, rate: int):
        self._clock, self._rate = clock, rate
        self._end: float = clock.now()
        self._stopped: float | None = None

    def push(self, samples: int) -> None:
        if self._stopped is not None:
            self._stopped += samples / self._rate
        else:
            self._end = max(self._end, self._clock.now()) + samples / self._rate

    def queued(self) -> float:
        """Seconds pushed but not yet sounded."""
        return self._stopped if self._stopped is not None else max(0.0, self._end - self._clock.now())

    def clear(self) -> float:
        """Drop what has not sounded: whole samples; answers the seconds."""
        dropped = int(self.queued() * self._rate) / self._rate
        self._end = self._clock.now()
        if self._stopped is not None:
            self._stopped = 0.0
        return dropped

    def correct(self, queued: float) -> None:
        """The listener knows better."""
        if self._stopped is None:
            self._end = self._clock.now() + queued

    def stop(self) -> None:
        if self._stopped is None:
            self._stopped = self.queued()

    def go_on(self) -> None:
        if self._stopped is not None:
            self._end = self._clock.now() + self._stopped
            self._stopped = None
