"""How much this gateway has to do, honestly: what decides whether it takes another room, and how likely it is asked first."""

import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.events import Event, StageResult

LATE = 0.05
"""Median lateness of the ticks, seconds, from which a gateway is full: people would hear it."""
DELAY = 3.0
"""Seconds jobs wait in the queues from which another conversation would only make everybody wait longer."""
_RECENT = 10.0  # seconds
_TICKS = 64  # about two seconds


@dataclass(frozen=True, slots=True)
class Readings:
    """`sessions`: held or promised; `cpu`: of the machine, 0 to 1; `late`: of the ticks, seconds; `delay`: of the queues, s."""

    sessions: int
    capacity: int
    cpu: float = 0.0
    late: float = 0.0
    delay: float = 0.0
    draining: bool = False


def full(readings: Readings) -> bool:
    """Whether one more session would harm those that are here. A busy CPU alone does not, as long as the ticks are in time."""
    return (
        readings.draining or readings.sessions >= readings.capacity or readings.late >= LATE or readings.delay >= DELAY
    )


def load(readings: Readings) -> float:
    """0 (idle) to 1 (full): the scarcest of sessions, CPU, time and queues."""
    if full(readings):
        return 1.0
    parts = (readings.sessions / readings.capacity, readings.cpu, readings.late / LATE, readings.delay / DELAY)
    return min(0.99, max(parts))


def lateness(late: Iterable[float]) -> float:
    """The median of the last ticks' lateness, seconds. Those that a new gateway has not had yet were in time."""
    last = list(late)[-_TICKS:]
    return statistics.median([*last, *[0.0] * (_TICKS - len(last))])


class Delays:
    """How long jobs of our sessions waited in the queues lately, by what their events say."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, str, float]] = deque(maxlen=512)

    def note(self, event: Event, now: float) -> None:
        if isinstance(event, StageResult):
            self._seen.append((now, event.type, event.queued))

    def seconds(self, now: float) -> float:
        """Of the stage that makes wait longest, the mean of the last 10 s."""
        stages: dict[str, list[float]] = {}
        for when, kind, waited in self._seen:
            if now - when <= _RECENT:
                stages.setdefault(kind, []).append(waited)
        return max((statistics.fmean(waits) for waits in stages.values()), default=0.0)
