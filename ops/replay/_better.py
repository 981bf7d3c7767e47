"""What got better in a fork, and what worse: figures of one session before and after, and of many together. Pure."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.config.agent import AgentSpec
from schemas.events import (
    STAGES,
    ClipReady,
    Event,
    PlaybackStarted,
    ReplyFinished,
    SessionStarted,
    SpeechResumed,
    SpeechStarted,
    Stage,
    TranscriptFinal,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.comparing import Diff, Session, compared

__all__ = ["COUNTS", "THEIRS", "Reference", "Report", "Row", "Words", "cut_ins", "models_of", "row_of"]

Reference = Literal["auto", "original", "none"]
"""What transcripts are held to. auto: what was imported with the call (captions), where something was · original: what was
understood then · none."""
Verdict = Literal["better", "worse", "same"]
COUNTS = ("turns", "interrupted", "dropped", "failed", "cut_ins", "prompt_tokens", "completion_tokens")
"""Figures that add up."""
_BAD = ("interrupted", "failed", "cut_ins")
_AT_ONCE = 1.0
"""Seconds of the agent's first sound within which whoever goes on had not ended."""
_MODELS: Mapping[Stage, tuple[str, ...]] = {
    "stt": ("stt.model", "stt.provider", "stt.options"),
    "llm": ("llm.model", "llm.provider", "llm.options"),
    "tts": ("tts.model", "tts.provider", "tts.options", "voice.name"),
}
"""Settings of an agent that say which model does a stage's work."""
THEIRS: Mapping[Stage, str] = {"stt": "transcripts", "llm": "replies", "tts": "sounds"}
_NOTHING = frozenset({"backchannel", "noise", "empty"})
_SAME_MS, _SAME_SHARE = 50.0, 0.05
"""By which the median wait may differ, and be the same."""
_SAME_WORDS = 0.01


@dataclass(frozen=True, slots=True)
class Words:
    """Held to a reference of `words`: `errors` of them are others, put in or left out."""

    words: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.words if self.words else float(self.errors > 0)


@dataclass(frozen=True, slots=True)
class Row:
    """A session before and after. `figures`: both, by name; `waits`: seconds from the last word to the first sound, of both;
    `heard`: its transcripts held to the reference, of both (None: there is none); `divergence`: where they part, and `why`;
    `models`: by stage which did its work, of both; `named`: the one that the fork's agent names; `other`: stages of which another
    model was wished for; `error`: why it could not be replayed, and nothing else is of meaning."""

    session: str
    fork: str = ""
    agent: str = ""
    changed: tuple[str, ...] = ()
    figures: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    waits: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    heard: tuple[Words | None, Words | None] = (None, None)
    otherwise: float = 0.0
    divergence: str | None = None
    why: str = ""
    models: Mapping[Stage, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    named: Mapping[Stage, str] = field(default_factory=dict)
    other: Collection[Stage] = ()
    error: str = ""

    @property
    def verdict(self) -> Verdict:
        """Fewer replies that were cut in upon or failed; else fewer wrong words; else a faster median."""
        bad = [sum(self.figures[name][side] or 0 for name in _BAD) for side in (0, 1)]
        if bad[0] != bad[1]:
            return "better" if bad[1] < bad[0] else "worse"
        was, now = self.heard
        if was is not None and now is not None and abs(now.rate - was.rate) > _SAME_WORDS:
            return "better" if now.rate < was.rate else "worse"
        before, after = self.figures["p50_ms"]
        if before is None or after is None or abs(after - before) < max(_SAME_MS, _SAME_SHARE * before):
            return "same"
        return "better" if after < before else "worse"

    def view(self) -> dict[str, Any]:
        """As JSON values. `wer`: how many words are others than they were."""
        if self.error:
            return {"session": self.session, "error": self.error}
        return {
            "session": self.session,
            "fork": self.fork,
            "agent": self.agent,
            "changed": list(self.changed),
            "figures": {name: list(pair) for name, pair in self.figures.items()},
            "wer": round(self.otherwise, 4),
            "wer_to_reference": [None if one is None else round(one.rate, 4) for one in self.heard],
            "divergence": self.divergence,
            "why": self.why,
            "verdict": self.verdict,
            "models": {stage: [list(names) for names in pair] for stage, pair in self.models.items()},
        }


@dataclass(slots=True)
class Report:
    """Of many. `more`: there are more that were wanted."""

    rows: list[Row]
    more: bool = False

    @property
    def whole(self) -> list[Row]:
        """Those that were replayed."""
        return [row for row in self.rows if not row.error]

    def waits(self, side: int) -> list[float]:
        """Milliseconds, the shortest first."""
        return sorted(seconds * 1e3 for row in self.whole for seconds in row.waits[side])

    def figures(self) -> dict[str, Any]:
        """Of all together, before and after."""
        whole = self.whole
        summed = {name: [sum(row.figures[name][side] or 0 for row in whole) for side in (0, 1)] for name in COUNTS}
        verdicts = [row.verdict for row in whole]
        return summed | {
            "p50_ms": [percentile(self.waits(side), 0.5) for side in (0, 1)],
            "p95_ms": [percentile(self.waits(side), 0.95) for side in (0, 1)],
            "wer": _together(row.otherwise for row in whole),
            "wer_to_reference": [_all_words(row.heard[side] for row in whole) for side in (0, 1)],
            "referenced": sum(row.heard[1] is not None for row in whole),
            "better": verdicts.count("better"),
            "worse": verdicts.count("worse"),
            "same": verdicts.count("same"),
            "unreplayed": len(self.rows) - len(whole),
        }

    def models(self) -> dict[str, list[dict[str, int]]]:
        """By stage, before and after: which did its work, in how many sessions."""
        return {
            stage: [dict(Counter(name for row in self.whole for name in row.models[stage][side])) for side in (0, 1)]
            for stage in STAGES
        }

    def warnings(self) -> list[str]:
        """Where a comparison is not what it looks like, for another model answered than was meant: a sentence each."""
        found = (self._warning(stage, [row for row in self.whole if row.models[stage][1]]) for stage in STAGES)
        return [one for one in found if one]

    def _warning(self, stage: Stage, rows: Sequence[Row]) -> str:
        theirs = THEIRS[stage]
        wrong = [row for row in rows if (name := row.named[stage]) and set(row.models[stage][1]) != {name}]
        if wrong:
            names = sorted(
                {name for row in wrong for name in row.models[stage][1]} - {row.named[stage] for row in wrong}
            )
            asked = sorted({row.named[stage] for row in wrong})
            return f"{theirs}: {_and(asked)} was asked for, and {_and(names)} answered in {len(wrong)} of {len(rows)} sessions"
        alike: dict[tuple[str, tuple[str, ...]], set[str]] = {}
        for row in rows:
            before, after = row.models[stage]
            alike.setdefault((row.named[stage], before), set()).update(after)
        mixed = {name for (_, was), names in alike.items() if len(names) > 1 and names - {*was} for name in names}
        if mixed:
            return (
                f"{theirs}: by {_and(sorted(mixed))}, mixed: workers differ, one was given another model meanwhile, or part of "
                "it is as it was recorded"
            )
        new = [row for row in rows if stage not in row.other and {*row.models[stage][1]} - {*row.models[stage][0]}]
        if was := sorted({name for row in new for name in row.models[stage][0]}):
            now = sorted({name for row in new for name in row.models[stage][1]} - {*was})
            return f"{theirs}: by {_and(was)} then and {_and(now)} now, which nobody asked for: what differs may come of that"
        return ""

    def view(self, most_waits: int = 2_000) -> dict[str, Any]:
        """As JSON values."""
        return {
            "sessions": [row.view() for row in self.rows],
            "more": self.more,
            "figures": self.figures(),
            "waits_ms": [thinned(self.waits(side), most_waits) for side in (0, 1)],
            "models": self.models(),
            "warnings": self.warnings(),
        }


def row_of(
    session: str, fork: str, diff: Diff, before: Sequence[Event], after: Sequence[Event], reference: Reference = "auto",
    anew: Collection[Stage] = (),
) -> Row:  # fmt: skip
    """`diff`: the session and its fork compared; `before`, `after`: their logs; `anew`: stages that do all their work again, by
    whichever model there is."""
    parting = diff.divergence
    changed = {one.name for one in diff.settings}
    first = after[0] if after else None
    was, now = models_of(before), models_of(after)
    figures = dict(diff.figures())
    figures["cut_ins"] = (cut_ins(before), cut_ins(after))
    for name in ("prompt_tokens", "completion_tokens"):
        figures[name] = (_tokens(before, name), _tokens(after, name))
    return Row(
        session,
        fork,
        diff.first.summary.agent,
        tuple(sorted(changed)),
        figures,
        (_waits(diff.first), _waits(diff.second)),
        _held(before, after, reference),
        diff.wer,
        None if parting is None else parting.name,
        "" if parting is None else next(one.text for one in parting.differences if one.parts),
        {stage: (was[stage], now[stage]) for stage in STAGES},
        _named(first.agent if isinstance(first, SessionStarted) else AgentSpec()),
        {stage for stage, settings in _MODELS.items() if stage in anew or changed & {*settings}},
    )


def models_of(events: Iterable[Event]) -> dict[Stage, tuple[str, ...]]:
    """By stage, the models that did its work, as far as its events say, by name."""
    found: dict[Stage, set[str]] = {stage: set() for stage in STAGES}
    for event in events:
        match event:
            case TranscriptFinal():
                found["stt"].add(event.model)
            case ReplyFinished():
                found["llm"].add(event.model)
            case ClipReady():
                found["tts"].add(event.model)
            case _:
                pass
    return {stage: tuple(sorted(names - {""})) for stage, names in found.items()}


def _named(agent: AgentSpec) -> dict[Stage, str]:
    return {"stt": agent.stt.model, "llm": agent.llm.model, "tts": agent.voice.name or agent.tts.model}


def cut_ins(events: Iterable[Event]) -> int:
    """Turns that the agent began while whoever spoke had not ended: they went on within a second of its first sound."""
    began: dict[int, float] = {}
    ended: dict[int, tuple[float, str]] = {}
    speech: list[tuple[float, int | None]] = []
    asked: set[int] = set()
    for event in events:
        match event:
            case UtteranceCaptured(turn=int(turn)):
                asked.add(turn)
            case PlaybackStarted(turn=int(turn)):
                began.setdefault(turn, event.happened)
            case SpeechStarted() | SpeechResumed():
                speech.append((event.happened, event.turn))
            case TurnEnded():
                ended[event.turn] = event.happened, event.reason
            case _:
                pass
    found = 0
    for turn, moment in began.items():
        until = min(moment + _AT_ONCE, ended.get(turn, (math.inf, ""))[0] + 0.001)
        found += turn in asked and any(
            moment < at <= until and ended.get(of or 0, (0.0, ""))[1] not in _NOTHING for at, of in speech
        )
    return found


def _tokens(events: Iterable[Event], name: str) -> float:
    return sum(int(getattr(event.usage, name)) for event in events if isinstance(event, ReplyFinished))


def _waits(session: Session) -> tuple[float, ...]:
    return tuple(turn.total for turn in session.turns if turn.total is not None)


def _held(before: Sequence[Event], after: Sequence[Event], reference: Reference) -> tuple[Words | None, Words | None]:
    """To what was imported with the call its own transcripts can't be held; to what was understood then, only the new ones."""
    if reference == "none":
        return None, None
    imported = _imported(before)
    if not imported and reference != "original":
        return None, None
    found = compared(" ".join(_standing(before)), " ".join(_standing(after)))
    now = Words(found.words, found.errors)
    return (None if imported else Words(found.words, 0)), now


def _imported(events: Sequence[Event]) -> bool:
    """Whether its words are those somebody wrote down: no model made them."""
    first = events[0] if events else None
    if not isinstance(first, SessionStarted) or "imported_from" not in first.metadata:
        return False
    finals = [event for event in events if isinstance(event, TranscriptFinal) and event.text]
    return bool(finals) and not any(event.model for event in finals)


def _standing(events: Iterable[Event]) -> list[str]:
    """What was said, in order, of each utterance that no other has replaced."""
    replaced: set[str] = set()
    said: dict[str, str] = {}
    for event in events:
        if isinstance(event, UtteranceCaptured):
            replaced |= {*event.joins, event.replaces or ""}
            said.setdefault(event.utterance, "")
        elif isinstance(event, TranscriptFinal):
            said[event.utterance] = event.text
    return [text for name, text in said.items() if name not in replaced and text]


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of values in order; between two of them, in proportion."""
    if not values:
        return None
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return round(values[low] + (values[high] - values[low]) * (place - low), 1)


def thinned(values: Sequence[float], most: int) -> list[int]:
    """At most so many of them, evenly."""
    step = max(1, math.ceil(len(values) / most))
    return [round(one) for one in values[::step]]


def _and(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def _together(rates: Iterable[float]) -> float | None:
    known = list(rates)
    return round(sum(known) / len(known), 4) if known else None


def _all_words(heard: Iterable[Words | None]) -> float | None:
    known = [one for one in heard if one is not None]
    return round(Words(sum(one.words for one in known), sum(one.errors for one in known)).rate, 4) if known else None
