"""The log of a call that was held elsewhere, made of who spoke when. Pure: pieces in, events out.

What can be known from outside is told as a gateway would have told it: who spoke, over whom, when the floor passed, what was
heard of the agent. What cannot (what each stage took) is not made up: the whole wait for an answer is the commit's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.audio import AudioRef
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.events import (
    ClipReady,
    CommitReason,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    SpeechPaused,
    SpeechStarted,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
    Word,
)

CALLER, AGENT = 0, 1
"""Sides of a call."""
GATEWAY = "import"
_UNTOLD = "…"
"""Of a sentence of the agent that nobody transcribed."""
_AT_ONCE = 0.3
"""Seconds by which an answer may begin before the question's end is believed."""
_GOES_ON = 2.0
"""Seconds within which an agent that speaks again goes on with what it was saying."""
_YIELDS = 1.0
"""Seconds after somebody has spoken over the agent by which it falls silent, if it is for their sake."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one side said, and where its sound lies. Seconds since the recording's beginning; `text`: None: nobody transcribed it;
    `words`: with seconds since `start`."""

    side: int
    start: float
    end: float
    audio: AudioRef
    text: str | None = None
    language: str = ""
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`began`: µs; `length`: seconds; `name`: the recording's; `caller`: what the one on the left is called; `notes`: what is
    to be known of the import, a sentence each."""

    began: Micros
    length: float
    name: str
    caller: str = "caller"
    agent: AgentSpec = field(default_factory=lambda: AgentSpec(name="imported", greeting=""))
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Turn:
    users: list[Said] = field(default_factory=list)
    agent: list[Said] = field(default_factory=list)
    why: CommitReason = "silence"
    over: bool = False
    aside: bool = False
    """Said over the agent, which spoke on: no turn of theirs."""

    @property
    def spoken_until(self) -> float:
        return self.users[-1].end if self.users else 0.0

    @property
    def sounds_until(self) -> float:
        return self.agent[-1].end if self.agent else 0.0


def events_of_call(call: Call, heard: Sequence[Said]) -> list[Event]:
    """The session's log, whole, from its beginning to its end."""
    length = max([call.length, *(one.end for one in heard)])
    turns = _turns(sorted(heard, key=lambda one: (one.start, one.side)))
    rows = [*_around(call, length)]
    for number, turn in enumerate(turns, 1):
        following = next((one for one in turns[number:] if not one.aside), None)
        rows += _of_turn(call, number, turn, following, length)
    rows.sort(key=lambda row: (row.at, row.rank))
    return [_event(call, seq, row) for seq, row in enumerate(rows, 1)]


def _turns(heard: Sequence[Said]) -> list[_Turn]:
    turns: list[_Turn] = []
    current: _Turn | None = None
    before: _Turn | None = None  # the one whose answer sounds, or sounded last
    for one in heard:
        if one.side == CALLER:
            if current is not None and not current.agent and current.users:
                current.users.append(one)
                continue
            over = before is not None and before.sounds_until > one.start
            turn = _Turn(users=[one], over=over)
            turns.append(turn)
            turn.aside = over and before is not None and before.sounds_until > one.end + _YIELDS
            if not turn.aside:
                current = turn
            continue
        if current is None or (current.users and current.spoken_until > one.start + _AT_ONCE):
            if before is not None and one.start - before.sounds_until < _GOES_ON:
                before.agent.append(one)
                continue
            own = _Turn(agent=[one], why="say" if turns else "greeting")
            turns.append(own)
            before = own
            continue
        begins = max(one.start, current.spoken_until + 0.001)
        if begins < one.end:
            current.agent.append(replace(one, start=begins))
            before = current
    return turns


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Row:
    """An event to be. `at`: seconds; `rank`: its place among those of the same moment."""

    at: float
    rank: int
    kind: Any
    fields: dict[str, Any]


def _event(call: Call, seq: int, row: _Row) -> Event:
    made: Event = row.kind(seq=seq, at=Micros(call.began + round(row.at * 1e6)), by=GATEWAY, **row.fields)
    return made


def _around(call: Call, length: float) -> Iterator[_Row]:
    yield _Row(
        0.0,
        0,
        SessionStarted,
        {
            "room": call.name,
            "transport": "file",
            "agent": call.agent,
            "gateway": GATEWAY,
            "warnings": [f"imported from {call.name}: what each stage took is not known", *call.notes],
            "metadata": call.metadata,
        },
    )
    yield _Row(0.0, 1, ParticipantJoined, {"participant": call.caller, "name": call.caller.capitalize()})
    yield _Row(length, 98, ParticipantLeft, {"participant": call.caller, "reason": "the recording ends"})
    yield _Row(length, 99, SessionEnded, {"reason": "hang_up", "detail": "the recording ends"})


def _of_turn(call: Call, number: int, turn: _Turn, following: _Turn | None, length: float) -> Iterator[_Row]:
    for place, one in enumerate(turn.users):
        yield from _spoken(call, number, place, one, turn.over)
    if turn.agent:
        yield from _answered(number, turn)
    how, reason, at = _end(turn, following, length)
    heard = " ".join(one.text for one in turn.agent if one.text)
    yield _Row(at, 40, TurnEnded, {"turn": number, "how": how, "reason": reason, "heard": heard, "generation": 0})


def _end(turn: _Turn, following: _Turn | None, length: float) -> tuple[str, str, float]:
    if turn.aside:
        return "dropped", "backchannel", turn.spoken_until
    if not turn.agent:
        return "dropped", "session", length
    at = turn.sounds_until
    over = following.users[0] if following is not None and following.over else None
    if over is not None and over.start < at <= over.end + _YIELDS:
        return "interrupted", "barge_in", at
    return "played", "finished", at


def _spoken(call: Call, number: int, place: int, one: Said, over: bool) -> Iterator[_Row]:
    said = {"turn": number, "participant": call.caller}
    utterance = f"u{number}.{place + 1}"
    yield _Row(one.start, 25, SpeechStarted, said | {"over": over and place == 0})
    yield _Row(one.end, 9, SpeechPaused, said | {"silence": 0.0})
    yield _Row(
        one.end,
        10,
        UtteranceCaptured,
        said
        | {"utterance": utterance, "audio": [one.audio], "duration": one.audio.duration, "over": over and place == 0},
    )
    if one.text is not None:
        yield _Row(
            one.end,
            11,
            TranscriptFinal,
            said
            | {
                "utterance": utterance, "text": one.text, "language": one.language, "confidence": one.confidence,
                "words": list(one.words), "model": one.model,
            },
        )  # fmt: skip


def _answered(number: int, turn: _Turn) -> Iterator[_Row]:
    first, last = turn.agent[0], turn.agent[-1]
    reply = {"turn": number, "generation": 0}
    delay = max(0.0, first.start - turn.spoken_until) if turn.users else 0.0
    yield _Row(first.start, 20, TurnCommitted, reply | {"why": turn.why, "delay": round(delay, 3)})
    for index, one in enumerate(turn.agent):
        sentence = reply | {"index": index}
        said = one.text or _UNTOLD
        yield _Row(one.start, 21, ReplySentence, sentence | {"text": said})
        sounds = {"audio": one.audio, "duration": one.audio.duration, "text": said, "words": list(one.words)}
        yield _Row(one.start, 22, ClipReady, sentence | sounds | {"model": one.model})
        yield _Row(one.start, 24, PlaybackStarted, sentence)
        yield _Row(one.end, 30, PlaybackFinished, sentence | {"position": round(one.end - one.start, 3)})
    yield _Row(last.start, 23, ReplyFinished, reply | {"sentences": len(turn.agent)})


__all__ = ["AGENT", "CALLER", "GATEWAY", "Call", "Said", "events_of_call"]
