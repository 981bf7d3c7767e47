"""A conversation by script, held by the real turn-taking in virtual time: its log is one that a gateway could have written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.inputs import Attached, HungUp, Joined
from gateway.sound.detector import FRAME
from gateway.turn_taking import RULES_VERSION, EdgeKind, SpeechEdge
from ops.replay._answering import BY
from ops.replay._calls import calls_of
from ops.replay._invented import BEGAN, sound, spoken
from ops.replay._recorded import Answer, Given, Heard, Recording, Span, WordAt
from ops.replay._virtual import Virtual
from schemas.audio import HEARING_RATE
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.events import (
    BY_RULES,
    Event,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    ToolCalled,
    ToolReturned,
    ToolWanted,
    TranscriptFinal,
)

_FRAME = FRAME / HEARING_RATE
_PREROLL = 0.4
_A_WORD = 0.3
"""Seconds it takes, whoever says it."""


@dataclass(frozen=True, slots=True)
class Called:
    """A tool, and what it answered after `took` seconds. `pool`: the tools' own workers ran it; `patience`: seconds after which
    the wait for it is bridged."""

    name: str
    arguments: Mapping[str, Any]
    result: str
    took: float = 0.5
    pool: bool = False
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Says:
    """Somebody speaks from `at` on (seconds), and is answered with these sentences. `pause`: silence in the midst of it, after
    half of the words; `sure`: what the end-of-turn model thinks of its end; `calls`: what is called before the answer, side by
    side."""

    at: float
    text: str
    answer: Sequence[str] = ("I see.",)
    who: str = "caller"
    pause: float = 0.0
    sure: float | None = 0.97
    calls: Sequence[Called] = ()

    @property
    def stretches(self) -> list[Span]:
        """Where a voice is: all of it, or the two halves."""
        words = self.text.split()
        first = max(1, len(words) // 2) if self.pause else len(words)
        middle = self.at + first * _A_WORD
        rest = middle + self.pause
        halves = [(self.at, middle), (rest, rest + (len(words) - first) * _A_WORD)]
        return [span for span in halves if span[1] > span[0]]

    @property
    def end(self) -> float:
        return self.stretches[-1][1]


def held(script: Sequence[Says], agent: AgentSpec | None = None, *, until: float) -> list[Event]:
    """The log of the call, from its beginning to where the caller hangs up, `until` seconds later."""
    agent = agent or AgentSpec()
    recording = Recording(SessionStarted(seq=1, at=BEGAN, room="script", transport="memory", agent=agent, gateway=BY))
    recording.length, recording.ended, recording.exact = until, "hang_up", True
    people = dict.fromkeys(says.who for says in script) or {"caller": None}
    recording.given = [*(Given(0.0, Joined(name)) for name in people), Given(0.01, Attached())]
    for number, says in enumerate(script, 1):
        _add(recording, number, says)
    recording.calls = calls_of(recording.answers)
    recording.given.append(Given(until, HungUp()))
    recording.given.sort(key=lambda one: one.at)
    started = recording.began.model_copy(update={"by": BY, "clock": Now(0.0), "inputs": {BY_RULES: RULES_VERSION}})
    rim = Virtual(recording, agent, recording.given, started)
    rim.run()
    return rim.events


def _add(recording: Recording, number: int, says: Says) -> None:
    for begin, end in says.stretches:
        recording.given += [
            _edge(says.who, "onset", begin, begin + _FRAME),
            _edge(says.who, "start", begin, begin + 3 * _FRAME),
            _edge(says.who, "stop", end, end + _FRAME),
        ]
        recording.voices.setdefault(says.who, []).append((begin, end))
    where = iter([moment for begin, end in says.stretches for moment in _middles(begin, end)])
    recording.words.setdefault(says.who, []).extend(WordAt(word, next(where, says.end)) for word in says.text.split())
    whole = (max(0.0, says.at - _PREROLL), says.end + 0.1)
    result = TranscriptFinal(
        utterance=f"u{number}", participant=says.who, text=says.text, end_of_turn=says.sure, took=0.09, by="stt"
    )
    audio = sound(f"script/u{number}", whole[1] - whole[0], HEARING_RATE)
    recording.heard.append(Heard(f"u{number}", says.who, (whole,), (audio,), whole[1], 0.1, result, 0.1))
    parts, began = _calls(number, says.calls), 0.15
    if parts:
        began += parts[-1][0]
    for index, text in enumerate(says.answer):
        parts.append((began + 0.06 * index, ReplySentence(index=index, text=text, took=0.15 + 0.06 * index, by="llm")))
        recording.spoken.setdefault(text, [spoken(text, f"script/clip-{len(text)}", _A_WORD, took=0.12)])
    parts.append(
        (began + 0.05 + 0.06 * len(says.answer), ReplyFinished(sentences=len(says.answer), took=0.3, by="llm"))
    )
    recording.answers.append(Answer(number, says.text, says.end + 0.2, tuple(parts)))


def _calls(number: int, calls: Sequence[Called]) -> list[tuple[float, Event]]:
    """A reply that is not committed yet wants them; then they are called, and return."""
    if not calls:
        return []
    wanted = [ToolWanted(name=one.name, arguments=dict(one.arguments)) for one in calls]
    parts: list[tuple[float, Event]] = [(0.15, ReplyFinished(sentences=0, reason="tool", calls=wanted, by="llm"))]
    returned: list[tuple[float, Event]] = []
    for place, one in enumerate(calls):
        call = f"script{number}.0.{place}"
        how: dict[str, Any] = {"timeout": 20.0, "patience": one.patience, "pool": one.pool, "round": 1}
        parts.append((0.2, ToolCalled(call=call, name=one.name, arguments=dict(one.arguments), by="llm", **how)))
        result = ToolReturned(call=call, name=one.name, result=one.result, took=one.took, by="tools")
        returned.append((0.2 + one.took, result))
    if any(one.pool for one in calls):
        parts.append((0.21, ReplyFinished(sentences=0, reason="tool", by="llm")))
    return [*parts, *sorted(returned, key=lambda one: one[0])]


def _edge(who: str, kind: EdgeKind, moment: float, at: float) -> Given:
    return Given(at, SpeechEdge(who, kind, round(moment * HEARING_RATE), round(at * HEARING_RATE)))


def _middles(begin: float, end: float) -> list[float]:
    return [begin + (n + 0.5) * _A_WORD for n in range(round((end - begin) / _A_WORD))]
