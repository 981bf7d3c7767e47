"""What of a stored session did not depend on turn-taking, on one time line: who spoke when, who came and pressed what, and what
the stages made of it, with the times they took. `_reading.py` reads it off a log.

All times are seconds from the session's beginning, by the log's clock; samples are counted from it, too, at 16 kHz, whatever
gateway heard them.
"""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.turn_taking import Input
from schemas.audio import AudioRef
from schemas.events import (
    ClipReady,
    Event,
    KnowledgeFound,
    ReplyFinished,
    SessionStarted,
    Stage,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TranscriptPartial,
)

Span = tuple[float, float]
"""From, to: seconds."""
_SAME = 0.1
"""Seconds of speech by which two stretches may differ and be the same."""
_SOONER_OR_LATER = 3.0
"""Seconds by which soft ends may differ, and more."""


@dataclass(frozen=True, slots=True)
class Given:
    """Something a room says, or an edge of speech."""

    at: float
    item: Input


@dataclass(frozen=True, slots=True)
class Asked:
    """Something others ask by the log."""

    at: float
    event: Event


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance that was captured, and what became of it. `spans`: the stretches of sound it is made of; `result`: its
    transcript, or that there is none (None: nothing came); `delay`: seconds from its capture to that."""

    utterance: str
    participant: str
    spans: tuple[Span, ...]
    audio: tuple[AudioRef, ...]
    captured: float
    silence: float
    result: TranscriptFinal | StageFailed | StageExpired | None = None
    delay: float = 0.0

    def ends_near(self, moment: float) -> bool:
        """Whether it may be the utterance that ended there, had it been captured sooner or later."""
        return abs(self.spans[-1][1] - moment) < _SOONER_OR_LATER


@dataclass(frozen=True, slots=True)
class Hint:
    """A partial transcript. `asked`: when its job was made, as far as its own times tell."""

    participant: str
    asked: float
    event: TranscriptPartial
    delay: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What an LLM made of a turn's words. `asked`: when; `parts`: what came, and how many seconds after it was asked; `whole`:
    its end is among them."""

    turn: int
    text: str
    asked: float
    parts: tuple[tuple[float, Event], ...]

    @property
    def whole(self) -> bool:
        return any(ends(event) for _, event in self.parts)


@dataclass(frozen=True, slots=True)
class Did:
    """A call of a tool. `began`: when; `parts`: what it asked of the session and what came of it, and how many seconds after it
    began; `pool`, `timeout`, `patience`: as in tool.called; `last`: the reply was over with it, and nothing more was said."""

    call: str
    name: str
    arguments: Mapping[str, Any]
    began: float
    parts: tuple[tuple[float, Event], ...] = ()
    pool: bool = False
    timeout: float = 0.0
    patience: float = 0.0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """The sound of a text: its parts (or that there is none), and how many seconds after it was asked for each came."""

    parts: tuple[tuple[float, ClipReady | StageFailed | StageExpired], ...]


@dataclass(frozen=True, slots=True)
class WordAt:
    text: str
    middle: float


@dataclass(slots=True)
class Recording:
    """`began`: the first event; `length`: seconds until the last; `ended`: the reason, None: it goes on; `exact`: the edges of
    speech are those that were heard, none of them read off something else; `given`, `asked`: in order of time; `known`: what
    the agent's files said, by turn; `spoken`: by text; `calls`: of tools, by id, in order; `phrases`: by name; `voices`, `words`:
    by participant, when each sounded; `offered`: by stage, when the log was given a job for it, and whether it took it (False:
    its queue was full)."""

    began: SessionStarted
    length: float = 0.0
    exact: bool = False
    ended: str | None = None
    given: list[Given] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    known: dict[int, KnowledgeFound] = field(default_factory=dict)
    calls: dict[str, Did] = field(default_factory=dict)
    spoken: dict[str, list[Spoken]] = field(default_factory=dict)
    phrases: dict[str, Spoken] = field(default_factory=dict)
    voices: dict[str, list[Span]] = field(default_factory=dict)
    words: dict[str, list[WordAt]] = field(default_factory=dict)
    offered: dict[Stage, list[tuple[float, bool]]] = field(default_factory=dict)

    def refused(self, stage: Stage, moment: float) -> float | None:
        """Whether the stage's queue was full at this moment, by what became of the job that was offered nearest to it: seconds to
        that one. None: it was not."""
        nearest = min(self.offered.get(stage, ()), key=lambda one: abs(one[0] - moment), default=(0.0, True))
        return None if nearest[1] else abs(nearest[0] - moment)

    # ── what is known of other stretches of sound than were transcribed ──────────────────────────────────────────────

    def voiced(self, participant: str, spans: Iterable[Span]) -> list[Span]:
        """Where in these stretches somebody's voice was."""
        return [
            (max(start, begin), min(end, stop))
            for start, end in spans
            for begin, stop in self.voices.get(participant, ())
            if max(start, begin) < min(end, stop)
        ]

    def same_as(self, participant: str, spans: Sequence[Span]) -> Heard | None:
        """The utterance in which just this speech was heard; of several one of which something came, captured at the nearest
        moment."""
        voiced, end = self.voiced(participant, spans), spans[-1][1]
        about = [heard for heard in self.heard if heard.participant == participant and heard.ends_near(end)]
        close = [heard for heard in about if _apart(voiced, self.voiced(participant, heard.spans)) < _SAME]
        return min(close, key=lambda heard: (heard.result is None, abs(heard.spans[-1][1] - end)), default=None)

    def words_in(self, participant: str, spans: Sequence[Span]) -> str:
        """The words that lie in these stretches."""
        known = self.words.get(participant, ())
        return " ".join(word.text for word in known if any(start <= word.middle < end for start, end in spans))

    def was_heard(self, participant: str, spans: Sequence[Span]) -> bool:
        """Whether what was said there was ever transcribed."""
        ours = self.voiced(participant, spans)
        done = [heard for heard in self.heard if heard.participant == participant and transcribed(heard)]
        covered = [piece for heard in done for span in heard.spans for piece in _within(span, ours)]
        return _apart(ours, covered) < 3 * _SAME

    def ends_with(self, participant: str, spans: Sequence[Span]) -> float | None:
        """How sure the model was that the turn is over, of a transcript whose speech ended where this does."""
        same = self._ended_at(participant, spans)
        if same is not None:
            return same.end_of_turn
        known = [p for heard in self.heard if (p := getattr(heard.result, "end_of_turn", None)) is not None]
        return statistics.median(known) if known else None

    def complete_at(self, participant: str, spans: Sequence[Span]) -> float | None:
        """How complete such a transcript's words were; None: there is none, and of other words nobody knows."""
        same = self._ended_at(participant, spans)
        return None if same is None else same.complete

    def _ended_at(self, participant: str, spans: Sequence[Span]) -> TranscriptFinal | None:
        """The transcript whose speech ended where this does."""
        voiced = self.voiced(participant, spans)
        end = voiced[-1][1] if voiced else spans[-1][1]
        for heard in self.heard:
            theirs = self.voiced(participant, heard.spans) if heard.participant == participant else []
            if theirs and abs(theirs[-1][1] - end) < _SAME and isinstance(heard.result, TranscriptFinal):
                return heard.result
        return None

    # ── how long things take here ────────────────────────────────────────────────────────────────────────────────────

    @property
    def hearing_takes(self) -> float:
        return _median((heard.delay for heard in self.heard if transcribed(heard)), 0.15)

    @property
    def hinting_takes(self) -> float:
        return _median((hint.delay for hint in self.hints), 0.1)

    @property
    def speaking_takes(self) -> float:
        return _median((spoken.parts[0][0] for found in self.spoken.values() for spoken in found), 0.2)

    @property
    def a_character_takes(self) -> float:
        """Seconds of sound."""
        sizes = (
            (clip.duration, len(clip.text)) for found in self.spoken.values() for one in found for clip in _clips(one)
        )
        return _median((seconds / length for seconds, length in sizes if length), 0.065)


def ends(event: Event) -> bool:
    """Whether nothing more of a reply, or of a sound, comes after it."""
    finished = isinstance(event, ReplyFinished) and event.reason != "tool"
    failed = isinstance(event, StageExpired) or (isinstance(event, StageFailed) and not event.will_retry)
    return finished or failed


def transcribed(heard: Heard) -> bool:
    """Whether its words are known, be they none."""
    return isinstance(heard.result, TranscriptFinal)


def _clips(spoken: Spoken) -> list[ClipReady]:
    return [event for _, event in spoken.parts if isinstance(event, ClipReady)]


def _median(values: Iterable[float], otherwise: float) -> float:
    known = list(values)
    return statistics.median(known) if known else otherwise


def _within(span: Span, pieces: Iterable[Span]) -> list[Span]:
    start, end = span
    return [(max(start, a), min(end, b)) for a, b in pieces if max(start, a) < min(end, b)]


def _apart(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Seconds that lie in one of them only."""
    edges = sorted({moment for spans in (one, other) for span in spans for moment in span})
    return sum(b - a for a, b in itertools.pairwise(edges) if _holds(one, a, b) != _holds(other, a, b))


def _holds(spans: Iterable[Span], a: float, b: float) -> bool:
    return any(start <= a and b <= end for start, end in spans)
