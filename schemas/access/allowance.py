"""How often somebody may ask: so many in the long run, so many at once. Pure: one number is kept for each."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Allowance:
    """`a_minute`: in the long run; `at_once`: for whoever has asked nothing for a while."""

    a_minute: float
    at_once: float

    @property
    def interval(self) -> int:
        """µs after which there is one more."""
        return max(1, round(60e6 / self.a_minute))


def spent(until: int, now: int, allowance: Allowance, cost: float = 1.0) -> tuple[int, int]:
    """`until`: when all that was spent will have come back, µs. Answers the new one, and 0; or the old one, and the µs to wait
    for `cost` more. `schemas/log/spend.lua` says the same."""
    after = max(until, now) + round(allowance.interval * cost)
    wait = after - round(allowance.interval * allowance.at_once) - now
    return (until, wait) if wait > 0 else (after, 0)


@dataclass(slots=True)
class Ledger:
    """What everybody has spent, in one process. `most`: whose is kept at once; who spent longest ago is forgotten."""

    most: int = 10_000
    _until: dict[str, int] = field(default_factory=dict)

    def spend(self, who: str, now: int, allowance: Allowance, cost: float = 1.0) -> float:
        """`now`: µs. 0.0, or the seconds to wait."""
        until, wait = spent(self._until.pop(who, 0), now, allowance, cost)
        self._until[who] = until
        if len(self._until) > self.most:
            del self._until[next(iter(self._until))]
        return wait / 1e6
