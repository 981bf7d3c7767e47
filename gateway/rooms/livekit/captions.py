"""From the session's client messages (docs/websocket.md) to facts, at the time they hold. Pure.

What people say comes line by line already; the agent's words are told as they sound, by the clips' timings and the position of
the sound.
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
    Told,
    Trouble,
    TurnOver,
    UserSpeech,
    UserText,
    WordsSounded,
    of_call,
)
from schemas.client import (
    EndedMessage,
    ErrorMessage,
    MetricsMessage,
    SentenceMessage,
    SpeechMessage,
    StateMessage,
    TimedWord,
    ToolMessage,
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
    """`prefix`: makes segment ids unique in the room; `rate`: Hz of its sound; `wall`: the time of day; `told`: how much of calls
    of tools.

    Positions are seconds of the stream pushed into the room: `pushed`, what was, less what was taken back; `played`, what has
    sounded.
    """

    def __init__(self, prefix: str, rate: int, wall: Callable[[], datetime], told: Told = "none"):
        self._calls_told: Told = told
        self._prefix = prefix
        self._rate = rate
        self._wall = wall
        self._reply: _ShownReply | None = None
        self._sentences = 0
        self._clips: dict[tuple[int, int, int], int] = {}
        self._next_clip = 0

    def take(self, message: ToRoom, pushed: float, played: float) -> list[Fact]:
        """What the session says."""
        match message:
            case StateMessage():
                return [StateChanged(message.state)]
            case SpeechMessage():
                return [UserSpeech(message.participant, message.speaking)]
            case TranscriptMessage():
                segment, text = f"{self._prefix}-{message.utterance}", message.text
                return [UserText(message.participant, segment, text, message.final or not text, self._wall())]
            case SentenceMessage():
                return list(self._sentence(message, pushed))
            case WordsAhead():
                return list(self._words(message, pushed, played))
            case TurnMessage():
                return list(self._end_reply(message))
            case MetricsMessage():
                segment = self._segment_of(message.turn)
                return [Figures(segment, message.model_dump(exclude={"type", "turn"}))]
            case ToolMessage():
                fact = of_call(self._calls_told, message)
                return [fact] if fact is not None else []
            case ErrorMessage():
                return [Trouble(message.code, message.message, message.fatal)]
            case EndedMessage():
                return [*self._abandon(), Over(message.reason)]
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

    # ── what the agent says ──────────────────────────────────────────────────────────────────────────────────────────

    def _sentence(self, message: SentenceMessage, pushed: float) -> Iterator[Fact]:
        turn = message.turn
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
        how = message.reason if message.reason == "taken_back" else message.how
        if reply is None or reply.turn != message.turn:
            yield TurnOver(self._segment_of(message.turn), how)
            return
        self._reply = None
        if how == "taken_back":  # as if nothing had been said
            yield ReplyEnded(reply.segment, "", how, self._wall())
            return
        if message.how == "played":
            yield from _complete(reply)
        elif message.heard.startswith(reply.said) and len(message.heard) > len(reply.said):
            delta = message.heard[len(reply.said) :]
            reply.said = message.heard
            yield WordsSounded(reply.segment, delta, reply.said)
        yield ReplyEnded(reply.segment, reply.said, how, self._wall())

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
