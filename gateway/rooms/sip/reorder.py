"""RTP packets put in order again. Hearing needs no steady playout: what is in order is handed on at once, a gap is waited for."""

from collections import deque
from dataclasses import dataclass

PATIENCE = 0.06
"""Seconds a missing packet is waited for once a later one is there."""
_FAR = 200
"""Packets; a jump beyond is another stream, not loss."""
_MOST_LOST = 10
"""Packets made up for in one gap: 200 ms of a sentence; a longer one is silence, which the ear fills in itself."""


@dataclass(frozen=True, slots=True)
class Packet:
    """`timestamp`: of RTP, in units of the codec's clock."""

    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """As many packets as are to be made up for."""

    packets: int


class Reorder:
    """One stream's packets. `lost`, `late`: counted, for reports."""

    def __init__(self) -> None:
        self.lost = 0
        self.late = 0
        self._next: int | None = None
        self._waiting: dict[int, tuple[Packet, float]] = {}
        """Packets behind a gap, and when they came."""
        self._ready: deque[Packet | Lost] = deque()

    def reset(self) -> None:
        """Another stream begins; what was in order already is still handed on."""
        self._next = None
        self._waiting.clear()

    def put(self, sequence: int, packet: Packet | None, now: float) -> None:
        """A packet came; None: one that took a number but is no sound (a key, comfort noise)."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead < _FAR:
                self.late += 1  # or sent twice
                return
            self.reset()
            self._next, ahead = sequence, 0
        elif ahead > _FAR:
            self.reset()
            self._next, ahead = sequence, 0
        if ahead:
            self._waiting.setdefault(sequence, (packet or _NOTHING, now))
            return
        self._hand_on(packet)
        self._follow()

    def take(self, now: float) -> list[Packet | Lost]:
        """What can be heard now, in order."""
        while self._waiting and now - min(at for _, at in self._waiting.values()) >= PATIENCE:
            self._give_up()
        ready = list(self._ready)
        self._ready.clear()
        return ready

    def _hand_on(self, packet: Packet | None) -> None:
        if packet is not None and packet is not _NOTHING:
            self._ready.append(packet)
        assert self._next is not None
        self._next = (self._next + 1) & 0xFFFF

    def _follow(self) -> None:
        while self._next in self._waiting:
            self._hand_on(self._waiting.pop(self._next)[0])

    def _give_up(self) -> None:
        assert self._next is not None
        first = min(self._waiting, key=lambda sequence: (sequence - (self._next or 0)) & 0xFFFF)
        missing = (first - self._next) & 0xFFFF
        self.lost += missing
        self._ready.append(Lost(min(missing, _MOST_LOST)))
        self._next = first
        self._follow()


_NOTHING = Packet(0, b"")
