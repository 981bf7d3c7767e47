"""Which packets are worth reading. Scanners knock on 5060 all day: each costs a look into a table,
all of them together one line in the log a minute."""

import logging
import socket
from collections.abc import Sequence
from typing import Literal

from gateway.bucket import Bucket, Buckets
from schemas.clock import Clock
from schemas.process.hosts import Network, within

log = logging.getLogger("antiphon.gateway.sip")

Verdict = Literal["known", "stranger", "drop"]
"""known: an address some trunk names; stranger: not, but it may be told so; drop: not worth an answer."""

MESSAGES = 200.0
"""Messages a second read from one known address."""
_STRANGER, _STRANGERS = 1.0, 20.0
"""Answers a second to one stranger, and to all of them together."""
_REMEMBERED = 4096
_SUMMARY = 60.0


def allowed(host: str, networks: Sequence[Network]) -> bool:
    """Whether `host` is in one of `networks`. This machine itself, by whichever of its addresses, is loopback too: that is
    where a phone on it calls from."""
    loopback = "::1" if ":" in host else "127.0.0.1"
    return within(host, networks) or (within(loopback, networks) and is_here(host))


def is_here(host: str) -> bool:
    """Whether `host` is an address of this machine."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # nothing is sent; who calls itself keeps its address
            return bool(probe.getsockname()[0] == host)
        except OSError:
            return False


class Gate:
    """`networks`: of all trunks together."""

    def __init__(self, clock: Clock, networks: Sequence[Network]):
        self._clock = clock
        self.networks, self._named = list(networks), list(networks)
        self.refused = 0
        """Packets of strangers so far, answered or not."""
        self._known: Buckets[str] = Buckets(_REMEMBERED)
        self._strangers: Buckets[str] = Buckets(_REMEMBERED)
        self._all_strangers = Bucket.full(_STRANGERS, clock.now())
        self._said_at = clock.now() - _SUMMARY
        self._unsaid = 0

    def admit(self, host: str) -> Verdict:
        """What to do with a packet from `host`."""
        now = self._clock.now()
        if host in self._known or (host not in self._strangers and allowed(host, self.networks)):
            return "known" if self._known.take(host, now, MESSAGES) else "drop"
        return self._stranger(host, now)

    def add(self, network: Network) -> None:
        """A trunk's registrar has (got) this address."""
        if network not in self.networks:
            self.networks.append(network)
            self._strangers.forget()

    def remove(self, network: Network) -> None:
        """A trunk's registrar has this address no more."""
        if network in self.networks and network not in self._named:
            self.networks.remove(network)
            self._known.forget()

    def _stranger(self, host: str, now: float) -> Verdict:
        self.refused += 1
        self._unsaid += 1
        if now - self._said_at >= _SUMMARY:
            log.info(
                "%d SIP packets from addresses no trunk names, the last from %s (SIP_TRUNKS: addresses)",
                self._unsaid,
                host,
            )
            self._said_at, self._unsaid = now, 0
        return "stranger" if self._strangers.take(host, now, _STRANGER) and self._all_strangers.take(now) else "drop"
