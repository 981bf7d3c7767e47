"""From the session's client messages (docs/websocket.md) to facts, at the time they hold. Pure.

Two things need care. A transcript may be replaced as long as its turn can be reopened, so a text is final only when its turn
is answered or over. And the agent's words are told as they sound, by the clips' timings and the position of the sound.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gateway.room import ToRoom, WordsAhead
from gateway.rooms.livekit.facts import (
    ClipWords,
    Fact,
    Figures,
    Hushed,
    Over,
    ReplyBegan,
    ReplyEnded,
    SentenceBegan,
    SentenceEnded,
    SentenceWords,
    StateChanged,
    Trouble,
    TurnOver,
    UserSpeech,
    UserText,
    WordsSounded,
)
from schemas.client import (
    EndedMessage,
    ErrorMessage,
    MetricsMessage,
    SentenceMessage,
    SpeechMessage,
    StateMessage,
    TimedWord,
    TranscriptMessage,
    TurnMessage,
)

Timings = tuple[TimedWord, ...]

PACE = 15.0
"""Characters a second at which a sentence without timings is told."""
_ENOUGH = 0.5
"""Seconds of known timings from which this voice's pace is known, too."""
_LOOK_AHEAD = 4  # tokens in which a timed word is looked for
_KEPT = 200  # clips whose number is remembered


@dataclass(slots=True)
class _Segment:
    """What one participant said, from the first interim to the final. `text`: of its transcript; `shown`: something was told."""

    id: str
    turn: int | None
    participant: str
    text: str = ""
    shown: bool = False


@dataclass(slots=True)
class _ShownSentence:
    """`tokens`: its words as written; `released`: how many have sounded; `timings`: by part, (word, its middle in the stream);
    `timed`: the whole of it has been told."""

    number: int
    index: int
    text: str
    spoken: bool
    begin: float
    tokens: list[str]
    released: int = 0
    ended: bool = False
    timed: bool = False
    timings: dict[int, list[tuple[str, float]]] = field(default_factory=dict)

    def due(self, played: float) -> int:
        """How many tokens have sounded at `played`."""
        if not self.timings:
            told, limit = 0, (played - self.begin) * PACE
            for token in self.tokens:
                limit -= len(token) + 1
                if limit < 0:
                    break
                told += 1
            return told
        place = told = 0
        for part in sorted(self.timings):
            for word, middle in self.timings[part]:
                place = self._place(word, place)
                if middle <= played:
                    told = place + 1
                place += 1
        return min(told, len(self.tokens))

    def whole(self, known: Timings, complete: bool) -> Timings:
        """Timings of all of it: the known ones, and at their pace those of the words behind them."""
        place = 0
        for word, _, _ in known:
            place = self._place(word, place) + 1
        rest = [] if complete and known else self.tokens[place:]
        end = known[-1][2] if known else 0.0
        told = sum(len(word) + 1 for word, _, _ in known)
        pace = told / end if end >= _ENOUGH else PACE
        for token in rest:
            begin, end = end, end + (len(token) + 1) / pace
            known = (*known, (token, round(begin, 3), round(end, 3)))
        return known

    def _place(self, word: str, begin: int) -> int:
        """The token a timed word belongs to: counted, unless it is found a little further on."""
        for place in range(begin, min(begin + _LOOK_AHEAD, len(self.tokens))):
            if _bare(self.tokens[place]) == _bare(word):
                return place
        return begin


@dataclass(slots=True)
class _ShownReply:
    turn: int
    segment: str
    sentences: list[_ShownSentence] = field(default_factory=list)
    said: str = ""


class Captions:
    """`prefix`: makes segment ids unique in the room; `rate`: Hz of its sound; `wall`: the time of day.

    Positions are seconds of the stream pushed into the room: `pushed`, what was, less what was taken back; `played`, what has
    sounded.
    """

    def __init__(self, prefix: str, rate: int, wall: Callable[[], datetime]):
        self._prefix = prefix
        self._rate = rate
        self._wall = wall
        self._segments: dict[str, _Segment] = {}  # by utterance
        self._open: list[_Segment] = []
        self._guessed: set[str] = set()
        self._reply: _ShownReply | None = None
        self._state = self._shown = ""
        self._sentences = 0
        self._clips: dict[tuple[int, int, int], int] = {}
        self._next_clip = 0

    def take(self, message: ToRoom, pushed: float, played: float) -> list[Fact]:
        """What the session says."""
        match message:
            case StateMessage():
                return self._changed(message.state)
            case SpeechMessage():
                return [UserSpeech(message.participant, message.speaking)]
            case TranscriptMessage():
                return list(self._transcript(message))
            case SentenceMessage():
                return list(self._sentence(message, pushed))
            case WordsAhead():
                return list(self._words(message, pushed, played))
            case TurnMessage():
                ended = [*self._end_reply(message), *self._settle(message.turn)]
                return [*ended, *self._changed(self._state)]
            case MetricsMessage():
                segment = self._segment_of(message.turn)
                return [Figures(segment, message.model_dump(exclude={"type", "turn"}))]
            case ErrorMessage():
                return [Trouble(message.code, message.message, message.fatal)]
            case EndedMessage():
                return [*self._abandon(), *self._settle(None), Over(message.reason)]
            case _:
                return []

    def advance(self, played: float) -> list[Fact]:
        """Sound has gone on to `played`."""
        reply = self._reply
        if reply is None or not reply.sentences:
            return []
        sentence = reply.sentences[-1]
        began = sentence.spoken and played > sentence.begin
        timed = list(_time(reply, sentence, (), complete=False)) if began else []  # it sounds, and nothing is known
        return [*timed, *_release(reply, sentence, sentence.due(played))]

    def hushed(self) -> list[Fact]:
        """Sound was taken back: a barge-in, or what may become one."""
        return [Hushed(self._reply.segment)] if self._reply is not None else []

    def _segment_of(self, turn: int) -> str:
        return f"{self._prefix}-agent-{turn}"

    def _changed(self, state: str) -> list[Fact]:
        """Between two sentences of a reply the agent goes on speaking, as far as anybody who looks is concerned."""
        self._state = state
        between = state == "thinking" and self._reply is not None and self._shown == "speaking"
        if between or state == self._shown:
            return []
        self._shown = state
        return [StateChanged(state)]

    # ── what people say ──────────────────────────────────────────────────────────────────────────────────────────────

    def _transcript(self, message: TranscriptMessage) -> Iterator[Fact]:
        utterance, participant, text = message.utterance, message.participant, message.text.strip()
        if message.final and message.turn is None:  # written by the API: nothing will replace it
            yield UserText(participant, f"{self._prefix}-{utterance}", text, True, self._wall())
            return
        segment = self._segments.get(utterance)
        if message.final and segment is not None and utterance in self._guessed and message.replaces is None:
            if segment in self._open:
                yield self._text(segment)  # it did not carry the earlier words after all
            segment = None
        if segment is not None and segment not in self._open and (message.turn or 0) > (segment.turn or 0):
            segment = None  # it began in a turn that was answered meanwhile, and belongs to a later one
        if segment is None:
            segment = self._segment(message)
            self._segments[utterance] = segment
        if segment not in self._open:
            return  # final already
        segment.turn = message.turn if message.turn is not None else segment.turn
        if message.final:
            self._guessed.discard(utterance)
            segment.text = text
            if not text:
                self._open.remove(segment)
        elif not text:
            yield from self._withdraw(utterance, segment)
            return
        if not text and not segment.shown:
            return  # noise of which nobody was told
        segment.shown = True
        yield UserText(participant, segment.id, text, message.final and not text, self._wall())

    def _withdraw(self, utterance: str, segment: _Segment) -> Iterator[Fact]:
        """Interim words whose final ones will not come: what stood there before stands there again, or nothing."""
        guessed = utterance in self._guessed
        self._guessed.discard(utterance)
        del self._segments[utterance]
        if not guessed:
            self._open.remove(segment)
        if segment.shown:
            yield self._text(segment, final=not guessed)

    def _segment(self, message: TranscriptMessage) -> _Segment:
        """The segment an utterance belongs to: that of the one it replaces; a new one's interim is taken to carry the last."""
        utterance, participant, turn = message.utterance, message.participant, message.turn
        replaced = self._segments.get(message.replaces or "")
        if replaced is not None and replaced in self._open:
            return replaced
        if not message.final:
            for segment in reversed(self._open):
                if segment.participant == participant and segment.turn == turn and segment.text:
                    self._guessed.add(utterance)
                    return segment
        segment = _Segment(f"{self._prefix}-{utterance}", turn, participant)
        self._open.append(segment)
        return segment

    def _text(self, segment: _Segment, *, final: bool = False) -> UserText:
        return UserText(segment.participant, segment.id, segment.text, final, self._wall())

    def _settle(self, turn: int | None) -> Iterator[Fact]:
        """Nothing of this turn, or of an earlier one, will be replaced any more (None: of any). What is still being said stays:
        it has interim words only, and may belong to the next turn by its end."""
        for segment in list(self._open):
            said = bool(segment.text) and segment.turn is not None
            if turn is None or (said and (segment.turn or 0) <= turn):
                self._open.remove(segment)
                if segment.text or segment.shown:
                    yield self._text(segment, final=True)
        if not self._open:
            self._segments.clear()
            self._guessed.clear()

    # ── what the agent says ──────────────────────────────────────────────────────────────────────────────────────────

    def _sentence(self, message: SentenceMessage, pushed: float) -> Iterator[Fact]:
        turn = message.turn
        yield from self._settle(turn)
        if self._reply is not None and self._reply.turn != turn:
            yield from self._abandon()
        if self._reply is None:
            self._reply = _ShownReply(turn, self._segment_of(turn))
            yield ReplyBegan(self._reply.segment)
        reply = self._reply
        yield from _complete(reply)
        self._sentences += 1
        text = message.text
        sentence = _ShownSentence(self._sentences, message.index, text, message.spoken, pushed, text.split())
        reply.sentences.append(sentence)
        yield SentenceBegan(reply.segment, sentence.number, text, sentence.spoken)
        if not sentence.spoken:
            yield from _complete(reply)

    def _words(self, message: WordsAhead, pushed: float, played: float) -> Iterator[Fact]:
        turn, index, part, words = message.turn, message.index, message.part, message.words
        start = pushed + message.offset / self._rate
        sentence = None
        reply = self._reply
        if reply is not None and reply.turn == turn:
            sentence = next((one for one in reply.sentences if one.index == index), None)
        if sentence is not None:
            sentence.timings[part] = [(text, start + (begin + end) / 2) for text, begin, end in words]
        text = " ".join(word for word, _, _ in words)
        if sentence is not None and part == 0 and len(words) == len(sentence.tokens):
            text = sentence.text
        key = (turn, index, part)
        if key not in self._clips:
            self._next_clip += 1
            self._clips[key] = self._next_clip
            while len(self._clips) > _KEPT:
                del self._clips[next(iter(self._clips))]
        segment = self._segment_of(turn)
        if reply is not None and sentence is not None:
            late = max(0.0, start - sentence.begin) if part else 0.0  # of parts before it nothing was known
            known = tuple((word, begin + late, end + late) for word, begin, end in (*words, *message.rest))
            yield from _time(reply, sentence, known, complete=message.whole)
        yield ClipWords(self._clips[key], segment, text, round(start - played, 3), words, message.visemes)

    def _end_reply(self, message: TurnMessage) -> Iterator[Fact]:
        reply = self._reply
        if reply is None or reply.turn != message.turn:
            yield TurnOver(self._segment_of(message.turn), message.how)
            return
        self._reply = None
        if message.how == "played":
            yield from _complete(reply)
        elif message.heard.startswith(reply.said) and len(message.heard) > len(reply.said):
            delta = message.heard[len(reply.said) :]
            reply.said = message.heard
            yield WordsSounded(reply.segment, delta, reply.said)
        yield ReplyEnded(reply.segment, reply.said, message.how, self._wall())

    def _abandon(self) -> Iterator[Fact]:
        """The reply in flight ends where it is."""
        if self._reply is not None:
            reply, self._reply = self._reply, None
            yield ReplyEnded(reply.segment, reply.said, "interrupted", self._wall())


def _release(reply: _ShownReply, sentence: _ShownSentence, count: int) -> Iterator[Fact]:
    """Tell tokens up to `count`."""
    count = min(count, len(sentence.tokens))
    if count <= sentence.released:
        return
    words = " ".join(sentence.tokens[sentence.released : count])
    delta = f" {words}" if reply.said else words
    sentence.released = count
    reply.said += delta
    yield WordsSounded(reply.segment, delta, reply.said)


def _time(reply: _ShownReply, sentence: _ShownSentence, known: Timings, *, complete: bool) -> Iterator[Fact]:
    """Tell when the words of a sentence sound, once. `complete`: nothing is missing in what is known."""
    if not sentence.timed:
        sentence.timed = True
        words = sentence.whole(known, complete)
        yield SentenceWords(sentence.number, reply.segment, sentence.text, words)


def _complete(reply: _ShownReply) -> Iterator[Fact]:
    """The last sentence has sounded to its end."""
    if not reply.sentences:
        return
    sentence = reply.sentences[-1]
    if sentence.ended:
        return
    yield from _release(reply, sentence, len(sentence.tokens))
    sentence.ended = True
    yield SentenceEnded(reply.segment, sentence.number, sentence.text, sentence.spoken)


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
