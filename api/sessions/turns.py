"""One turn as it is shown: every word at the moment it sounded, every second accounted for."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from api.sessions.shapes import (
    BarView,
    FoundInView,
    FoundView,
    LetterView,
    NoteView,
    PendingView,
    SentenceView,
    ToolView,
    TurnHow,
    TurnView,
    UtteranceView,
    WordView,
    ms,
)
from schemas import events as e
from schemas.clock import Micros
from schemas.events import Event, Word
from schemas.session.state import Sentence, SessionState, Turn, Utterance
from schemas.session.waterfall import Kind, waterfall_of

_TOLERANCE = 0.03
"""Seconds of a word that may be missing when it counts as heard: the last frame of a clip is padded."""


@dataclass(frozen=True, slots=True)
class Played:
    """A stretch in which a sentence sounded: from second `at` of the session, its sound from second `begin` to `end` (None: it
    still does)."""

    at: float
    begin: float
    end: float | None = None


@dataclass(slots=True)
class Spoken:
    """An utterance: where it lies in the session, and what was found in it."""

    start: float
    end: float
    language: str = ""
    words: list[Word] = field(default_factory=list)


@dataclass(slots=True)
class _Called:
    name: str
    arguments: dict[str, object]
    at: float
    took: float | None = None
    result: str = ""
    error: str = ""


_Parts = dict[int, tuple[float, list[Word]]]
"""Part of a clip → its seconds, its words."""


class Timing:
    """What the fold does not keep: when which word sounded. Of a turn that has ended it is forgotten."""

    def __init__(self) -> None:
        self.spoken: dict[int, dict[str, Spoken]] = defaultdict(dict)
        self.clips: dict[int, dict[tuple[int, int], _Parts]] = defaultdict(lambda: defaultdict(dict))
        self.phrases: dict[str, _Parts] = defaultdict(dict)
        self.played: dict[int, dict[int, list[Played]]] = defaultdict(lambda: defaultdict(list))
        self.tools: dict[int, dict[str, _Called]] = defaultdict(dict)
        self.found: dict[int, list[FoundView]] = defaultdict(list)

    def add(self, event: Event, state: SessionState) -> None:
        turn = event.turn or 0
        at = event.happened - state.started_at / 1e6
        match event:
            case e.UtteranceCaptured():
                for carried in (*event.joins, event.replaces or ""):
                    self.spoken[turn].pop(carried, None)
                self.spoken[turn][event.utterance] = Spoken(at - sum(ref.duration for ref in event.audio), at)
            case e.TranscriptFinal():
                spoken = self.spoken[turn].get(event.utterance)
                if spoken is not None:
                    spoken.language, spoken.words = event.language, event.words
            case e.ClipReady():
                parts = (
                    self.phrases[event.phrase] if event.phrase else self.clips[turn][event.generation or 0, event.index]
                )
                parts[event.part] = (event.duration, event.words)
            case e.PlaybackStarted() | e.PlaybackResumed():
                self._silence(turn, at, None)
                self.played[turn][event.index].append(Played(at, event.position))
            case e.PlaybackPaused() | e.PlaybackFinished():
                self._silence(turn, at, event.position)
            case e.TurnEnded():
                self._silence(turn, at, None)
                if event.into is not None:
                    self.spoken[event.into] = {**self.spoken[turn], **self.spoken[event.into]}
            case e.ToolCalled():
                self.tools[turn][event.call] = _Called(event.name, event.arguments, at)
            case e.ToolReturned() if (called := self.tools[turn].get(event.call)) is not None:
                called.took, called.result, called.error = event.took, event.result, event.error
            case e.KnowledgeFound():
                self.found[turn].append(_found(event, at))
            case _:
                pass

    def _silence(self, turn: int, at: float, position: float | None) -> None:
        """What sounds in this turn ends, at `position` of its sound, or wherever it has come to."""
        for stretches in self.played[turn].values():
            last = stretches[-1]
            if last.end is None:
                came_to = last.begin + max(0.0, at - last.at) if position is None else position
                stretches[-1] = replace(last, end=max(came_to, last.begin))

    def words_of(self, turn: Turn, sentence: Sentence) -> list[Word]:
        """Of a sentence, from its beginning."""
        generation = turn.reply.generation if turn.reply is not None else 0
        parts = self.clips[turn.id].get((generation, sentence.index)) if turn.id in self.clips else None
        if not parts and turn.commit is not None:
            parts = self.phrases.get(turn.commit.why)
        words, passed = list[Word](), 0.0
        for _, (duration, found) in sorted((parts or {}).items()):
            words += found if not passed else [_later(one, passed) for one in found]
            passed += duration
        return words

    def forget(self, turn: int) -> None:
        for kept in (self.spoken, self.clips, self.played, self.tools, self.found):
            kept.pop(turn, None)


def _found(event: e.KnowledgeFound, at: float) -> FoundView:
    scores = [*event.scores, *[None] * len(event.files)]
    return FoundView(
        at_s=round(at, 3), query=event.query, text=event.text, took_ms=round(event.took * 1000, 1),
        files=[FoundInView(file=file, score=score) for file, score in zip(event.files, scores, strict=False)],
    )  # fmt: skip


def _later(word: Word, seconds: float) -> Word:
    return Word(text=word.text, start=word.start + seconds, end=word.end + seconds)


def turn_view(turn: Turn, state: SessionState, timing: Timing, notes: list[NoteView]) -> TurnView:
    """The turn as it is in `state`. Seconds are counted from the session's beginning."""
    began = state.started_at
    shape = waterfall_of(turn)
    sentences = [
        _sentence(turn, sentence, timing)
        for _, sentence in (sorted(turn.reply.sentences.items()) if turn.reply is not None else ())
    ]
    bars = [
        BarView(
            part=bar.part, name=bar.name, meaning=bar.meaning, begins_s=round(bar.begins, 4),
            seconds=round(bar.seconds, 4), queued_s=round(bar.queued, 4), ms=bar.milliseconds,
        )
        for bar in (shape.bars() if shape is not None else ())
    ]  # fmt: skip
    return TurnView(
        turn=turn.id,
        kind=shape.kind if shape is not None else _kind(turn),
        began_s=_since(shape.began_at if shape is not None else turn.opened_at, began),
        ended_s=_since(turn.end.at, began) if turn.end is not None else None,
        how=_how(turn),
        reason=turn.end.reason if turn.end is not None else "",
        why=turn.commit.why if turn.commit is not None else None,
        text=turn.text,
        reply=" ".join(sentence.text for sentence in sentences),
        heard=turn.heard if turn.end is not None else " ".join(one.heard for one in sentences if one.heard),
        model=turn.reply.model if turn.reply is not None else "",
        total_ms=ms(shape.total) if shape is not None else None,
        bars=bars,
        utterances=[_utterance(one, state, timing.spoken[turn.id].get(one.id)) for one in turn.utterances],
        letters=[
            LetterView(
                participant=one.participant, name=_shown(state, one.participant), at_s=_since(one.at, began),
                text=one.text, note=one.note,
            )
            for one in turn.letters
        ],
        sentences=sentences,
        tools=[
            ToolView(
                name=one.name, arguments=dict(one.arguments), at_s=round(one.at, 3), took_ms=ms(one.took),
                result=one.result, error=one.error,
            )
            for one in timing.tools[turn.id].values()
        ],
        found=list(timing.found[turn.id]),
        notes=list(notes),
        pending=_pending(turn, began) if turn.end is None else [],
    )  # fmt: skip


def _since(at: Micros, began: Micros) -> float:
    return round((at - began) / 1e6, 3)


def _shown(state: SessionState, identity: str) -> str:
    person = state.participants.get(identity)
    return person.shown if person is not None else identity


def _kind(turn: Turn) -> Kind:
    if turn.own:
        return "own"
    return "text" if turn.letters and not turn.utterances else "voice"


def _how(turn: Turn) -> TurnHow:
    if turn.end is not None:
        return turn.end.how
    if turn.started_at is not None:
        return "speaking"
    return "thinking" if turn.commit is not None else "listening"


def _utterance(utterance: Utterance, state: SessionState, spoken: Spoken | None) -> UtteranceView:
    began = state.started_at
    end = spoken.end if spoken is not None else (utterance.spoken_at - began) / 1e6
    start = spoken.start if spoken is not None else end - utterance.duration
    return UtteranceView(
        utterance=utterance.id,
        participant=utterance.participant,
        name=_shown(state, utterance.participant),
        start_s=round(start, 3),
        end_s=round(end, 3),
        text=utterance.text if utterance.lost is None else utterance.words or None,  # what it carries was found before
        language=spoken.language if spoken is not None else "",
        words=[
            WordView(word=word.text, start_s=round(start + word.start, 3), end_s=round(start + word.end, 3))
            for word in (spoken.words if spoken is not None else ())
        ],
        over=utterance.over,
        lost=utterance.lost,
    )


def _sentence(turn: Turn, sentence: Sentence, timing: Timing) -> SentenceView:
    stretches = timing.played[turn.id].get(sentence.index, [])
    words = [_word(word, stretches, sentence.finished) for word in timing.words_of(turn, sentence)]
    if sentence.finished:
        heard = sentence.text
    elif turn.end is not None:  # the gateway said so, to the word: it knows what had come to be played
        heard = _told_of(turn, sentence) if stretches else ""
        count = len(heard.split())
        words = [word.model_copy(update={"heard": place < count}) for place, word in enumerate(words)]
    else:
        heard = " ".join(word.word for word in words if word.heard)
    last = stretches[-1] if stretches else None
    return SentenceView(
        index=sentence.index,
        text=sentence.text,
        start_s=round(stretches[0].at, 3) if stretches else None,
        end_s=round(last.at + last.end - last.begin, 3) if last is not None and last.end is not None else None,
        heard=heard,
        words=words,
        cut=turn.end is not None and not sentence.finished,
    )


def _told_of(turn: Turn, sentence: Sentence) -> str:
    """What of a sentence that was cut stands in its turn's `heard`: what is left after the sentences before it."""
    sentences = turn.reply.sentences if turn.reply is not None else {}
    left = turn.heard
    for index, before in sorted(sentences.items()):
        if index < sentence.index:
            left = left.removeprefix(before.text).lstrip()
    return left


def _word(word: Word, stretches: list[Played], finished: bool) -> WordView:
    """Where it sounded: its beginning in the first stretch that has it, its end in the last."""
    start = next((one.at + word.start - one.begin for one in stretches if _holds(one, word.start)), None)
    end = next((one.at + word.end - one.begin for one in reversed(stretches) if _holds(one, word.end)), None)
    came_to = max((one.end or 0.0 for one in stretches), default=0.0)
    if start is not None and end is None:  # broken off within it
        last = stretches[-1]
        end = last.at + (last.end or 0.0) - last.begin
    return WordView(
        word=word.text,
        start_s=round(start, 3) if start is not None else None,
        end_s=round(end, 3) if start is not None and end is not None else None,
        heard=start is not None and (finished or word.end <= came_to + _TOLERANCE),
    )


def _holds(played: Played, position: float) -> bool:
    return played.begin - 1e-6 <= position and (played.end is None or position <= played.end + 1e-6)


def _pending(turn: Turn, began: Micros) -> list[PendingView]:
    """What is waited for, the earliest first."""
    found: list[tuple[Micros, PendingView]] = []

    def waits(part: str, what: str, since: Micros) -> None:
        view = PendingView.model_validate({"part": part, "what": what, "since_s": _since(since, began)})
        found.append((since, view))

    for one in turn.utterances:
        if one.text is None and one.lost is None:
            waits("stt", f"the words of {one.duration:.1f} s of speech", one.captured_at)
    reply = turn.reply
    if turn.commit is not None and reply is None:
        waits("llm", "the first sentence", turn.commit.at)
    if reply is not None and reply.finished is None and not turn.own:
        last = max((one.at for one in reply.sentences.values()), default=turn.opened_at)
        waits("llm", "further sentences", last)
    for _, sentence in sorted(reply.sentences.items()) if reply is not None else ():
        if not sentence.complete and sentence.lost is None:
            waits("tts", f"the sound of sentence {sentence.index + 1}", sentence.at)
        elif sentence.started_at is None and sentence.lost is None and sentence.clip_at is not None:
            what = "for the sentences before it" if turn.commit is not None else "for the end of the user's turn"
            waits("playout", f"sentence {sentence.index + 1}, {what}", sentence.clip_at)
    return [view for _, view in sorted(found, key=lambda one: one[0])]
