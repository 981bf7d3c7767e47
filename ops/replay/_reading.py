"""A log's `Recording`.

One that tells what was fed to turn-taking gives every edge of speech as it was. An older one tells of speech that was captured,
and the edges are read off that: pauses shorter than the soft end are unknown then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.inputs import Attached, Detached, Digits, HungUp, Joined, Left, PushToTalk, Typed
from gateway.sound.detector import FRAME
from gateway.turn_taking import EdgeKind, Queues, Resumed, SpeechEdge, fed_by, read_entry
from ops.replay._calls import call_of, calls_of
from ops.replay._recorded import (
    Answer,
    Asked,
    Given,
    Heard,
    Hint,
    Recording,
    Span,
    Spoken,
    WordAt,
    ends,
    transcribed,
)
from schemas.audio import HEARING_RATE
from schemas.errors import EventError
from schemas.events import (
    ClipReady,
    DtmfReceived,
    EndRequested,
    Event,
    FieldCollected,
    GatewayEvent,
    InstructionsChanged,
    KnowledgeFound,
    MemoryLoaded,
    MessageReceived,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    SessionEnded,
    SessionStarted,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Stage,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.fold import SessionState, fold
from schemas.session.state import OWN

_ASKED = (SayRequested, MessageReceived, InstructionsChanged, EndRequested, MemoryLoaded)
"""What others ask of a session by the log, or tell it: of nothing else a replay need know."""
_EXTERNAL = (SpeechEdge, Joined, Left, Typed, PushToTalk, Digits, Attached, Detached, HungUp, Queues)
_SPOKEN_THEN = ("greeting", "say")
_FRAME = FRAME / HEARING_RATE
_HINT = 0.1
"""Seconds a partial took that does not tell."""


def recorded(events: Sequence[Event]) -> Recording:
    """What a session's log holds of it. EventError: it does not begin with its beginning."""
    first = events[0] if events else None
    if not isinstance(first, SessionStarted):
        raise EventError("a log begins with session.started; this one can't be replayed")
    recording = Recording(first, length=(events[-1].at - first.at) / 1e6)
    last = events[-1]
    recording.ended = last.reason if isinstance(last, SessionEnded) else None
    clocks = _Clocks(events)
    recording.exact = bool(clocks.began)
    recording.given = _given(events, clocks) if clocks.began else _read_off(events, clocks)
    recording.voices = _voices(recording.given, recording.length)
    _read_stages(recording, events, clocks)
    recording.offered = _offered(recording, events, clocks)
    return recording


class _Clocks:
    """Moments of each gateway's clock, in seconds from the session's beginning. A fact is in the log a little after it was
    decided: the shortest time that took stands for none."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._beginning = events[0].at
        self.began: list[int] = []
        """Seq of the facts with which a gateway began."""
        self._offsets: list[float] = []
        for event in events:
            entries = fed_by(event) or ()
            if any(entry[:1] in (["opened"], ["resumed"]) for entry in entries):
                self.began.append(event.seq)
                self._offsets.append(float("inf"))
            clock = event.clock if isinstance(event, GatewayEvent) else None
            if clock is not None and self._offsets:
                self._offsets[-1] = min(self._offsets[-1], self.at(event) - clock)

    def at(self, event: Event) -> float:
        return (event.at - self._beginning) / 1e6

    def decided(self, event: Event) -> float:
        """When a fact was decided, by its own clock where there is one."""
        clock = event.clock if isinstance(event, GatewayEvent) else None
        return self.at(event) if clock is None or not self.began else self.of(event.seq, clock)

    def of(self, seq: int, clock: float) -> float:
        """A moment of the gateway that wrote event `seq`."""
        place = sum(began <= seq for began in self.began) - 1
        offset = self._offsets[max(place, 0)]
        return max(0.0, clock + offset) if offset != float("inf") else 0.0


def _given(events: Sequence[Event], clocks: _Clocks) -> list[Given]:
    """What was fed, but for what the log and the loudspeaker said."""
    log = {event.seq: event for event in events}
    given: list[Given] = []
    shifts: dict[str, int] = {}
    for event in events:
        for entry in fed_by(event) or ():
            now, item = read_entry(entry, log)
            at = clocks.of(event.seq, now)
            if isinstance(item, Resumed):  # nobody was heard while it was nobody's
                shifts.clear()
                given.append(Given(given[-1].at if given else at, Detached()))
            elif isinstance(item, _EXTERNAL):
                if isinstance(item, Left):
                    shifts.pop(item.participant, None)
                given.append(Given(at, _from_the_beginning(item, at, shifts) if isinstance(item, SpeechEdge) else item))
    given.sort(key=lambda one: one.at)
    return given


def _from_the_beginning(edge: SpeechEdge, at: float, shifts: dict[str, int]) -> SpeechEdge:
    """With samples counted from the session's beginning: each stream of a participant begins at 0."""
    shift = shifts.setdefault(edge.participant, round(at * HEARING_RATE) - edge.head)
    return replace(edge, position=max(0, edge.position + shift), head=edge.head + shift)


def _read_off(events: Sequence[Event], clocks: _Clocks) -> list[Given]:
    """The same of a log that does not tell it: by its facts. Somebody hears as soon as somebody is there."""
    given: list[Given] = []
    speaks: set[str] = set()
    joined: dict[str, Joined] = {}
    there = False

    def edge(who: str, kind: EdgeKind, happened: float, frames: int) -> None:
        at = happened + frames * _FRAME
        given.append(Given(at, SpeechEdge(who, kind, round(happened * HEARING_RATE), round(at * HEARING_RATE))))

    for event in events:
        at = clocks.at(event)
        happened = max(0.0, at - event.ago)
        match event:
            case ParticipantJoined():
                joined[event.participant] = Joined(event.participant, event.kind, event.name, event.attributes)
                given.append(Given(at, joined[event.participant]))
                if not there and event.kind != "agent":
                    there = True
                    given.append(Given(at, Attached()))
            case ParticipantChanged() if event.participant in joined:
                given.append(Given(at, replace(joined[event.participant], attributes=event.attributes)))
            case ParticipantLeft():
                given.append(Given(at, Left(event.participant, event.reason)))
            case SpeechStarted() | SpeechResumed():
                if event.participant not in speaks:
                    edge(event.participant, "onset", happened, 1)
                    edge(event.participant, "start", happened, 3)
                speaks.add(event.participant)
            case SpeechPaused():
                edge(event.participant, "stop", happened, 1)
                speaks.discard(event.participant)
            case MessageReceived(turn=int()):
                given.append(Given(at, Typed(event.participant, event.text)))
            case DtmfReceived():
                given.append(Given(at, Digits(event.participant, event.digits)))
            case SessionEnded() if event.reason not in ("limit", "client_gone", "end_requested"):
                given.append(Given(at, HungUp(event.reason)))
            case _:
                pass
    given.sort(key=lambda one: one.at)
    return given


def _voices(given: Iterable[Given], length: float) -> dict[str, list[Span]]:
    """By participant, from each start of speech to its stop."""
    voices: dict[str, list[Span]] = {}
    since: dict[str, float] = {}
    for one in given:
        if isinstance(one.item, SpeechEdge):
            who, moment = one.item.participant, one.item.position / HEARING_RATE
            if one.item.kind == "start":
                since.setdefault(who, moment)
            elif one.item.kind == "stop" and who in since:
                voices.setdefault(who, []).append((since.pop(who), moment))
    for who, begin in since.items():
        voices.setdefault(who, []).append((begin, length))
    return voices


# ── what the stages made ─────────────────────────────────────────────────────────────────────────────────────────────


def _read_stages(recording: Recording, events: Sequence[Event], clocks: _Clocks) -> None:
    utterances: dict[str, Heard] = {}
    sentences: dict[tuple[int | None, int | None, int | None], tuple[str, float]] = {}
    sound: dict[tuple[int | None, int | None, int | None], list[tuple[float, Event]]] = {}
    phrases: dict[str, list[tuple[float, Event]]] = {}
    answers: dict[tuple[int | None, int | None], _AnswerSoFar] = {}
    calls: dict[str, tuple[int | None, int | None]] = {}
    state = SessionState()
    for event in events:
        at = clocks.at(event)
        match event:
            case UtteranceCaptured():
                utterances[event.utterance] = _captured(event, clocks.decided(event), utterances)
            case TranscriptFinal():
                _result(utterances, event.utterance, event, at)
            case TranscriptPartial():
                took = event.took + event.queued or _HINT
                recording.hints.append(Hint(event.participant, at - took, event, took))
            case StageFailed(stage="stt") | StageExpired(stage="stt") if event.utterance is not None and ends(event):
                _result(utterances, event.utterance, event, at)
            case ReplySentence() | ReplyFinished() | ToolCalled() | ToolReturned() | FieldCollected():
                if isinstance(event, ToolCalled):
                    calls[event.call] = event.turn, event.generation
                if isinstance(event, ReplySentence):
                    sentences[event.turn, event.generation, event.index] = event.text, at
                turn = state.turns.get(event.turn or 0)
                if turn is not None and not turn.own:
                    asked = _asked(
                        event, at, turn.commit.at if turn.commit else None, turn.utterances, recording.began.at
                    )
                    so_far = answers.setdefault((event.turn, event.generation), _AnswerSoFar(turn.id, turn.text, asked))
                    so_far.parts.append((at, event))
            case KnowledgeFound(turn=int(number)):
                recording.known[number] = event
            case _ if (came := answers.get(calls.get(call_of(event), (None, None)))) is not None:
                came.parts.append((at, event))
            case StageFailed(stage="llm") | StageExpired(stage="llm"):
                turn = state.turns.get(event.turn or 0)
                if turn is not None:
                    key = event.turn, event.generation
                    answers.setdefault(key, _AnswerSoFar(turn.id, turn.text, at)).parts.append((at, event))
            case ClipReady() | StageFailed(stage="tts") | StageExpired(stage="tts"):
                if event.phrase is not None:
                    phrases.setdefault(event.phrase, []).append((at, event))
                else:
                    sound.setdefault((event.turn, event.generation, event.index), []).append((at, event))
            case _ if isinstance(event, _ASKED) and event.clock is None and not _ours(event):
                recording.asked.append(Asked(at, event))
            case _:
                pass
        state = fold(state, event)
    recording.heard = list(utterances.values())
    recording.answers = [so_far.made() for so_far in answers.values()]
    recording.calls = calls_of(recording.answers)
    for sentence, parts in sound.items():
        text, said = sentences.get(sentence, ("", parts[0][0]))
        if (spoken := _spoken(parts, said)).parts:
            recording.spoken.setdefault(text, []).append(spoken)
    made = {name: _spoken(parts, 0.0) for name, parts in phrases.items()}
    recording.phrases = {name: spoken for name, spoken in made.items() if spoken.parts}
    for who in recording.voices.keys() | {heard.participant for heard in recording.heard}:
        recording.words[who] = _words(recording, who)


def _offered(recording: Recording, events: Iterable[Event], clocks: _Clocks) -> dict[Stage, list[tuple[float, bool]]]:
    """Of a job that the log refused there are its facts alone: an utterance that nobody was asked to hear, a turn that ended for
    want of room. Of the agent's own words only those count that are spoken when they are wanted, and were not made ahead."""
    stt: list[tuple[float, bool]] = []
    tts: list[tuple[float, bool]] = []
    llm = [(answer.asked, True) for answer in recording.answers]
    unheard: set[int | None] = set()
    commits: dict[int, TurnCommitted] = {}
    for event in events:
        match event:
            case UtteranceCaptured():
                refused = bool((event.inputs or {}).get("unheard"))
                stt.append((clocks.decided(event), not refused))
                unheard |= {event.turn} if refused else set()
            case TurnCommitted():
                commits[event.turn] = event
            case TurnEnded():
                commit, full = commits.get(event.turn), event.reason == "overload"
                if commit is not None and commit.why in _SPOKEN_THEN:
                    tts.append((clocks.decided(commit), not full))
                elif full and event.turn not in unheard and (commit is None or commit.why not in OWN):
                    llm.append((clocks.decided(event), False))
            case _:
                pass
    return {"stt": stt, "llm": llm, "tts": tts}


def _ours(event: Event) -> bool:
    """A message of somebody in the room: its turn was named as it was taken."""
    return isinstance(event, MessageReceived) and event.turn is not None


def _captured(event: UtteranceCaptured, at: float, utterances: Mapping[str, Heard]) -> Heard:
    """Its sound ends where it was captured; where long speech was cut, at the cut; where two utterances were joined, with the
    later one's."""
    before = utterances.get(next(iter(event.joins), event.replaces or ""))
    carried = len(before.audio) if before is not None and len(before.audio) < len(event.audio) else 0
    new = event.audio[carried:]
    length = sum(ref.duration for ref in new) if event.audio else event.duration
    inputs, last = event.inputs or {}, utterances.get(event.replaces or "")
    end = at - event.ago if inputs.get("cut") else at
    if inputs.get("joined") and last is not None:
        end = last.spans[-1][1]
    own = (max(0.0, end - length), end)
    spans = (*before.spans, own) if before is not None and carried else (own,)
    return Heard(event.utterance, event.participant, spans, tuple(event.audio), at, event.ago)


def _result(
    utterances: dict[str, Heard], name: str, event: TranscriptFinal | StageFailed | StageExpired, at: float
) -> None:
    heard = utterances.get(name)
    if heard is not None and not transcribed(heard):
        utterances[name] = replace(heard, result=event, delay=max(0.001, at - heard.captured))


@dataclass(slots=True)
class _AnswerSoFar:
    turn: int
    text: str
    asked: float
    parts: list[tuple[float, Event]] = field(default_factory=list)

    def made(self) -> Answer:
        parts = tuple((max(0.001, at - self.asked), event) for at, event in self.parts)
        return Answer(self.turn, self.text, self.asked, parts)


def _asked(event: Event, at: float, committed: int | None, utterances: Sequence[object], beginning: int) -> float:
    """When the LLM was asked whose first word this is: by its own times; without any, as soon as all was known."""
    took = getattr(event, "took", 0.0) + getattr(event, "queued", 0.0)
    if took > 0:
        return at - took
    known = [
        (moment - beginning) / 1e6 for u in utterances if (moment := getattr(u, "transcribed_at", None)) is not None
    ]
    if committed is not None and (not known or isinstance(event, ToolCalled)):  # tools are called once it is
        known.append((committed - beginning) / 1e6)
    return min(max(known, default=at - 0.3), at)


def _spoken(parts: Sequence[tuple[float, Event]], said: float) -> Spoken:
    """`said`: when its text was there."""
    first, event = parts[0]
    took = getattr(event, "took", 0.0) + getattr(event, "queued", 0.0)
    asked = first - took if took > 0 else min(said, first)
    made = [
        (max(0.001, at - asked), part)
        for at, part in parts
        if isinstance(part, ClipReady) or (isinstance(part, StageFailed | StageExpired) and ends(part))
    ]
    return Spoken(tuple(made))


def _words(recording: Recording, who: str) -> list[WordAt]:
    """When each word of a participant sounded: by the transcript that came last of what was said there."""
    words: list[WordAt] = []
    for heard in recording.heard:
        if heard.participant != who or not isinstance(heard.result, TranscriptFinal):
            continue
        words = [word for word in words if not any(start <= word.middle < end for start, end in heard.spans)]
        words += _timed(recording, heard, heard.result)
    return sorted(words, key=lambda word: word.middle)


def _timed(recording: Recording, heard: Heard, result: TranscriptFinal) -> list[WordAt]:
    """By its own timings; where it has none, evenly over where there was a voice."""
    if result.words:
        return [WordAt(word.text.strip(), _place(heard.spans, (word.start + word.end) / 2)) for word in result.words]
    pieces = result.text.split()
    where = recording.voiced(heard.participant, heard.spans) or list(heard.spans)
    length = sum(end - start for start, end in where)
    return [WordAt(piece, _place(where, length * (n + 0.5) / len(pieces))) for n, piece in enumerate(pieces)]


def _place(spans: Sequence[Span], seconds: float) -> float:
    """The moment that lies `seconds` into these stretches, one after the other."""
    for start, end in spans:
        if seconds < end - start:
            return start + seconds
        seconds -= end - start
    return spans[-1][1] - 0.001
