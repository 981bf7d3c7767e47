"""Every message between a gateway and its client: one class per message, the docstring is the protocol (docs/websocket.md).

Sound travels beside them, in binary frames. Times are seconds (float); positions of sound are samples at the `rate` of the
`ready`, counted from it. `ToClient` is what a gateway says, `FromClient` what a client says. `make schema` writes both as JSON
Schema (client.schema.json), from which the web app's types are made.
"""

import difflib
import json
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, SkipJsonSchema

from schemas.text.clean import mended, one_line, plain, printable, well_formed

START_WITHIN = 10.0
"""Seconds a client has for its first frame."""
LARGEST_FRAME = 65_536
"""Bytes of a frame from a client, of sound or of text."""
LONGEST_MESSAGE = 4000
LONGEST_NAME = 120
LONGEST_TICKET = 200
"""Characters of what somebody types, of what somebody or something is called, and of a ticket."""
MOST_DIGITS = 64
"""Keys pressed, in one message."""
MOST_METADATA = 2048
"""Bytes of `metadata`, as JSON without blanks."""
DEEPEST_METADATA = 4
"""Objects and lists within each other there."""
KEYS = "0123456789*#ABCD"
"""Those of a phone."""

Line = Annotated[str, AfterValidator(lambda text: one_line(text, len(text)))]
"""Whatever it was, it is one line now, without controls."""
Name = Annotated[Line, Field(max_length=LONGEST_NAME)]

Rate = Literal[16_000, 24_000, 48_000]
"""Hz of the sound a client may ask for."""
Activity = Literal["listening", "thinking", "speaking"]
"""What an agent does."""
TimedWord = tuple[str, float, float]
"""One word: its text, and when it sounds, from and to, in seconds."""
Shape = tuple[str, float]
"""A shape of the mouth (`Viseme` of schemas/events.py), and until when, in seconds: from the end of the one before it."""
MOST_SHAPES = 600
"""Shapes of one part of a sentence; of more the first ones are told."""

ErrorCode = Literal[
    "start",
    "token",
    "origin",
    "agent",
    "ticket",
    "over",
    "draining",
    "log",
    "workers",
    "too_many",
    "bad_message",
    "odd_frame",
    "bad_frame",
    "sample_rate",
    "internal",
]
"""Besides these `stt_…`, `llm_…` and `tts_…` of a stage that failed."""


# ── from the gateway ─────────────────────────────────────────────────────────────────────────────────────────────────


class _ToClient(BaseModel):
    """A client leaves out what it doesn't know: a newer gateway may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)


class ReadyMessage(_ToClient):
    """The answer to `start`: go. `session` and `ticket`, a secret, are what to come back with; `warnings`: what is not as the
    agent wants it, a sentence each, left out where there are none; `rate`: Hz of the sound that comes; `resumed`: the session was
    there before; `talk`: `push_to_talk` where turns begin and end by `talk` alone, else left out."""

    type: Literal["ready"] = "ready"
    version: Literal[1] = 1
    session: str
    ticket: str
    warnings: Annotated[tuple[str, ...], Field(exclude_if=lambda warnings: not warnings)] = ()
    rate: int
    resumed: bool
    talk: Annotated[Literal["voice", "push_to_talk"], Field(exclude_if=lambda talk: talk == "voice")] = "voice"


class StateMessage(_ToClient):
    """What the agent does now: it is told when it changes, and to who comes back."""

    type: Literal["state"] = "state"
    state: Activity


class SpeechMessage(_ToClient):
    """Somebody began or ceased to speak."""

    type: Literal["speech"] = "speech"
    participant: str
    speaking: bool


class TranscriptMessage(_ToClient):
    """What was heard: a line of the screen, `utterance` its name for good, `text` all of it, whatever stood there before. `turn`:
    where it is known. `final: false`: it may still be said otherwise; `final` comes once, before the answer sounds, or when the
    turn is over, and once more if it is taken back. An empty `text` takes the line away. `final` without a `turn`: nobody spoke,
    it was written to the agent by the API (an operator's text), in the name of `participant`."""

    type: Literal["transcript"] = "transcript"
    participant: str
    turn: int | None
    utterance: str
    text: str
    final: bool


class SentenceMessage(_ToClient):
    """What the agent says, sent before its sound. `index`: its place in the reply; `spoken: false`: its sound could not be made,
    show the text."""

    type: Literal["sentence"] = "sentence"
    turn: int
    index: int
    text: str
    spoken: bool


class WordsMessage(_ToClient):
    """When the words of one part of a sentence are heard, never later than their sound: in seconds from sample `offset` of the
    sound sent since `ready`. After a pause a part is told again, at its new place. `visemes`: the shapes of the mouth from
    `offset` on, one after the other without a gap, for whoever shows a face; left out where the TTS tells none."""

    type: Literal["words"] = "words"
    turn: int
    index: int
    part: int
    offset: int
    words: tuple[TimedWord, ...]
    visemes: Annotated[tuple[Shape, ...], Field(max_length=MOST_SHAPES, exclude_if=lambda shapes: not shapes)] = ()


class ClearMessage(_ToClient):
    """The agent fell silent: drop the sound that has not been played."""

    type: Literal["clear"] = "clear"


class TurnMessage(_ToClient):
    """A turn ended: `how` and `reason` as in `turn.ended`, `why` it was answered as in `turn.committed` (schemas/events.py), ""
    where nothing was to be answered. A `filler` bridges the wait for another turn's answer. `heard`: the reply as the user heard
    it; `taken_back`: it counts as never said."""

    type: Literal["turn"] = "turn"
    turn: int
    how: Literal["played", "interrupted", "dropped", "failed", "expired"]
    reason: str
    why: Literal[
        "", "end_of_turn", "silence", "text", "push_to_talk", "interruption",
        "greeting", "say", "fallback", "repeat", "filler", "tool", "idle", "goodbye",
    ] = ""  # fmt: skip
    heard: str


_Seconds = Annotated[float | SkipJsonSchema[None], Field(exclude_if=lambda seconds: seconds is None)]


class ToolMessage(_ToClient):
    """A tool is called, and, `returned`, has come to its end with a `result` or an `error`. Only of agents that say so
    (`tools.tell_clients`): all of it may be private."""

    type: Literal["tool"] = "tool"
    turn: int
    call: str
    name: str
    arguments: dict[str, Any] = {}
    returned: bool = False
    result: str = ""
    error: str = ""


class MetricsMessage(_ToClient):
    """How long an answered turn took, just before its `turn`: seconds from the end of speech to the commit (`end_of_turn`), and
    until the agent was heard (`first_sound`); what `stt`, `llm` and `tts` took of that to the transcript, the first token, the
    first clip, without their queues; each where it is known, else left out."""

    type: Literal["metrics"] = "metrics"
    turn: int
    end_of_turn: _Seconds = None
    stt: _Seconds = None
    llm: _Seconds = None
    tts: _Seconds = None
    first_sound: _Seconds = None


class ErrorMessage(_ToClient):
    """What was wrong. `code`: for programs; `message`: a sentence for a person; `fatal`: the connection is closed after it."""

    type: Literal["error"] = "error"
    code: ErrorCode | str
    message: str
    fatal: bool


class EndedMessage(_ToClient):
    """The session is over, and the connection is closed. `reason` as in `session.ended` (schemas/events.py)."""

    type: Literal["ended"] = "ended"
    reason: str


class PongMessage(_ToClient):
    """The answer to a `ping`."""

    type: Literal["pong"] = "pong"


class ListeningMessage(_ToClient):
    """The head of what is heard at `/listen`: binary frames follow, one after the other without a gap, of int16 little-endian
    samples at `rate` Hz, those of the `channels` in turn. `at`: seconds from the session's beginning to the first of them, null
    where the log did not say; `delay`: seconds by which they come later than they sounded."""

    type: Literal["listening"] = "listening"
    version: Literal[1] = 1
    session: str
    rate: int
    channels: tuple[str, ...] = ("caller", "agent")
    at: float | None
    delay: float


ToClient = Annotated[
    ReadyMessage
    | StateMessage
    | SpeechMessage
    | TranscriptMessage
    | SentenceMessage
    | WordsMessage
    | ClearMessage
    | TurnMessage
    | ToolMessage
    | MetricsMessage
    | ErrorMessage
    | EndedMessage
    | PongMessage,
    Field(discriminator="type"),
]


# ── from the client ──────────────────────────────────────────────────────────────────────────────────────────────────


class _FromClient(BaseModel):
    """`needs`: what a client is told, in a session, whose message of this type can't be taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    needs: ClassVar[str] = ""


def fit_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """As it may stand in a log. ValueError, in a sentence: too large, too deep, no JSON."""
    if _depth(metadata) > DEEPEST_METADATA:
        raise ValueError(f"at most {DEEPEST_METADATA} objects and lists within each other are taken")
    fit: dict[str, Any] = mended(metadata)
    size = len(json.dumps(fit, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    if size > MOST_METADATA:
        raise ValueError(f"at most {MOST_METADATA} bytes of JSON are taken, these are {size}")
    return fit


def _depth(value: Any) -> int:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if within is None else 1 + max(map(_depth, within), default=0)


Metadata = Annotated[dict[str, Any], AfterValidator(fit_metadata)]
"""Of a call: an object of whoever began it."""


class StartMessage(_FromClient):
    """The first frame, and only that. `rate`: Hz the client wants to hear; `sound`: false for a conversation in text, in which
    no sound is made, and which waits for its client as long as for words; `agent`: "" for the default one; `participant`: who
    the client is, `name`: what they are called; `room`: what the room is called, "" for a name of its own; `metadata`: what the
    session is to be found by, an object of your own, kept in its log and told to nobody else. `session` and `ticket`, of the
    `ready`: to come back; then the others but `rate` are not looked at. A field that is none of these is refused."""

    model_config = ConfigDict(extra="forbid")
    needs: ClassVar[str] = "the session has begun; `start` comes once, as the first frame"
    type: Literal["start"]
    version: Literal[1]
    rate: Rate = 24_000
    sound: Annotated[bool, Field(strict=True, exclude_if=lambda sound: sound)] = True
    agent: Name = ""
    participant: Name = ""
    name: Name = ""
    room: Name = ""
    metadata: Metadata = {}
    session: Name = ""
    ticket: Annotated[Line, Field(max_length=LONGEST_TICKET)] = ""


def _mended(text: object) -> object:
    """JSON can hold half a character."""
    return well_formed(text) if isinstance(text, str) else text


def _typed(text: str) -> str:
    fit = plain(text, LONGEST_MESSAGE).strip()
    if not fit:
        raise ValueError("a text that says something is expected")
    return fit


class TypedMessage(_FromClient):
    """Typed text: it interrupts, and is answered."""

    needs: ClassVar[str] = f"`message` needs a `text` of 1 to {LONGEST_MESSAGE} characters"
    type: Literal["message"]
    text: Annotated[
        str,
        BeforeValidator(_mended),
        Field(strict=True, min_length=1, max_length=LONGEST_MESSAGE),
        AfterValidator(_typed),
    ]


class TalkMessage(_FromClient):
    """Push-to-talk: while `pressed` the turn is the user's; released, it is the agent's at once, or nobody's: `cancel` (with
    `pressed: false`) forgets what was said."""

    needs: ClassVar[str] = "`talk` needs `pressed`: true or false; `cancel: true` only with `pressed: false`"
    type: Literal["talk"]
    pressed: Annotated[bool, Field(strict=True)]
    cancel: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _let_go(self) -> Self:
        if self.pressed and self.cancel:
            raise ValueError(self.needs)
        return self


class DtmfMessage(_FromClient):
    """Keys pressed, in order."""

    needs: ClassVar[str] = f"`dtmf` needs `digits`: 1 to {MOST_DIGITS} of 0-9*#A-D"
    type: Literal["dtmf"]
    digits: Annotated[
        str,
        Field(strict=True, min_length=1, max_length=MOST_DIGITS, pattern=rf"^[{KEYS}abcd]+$"),
        AfterValidator(str.upper),
    ]


class PlayedMessage(_FromClient):
    """How many samples have sounded since `ready`: the gateway reckons for itself, but a client knows better."""

    needs: ClassVar[str] = "`played` needs `samples`: how many of those sent since `ready` have sounded"
    type: Literal["played"]
    samples: Annotated[int, Field(strict=True, ge=0)]


class HangUpMessage(_FromClient):
    """Ends the session."""

    type: Literal["hang_up"]


class PingMessage(_FromClient):
    """Asks whether the line lives: it is answered at once. A page can't send a WebSocket's own pings."""

    type: Literal["ping"]


FromClient = Annotated[
    StartMessage | TypedMessage | TalkMessage | DtmfMessage | PlayedMessage | HangUpMessage | PingMessage,
    Field(discriminator="type"),
]


# ── as JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TO_CLIENT: TypeAdapter[ToClient] = TypeAdapter(ToClient)
FROM_CLIENT: TypeAdapter[FromClient] = TypeAdapter(FromClient)

_FROM_CLIENT: dict[str, type[FromClient]] = {
    get_args(cls.model_fields["type"].annotation)[0]: cls for cls in get_args(get_args(FromClient)[0])
}


class BadMessage(ValueError):
    """What a client says is no message of ours; `str(error)` is a sentence for whoever wrote the client."""


def to_json(message: ToClient | FromClient | ListeningMessage) -> str:
    """`message` as a text frame."""
    return message.model_dump_json()


def from_gateway(frame: str | bytes) -> ToClient | None:
    """What a text frame of a gateway says; None where this program can't tell: a newer gateway may say what it doesn't know."""
    try:
        return TO_CLIENT.validate_json(frame)
    except ValidationError:
        return None


def beginning(frame: str) -> StartMessage:
    """The `start` in a client's first frame. BadMessage: it is none."""
    try:
        return StartMessage.model_validate_json(frame)
    except ValidationError as error:
        first = error.errors()[0]
    where = printable(".".join(str(part) for part in first["loc"]))[:40]
    if first["type"] != "extra_forbidden":
        raise BadMessage(f"{where or 'it'}: {first['msg'].removeprefix('Value error, ')}")
    fields = [name for name in StartMessage.model_fields if name != "type"]
    near = difflib.get_close_matches(where, fields, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(fields)}"
    raise BadMessage(f"there is no field {where!r}; {meant}")


def from_client(fields: dict[str, Any]) -> FromClient:
    """The message in `fields`, a client's JSON object. BadMessage: it is none."""
    kind = fields.get("type")
    cls = _FROM_CLIENT.get(kind) if isinstance(kind, str) else None
    if cls is None:
        known = ", ".join(name for name in _FROM_CLIENT if name != "start")
        raise BadMessage(f"there is no message of type {str(kind)[:40]!r}: {known}")
    try:
        return cls.model_validate(fields)
    except ValidationError:
        raise BadMessage(cls.needs) from None


class _Schema(GenerateJsonSchema):
    """In the words that makers of TypeScript read."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # each would become a type

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if self.mode == "serialization":
            found.pop("default", None)  # what is sent is sent, or left out
        return found

    def tuple_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().tuple_schema(schema)
        if "prefixItems" in found:
            found["items"] = found.pop("prefixItems")  # as draft 7 has it
        return found


def json_schema() -> dict[str, Any]:
    """Both unions, as they are on the wire, as one JSON Schema."""
    unions, schema = TypeAdapter.json_schemas(
        [("ToClient", "serialization", TO_CLIENT), ("FromClient", "validation", FROM_CLIENT)],
        schema_generator=_Schema,
    )
    names = {name: union for (name, _), union in unions.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ClientMessage",
        "description": "A text frame of the WebSocket room, either way (docs/websocket.md).",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "$defs": schema["$defs"] | {name: {"title": name, **union} for name, union in names.items()},
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
