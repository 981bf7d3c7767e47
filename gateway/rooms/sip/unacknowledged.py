"""Calls that were answered and not acknowledged yet. Who never acknowledges can hold nothing for long: such calls have places of
their own, and where those are full the oldest make room, as a phone that is there acknowledges at once."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from aiosipua.message import SipRequest

WITHIN = 8.0
"""Seconds; the answer has been sent five times by then."""
OF_ADDRESS, OF_TRUNK, OF_ALL = 10, 30, 200
AT_ONCE = 1.0
"""Seconds from our answer in which a phone that is there has acknowledged it; only who has not makes room, or anybody beyond
OF_ALL."""

Acknowledgement = SipRequest | None
"""None: they have left, or were given up."""


@dataclass(slots=True)
class _One:
    """`answered`: when it was; nobody acknowledges before that, however late we are."""

    address: str
    trunk: Hashable
    ack: "asyncio.Future[Acknowledgement]"
    answered: float | None = None
    given_up: bool = False


@dataclass(slots=True)
class Unacknowledged:
    """By call. `changed`: told how many there are."""

    changed: Callable[[int], None] = lambda _: None
    _all: dict[str, _One] = field(default_factory=dict)

    def __contains__(self, call: object) -> bool:
        return call in self._all

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, call: str, address: str, trunk: Hashable) -> None:
        """A call from `address` is about to be answered. The oldest of those that are too many are given up."""
        now = asyncio.get_running_loop().time()
        waiting = [one for one in self._all.values() if not one.ack.done()]
        for most, ones, patience in (
            (OF_ADDRESS, [one for one in waiting if one.address == address], AT_ONCE),
            (OF_TRUNK, [one for one in waiting if one.trunk == trunk], AT_ONCE),
            (OF_ALL, waiting, 0.0),
        ):
            for one in ones[: max(0, len(ones) - most + 1)]:
                if patience == 0 or (one.answered is not None and now - one.answered >= patience):
                    self._give_up(one)
        self._all[call] = _One(address, trunk, asyncio.get_running_loop().create_future())
        self.changed(len(self._all))

    async def ack(self, call: str) -> Acknowledgement:
        """The ACK of a call that was entered, at most `WITHIN` s after its answer."""
        one = self._all[call]
        one.answered = asyncio.get_running_loop().time()
        timer = asyncio.get_running_loop().call_later(WITHIN, self._give_up, one)
        try:
            return await one.ack
        finally:
            timer.cancel()

    def came(self, call: str, ack: Acknowledgement) -> bool:
        """Their ACK, or None: they have left. Whether it was waited for."""
        one = self._all.get(call)
        if one is None or one.ack.done():
            return False
        one.ack.set_result(ack)
        return True

    def given_up(self, call: str) -> bool:
        """Whether it was our patience, or our room, that ended."""
        return call in self._all and self._all[call].given_up

    def leave(self, call: str) -> None:
        """It was acknowledged, or is over."""
        if self._all.pop(call, None) is not None:
            self.changed(len(self._all))

    def _give_up(self, one: _One) -> None:
        if not one.ack.done():
            one.given_up = True
            one.ack.set_result(None)
