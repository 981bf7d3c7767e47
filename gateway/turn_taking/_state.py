"""What turn-taking knows."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class State:
    """A value: `step` answers a new one and never changes the old. What the rim may read of it is listed here."""

    wake_at: float = float("inf")
    """When `now` reaches this, feed a `Tick` (inf: no timer)."""
    generation: int = 0
    closed: bool = False

    def positions(self) -> dict[str, Any]:
        """For `hold`: where playback is, `{"turn": 4, "index": 1, "position": 0.64}`, or `{}`."""
        raise NotImplementedError
