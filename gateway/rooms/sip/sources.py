"""Whose sound a line takes, and where its own goes: the signalled address, or where the first packets came from."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.process.hosts import Network, within

Address = tuple[str, int]

SILENT = 1.0
"""Seconds without a packet after which another port of the same party may take over (a router gave the phone a new one)."""


@dataclass(slots=True)
class Sources:
    """`signalled`: from the SDP; `party`: where the signalling came from; `media`: further networks the trunk sends sound from.

    An SDP can name anybody's address: nothing is sent there before a packet came from it, unless it is the party's own.
    """

    signalled: Address | None
    party: str
    media: Sequence[Network] = ()
    reports: int | None = None
    """Port for RTCP, where the SDP names one (RFC 3605); else the one after the sound's."""
    latched: Address | None = None
    _at: float = 0.0

    def accepts(self, source: Address, now: float) -> bool:
        """Whether a packet from `source` is the party's; the first one that is decides where sound goes."""
        if source == self.latched:
            self._at = now
            return True
        taken = self.latched is not None and now - self._at < SILENT
        if taken and (source != self.signalled or self.latched == self.signalled):
            return False
        if not self._may_be(source[0]):
            return False
        self.latched, self._at = source, now
        return True

    def _may_be(self, host: str) -> bool:
        return (
            host == self.party or (self.signalled is not None and host == self.signalled[0]) or within(host, self.media)
        )

    @property
    def target(self) -> Address | None:
        """Where to send, None as long as that isn't known."""
        if self.latched is not None:
            return self.latched
        if self.signalled is None or not self.signalled[1]:
            return None
        known = self.signalled[0] == self.party or within(self.signalled[0], self.media)
        return self.signalled if known else None

    @property
    def reports_to(self) -> Address | None:
        """Where RTCP goes."""
        target = self.target
        if target is None:
            return None
        return target[0], self.reports if self.reports is not None and target == self.signalled else target[1] + 1

    def moved(self, signalled: Address | None) -> None:
        """A new SDP: another address begins anew."""
        if signalled != self.signalled:
            self.signalled, self.latched = signalled, None
