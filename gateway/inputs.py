"""What a room may say: who comes and goes, what they type and press, their sound. Plain values.

They are made fit as they are made: identities and names are one line, texts are well-formed, without controls, and all are
bounded (`schemas/text/clean`). No room can forget it, and nothing behind it need think of it.
"""

from dataclasses import dataclass, field
from typing import Literal

from schemas.audio import Pcm
from schemas.client import LONGEST_MESSAGE, LONGEST_NAME, MOST_DIGITS
from schemas.text.clean import identity, one_line, plain

_ATTRIBUTES, _LONGEST_VALUE, _ATTRIBUTES_LENGTH = 64, 4000, 16_384
"""How many things may be known of a participant; characters of one, and of all of them."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came; of somebody who is there: what is known of them now."""

    participant: str
    kind: Literal["standard", "sip", "agent"] = "standard"
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant), name=one_line(self.name, LONGEST_NAME))
        _set(self, attributes=_attributes(self.attributes))


@dataclass(frozen=True, slots=True)
class Left:
    participant: str
    reason: str = ""

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant), reason=one_line(self.reason, LONGEST_NAME))


@dataclass(frozen=True, slots=True)
class Heard:
    """`pcm`: int16 mono at 16 kHz, shape (n,), any n; consecutive for one participant."""

    participant: str
    pcm: Pcm

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant))


@dataclass(frozen=True, slots=True)
class Typed:
    """`note`: nobody wrote it: the gateway tells the agent what became of the call, as one who is in it would."""

    participant: str
    text: str
    note: bool = False

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant), text=plain(self.text, LONGEST_MESSAGE).strip())


@dataclass(frozen=True, slots=True)
class PushToTalk:
    """`pressed`: hold the floor; released: the turn is committed at once, or with `cancel` forgotten. `head`: samples of the
    participant's received by then, None where the gateway is to reckon."""

    participant: str
    pressed: bool
    cancel: bool = False
    head: int | None = None

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant))


@dataclass(frozen=True, slots=True)
class Digits:
    participant: str
    digits: str

    def __post_init__(self) -> None:
        _set(self, participant=identity(self.participant), digits=one_line(self.digits, MOST_DIGITS))


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

    def __post_init__(self) -> None:
        _set(self, reason=one_line(self.reason, LONGEST_NAME))


RoomInput = Joined | Left | Heard | Typed | PushToTalk | Digits | Attached | Detached | HungUp


def _set(item: object, **fields: object) -> None:
    """Fields of an input that is being made: frozen only afterwards."""
    for name, value in fields.items():
        object.__setattr__(item, name, value)


def _attributes(found: dict[str, str]) -> dict[str, str]:
    fit: dict[str, str] = {}
    left = _ATTRIBUTES_LENGTH
    for name, value in list(found.items())[:_ATTRIBUTES]:
        name, value = one_line(name, LONGEST_NAME), plain(value, _LONGEST_VALUE)
        left -= len(name) + len(value)
        if left < 0:
            break
        if name:
            fit[name] = value
    return fit
