"""How many sessions one address, or one token, may have and open."""

import hashlib
from collections.abc import Collection

from aiohttp import WSCloseCode

from gateway.bucket import Bucket
from gateway.http.admission import TurnedAway
from gateway.http.connections import DoorLimits
from schemas.clock import Clock

_KEPT = 10_000
"""Senders whose buckets are kept; full ones are forgotten first."""


class Opens:
    """`alive`: the sessions of this gateway, by name."""

    def __init__(self, limits: DoorLimits, clock: Clock, alive: Collection[str]):
        self._limits, self._clock, self._alive = limits, clock, alive
        self._buckets: dict[str, Bucket] = {}
        self._owned: dict[str, tuple[str, ...]] = {}
        self._opening: list[tuple[str, ...]] = []

    def begin(self, address: str, token: str) -> tuple[str, ...]:
        """Somebody wants a session, or to come back to one. Answers who, for `count` and `harmless`. TurnedAway: too
        many."""
        signed = token.rpartition(".")[0]  # a signature can be written in several ways
        who = (f"address {address}", *([f"token {hashlib.sha256(signed.encode()).hexdigest()[:16]}"] if token else []))
        now = self._clock.now()
        a_second = self._limits.opens_per_minute / 60
        for one in who:
            if one not in self._buckets:
                self._forget(now)
                self._buckets[one] = Bucket.full(a_second, now, self._limits.opens_per_minute)
        if not all(self._buckets[one].take(now) for one in who):
            most = self._limits.opens_per_minute
            raise TurnedAway(
                "too_many", f"more than {most} sessions were begun within a minute", WSCloseCode.TRY_AGAIN_LATER
            )
        return who

    def count(self, who: tuple[str, ...]) -> None:
        """A new one for `who`, on its way until `counted` or `given_up`. TurnedAway: they have too many."""
        self._owned = {name: owners for name, owners in self._owned.items() if name in self._alive}
        held = [one for owners in (*self._owned.values(), *self._opening) for one in owners]
        for one, most in zip(who, (self._limits.sessions_per_address, self._limits.sessions_per_token), strict=False):
            if held.count(one) >= most:
                kind = one.partition(" ")[0]
                raise TurnedAway(
                    "too_many", f"this {kind} has {most} sessions already; end one first", WSCloseCode.TRY_AGAIN_LATER
                )
        self._opening.append(who)

    def given_up(self, who: tuple[str, ...]) -> None:
        self._opening.remove(who)

    def counted(self, who: tuple[str, ...], session: str) -> None:
        self._opening.remove(who)
        self.moved(who, session)

    def moved(self, who: tuple[str, ...], session: str) -> None:
        """One that another gateway had is theirs here. For what they have already nobody is turned away."""
        self._owned[session] = who

    def harmless(self, who: tuple[str, ...]) -> None:
        """Who came back with the right ticket to a session that is here has opened nothing."""
        for one in who:
            bucket = self._buckets.get(one)
            if bucket is not None:
                bucket.tokens = min(bucket.burst, bucket.tokens + 1)

    def _forget(self, now: float) -> None:
        if len(self._buckets) < _KEPT:
            return
        full = [
            one
            for one, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.at) * bucket.rate >= bucket.burst
        ]
        for one in full or list(self._buckets)[: _KEPT // 2]:
            del self._buckets[one]
