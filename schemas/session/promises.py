"""What a session's log must never show, whatever was killed while it was written: the promises of the log, checked."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from schemas.events import (
    ClipReady,
    Event,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

_ABANDONED = frozenset({"error", "gateway_lost"})
"""Reasons of a session's end that stand for the ends of its turns: there was nobody left to write them."""
_LATE = ("transcript.", "reply.", "tool.", "clip.", "stage.")
"""What stages may still say of a turn that has ended."""


def violations(events: Sequence[Event]) -> list[str]:
    """What is wrong with one session's log, one sentence each, naming the event; [] is a sound log.

    Whether every turn has ended can only be asked of a session that has.
    """
    check = _Check()
    for event in events:
        check.one(event)
    check.whole()
    return check.found


class _Check:
    def __init__(self) -> None:
        self.found: list[str] = []
        self._last: Event | None = None
        self._generation = 0
        self._raised_by = 0
        self._turns: dict[int, int] = {}
        """Turn → seq of the event that named it first."""
        self._committed: set[int] = set()
        self._ended: dict[int, int] = {}
        self._utterances: dict[str, UtteranceCaptured] = {}
        self._replaced: dict[str, str] = {}
        self._once: dict[Hashable, int] = {}
        self._sentences: dict[tuple[int | None, int | None], int] = {}
        self._sound: set[Hashable] = set()
        self._phrases: set[str] = set()
        self._speaks = True
        """Whether what is said has sound."""
        self._played: dict[int | None, int] = {}
        """Turn → seq of its first playback.started."""
        self._playing: PlaybackStarted | None = None
        self._calls: set[str] = set()

    def one(self, event: Event) -> None:
        self._order(event)
        self._fence(event)
        if event.turn is not None:
            self._turns.setdefault(event.turn, event.seq)
            if event.turn in self._ended and not event.type.startswith(("turn.ended", *_LATE)):
                self._say(event, f"turn {event.turn} ended with event {self._ended[event.turn]}")
        checks = _CHECKS.get(type(event))
        if checks is not None:
            checks(self, event)
        self._last = event

    def whole(self) -> None:
        """What only the whole log can tell."""
        for name, captured in self._utterances.items():
            if captured.turn is None and name not in self._replaced:
                self._say(captured, f"utterance {name} belongs to no turn, and nothing replaced it")
        if not isinstance(self._last, SessionEnded) or self._last.reason in _ABANDONED:
            return
        for turn in sorted(self._turns.keys() - self._ended.keys()):
            self.found.append(f"turn {turn}, named first by event {self._turns[turn]}, never ended")

    def _say(self, event: Event, what: str) -> None:
        self.found.append(f"event {event.seq} ({event.type}): {what}")

    def _only_once(self, event: Event, what: str, *key: Hashable) -> None:
        first = self._once.setdefault((event.type, *key), event.seq)
        if first != event.seq:
            self._say(event, f"{what} a second time (first by event {first})")

    # ── every event ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _order(self, event: Event) -> None:
        last = self._last
        if last is None:
            if event.seq != 1 or not isinstance(event, SessionStarted):
                self._say(event, "a log begins with session.started, seq 1")
            self._speaks = not isinstance(event, SessionStarted) or event.agent.sound
            return
        if event.seq != last.seq + 1:
            self._say(event, f"follows event {last.seq}: seq has a gap or went back")
        if event.at < last.at:
            self._say(event, f"appended {(last.at - event.at) / 1e6:g} s before the event it follows")
        if isinstance(last, SessionEnded):
            self._say(event, "after the session's end")
        if isinstance(event, SessionStarted):
            self._say(event, "the session started twice")

    def _fence(self, event: Event) -> None:
        """Nothing of a voided reply after the event that voided it."""
        if event.raises is not None:
            if event.raises <= self._generation:
                self._say(event, f"raises the generation to {event.raises}, which it had: {self._generation}")
            self._generation, self._raised_by = max(event.raises, self._generation), event.seq
            return
        of_reply = isinstance(event, _OF_A_REPLY) and event.generation is not None
        if of_reply and (event.generation or 0) < self._generation:
            self._say(event, f"of generation {event.generation}, which event {self._raised_by} made void")

    # ── by type ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def captured(self, event: UtteranceCaptured) -> None:
        self._only_once(event, f"utterance {event.utterance} captured", event.utterance)
        for name in (*event.joins, *([] if event.replaces is None else [event.replaces])):
            replaced = self._utterances.get(name)
            if replaced is None:
                self._say(event, f"replaces utterance {name}, which was never captured")
            elif replaced.participant != event.participant:
                self._say(event, f"replaces utterance {name} of another participant")
            elif other := self._replaced.get(name):
                self._say(event, f"replaces utterance {name}, which {other} has replaced")
            self._replaced[name] = event.utterance
        self._utterances[event.utterance] = event
        self._committed.discard(event.turn or 0)
        if event.turn in self._played:
            self._say(event, f"reopens turn {event.turn}, which plays since event {self._played[event.turn]}")

    def partial(self, event: TranscriptPartial) -> None:
        self._only_once(event, "this very job's partial", event.cause.job if event.cause else event.seq)

    def transcribed(self, event: TranscriptFinal) -> None:
        self._only_once(event, f"utterance {event.utterance} transcribed", event.utterance)
        if event.utterance not in self._utterances:
            self._say(event, f"of utterance {event.utterance}, which was never captured")

    def committed(self, event: TurnCommitted) -> None:
        self._committed.add(event.turn)

    def ended(self, event: TurnEnded) -> None:
        self._only_once(event, f"turn {event.turn} ended", event.turn)
        self._ended.setdefault(event.turn, event.seq)
        if event.into is not None and (event.into not in self._turns or event.into in self._ended):
            self._say(event, f"turn {event.into} does not go on with what was said in turn {event.turn}")

    def sentence(self, event: ReplySentence) -> None:
        reply = (event.turn, event.generation)
        self._only_once(event, f"sentence {event.index} of turn {event.turn}", *reply, event.index)
        expected = self._sentences.get(reply, 0)
        if event.index > expected:
            self._say(event, f"sentence {event.index} of turn {event.turn} before sentence {expected}")
        self._sentences[reply] = max(expected, event.index + 1)

    def finished(self, event: ReplyFinished) -> None:
        job = event.cause.job if event.reason == "tool" and event.cause else ""
        self._only_once(event, f"the reply of turn {event.turn} finished", event.turn, event.generation, job)

    def called(self, event: ToolCalled) -> None:
        self._only_once(event, f"tool call {event.call}", event.turn, event.generation, event.call)
        self._calls.add(event.call)

    def returned(self, event: ToolReturned) -> None:
        self._only_once(event, f"the result of tool call {event.call}", event.turn, event.generation, event.call)
        if event.call not in self._calls:
            self._say(event, f"tool call {event.call} was never made")

    def clip(self, event: ClipReady) -> None:
        if event.phrase is not None:
            made = event.cause.job if event.cause is not None else ""  # another voice, or agent, has it made anew
            self._only_once(event, f'the phrase "{event.phrase}", part {event.part}', event.phrase, made, event.part)
            self._phrases.add(event.phrase)
            return
        sentence = (event.turn, event.generation, event.index)
        self._only_once(event, f"part {event.part} of sentence {event.index}", *sentence, event.part)
        if event.last:
            self._only_once(event, f"the last part of sentence {event.index}", *sentence, "last")
        self._sound.add(sentence)

    def playing(self, event: PlaybackStarted) -> None:
        self._only_once(event, f"sentence {event.index} of turn {event.turn} played", event.turn, event.index)
        if event.turn not in self._committed:
            self._say(event, f"turn {event.turn} was never committed")
        if event.generation != self._generation:
            self._say(event, f"of generation {event.generation}, while it is {self._generation}")
        if self._playing is not None and self._playing.turn not in self._ended:
            self._say(event, f"before the sentence of event {self._playing.seq} was over")
        self._playing = event
        self._played.setdefault(event.turn, event.seq)
        sentence = (event.turn, event.generation, event.index)
        if self._speaks and sentence not in self._sound and not self._phrases:
            self._say(event, f"sentence {event.index} of turn {event.turn} has no sound")

    def played(self, event: PlaybackFinished) -> None:
        playing = self._playing
        if playing is not None and (playing.turn, playing.index) == (event.turn, event.index):
            self._playing = None

    def resumed(self, event: SessionResumed) -> None:
        """What its gateway was saying when it died, nobody may finish."""
        self._playing = None


_OF_A_REPLY = (
    ReplySentence,
    ReplyFinished,
    ToolCalled,
    ClipReady,
)  # what a tool did it has done: its result comes all the same

_CHECKS: dict[type, Callable[[_Check, Any], None]] = {
    UtteranceCaptured: _Check.captured,
    TranscriptPartial: _Check.partial,
    TranscriptFinal: _Check.transcribed,
    TurnCommitted: _Check.committed,
    TurnEnded: _Check.ended,
    ReplySentence: _Check.sentence,
    ReplyFinished: _Check.finished,
    ToolCalled: _Check.called,
    ToolReturned: _Check.returned,
    ClipReady: _Check.clip,
    PlaybackStarted: _Check.playing,
    PlaybackFinished: _Check.played,
    SessionResumed: _Check.resumed,
}
