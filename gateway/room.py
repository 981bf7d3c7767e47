"""A room as the gateway sees it. LiveKit, WebSocket, SIP, file and memory rooms all stand behind this Protocol.

A room never blocks and owns no timer: the gateway's tick drains what came in and pushes what goes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.inputs import RoomInput
from schemas.audio import Pcm
from schemas.client import Shape, TimedWord, ToClient, WordsMessage
from schemas.clock import Clock
from schemas.events import TransportName


@dataclass(frozen=True, slots=True)
class WordsAhead:
    """When the words of one part of a sentence are heard, whose sound is pushed next. `offset`: samples from the next one pushed
    to the part's first; `words`: in seconds from that; `rest`: those of the sentence's further parts, as far as they are known
    already, likewise; `whole`: no others will come; `visemes`: the part's shapes of the mouth, () where none are known."""

    turn: int
    index: int
    part: int
    offset: int
    words: tuple[TimedWord, ...]
    rest: tuple[TimedWord, ...]
    whole: bool
    visemes: tuple[Shape, ...] = ()

    def message(self, pushed: int) -> WordsMessage:
        """For a client that was sent `pushed` samples since its `ready`: what is missing comes in time."""
        return WordsMessage(
            turn=self.turn,
            index=self.index,
            part=self.part,
            offset=pushed + self.offset,
            words=self.words,
            visemes=self.visemes,
        )


ToRoom = ToClient | WordsAhead


class Room(Protocol):
    """Rooms derive from it, so that what most of them do not have is said once."""

    name: str
    transport: TransportName
    rate: int
    """Hz of the audio it takes; the gateway resamples clips to it once, when they arrive."""
    clock: Clock
    """The session's time: the gateway's, or one that goes with the sound."""
    takes_calls: bool = False
    """Whether it is told of all calls of tools, and itself keeps back what is private; else only those of `tell_clients`."""
    hurries: bool = False
    """Whether it runs as fast as it goes."""

    @property
    def seems(self) -> int | None:
        """Hz at which the sound that comes seems to have been recorded, if that is not the rate it should have."""
        return None

    def position(self) -> Any:
        """What whoever takes the session over must know of the room, as JSON: held with its lease. None: nothing."""
        return None

    def drain(self) -> Sequence[RoomInput]:
        """What came in since the last call, in order."""

    def push(self, pcm: Pcm) -> None:
        """Queue sound behind what is queued: int16 mono at `rate`."""

    def hum(self, pcm: Pcm) -> None:
        """Queue what is no voice of the agent's, in the same way."""
        self.push(pcm)

    def queued(self) -> float:
        """Seconds pushed but not yet sounded, as exactly as the transport can tell. Played = pushed − queued."""

    def ahead(self) -> float:
        """Seconds until what is pushed next sounds."""
        return self.queued()

    def clear(self) -> float:
        """Drop what is queued, at once; answers the seconds dropped."""

    def send(self, message: ToRoom) -> None:
        """Tell the client; bounded, never blocks."""

    def act(self, action: str, arguments: Mapping[str, Any]) -> str:
        """Do what a tool asked for: `transfer` (to), `dtmf` (digits), `hold` (on); never blocks. Why it can't be done, "" where
        it was begun."""
        return f"a {self.transport} room has no {action}"

    async def aclose(self, reason: str) -> None: ...
