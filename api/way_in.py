"""Which gateway the next caller is sent to."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from api.problems import Problem
from schemas.bus import Advertising, GatewaySeen
from schemas.events import TransportName

_ON_THEIR_WAY = 2.0
"""Seconds after which somebody who was sent to a gateway is among those it tells of: it does so each second."""


class WayIn:
    """`clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._sent: deque[tuple[float, str]] = deque()
        self._coming: Counter[str] = Counter()

    async def gateway(self, bus: Advertising, transport: TransportName) -> GatewaySeen:
        """The one with the most room, those counted that were just sent there. Problem 503: there is none."""
        found = [one for one in await bus.gateways() if transport in one.transports]
        now = self._clock()
        while self._sent and now - self._sent[0][0] > _ON_THEIR_WAY:
            self._coming[self._sent.popleft()[1]] -= 1
        room = {one.name: one.places - self._coming[one.name] for one in found}
        best = max(
            (one for one in found if not one.draining and room[one.name] > 0),
            key=lambda one: room[one.name],
            default=None,
        )
        if best is None:
            raise _nowhere(found)
        self._sent.append((now, best.name))
        self._coming[best.name] += 1
        return best


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
