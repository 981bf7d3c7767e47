"""What a line of a list says of a session, as values: made of its log (`summary.py`), or as an archive or the log keeps them.

Whoever has them needs neither events nor a fold: they are not loaded here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, overload, runtime_checkable

from schemas.bus import FORK, SessionInfo
from schemas.clock import Micros, iso

How = Literal["played", "interrupted", "dropped", "failed", "expired"]
"""A turn's end."""
PARTS = ("soft_end", "stt", "llm", "tts", "commit_wait", "playout")
"""soft_end: silence until the utterance was captured · stt: until the last transcript · llm: until the first sentence ·
tts: until its first sound · commit_wait: for the end of the turn to be certain, where that came after the sound, and for
the reply to be asked for, where it wasn't speculated · playout: from then on to the publish of the first sound."""
Kind = Literal["voice", "text", "own"]
IN_WORDS = {
    "soft_end": ("pause", "silence that may be the end"),
    "stt": ("STT", "finding the words"),
    "llm": ("LLM", "the first sentence"),
    "tts": ("TTS", "its first sound"),
    "commit_wait": ("commit", "making sure that it was the end"),
    "playout": ("playout", "on its way out"),
}
"""Of each of PARTS: what people are shown for it, and what it means."""
FOLD_VERSION = 12
"""Raise it whenever what is folded changes: snapshots of other versions are ignored, as are rows, and the log is folded anew."""
Activity = Literal["waiting", "listening", "thinking", "speaking", "ended"]
"""waiting: nobody speaks · listening: a user does, or what was said is not answered yet · thinking: the agent has the floor and
nothing of it is heard · speaking: it is heard · ended."""


@dataclass(frozen=True, slots=True)
class Participant:
    identity: str
    kind: str = "standard"
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    present: bool = True
    speaking: bool = False

    @property
    def shown(self) -> str:
        """Its name for a person."""
        return self.name or self.identity


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn that was answered aloud. `at`: µs, from where it is counted; `total`: seconds; `parts`: seconds of each of PARTS, in
    their order; `how` it ended: some answers are but begun."""

    turn: int
    kind: Kind
    at: Micros
    total: float
    parts: tuple[float, ...]
    how: How = "played"

    @property
    def worst_part(self) -> str:
        """Where most of it went."""
        return max(zip(self.parts, PARTS, strict=True))[1]


@dataclass(frozen=True, slots=True)
class Gist:
    """What models made of a session: what it was about ("": nothing), and the agent's result, or why there is none."""

    text: str
    topics: tuple[str, ...] = ()
    result: Mapping[str, Any] | None = None
    result_error: str = ""


@runtime_checkable
class Summarized(Protocol):
    """What keeps sessions, and what a model said of them."""

    async def gist(self, session: str) -> Gist | None:
        """None: nothing (yet)."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`seq` and `at`: of the last event; `started_at`, `ended_at`: µs; `duration`: seconds, as the state has it; `last`,
    `median`, `worst`: seconds from the user's last word to the agent's first sound; `restarts`: turns that were taken back and
    answered anew; `ended`: why; `failed`: turns that could not be answered; `cut_off`: turns the session's end cut off;
    `unanswered`: turns in which somebody was let wait for nothing: until the end longer than the agent's patience, or at all
    where nothing was answered; `troubles`: times a stage gave up; `gist`, `topics`: what a model made of it afterwards
    (SUMMARIES); `variant`: which of the agent's it had; `fields`: what was collected, by name; `result`: what a model filled the
    agent's schema with, `result_error`: why it could not; `brings`: what is to be made of it once it is over."""

    session: str
    seq: int
    at: Micros
    agent: str
    room: str
    transport: str
    gateway: str
    people: tuple[Participant, ...]
    started_at: Micros
    ended_at: Micros | None
    duration: float
    turns: int
    interrupted: int
    restarts: int
    failed: int
    cut_off: int
    unanswered: int
    troubles: int
    activity: Activity
    ended: str | None
    last: float | None
    median: float | None
    worst: float | None
    gist: str = ""
    topics: tuple[str, ...] = ()
    variant: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    result_error: str = ""
    brings: tuple[Literal["result", "memory"], ...] = ()

    @property
    def wrong(self) -> bool:
        """Something in it went wrong."""
        bad = self.failed or self.unanswered or self.troubles
        return bad > 0 or self.ended in ("error", "gateway_lost")

    def view(self) -> dict[str, Any]:
        """As JSON values, named as in the API's rows. `*_s`: seconds, `*_ms`: milliseconds, `*_at`: ISO 8601, UTC."""
        return {
            "session": self.session,
            "state": "open" if self.ended_at is None else "closed",
            "agent": self.agent,
            "room": self.room,
            "transport": self.transport,
            "gateway": self.gateway,
            "participants": [
                {
                    "identity": one.identity,
                    "name": one.name,
                    "kind": one.kind,
                    "present": one.present,
                    "speaking": one.speaking,
                }
                for one in self.people
            ],
            "started_at": iso(self.started_at),
            "ended_at": iso(self.ended_at) if self.ended_at is not None else None,
            "last_at": iso(self.at),
            "duration_s": round(self.duration, 3),
            "turns": self.turns,
            "last_ms": _ms(self.last),
            "p50_ms": _ms(self.median),
            "worst_ms": _ms(self.worst),
            "activity": self.activity,
            "ended": self.ended,
            "interrupted": self.interrupted,
            "restarts": self.restarts,
            "failed": self.failed,
            "cut_off": self.cut_off,
            "unanswered": self.unanswered,
            "troubles": self.troubles,
            "events": self.seq,
            "summary": self.gist,
            "topics": list(self.topics),
            "variant": self.variant,
            "fields": dict(self.fields),
            "result": None if self.result is None else dict(self.result),
            "result_error": self.result_error,
        }


@overload
def _ms(seconds: float) -> float: ...
@overload
def _ms(seconds: float | None) -> float | None: ...
def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows. `since`: µs, when it began at the earliest; `slow`: seconds, its worst answer took as long at least;
    `caller`: part of a participant's name; `text`: part of any name in it; `forks`: replays of others, or all but those;
    `variant`: of the agent, by its whole name."""

    state: Literal["open", "closed"] | None = None
    agent: str = ""
    caller: str = ""
    transport: str = ""
    since: int = 0
    slow: float = 0.0
    failed: bool | None = None
    text: str = ""
    forks: bool | None = None
    variant: str = ""

    def finds(self, told: Summary, names: str = "") -> bool:
        """`names`: `names_of(told)`, from whoever keeps it for many to search."""
        if self.state is not None and (told.ended_at is None) != (self.state == "open"):
            return False
        if told.started_at < self.since or not self.finds_slow(told.worst):
            return False
        if (self.agent and told.agent != self.agent) or (self.transport and told.transport != self.transport):
            return False
        if self.variant and told.variant != self.variant:
            return False
        if self.failed is not None and told.wrong != self.failed:
            return False
        if self.forks is not None and is_fork(told.session) != self.forks:
            return False
        if self.caller and not _named(told, self.caller):
            return False
        return not self.text or self.text in (names or names_of(told))

    def finds_slow(self, worst: float | None) -> bool:
        """As it is told, to a tenth of a millisecond: who asks for what a list says finds it."""
        return not self.slow or (worst is not None and _ms(worst) >= _ms(self.slow))


def name_of(part: str) -> str:
    """What people are shown for one of PARTS."""
    return IN_WORDS[part][0]


def is_fork(session: str) -> bool:
    """Whether it is a replay of another, by its id."""
    return session.startswith(FORK)


def names_of(told: Summary) -> str:
    """Every name in it, a line each, without case."""
    people = (name for one in told.people for name in (one.identity, one.name))
    return "\n".join((told.session, told.room, told.agent, told.gateway, *people)).casefold()


def _named(told: Summary, part: str) -> bool:
    return any(part in one.identity.casefold() or part in one.name.casefold() for one in told.people)


@dataclass(frozen=True, slots=True)
class Row:
    """`idle`: seconds since its last event; `orphaned`: it is open, and its gateway's lease has run out; `answers`: its answered
    turns, in order."""

    info: SessionInfo
    told: Summary
    answers: Sequence[Answer]
    idle: float
    orphaned: bool

    def view(self) -> dict[str, Any]:
        """As JSON values: the summary's, and how the log holds it."""
        lease = ("orphaned" if self.orphaned else "held") if self.info.state == "open" else None
        return self.told.view() | {
            "fork": is_fork(self.info.session),
            "idle_s": round(self.idle, 1),
            "lease": lease,
            "gateway": self.info.owner or self.told.gateway,
            "generation": self.info.generation,
            "epoch": self.info.epoch,
        }
