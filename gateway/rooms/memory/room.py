"""A room in memory, for tests and benchmarks: it is told what is said in it, and remembers what sounded."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from gateway.inputs import Attached, Heard, Joined, RoomInput
from gateway.room import Room, ToRoom
from gateway.sound.playout import Playout
from schemas.audio import Pcm
from schemas.clock import Clock
from schemas.events import TransportName

M = TypeVar("M")


class MemoryRoom(Room):
    """`messages`: what the client was told; `closed`: the reason, once it is. `keep`: whether the sound is remembered."""

    transport: TransportName = "memory"

    def __init__(self, clock: Clock, name: str = "memory", rate: int = 16_000, *, keep: bool = True):
        self.name, self.rate, self.clock = name, rate, clock
        self.messages: list[ToRoom] = []
        self.closed: str | None = None
        self._playout = Playout(clock, rate)
        self._inputs: list[RoomInput] = []
        self._sound: list[Pcm] = []
        self._keep = keep

    def join(self, participant: str = "caller") -> None:
        """Somebody comes in and listens."""
        self.put(Joined(participant))
        self.put(Attached())

    def put(self, item: RoomInput) -> None:
        self._inputs.append(item)

    def hear(self, pcm: Pcm, participant: str = "caller") -> None:
        self.put(Heard(participant, pcm))

    @property
    def sound(self) -> Pcm:
        """Everything pushed and not taken back, in order, without the silence between."""
        return np.concatenate(self._sound) if self._sound else np.zeros(0, np.int16)

    def told(self, kind: type[M]) -> list[M]:
        """The messages of one type."""
        return [message for message in self.messages if isinstance(message, kind)]

    # ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Sequence[RoomInput]:
        inputs, self._inputs = self._inputs, []
        return inputs

    def push(self, pcm: Pcm) -> None:
        self._playout.push(len(pcm))
        if self._keep:
            self._sound.append(pcm.copy())

    def queued(self) -> float:
        return self._playout.queued()

    def clear(self) -> float:
        dropped = self._playout.clear()
        samples = round(dropped * self.rate)
        while samples and self._sound:
            last = self._sound.pop()
            if len(last) > samples:
                self._sound.append(last[: len(last) - samples])
            samples = max(0, samples - len(last))
        return dropped

    def send(self, message: ToRoom) -> None:
        self.messages.append(message)

    async def aclose(self, reason: str) -> None:
        self.closed = reason
