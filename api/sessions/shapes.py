"""What is answered of sessions. `*_s`: seconds from the session's beginning; `*_ms`: how long; `*_at`: ISO 8601, UTC."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import to_json

from schemas.session.summary import Activity, Summary
from schemas.session.waterfall import Kind


class PersonView(BaseModel):
    """`present`: still there; `speaking`: right now."""

    identity: str
    name: str
    kind: str
    present: bool
    speaking: bool


class SessionRow(BaseModel):
    """A session in one line. `duration_s`: until its end or its last event, which came at `last_at`; `last_ms`, `p50_ms`,
    `worst_ms`: from the user's last word to the agent's first sound; `ended`: why; `failed`: turns that could not be answered;
    `cut_off`: turns the session's end cut off; `unanswered`: turns that were waited for in vain until then; `troubles`: times a
    stage gave up; `events`: how many; `summary`, `topics`: what a model made of it once it was archived, "" and none without;
    `variant`: which of the agent's it had; `fields`: what was collected, by name; `result`: the agent's schema, filled by a model
    once it was archived, `result_error`: why it is not."""

    session: str
    state: Literal["open", "closed"]
    agent: str
    room: str
    transport: str
    gateway: str
    participants: list[PersonView]
    started_at: str
    ended_at: str | None
    last_at: str
    duration_s: float
    turns: int
    last_ms: float | None
    p50_ms: float | None
    worst_ms: float | None
    activity: Activity
    ended: str | None
    interrupted: int
    restarts: int
    failed: int
    cut_off: int
    unanswered: int
    troubles: int
    events: int
    summary: str
    topics: list[str]
    variant: str
    fields: dict[str, str | int | float | bool]
    result: dict[str, Any] | None
    result_error: str


class SessionList(BaseModel):
    """`next`: cursor of the next page; `unread`: stored sessions that were not looked at yet since the API started."""

    sessions: list[SessionRow]
    next: str | None
    unread: int


class RowsChange(BaseModel):
    """A message of the stream of rows, event `rows`. `whole`: forget what you have, once no `more` of it follows; then every
    row in `changed` is new or another, and those of `gone` are no more."""

    whole: bool
    more: bool = False
    changed: list[SessionRow]
    gone: list[str]


class BarView(BaseModel):
    """A part of the waterfall: begins `begins_s` after the turn's `began_s`, takes `seconds`, of which the first `queued_s` it
    waited for a worker."""

    part: str
    name: str
    meaning: str
    begins_s: float
    seconds: float
    queued_s: float
    ms: int


class WordView(BaseModel):
    """`heard`: it was played to its end; a word that wasn't has no times where nothing of it would have been."""

    word: str
    start_s: float | None
    end_s: float | None
    heard: bool = True


class UtteranceView(BaseModel):
    """Between two silences. `text`: None until it is transcribed; `lost`: no transcript came, and why: `text` is then what had
    been found in it before it went on, or None."""

    utterance: str
    participant: str
    name: str
    start_s: float
    end_s: float
    text: str | None
    language: str
    words: list[WordView]
    over: bool
    lost: str | None


class LetterView(BaseModel):
    """Something typed. `note`: nobody typed it: the platform told the agent (keys that were pressed, a transfer that failed)."""

    participant: str
    name: str
    at_s: float
    text: str
    note: bool


class SentenceView(BaseModel):
    """`start_s`, `end_s`: when it sounded, None if it never did; `heard`: what of it was heard; `cut`: it was broken off, or
    never came to its turn."""

    index: int
    text: str
    start_s: float | None
    end_s: float | None
    heard: str
    words: list[WordView]
    cut: bool


class ToolView(BaseModel):
    """A tool the LLM called. `took_ms`: None while it runs."""

    name: str
    arguments: dict[str, Any]
    at_s: float
    took_ms: float | None
    result: str
    error: str


class FoundInView(BaseModel):
    """`score`: how well the best passage of the file fits, more is better; None: it was not kept."""

    file: str
    score: float | None


class FoundView(BaseModel):
    """What the LLM was given of the agent's knowledge for the words `query`: `text`, passages of `files`; nothing where none
    fits."""

    at_s: float
    query: str
    text: str
    files: list[FoundInView]
    took_ms: float


NoteKind = Literal[
    "interruption", "retry", "expired", "stale", "failed", "filler",
    "joined", "left", "resumed", "rewound", "say", "instructions", "end", "warning", "hook", "step", "agent",
]  # fmt: skip


class NoteView(BaseModel):
    """Something that happened, in words."""

    at_s: float
    kind: NoteKind
    text: str


class PendingView(BaseModel):
    """What a turn waits for. `part`: the stage, or `playout`."""

    part: Literal["stt", "llm", "tts", "playout"]
    what: str
    since_s: float


TurnHow = Literal["listening", "thinking", "speaking", "played", "interrupted", "dropped", "failed", "expired"]


class TurnView(BaseModel):
    """A turn. `began_s`: where its waterfall is counted from, or where it was opened; `ended_s`: None while it goes on; `text`:
    what the users said and typed; `why`: it was answered, or begun by the agent; `reply`: all that the agent meant to say;
    `heard`: what of it was heard, to the word; `total_ms` and `bars`: None and nothing while nothing was heard; `model`: the
    LLM's."""

    turn: int
    kind: Kind
    began_s: float
    ended_s: float | None
    how: TurnHow
    reason: str
    why: str | None
    text: str
    reply: str
    heard: str
    model: str
    total_ms: float | None
    bars: list[BarView]
    utterances: list[UtteranceView]
    letters: list[LetterView]
    sentences: list[SentenceView]
    tools: list[ToolView]
    found: list[FoundView]
    notes: list[NoteView]
    pending: list[PendingView]


class ForkedFrom(BaseModel):
    """`turn`: what was before that one is as it was, null: nothing is; `changed`: settings that are others, by their path in an
    agent file, with their values."""

    session: str
    turn: int | None = None
    changed: dict[str, Any] = {}


class SessionView(BaseModel):
    """A session whole. `notes`: what concerns no single turn; `forked_from`: what it is a replay of, null: of none."""

    row: SessionRow
    forked_from: ForkedFrom | None = None
    turns: list[TurnView]
    notes: list[NoteView]


class LineView(BaseModel):
    """An event in words. `style`: user, agent, stage, system, trouble."""

    who: str
    text: str
    detail: str
    style: Literal["user", "agent", "stage", "system", "trouble"]


class EventView(BaseModel):
    """An event of a session. `at_s`: when it happened; `at`: when it was appended, ISO 8601; `body`: what its type has, but for
    what is as usual."""

    seq: int
    type: str
    at_s: float
    at: str
    turn: int | None
    line: LineView
    body: dict[str, Any]


class EventPage(BaseModel):
    """`next`: give it as `after` for what follows; None: that was all there is now."""

    events: list[EventView]
    next: int | None


class Rewound(BaseModel):
    """The log lost its tail: forget the events after `after`; what follows begins there."""

    after: int


def ms(seconds: float | None) -> float | None:
    """Milliseconds, to a tenth."""
    return None if seconds is None else round(seconds * 1e3, 1)


def row_of(told: Summary) -> SessionRow:
    return SessionRow.model_validate(told.view())


def row_json(told: Summary) -> bytes:
    """The same as JSON, in a third of the time: a hundred of them are told each second."""
    return to_json(told.view())


def forked_from(metadata: Mapping[str, Any]) -> ForkedFrom | None:
    """As a session's metadata says, whoever wrote that."""
    found = metadata.get("forked_from")
    if not isinstance(found, dict) or not isinstance(found.get("session"), str) or not found["session"]:
        return None
    turn, changed = found.get("turn"), found.get("changed")
    return ForkedFrom(
        session=found["session"][:256],
        turn=turn if isinstance(turn, int) and not isinstance(turn, bool) else None,
        changed={str(name)[:100]: value for name, value in list(changed.items())[:100]}
        if isinstance(changed, dict)
        else {},
    )
