"""Why a turn took as long as it did: from the user's last sample to the agent's first, in parts that sum to it exactly.

Only what lies on the critical path is counted, and each stage holds its own queueing. Moments are the log's (Redis time, µs);
the parts are differences of consecutive moments, so nothing is lost between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.clock import Micros
from schemas.events import STAGES
from schemas.session.row import IN_WORDS
from schemas.session.row import PARTS as PARTS
from schemas.session.row import Kind as Kind
from schemas.session.row import name_of as name_of
from schemas.session.state import Sentence, SessionState, Turn, Utterance

SINCE: dict[Kind, str] = {
    "voice": "the user's last word",
    "text": "the typed message",
    "own": "the agent's decision to speak",
}
"""From what a turn is counted."""
_WORTH_TELLING = 0.0045  # seconds a job waited for a worker
_SAME_CALL = 10_000
"""µs: a job that seems to have been enqueued this shortly after its predecessor's commit was enqueued in that very call."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One part, as people are shown it. `begins` and `seconds`: where it lies, from the turn's beginning, and how long it took;
    `queued`: the first of these seconds, in which it waited for a worker; `milliseconds`: they add up to those of the whole."""

    part: str
    name: str
    meaning: str
    begins: float
    seconds: float
    queued: float
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Seconds. `kind`: spoken to, typed to, or the agent's own words (counted from the commit); `parts`: by name, all of PARTS;
    `queued`: of the stages among them, what was spent waiting for a worker; `began_at`: µs, where it is counted from; `restart`:
    the turn was taken back as the sound began, so that it answered nothing."""

    turn: int
    kind: Kind
    began_at: Micros
    total: float
    parts: Mapping[str, float]
    queued: Mapping[str, float]
    restart: bool = field(default=False, kw_only=True)

    @property
    def voice_to_voice(self) -> float | None:
        """Last sample of speech to first sample of the reply; None for a turn nobody spoke in."""
        return self.total if self.kind == "voice" else None

    @property
    def headline(self) -> str:
        """How long the turn took, and from what to what, in a sentence."""
        sound = "its first sound" if self.kind == "own" else "the agent's first sound"
        restart = ", a restart: the user went on" if self.restart else ""
        return f"turn {self.turn}: {self.total * 1e3:.0f} ms from {SINCE[self.kind]} to {sound}{restart}"

    def bars(self) -> list[Bar]:
        """The parts that took time, in order. Each is rounded to where it ends, not by itself."""
        bars, passed = [], 0.0
        for part in PARTS:
            seconds, queued = self.parts[part], self.queued.get(part, 0.0)
            took = round((passed + seconds) * 1e3) - round(passed * 1e3)
            if seconds:
                bars.append(Bar(part, name_of(part), self.meaning(part), passed, seconds, queued, took))
            passed += seconds
        return bars

    def meaning(self, part: str) -> str:
        """What was waited for in it."""
        queued = self.queued.get(part, 0.0)
        return IN_WORDS[part][1] + (f", {queued * 1e3:.0f} ms of it queued" if queued >= _WORTH_TELLING else "")

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "turn": self.turn,
            "kind": self.kind,
            "total": self.total,
            "parts": dict(self.parts),
            "queued": dict(self.queued),
        } | ({"restart": True} if self.restart else {})


def waterfall(state: SessionState, number: int | None) -> Waterfall | None:
    """The waterfall of a turn; None while nothing of it was played, or if the state has forgotten it."""
    turn = state.turns.get(number) if number is not None else None
    return waterfall_of(turn) if turn is not None else None


def waterfall_of(turn: Turn) -> Waterfall | None:
    """The waterfall of a turn; None while nothing of it was played."""
    first = _first_played(turn)
    if first is None or first.started_at is None or turn.commit is None:
        return None
    moments = Moments(turn, first, end=first.started_at)
    moments.until("playout", first.started_at)
    about = turn.id, moments.kind, moments.began, moments.total, moments.parts, moments.queued
    return Waterfall(*about, restart=turn.taken_back)


def _first_played(turn: Turn) -> Sentence | None:
    played = [s for s in turn.reply.sentences.values() if s.started_at is not None] if turn.reply else []
    return min(played, key=lambda sentence: sentence.started_at or 0, default=None)


class Moments:
    """The turn's moments on the critical path, each no earlier than the one before and no later than the `end`: up to the sound
    of its `first` sentence, as far as there is any of that. `began`, `end`, `now` (how far it has been told): µs."""

    def __init__(self, turn: Turn, first: Sentence | None, end: Micros):
        self._turn, self.end = turn, end
        self._parts = dict.fromkeys(PARTS, 0)
        self.queued: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        committed = turn.commit.at if turn.commit is not None else None
        last = max(turn.utterances, key=lambda one: one.spoken_at, default=None)
        letter = max((one.at for one in turn.letters), default=None)
        if turn.own:
            self.kind: Kind = "own"
            self._begin(committed or turn.opened_at)
        elif last is not None and (letter is None or last.spoken_at > letter):
            self.kind = "voice"
            self._begin(last.spoken_at)
            self._heard(last)
        else:
            self.kind = "text"
            self._begin(letter if letter is not None else turn.opened_at)
        if not turn.own and first is not None:
            self._thought(first, committed)
        if first is not None:
            self.until("tts", first.clip_at, first.clip_queued)
        if first is None or first.has_sound or first.started_at is not None:
            self.until("commit_wait", committed)

    @property
    def parts(self) -> dict[str, float]:
        """Seconds of each of PARTS."""
        return {name: micros / 1e6 for name, micros in self._parts.items()}

    @property
    def total(self) -> float:
        """Seconds."""
        return (self.end - self.began) / 1e6

    def _begin(self, moment: Micros) -> None:
        self.began = self.now = min(moment, self.end)

    def until(self, part: str, moment: Micros | None, queued: float = 0.0) -> None:
        """What passes up to `moment` belongs to `part`; None: it has not come."""
        moment = self.now if moment is None else min(max(moment, self.now), self.end)
        passed = moment - self.now
        self._parts[part] += passed
        if part in self.queued:
            self.queued[part] = round(min(queued, passed / 1e6), 6)
        self.now = moment

    def _heard(self, last: Utterance) -> None:
        self.until("soft_end", last.captured_at)
        transcribed = [one for one in self._turn.utterances if one.transcribed_at is not None]
        latest = max(transcribed, key=lambda one: one.transcribed_at or 0, default=None)
        if latest is not None:
            self.until("stt", latest.transcribed_at, latest.queued)

    def _thought(self, first: Sentence, committed: Micros | None) -> None:
        """A job enqueued with the transcript waited for nothing; one enqueued at the commit waited for the commit."""
        asked = Micros(first.at - round((first.took + first.queued) * 1e6))
        if asked > self.now + _SAME_CALL:
            near_commit = (
                committed is not None and abs(committed - asked) < abs(self.now - asked) and committed <= first.at
            )
            self.until("commit_wait", committed if near_commit else asked)
        self.until("llm", first.at, first.queued)
