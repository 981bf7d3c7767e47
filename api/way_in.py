"""Which gateway the next caller is sent to."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from api.problems import Problem
from schemas.bus import Advertising, GatewaySeen
from schemas.events import TransportName

_ON_THEIR_WAY = 2.0
"""Seconds after which somebody who was sent to a gateway is among those it tells of: it does so each second."""
_OF_ONE = 10
"""Places at a gateway that are kept for those whom one asker has just sent: who asks on and never comes keeps nobody out."""


class WayIn:
    """`clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._sent: deque[tuple[float, str, str]] = deque()
        self._coming: Counter[str] = Counter()
        self._by: Counter[tuple[str, str]] = Counter()

    async def gateway(self, bus: Advertising, transport: TransportName, asker: str = "") -> GatewaySeen:
        """The one with the most room, those counted that were just sent there. `asker`: who sends them, "" one of our own
        operators. Problem 503: there is none."""
        found = [one for one in await bus.gateways() if transport in one.transports]
        now = self._clock()
        while self._sent and now - self._sent[0][0] > _ON_THEIR_WAY:
            self._count(*self._sent.popleft()[1:], -1)
        kept = self._kept()
        best = max(
            (one for one in found if not one.draining and one.places > kept[one.name]),
            key=lambda one: one.places - self._coming[one.name],
            default=None,
        )
        if best is None:
            raise _nowhere(found)
        self._sent.append((now, best.name, asker))
        self._count(best.name, asker, 1)
        return best

    def _count(self, gateway: str, asker: str, more: int) -> None:
        self._coming[gateway] += more
        self._by[gateway, asker] += more
        if not self._by[gateway, asker]:
            del self._by[gateway, asker]

    def _kept(self) -> Counter[str]:
        """How many places of each gateway are taken by those on their way."""
        kept: Counter[str] = Counter()
        for (gateway, asker), sent in self._by.items():
            kept[gateway] += min(sent, _OF_ONE) if asker else sent
        return kept


def _nowhere(found: Sequence[GatewaySeen]) -> Problem:
    again = {"Retry-After": "2"}
    open_ones = [one for one in found if not one.draining]
    if open_ones and all(one.unmanned for one in open_ones):
        return Problem(
            503, "workers",
            "a stage has no worker, and no gateway takes a call without (GATEWAY_NEEDS_WORKERS); `antiphon doctor` says which, "
            "`antiphon worker STAGE` starts one", again, told="nobody is here to answer just now; try again in a while",
        )  # fmt: skip
    return Problem(503, "no_gateway", _why(found), again)


def _why(found: Sequence[GatewaySeen]) -> str:
    if not found:
        return "no gateway is there that could take the call; start one (antiphon gateway), or look why it has stopped"
    if all(one.draining for one in found):
        return "every gateway is about to stop and takes no more calls; start another one"
    return "every gateway is full; try again when a call has ended, or start another gateway"
