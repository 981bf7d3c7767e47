"""Recorded lines, spoken to turn-taking in virtual time: what callers really said, heard by the real detector and transcribed by
the real models once, answered by stages that take as long as they are told to. A call of ten minutes takes a second.

The caller speaks as recorded, whatever the agent does meanwhile: who is cut in on goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.inputs import Attached, HungUp, Joined
from gateway.turn_taking import RULES_VERSION, SpeechEdge
from ops.replay._answering import BY
from ops.replay._invented import BEGAN, sound, spoken
from ops.replay._recorded import Answer, Given, Heard, Recording, Span
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
    TranscriptFinal,
)

__all__ = ["Conversed", "Line", "Span", "Took", "Words", "converse"]

_WHO = "caller"
_FIRST = 1.0
"""Seconds until the first line."""
_BETWEEN = 8.0
"""Seconds from a line's end to the next: the longest wait and the whole answer lie between them."""
_ANSWER = "One moment please, I will look that up for you now."
_A_WORD = 0.27
"""Seconds of a word of the answer's."""


@dataclass(frozen=True, slots=True)
class Words:
    """What was said from `start` to `end`, samples of the line, as transcribed; `evidence`: what the transcript said besides of
    whether it was the end, by the names of its fields."""

    start: int
    end: int
    text: str
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """What was heard of one recording. `seconds`: its length, which ends with its last sound; `speech`: where there is any, in
    seconds; `edges`: positions are samples of the line; `heard`: a transcript for each stretch that may be asked about."""

    name: str
    speaker: str
    seconds: float
    speech: tuple[Span, ...]
    edges: tuple[SpeechEdge, ...]
    heard: tuple[Words, ...]
    pauses: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds until a transcript, a first sentence and its first sound are there, once asked for; `room`: until what the gateway
    plays is heard."""

    stt: float = 0.14
    llm: float = 0.2
    tts: float = 0.11
    room: float = 0.02


@dataclass(frozen=True, slots=True)
class Conversed:
    """A call that was held. `began`: when each line did; `sounded`: when the caller heard the agent. By the log's time, s."""

    events: list[Event]
    began: list[float]
    sounded: list[Span]


def converse(lines: Sequence[Line], agent: AgentSpec, took: Took) -> Conversed:
    """All of these lines in one call with `agent`, one after the other."""
    limits = agent.limits.model_copy(update={"history_turns": 4 * len(lines) + 4})  # the fold forgets none
    agent = agent.model_copy(update={"greeting": "", "limits": limits})
    started = SessionStarted(
        seq=1, at=BEGAN, room="lines", transport="memory", agent=agent, gateway=BY, by=BY, clock=Now(0.0),
        inputs={BY_RULES: RULES_VERSION},
    )  # fmt: skip
    recording = Recording(started, exact=True, ended="hang_up")
    recording.given = [Given(0.0, Joined(_WHO)), Given(0.01, Attached())]
    recording.answers = [_answer(took)]
    recording.spoken[_ANSWER] = [spoken(_ANSWER, "lines/answer", _A_WORD, took=took.tts)]
    moment, began = _FIRST, []
    for number, line in enumerate(lines):
        began.append(moment)
        _add(recording, line, moment, number, took)
        moment += line.seconds + _BETWEEN
    recording.length = moment
    recording.given.append(Given(moment, HungUp()))
    rim = Virtual(recording, agent, recording.given, started)
    rim.run()
    zero = BEGAN / 1e6
    heard = [(zero + start + took.room, zero + end + took.room) for start, end in rim.sounded]
    return Conversed(rim.events, [zero + one for one in began], heard)


def _add(recording: Recording, line: Line, begin: float, number: int, took: Took) -> None:
    shift = round(begin * HEARING_RATE)
    since: float | None = None
    for edge in line.edges:
        position, head = edge.position + shift, edge.head + shift
        recording.given.append(
            Given(head / HEARING_RATE, replace(edge, participant=_WHO, position=position, head=head))
        )
        if edge.kind == "start":
            since = position / HEARING_RATE if since is None else since
        elif edge.kind == "stop" and since is not None:
            recording.voices.setdefault(_WHO, []).append((since, position / HEARING_RATE))
            since = None
    for place, words in enumerate(line.heard):
        span = (words.start + shift) / HEARING_RATE, (words.end + shift) / HEARING_RATE
        name = f"line{number}-{place}"
        result = TranscriptFinal.model_validate(
            {
                "utterance": name,
                "participant": _WHO,
                "text": words.text,
                "took": took.stt,
                "by": "stt",
                **words.evidence,
            }
        )
        audio = sound(f"lines/{name}", span[1] - span[0], HEARING_RATE)
        recording.heard.append(Heard(name, _WHO, (span,), (audio,), span[1], 0.0, result, took.stt))


def _answer(took: Took) -> Answer:
    """The same to whatever is said."""
    said = ReplySentence(index=0, text=_ANSWER, took=took.llm, by="llm")
    finished = ReplyFinished(sentences=1, took=took.llm, by="llm")
    return Answer(0, "", 0.0, ((took.llm, said), (took.llm + 0.05, finished)))
