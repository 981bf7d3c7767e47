"""A room as the gateway sees it. LiveKit, WebSocket, file and memory rooms all stand behind this Protocol.

A room never blocks and owns no timer: the gateway's tick drains what came in and pushes what goes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came; of somebody who is there: what is known of them now."""

    participant: str
    kind: Literal["standard", "sip", "agent"] = "standard"
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    participant: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """`pcm`: int16 mono at 16 kHz, shape (n,), any n; consecutive for one participant."""

    participant: str
    pcm: Pcm


@dataclass(frozen=True, slots=True)
class Typed:
    participant: str
    text: str


@dataclass(frozen=True, slots=True)
class PushToTalk:
    """`pressed`: hold the floor; released: the turn is committed at once."""

    participant: str
    pressed: bool


@dataclass(frozen=True, slots=True)
class Digits:
    participant: str
    digits: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A client is there to hear (again)."""


@dataclass(frozen=True, slots=True)
class Detached:
    """Nobody hears: nothing plays, nothing commits, turn timers stand still. `held`: on purpose (a phone on hold, or one that
    rings), so that the session waits for as long as `limits.hold` says."""

    held: bool = False


@dataclass(frozen=True, slots=True)
class HungUp:
    """The room is over."""

    reason: str = "hang_up"


RoomInput = Joined | Left | Heard | Typed | PushToTalk | Digits | Attached | Detached | HungUp


class Room(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def transport(self) -> Literal["websocket", "file", "livekit", "sip", "memory"]: ...

    @property
    def rate(self) -> int:
        """Hz of the audio it takes; the gateway resamples clips to it once, when they arrive."""

    def drain(self) -> Sequence[RoomInput]:
        """What came in since the last call, in order."""

    def push(self, pcm: Pcm) -> None:
        """Queue sound behind what is queued: int16 mono at `rate`."""

    def queued(self) -> float:
        """Seconds pushed but not yet sounded, as exactly as the transport can tell. Played = pushed − queued."""

    def clear(self) -> float:
        """Drop what is queued, at once; answers the seconds dropped."""

    def send(self, message: dict[str, Any]) -> None:
        """A client message (docs/websocket.md); bounded, never blocks. `offset` of a `words` counts from the next sample pushed:
        the room makes it what its client counts from."""

    async def aclose(self, reason: str) -> None: ...
