"""What there is to tell a room: the one vocabulary from which every convention makes its own messages. Plain values.

Texts of people keep their segment from the first interim to the one final; a final one is never taken back. Words of the
agent come as they sound, so what was told when speech is cut is what was heard.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from schemas.client import ToolMessage


@dataclass(frozen=True, slots=True)
class StateChanged:
    """`state`: listening, thinking, speaking."""

    state: str


@dataclass(frozen=True, slots=True)
class UserSpeech:
    participant: str
    speaking: bool


@dataclass(frozen=True, slots=True)
class UserText:
    """All of what is known of `segment`; `final`: once, and the last one."""

    participant: str
    segment: str
    text: str
    final: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The agent's reply begins to sound."""

    segment: str


@dataclass(frozen=True, slots=True)
class SentenceBegan:
    """`spoken`: else its sound could not be made, and it is text only. `number` counts the sentences of the session."""

    segment: str
    number: int
    text: str
    spoken: bool


@dataclass(frozen=True, slots=True)
class WordsSounded:
    """`delta` has just sounded (with the blank before it); `said`: all of the reply so far."""

    segment: str
    delta: str
    said: str


@dataclass(frozen=True, slots=True)
class SentenceEnded:
    """All of it has sounded (or was shown)."""

    segment: str
    number: int
    text: str
    spoken: bool


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """`text`: as the user heard it; `how` as in `TurnMessage`: all but `played` is before its end; or `taken_back`: it counts as
    never said."""

    segment: str
    text: str
    how: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TurnOver:
    """A turn ended that got no reply, or whose reply had to end before; `how` as in `ReplyEnded`."""

    segment: str
    how: str


@dataclass(frozen=True, slots=True)
class ClipWords:
    """Timings of one clip whose sound leaves `ahead` seconds from now (negative: it goes on after a pause).

    `sequence` counts clips; the same clip, told again, keeps its number. `words`: (text, start, end), seconds from its beginning;
    `visemes`: (shape of the mouth, end), likewise, without a gap.
    """

    sequence: int
    segment: str
    text: str
    ahead: float
    words: tuple[tuple[str, float, float], ...]
    visemes: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SentenceWords:
    """Timings of a whole sentence, once, when its sound begins: what is known of them is exact, the rest is estimated.

    `number` as in `SentenceBegan`; `words`: (text, start, end), seconds from the sentence's first sample.
    """

    number: int
    segment: str
    text: str
    words: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Hushed:
    """The agent fell silent in its reply; it may yet go on, and then `ClipWords` come anew."""

    segment: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How long the stages of a turn took: name → seconds."""

    segment: str
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolBegan:
    """A tool is called. `name`, `arguments`: None where the agent keeps them back."""

    call: str
    name: str | None = None
    arguments: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """It has come to its end. `result`: None where the agent keeps it back, or there is none; `failed`: with an error, which is
    in its place."""

    call: str
    name: str | None = None
    arguments: dict[str, Any] | None = None
    result: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong, as in `ErrorMessage`."""

    code: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Over:
    """The session has ended."""

    reason: str


Fact = (
    StateChanged
    | UserSpeech
    | UserText
    | ReplyBegan
    | SentenceBegan
    | WordsSounded
    | SentenceEnded
    | ReplyEnded
    | TurnOver
    | ClipWords
    | SentenceWords
    | Hushed
    | Figures
    | ToolBegan
    | ToolEnded
    | Trouble
    | Over
)

_MOST_ARGUMENTS = 8_000
"""Characters of arguments that are told: packets stay under 15 KiB."""
Told = Literal["off", "none", "name", "arguments", "full"]
"""What the room is told of calls: each level what those before it are, and more."""


def of_call(told: Told, message: ToolMessage) -> Fact | None:
    """A call as the room is told of it."""
    if told == "off":
        return None
    name = message.name if told != "none" else None
    arguments = message.arguments if told in ("arguments", "full") else None
    if arguments is not None and len(json.dumps(arguments)) > _MOST_ARGUMENTS:
        arguments = None
    if not message.returned:
        return ToolBegan(message.call, name, arguments)
    result = (message.error or message.result) if told == "full" else None
    return ToolEnded(message.call, name, arguments, result, bool(message.error))
