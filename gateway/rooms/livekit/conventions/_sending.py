"""What a convention may ask to be sent, as plain values; the outbox carries it out, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.rooms.livekit.facts import Fact

ENOUGH = 12_000
"""Characters of one text: packets stay under 15 KiB, and nobody says more in one breath."""


@dataclass(slots=True)
class Scene:
    """What the room looks like just now. `identity`: the agent's; `track`: sid of its voice; `tracks`: those of the people, by
    identity; `old_clients`: somebody's client knows no text streams (protocol < 3)."""

    identity: str
    track: str = ""
    tracks: dict[str, str] = field(default_factory=dict)
    old_clients: bool = False


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """Of the agent's participant."""

    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class OpenText:
    """Open a text stream; `key`: what `WriteText` and `CloseText` call it."""

    key: str
    topic: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class WriteText:
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class CloseText:
    key: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SendText:
    """A text stream of one chunk; `sender`: in whose name (only agents may)."""

    topic: str
    text: str
    attributes: dict[str, str]
    sender: str


@dataclass(frozen=True, slots=True)
class Old:
    """A transcription packet, for clients from before text streams: all of the text so far."""

    participant: str
    track: str
    segment: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class SendData:
    """A reliable data packet; `to`: identities, everybody when empty."""

    payload: bytes
    topic: str = ""
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendBytes:
    """A byte stream of one piece."""

    topic: str
    data: bytes
    attributes: dict[str, str]
    to: tuple[str, ...] = ()


Send = SetAttributes | OpenText | WriteText | CloseText | SendText | Old | SendData | SendBytes


class Convention(Protocol):
    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        """What to send because of `fact`, in order."""
