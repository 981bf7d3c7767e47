"""The ways into a session: what the gateway must know of each, so that nothing behind it knows one by name.

`main.py` lists them. To add one: its name in `schemas.events.TransportName`, a room, a door, and a line there.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.room import Room
from schemas.errors import AntiphonError
from schemas.events import SessionStarted, TransportName

Rejoin = Callable[[str, SessionStarted, Mapping[str, Any], Collection[str]], Awaitable[Room | None]]
"""(session, its beginning, positions last held, participants present) → its room, detached; None: it can't be rejoined.
RoomOver: there is nothing to come back to."""


class RoomOver(AntiphonError):
    """The room of a session is not there any more. `reason`: what the session ends with."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Transport:
    name: TransportName
    rejoin: Rejoin | None = None
    """How a room is found again after a take-over; None: it can't be."""
    left_to_others: str = ""
    """Why this gateway takes none of its sessions over, in words: it is for gateways that have what this one lacks."""
    dies_with_us: bool = False
    """Nobody could go on with its sound: a gateway that shuts down hangs its sessions up instead of handing them over."""
    remembers: bool = False
    """What it was told stands there: words that may not have been told are not told again, for they would stand there twice."""
