"""The rim in virtual time: the real turn-taking machine, a log that is a list, stages that answer as they were recorded to, and a
loudspeaker that plays at the speed of sound. Nothing sleeps, and nothing is computed but decisions.

What the machine asks of a stage that was asked the same before gets the same answer, after the same time. What was never asked is
answered by an estimate, and that is noted:

- words: those that lie in the sound, by the transcripts that are known of it; the end-of-turn model's opinion is that of a
  transcript which ended there, else the median of this session's; the time is the median of this session's transcripts;
- a reply to other words: the nearest reply that was recorded, in its own time. What a model would have said nobody knows;
- the sound of a text nobody spoke: as long as its letters are in this session.

Where the log refused a job, for its stage's queue was full, it is refused here; at another moment, as the nearest one was.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from gateway import turn_taking as machine
from gateway.turn_taking import (
    Capture,
    Decision,
    End,
    Input,
    LogEvent,
    NoMoreParts,
    Pause,
    Play,
    Played,
    Publish,
    Published,
    Record,
    Resume,
    State,
    Stop,
    Tick,
)
from ops.replay._answering import BY, UNKNOWN, GivenAgain, bare, cause_of, clip_of, given_again
from ops.replay._calls import as_call, call_of, cause_of_call, returns
from ops.replay._recorded import Answer, Did, Given, Heard, Recording, Span, Spoken
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Outcome
from schemas.clock import Micros, Now
from schemas.config.agent import AgentSpec
from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    Stage,
    StageFailed,
    ToolCalled,
    TranscriptFinal,
    TranscriptPartial,
    UtteranceCaptured,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.session.fold import SessionState, fold, fold_all

_PUBLISHED = 0.002
"""Seconds until a publication is answered."""
_FED = 0.0005
"""Seconds until an event is fed."""
_LINGERS = 120.0
"""Seconds after the recorded end for which a conversation that has not ended is waited for."""
_ENDS = 0.5
"""The same for a session whose log is cut off: what was decided last comes as much later as a publication takes."""
_HINT = 0.3
"""Seconds by which a partial may have been asked for at another moment and be the same."""
_THEN = 0.5
"""Seconds by which a job that was refused may be given at another moment and be the same."""
_OF: Mapping[Stage, str] = {"stt": "its transcript", "llm": "its reply", "tts": "its sound"}


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was answered by an estimate. `at`: seconds from the session's beginning."""

    at: float
    turn: int | None
    what: str

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {"at": round(self.at, 3), "turn": self.turn, "what": self.what}


class Virtual:
    """`given`: what rooms say, in order; `started`: the fork's first event; `kept`: the log before the moment from which it goes
    on (nothing: from the beginning); `since`: that moment; `late`: what stages said afterwards of what they were asked before."""

    def __init__(
        self, recording: Recording, agent: AgentSpec, given: Iterable[Given], started: SessionStarted,
        kept: Sequence[Event] = (), since: float = 0.0, late: Sequence[tuple[float, Event]] = (),
    ):  # fmt: skip
        self.events: list[Event] = []
        self.notes: list[Note] = []
        self.state: State
        self._recording = recording
        self._agent = agent.model_copy(update={"hooked": {}})  # nobody runs them here, and none is waited for
        self._now = Now(since)
        self._over = False
        self._generation = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._seen: set[str] = set()
        self._replaced: set[str] = set()
        self._spans: dict[str, tuple[Span, ...]] = {}
        """Of utterances."""
        self._sounding: tuple[int, int, float, float] | None = None
        """Turn, index, position, and since when it sounds from there."""
        self.sounded: list[Span] = []
        """From when to when it did, and fell silent."""
        self._clips: dict[tuple[int, int], tuple[float, bool]] = {}
        """How long each sentence is, as far as it is there, and whether that is all."""
        self._used: dict[int, int] = {}
        """How often each recorded reply was given."""
        self._given: dict[tuple[int, int], GivenAgain] = {}
        """By turn and generation."""
        self._begun: set[str] = set()
        """Calls of tools: what came of them comes, whatever becomes of the reply."""
        self._folded = SessionState()
        self._record: Record
        for one in given:
            self._at(one.at, partial(self.feed, one.item))
        for asked in recording.asked:
            if asked.at >= since:
                self._at(asked.at, partial(self._append, asked.event))
        for moment, event in late:
            self._at(moment, partial(self._late, event))
        self._begin(started, kept)

    def _begin(self, started: SessionStarted, kept: Sequence[Event]) -> None:
        self.events = [started, *kept[1:]]
        self._folded = fold_all(self.events)
        self._generation = self._folded.generation
        if len(self.events) == 1:
            self._record = Record(machine.Opened(1), self._now)
            self.state = machine.start(BY, self._agent, self._now, seq=1, began=started.at, metadata=started.metadata)
            return
        for event in self.events:
            if isinstance(event, UtteranceCaptured):
                self._replaced |= {*event.joins, event.replaces or ""}
        self._spans = {heard.utterance: heard.spans for heard in self._recording.heard if heard.captured < self._now}
        epoch = self._folded.epoch + 1
        self._record = Record(machine.Resumed(tuple(self.events), BY, epoch, {}, "restart"), self._now)
        state, decisions = machine.resume(BY, self.events, {}, self._now, gateway=BY, epoch=epoch, reason="restart")
        self._enter(state, decisions)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """To the end of the conversation; of one that was cut off, to where its log ends."""
        while self.advance():
            pass

    @property
    def now(self) -> float:
        """Seconds since the session's beginning."""
        return self._now

    @property
    def due(self) -> float:
        """When something happens next; infinity: nothing will."""
        moment = min(self._queue[0][0] if self._queue else float("inf"), self.state.wake_at)
        return float("inf") if self._over or moment > self._end else moment

    @property
    def _end(self) -> float:
        return self._recording.length + (_LINGERS if self._recording.ended is not None else _ENDS)

    def advance(self) -> bool:
        """What happens next, happens. False: nothing does any more."""
        moment = self.due
        if moment == float("inf"):
            return False
        self._now = Now(max(self._now, moment))
        if self._queue and self._queue[0][0] <= self.state.wake_at:
            heapq.heappop(self._queue)[2]()
        else:
            self.feed(Tick())
            if self.state.wake_at <= self._now:  # as near as a number can tell
                self._now = Now(self._now + 1e-6)
        return True

    def _at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._order), what))

    def _after(self, delay: float, what: Callable[[], None]) -> None:
        self._at(self._now + delay, what)

    def _note(self, turn: int | None, what: str) -> None:
        self.notes.append(Note(self._now, turn, what))

    # ── the machine ──────────────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, item: Input) -> None:
        """One input; where playback is goes before it."""
        if self._over:
            return
        if self._sounding is not None:
            turn, index, _, _ = self._sounding
            self._take(Played(turn, index, self._position()))
        self._take(item)

    def _take(self, item: Input) -> None:
        if self._over:
            return
        before = self.state
        state, decisions = machine.step(before, item, self._now)
        self._record.fed(item, self._now, before, state, decisions)
        self._enter(state, decisions)

    def _enter(self, state: State, decisions: Sequence[Decision]) -> None:
        self.state = state
        for decision in decisions:
            self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case Publish():
                self._publish(self._record.sent(decision))
            case Play(turn, _, index, clips, last):
                self._clips[turn, index] = sum(clip.duration for clip in clips), last
                self._sound(turn, index, 0.0)
            case Pause():
                self._silence()
            case Resume(turn, index, position):
                self._sound(turn, index, position)
            case Stop() | End():
                self._silence()
                self._over = self._over or isinstance(decision, End)
            case NoMoreParts(turn, _, index) if (turn, index) in self._clips:
                self._grow(turn, index, 0.0, last=True)
            case _:
                pass

    # ── the loudspeaker ──────────────────────────────────────────────────────────────────────────────────────────────

    def _position(self) -> float:
        assert self._sounding is not None
        turn, index, position, since = self._sounding
        return min(position + self._now - since, self._clips[turn, index][0])

    def _silence(self) -> None:
        if self._sounding is not None:
            self.sounded.append((self._sounding[3], self._now))
            self._sounding = None

    def _sound(self, turn: int, index: int, position: float) -> None:
        self._silence()
        self._sounding = sounds = (turn, index, position, self._now)
        duration, last = self._clips[turn, index]

        def finish() -> None:
            if self._sounding is sounds:
                self._silence()
                self._take(Played(turn, index, duration, finished=True))

        if last:
            self._after(max(0.0, duration - position), finish)

    def _grow(self, turn: int, index: int, seconds: float, *, last: bool) -> None:
        """Another part of a sentence is there, or none will be."""
        sounds = self._sounding is not None and self._sounding[:2] == (turn, index)
        position = self._position() if sounds else 0.0
        self._clips[turn, index] = self._clips[turn, index][0] + seconds, last
        if sounds:
            self._sound(turn, index, position)

    # ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _publish(self, publish: Publish) -> None:
        audio: dict[str, tuple[AudioRef, ...]] = {}
        spans: dict[str, tuple[Span, ...]] = {}
        for capture in publish.captures:
            spans[capture.job] = self._span(capture)
            audio[capture.job] = self._audio(capture.participant, spans[capture.job])
            if not capture.partial:
                self._spans[capture.utterance] = spans[capture.job]
        captured = {capture.utterance: audio[capture.job] for capture in publish.captures if not capture.partial}
        if self._is_refused(publish.jobs):
            refused = Published(publish.operation, Outcome.FULL, len(self.events), audio)
            self._after(_PUBLISHED, partial(self._take, refused))
            return

        def answer() -> None:
            self._generation = max(self._generation, publish.raises or 0)
            for event in publish.events:
                if isinstance(event, UtteranceCaptured):
                    event = event.model_copy(update={"audio": list(captured.get(event.utterance, ()))})
                    self._replaced |= {*event.joins, event.replaces or ""}
                self._write(event.model_copy(update={"by": BY}))
            for job in publish.jobs:
                self._enqueue(job, spans.get(job.id, ()))
            self._take(Published(publish.operation, Outcome.OK, len(self.events), audio))

        self._after(_PUBLISHED, answer)

    def _is_refused(self, jobs: Sequence[Job]) -> bool:
        """Where the queue of a job's stage was full, it is."""
        for job in jobs:
            hint = isinstance(job, SttJob) and job.partial
            since = None if job.turn is None or hint else self._full(job.stage)
            if since is not None:
                if since > _THEN:
                    self._note(job.turn, f"{_OF[job.stage]}: no room for it, as there was none {since:.1f} s from then")
                return True
        return False

    def _full(self, stage: Stage) -> float | None:
        """Seconds to the refusal that says so; None: there is room."""
        return self._recording.refused(stage, self._now)

    def _span(self, capture: Capture) -> tuple[Span, ...]:
        own = (capture.start / HEARING_RATE, capture.end / HEARING_RATE)
        return (*self._spans.get(capture.carries or "", ()), own)

    def _audio(self, participant: str, spans: Sequence[Span]) -> tuple[AudioRef, ...]:
        """The recorded sound in which it was heard: of the same utterance, else of all that has a part in it."""
        same = self._recording.same_as(participant, spans)
        if same is not None:
            return same.audio
        found: dict[str, AudioRef] = {}
        for heard in self._recording.heard:
            if heard.participant == participant and any(a < d and c < b for a, b in spans for c, d in heard.spans):
                found |= {ref.key: ref for ref in heard.audio}
        return tuple(found.values())

    def _write(self, event: Event) -> None:
        at = Micros(self._recording.began.at + round(self._now * 1e6))
        written = event.model_copy(update={"seq": len(self.events) + 1, "at": at})
        self.events.append(written)
        self._folded = fold(self._folded, written)

    def _append(self, event: Event) -> None:
        """What others say: written, and fed a moment later."""
        if isinstance(self.events[-1], SessionEnded):
            return
        self._write(event)
        written = self.events[-1]
        self._after(_FED, partial(self._read, written))

    def _read(self, event: Event) -> None:
        if isinstance(event, ClipReady) and event.phrase is None and event.turn is not None:
            reply = self.state.turns[event.turn].reply if event.turn in self.state.turns else None
            if (event.turn, event.index) in self._clips and reply is not None and reply.generation == event.generation:
                self._grow(event.turn, event.index, event.duration, last=event.last)
        self.feed(LogEvent(event))

    def _late(self, event: Event) -> None:
        """Of a job that was asked for before: if nobody wants anything else by now, nor has asked anew."""
        utterance = getattr(event, "utterance", None)
        anew = isinstance(event, ReplySentence | ReplyFinished) and self._asked_anew(event)
        stands = event.generation in (None, self._generation) or bool(call_of(event))
        if utterance not in self._replaced and stands and not anew:
            self._append(event)

    def _asked_anew(self, event: ReplySentence | ReplyFinished) -> bool:
        turn, generation = event.turn or 0, event.generation or 0
        return LlmJob.of(self._agent, BY, turn, generation, committed=False).id in self._seen

    # ── the stages ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _void(self, job: Job) -> bool:
        return job.generation is not None and job.generation != self._generation

    def _enqueue(self, job: Job, spans: tuple[Span, ...]) -> None:
        if job.id in self._seen:
            return
        self._seen.add(job.id)
        match job:
            case SttJob(partial=True):
                self._hint(job, spans)
            case SttJob():
                self._hear(job, spans)
            case LlmJob():
                self._think(job)
            case TtsJob():
                self._speak(job)

    def _hint(self, job: SttJob, spans: Sequence[Span]) -> None:
        hints = self._recording.hints
        if not hints:
            return  # its stages gave none
        near = [hint for hint in hints if hint.participant == job.participant and abs(hint.asked - self._now) < _HINT]
        if near:
            hint = min(near, key=lambda hint: abs(hint.asked - self._now))
            text, language, delay = hint.event.text, hint.event.language, hint.delay
        else:
            text, language = self._recording.words_in(job.participant, spans), ""
            delay = self._recording.hinting_takes
            self._note(job.turn, f"what {job.participant} had said so far: the words that lie there")
        event = TranscriptPartial(
            turn=job.turn, utterance=job.utterance, participant=job.participant, text=text, language=language,
            took=round(delay, 4), cause=cause_of(job), by=BY,
        )  # fmt: skip
        self._after(delay, partial(self._append, event))

    def _hear(self, job: SttJob, spans: Sequence[Span]) -> None:
        heard = self._recording.same_as(job.participant, spans)
        if heard is not None and heard.result is not None:
            result: Event = heard.result.model_copy(
                update={"turn": job.turn, "utterance": job.utterance, "generation": None, "cause": cause_of(job)}
            )
            if isinstance(result, TranscriptFinal):
                unasked = {} if job.end_of_turn else {"end_of_turn": None}
                result = result.model_copy(update=unasked if job.complete else {**unasked, "complete": None})
            else:
                result = result.model_copy(update={"job": job.id})
            self._after(heard.delay, partial(self._transcribed, job, result))
            return
        self._after(self._recording.hearing_takes, partial(self._transcribed, job, self._guess(job, spans, heard)))

    def _guess(self, job: SttJob, spans: Sequence[Span], heard: Heard | None) -> Event:
        """A transcript that nobody made."""
        recording = self._recording
        who = {"turn": job.turn, "utterance": job.utterance, "cause": cause_of(job), "by": BY}
        text = recording.words_in(job.participant, spans)
        if not text and not recording.was_heard(job.participant, spans):
            self._note(job.turn, f"what {job.participant} said: not known, it was never transcribed")
            unheard = {"stage": "stt", "code": "not_known", "job": job.id, **who}
            return StageFailed.model_validate({"message": "what was said there was never transcribed", **unheard})
        told = "as in its later transcripts" if heard is not None else "the words that lie there"
        self._note(
            job.turn, f"what {job.participant} said: {told}; how sure it was the end, and when it came: estimates"
        )
        opinion = recording.ends_with(job.participant, spans) if job.end_of_turn and text else None
        complete = recording.complete_at(job.participant, spans) if job.complete and text else None
        final = {"participant": job.participant, "text": text, "end_of_turn": opinion, "complete": complete, **who}
        return TranscriptFinal.model_validate({"took": round(recording.hearing_takes, 4), **final})

    def _transcribed(self, job: SttJob, result: Event) -> None:
        if job.utterance in self._replaced:
            return
        self._append(result)
        followed = isinstance(result, TranscriptFinal) and result.text.strip()
        if followed and job.then is not None and not self._void(job.then):
            self._enqueue(job.then, ())

    # ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _think(self, job: LlmJob) -> None:
        turn = self._folded.turns.get(job.turn)
        if (job.turn, job.generation) not in self._given:
            answer = self._answer(job, turn.text if turn is not None else "")
            if answer is not None:
                self._give(job, answer)
        given = self._given.get((job.turn, job.generation))
        if given is not None:
            self._say(job, given)
            return
        self._note(job.turn, "its reply: not known, the session has none")
        parts: Sequence[tuple[float, Event]] = [
            (0.3, ReplySentence(index=0, text=UNKNOWN)),
            (0.35, ReplyFinished(sentences=1)),
        ]
        for delay, event in parts:
            self._after(delay, partial(self._said, job, event))

    def _give(self, job: LlmJob, answer: Answer) -> None:
        """To this reply, and to its continuations."""
        given = given_again(answer, self._agent.filler.strip(), committed=job.committed)
        self._given[job.turn, job.generation] = given

    def _say(self, job: LlmJob, given: GivenAgain) -> None:
        for delay, event in given.part(job.resume):
            self._after(delay, partial(self._said, job, event))

    def _answer(self, job: LlmJob, text: str) -> Answer | None:
        """The reply that was recorded to these words; else the nearest there is."""
        answers = [answer for answer in self._recording.answers if answer.parts]
        same = [answer for answer in answers if bare(answer.text) == bare(text)]
        whole = [answer for answer in same if answer.whole]
        if not same:
            others = [answer for answer in answers if answer.whole] or answers
            found = min(others, key=self._since_asked, default=None)
            if found is not None:
                self._note(
                    job.turn, f'its reply: that of turn {found.turn} ("{found.text[:60]}"); its own is not known'
                )
            return found
        if not whole:
            self._note(job.turn, "its reply: as far as it came before it was void")
        found = min(whole or same, key=lambda answer: (self._used.get(id(answer), 0), self._since_asked(answer)))
        self._used[id(found)] = self._used.get(id(found), 0) + 1  # of several to the same words each has its turn
        return found

    def _since_asked(self, answer: Answer) -> float:
        return abs(answer.asked - self._now)

    def _said(self, job: LlmJob, event: Event) -> None:
        called = event.call if isinstance(event, ToolCalled) else call_of(event)
        call = f"{job.turn}.{job.generation}.{called.rpartition('.')[2]}" if called else ""
        if called and not isinstance(event, ToolCalled):
            if call in self._begun:
                self._came_of(job, call, event)
            return
        if self._void(job):
            return
        about: dict[str, Any] = {"turn": job.turn, "generation": job.generation, "cause": cause_of(job)}
        match event:
            case StageFailed():
                about["job"] = job.id
            case ToolCalled():
                about["call"] = call
            case ReplySentence():  # the filler may have been said before it, or not
                about["index"] = self._sentences(job)
            case ReplyFinished():
                about["sentences"] = self._sentences(job)
            case _:
                pass
        self._append(event.model_copy(update=about))
        if isinstance(event, ToolCalled):
            self._begun.add(call)
            did = self._recording.calls.get(called)
            if event.pool and did is not None:
                self._works(job, call, did)
        if isinstance(event, ReplySentence):
            index: int = about["index"]
            speak = TtsJob.sentence(self._agent, job.session, job.turn, job.generation, index, event.text)
            self._enqueue(speak, ())

    def _sentences(self, job: LlmJob) -> int:
        """How many the reply has so far."""
        turn = self._folded.turns.get(job.turn)
        reply = turn.reply if turn is not None else None
        return len(reply.sentences) if reply is not None and reply.generation == job.generation else 0

    def _works(self, job: LlmJob, call: str, did: Did) -> None:
        """A tool is at it, as long as it was; nobody calls it."""
        for delay, event in did.parts:
            self._after(delay, partial(self._came_of, job, call, event))

    def _came_of(self, job: LlmJob, call: str, event: Event) -> None:
        own = as_call(event, call)
        if returns(event):
            own = own.model_copy(update={"turn": job.turn, "generation": job.generation, "cause": cause_of_call(call)})
        self._append(own)

    # ── its sound ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _speak(self, job: TtsJob) -> None:
        recording = self._recording
        known = recording.phrases.get(job.phrase) if job.phrase is not None else None
        if known is None:
            known = next(iter(recording.spoken.get(job.text, ())), None)
        if known is None:
            if job.phrase is None:
                self._note(job.turn, f'the sound of "{job.text[:60]}": as long as its letters are')
            known = Spoken(((recording.speaking_takes, clip_of(job.text, recording.a_character_takes)),))
        for delay, event in known.parts:
            self._after(delay, partial(self._spoke, job, event))

    def _spoke(self, job: TtsJob, event: Event) -> None:
        if self._void(job):
            return
        about: dict[str, Any] = {
            "turn": job.turn,
            "generation": job.generation,
            "index": job.index,
            "cause": cause_of(job),
        }
        about["phrase"] = job.phrase
        if not isinstance(event, ClipReady):
            about["job"] = job.id
        self._append(event.model_copy(update=about))
