"""Three kinds of time that no sum makes one, and the clock as a seam, so that all may run in virtual time.

`Micros`    the log's time: Redis TIME, µs since 1970. What is stored, and what two machines can agree upon.
`Now`       a gateway's time: seconds of its own monotonic clock. It begins anywhere, and dies with its process.
`TurnTime`  a session's: `Now` less all the time in which nobody was there to hear. What turns wait by, so that whoever
            comes back finds them where they were.

A difference of two of one kind is a plain duration: seconds (`float`), or of the log µs (`int`). Which of them is taken for
which is mypy's to refuse (`tests/schemas/kinds_of_time.py`).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NewType, Protocol

Micros = NewType("Micros", int)
Now = NewType("Now", float)

if TYPE_CHECKING:

    class TurnTime:
        """No `float` to mypy, so that it is neither compared with a `Now` nor passed for one: only moved by seconds, compared
        with its like, and subtracted from it. (A NewType of `float` would compare with any.)"""

        def __init__(self, seconds: float) -> None: ...
        def __add__(self, seconds: float) -> "TurnTime": ...
        def __sub__(self, other: "TurnTime") -> float: ...
        def __lt__(self, other: "TurnTime") -> bool: ...
        def __le__(self, other: "TurnTime") -> bool: ...
        def __gt__(self, other: "TurnTime") -> bool: ...
        def __ge__(self, other: "TurnTime") -> bool: ...

else:
    TurnTime = float


def earlier(moment: TurnTime, seconds: float) -> TurnTime:
    """`moment`, moved back. (Of two minus signs a type has one meaning: `TurnTime - TurnTime` is a duration.)"""
    return moment + -seconds


def iso(at: Micros) -> str:
    """ISO 8601, UTC, with milliseconds: `2026-03-01T12:00:00.250Z`."""
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock(Protocol):
    def now(self) -> Now: ...
