"""What follows from LEASE, the seconds for which a job or a session stays its owner's without being renewed.

    0 ──────── ¼ ──────────────────────── ¾ ──────── 1          of a lease, from the sending of the last renewal that got through
    sent       sent again                 silent     somebody else's

Everybody reckons with these, so that an owner that is cut off has fallen silent, by its own clock, before anybody can have what
it had; and so that one renewal may be lost without harm. All processes of a deployment must have the same (`RedisBus`).
"""

from dataclasses import dataclass

SHORTEST, LONGEST = 1.0, 30.0
"""Below, a busy machine's pauses end leases; above, nobody waits any more for a dead gateway's session to go on
(`limits.client_gone`)."""


@dataclass(frozen=True, slots=True)
class Lease:
    seconds: float = 2.0

    @property
    def renewed_every(self) -> float:
        return self.seconds / 4

    @property
    def silent_after(self) -> float:
        """Seconds since the sending of the last successful renewal after which an owner has to be still."""
        return self.seconds * 3 / 4

    @property
    def again_after(self) -> float:
        """Seconds after which a renewal that failed is tried again."""
        return min(self.renewed_every, 0.5)

    @property
    def jobs_settle(self) -> float:
        """Seconds after the log was away in which no job is taken from anybody: workers renew long before."""
        return self.seconds / 4

    @property
    def found_back_within(self) -> float:
        """Seconds after which a worker that is busy looks again whether the log is back, to renew what it has in hand."""
        return self.jobs_settle / 4

    @property
    def sessions_settle(self) -> float:
        """The same for sessions: gateways renew within `again_after`."""
        return self.seconds / 2
