"""Who is there, and what each of them is doing: silent, perhaps about to speak, speaking, just done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.turn_taking.moments import AT_FIRST, LONG_AGO
from schemas.audio import HEARING_RATE
from schemas.clock import Now, TurnTime


@dataclass(frozen=True, slots=True)
class Speech:
    """Speech not yet captured. `start`: first sample to store (with some silence before); `voiced`: first sample of speech;
    `began`: the same in turn time; `utterance`: the id it will have; `partials`: asked for so far."""

    turn: int
    utterance: str
    start: int
    voiced: int
    began: TurnTime
    over: bool
    partials: int = 0


@dataclass(frozen=True, slots=True)
class Silent: ...


@dataclass(frozen=True, slots=True)
class Speaking:
    speech: Speech


@dataclass(frozen=True, slots=True)
class Trailing:
    """Silence after speech, not long enough to be its soft end. `end`: sample; `ended`: turn time."""

    speech: Speech
    end: int
    ended: TurnTime


@dataclass(frozen=True, slots=True)
class Onset:
    """Perhaps speech: the detector isn't sure yet. `was`: what to go back to if it is noise."""

    was: Silent | Trailing


Voice = Silent | Onset | Speaking | Trailing


@dataclass(frozen=True, slots=True)
class Person:
    """`kind`, `shown` (their name for people) and `attributes`: as the log has them; `head` and `head_at`: a sample position and
    the `now` it belongs to; `captured_to`: end of the last capture; `pauses`: this speaker's own pauses inside turns so far,
    seconds; `partial_until`: a partial is outstanding till then; `awake`: the agent listens to them, where it wants to be woken;
    `answered`: turn time at which they woke it, or its last answer to them ended."""

    name: str
    kind: Literal["standard", "sip", "agent"] = "standard"
    shown: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    voice: Voice = Silent()
    pressed: bool = False
    head: int = 0
    head_at: Now = AT_FIRST
    captured_to: int = 0
    pauses: tuple[float, ...] = ()
    partial_until: TurnTime = LONG_AGO
    awake: bool = False
    answered: TurnTime = LONG_AGO

    @property
    def speech(self) -> Speech | None:
        """What was said and isn't captured yet."""
        match self.voice:
            case Speaking(speech) | Trailing(speech) | Onset(Trailing(speech)):
                return speech
            case _:
                return None

    @property
    def human(self) -> bool:
        return self.kind != "agent"

    def position(self, now: Now) -> int:
        """The sample that sounds at `now`."""
        return self.head + max(0, round((now - self.head_at) * HEARING_RATE))
