"""A call in virtual time: people speak by script, stages answer after fixed delays, a loudspeaker plays. Nothing sleeps.

The log here is a list with the fences of the real one: generation, `hear`, lanes; what a void job says is never appended.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gateway.inputs import Attached, Joined
from gateway.turn_taking import (
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
    Refold,
    Resume,
    SpeechEdge,
    State,
    Stop,
    Tell,
    Tick,
    resume,
    rewound,
    start,
    step,
)
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Outcome
from schemas.config.agent import AgentSpec
from schemas.events import (
    Cause,
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    UtteranceCaptured,
    Word,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

FRAME = 0.032


@dataclass
class Speech:
    """What `who` says from `at` to `end`, and the models' opinions of its end."""

    who: str
    at: float
    end: float
    text: str
    end_of_turn: float | None
    complete: float | None = None


@dataclass
class Stages:
    """How the workers behave. `replies`: sentences of the n-th reply asked for (the last one goes on); delays in seconds."""

    stt: float = 0.08
    llm: float = 0.08
    tts: float = 0.1
    tts_each: float = 0.0
    """More for each later sentence."""
    replies: list[list[str]] = field(
        default_factory=lambda: [["This is the first sentence.", "And here is the second one."]]
    )
    stt_fails: bool = False
    llm_fails: bool = False
    tts_fails: Callable[[int], bool] = lambda index: False
    phrases_fail: bool = False
    dead: set[str] = field(default_factory=set)
    """Stages without any worker: their jobs are never answered."""
    tool: bool = False
    """A reply that isn't committed stops at a tool call after its first sentence."""
    word: float = 0.25
    """Seconds a word takes."""
    parts: int = 1
    """Of a sentence's sound, as far as it has as many words."""
    part: float = 0.0
    """Seconds between two of them."""
    tts_breaks: bool = False
    """Behind the first of several parts."""


class Call:
    def __init__(
        self,
        agent: AgentSpec | None = None,
        stages: Stages | None = None,
        people: tuple[str, ...] = ("alice",),
        attach: bool = True,
    ):
        self.agent = agent or AgentSpec()
        self.stages = stages or Stages()
        self.now = 100.0
        self.began = self.now
        self.log: list[Event] = []
        self.decisions: list[tuple[float, Decision]] = []
        self.speeches: list[Speech] = []
        self.jobs: list[Job] = []
        self.outcomes: list[Outcome] = []
        """Answers to the next publications instead of OK."""
        self.bus_delay = 0.001
        self.epoch = 1
        self.lost_tail = False
        self.losses = 0
        self.marks: list[int] = []
        """Lengths of the log between two calls."""
        self.generation = 0
        self.hear: dict[str, str] = {}
        self.lanes: dict[str, list[Job]] = {}
        self.seen_jobs: set[str] = set()
        self.enqueued: list[tuple[Job, int]] = []
        """And the length of the log with the publication that enqueued it."""
        self.dead_jobs: list[Job] = []
        self.asked = 0
        self.partials = True
        self.sounding: tuple[int, int, float, float] | None = None
        """Turn, index, position, `now` since which it sounds from there."""
        self.clips: dict[tuple[int, int], tuple[float, bool]] = {}
        self.ear: list[tuple[int, int, int]] = []
        self.as_it_sounds: list[Callable[[], object]] = []
        """Done one by one, as the next sentences begin to sound."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.state: State = start("s1", self.agent, self.now, seq=1)
        self.append(SessionStarted(room="r", transport="memory", agent=self.agent, gateway="g1"), feed=False)
        for name in people:
            ours = self.agent.phone.machine != "off"
            self.feed(Joined(name, "sip", "", {"sip.direction": "outbound"}) if ours else Joined(name))
        if attach:
            self.feed(Attached())

    # ── script ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Do something `moment` seconds into the call."""
        heapq.heappush(self._queue, (self.began + moment, next(self._order), what))

    def after(self, delay: float, what: Callable[[], None]) -> None:
        self.at(self.now - self.began + delay, what)

    def gives(self, moment: float, item: Input) -> None:
        self.at(moment, lambda: self.feed(item))

    def says(
        self,
        moment: float,
        length: float,
        text: str,
        who: str = "alice",
        end_of_turn: float | None = 0.97,
        complete: float | None = None,
    ) -> float:
        """Speech from `moment`, `length` seconds long; answers its end."""
        start, over = self.began + moment, self.began + moment + length
        self.speeches.append(Speech(who, start, over, text, end_of_turn, complete))
        last = [s for s in self.speeches if s.who == who][-2:-1]
        near = last and self.began + moment - last[0].end < 0.13
        first, end = self._sample(moment), self._sample(moment + length)
        if not near:
            self.at(moment + FRAME, lambda: self._edge(who, "onset", first))
        self.at(moment + (FRAME if near else 3 * FRAME), lambda: self._edge(who, "start", first))
        self.at(moment + length + FRAME, lambda: self._edge(who, "stop", end))
        return moment + length

    def noise(self, moment: float, who: str = "alice") -> None:
        """A click: the detector's first frame, and its second thoughts."""
        first = self._sample(moment)
        self.at(moment + FRAME, lambda: self._edge(who, "onset", first))
        self.at(moment + 2 * FRAME, lambda: self._edge(who, "noise", first))

    def _edge(self, who: str, kind: Any, position: int) -> None:
        self.feed(SpeechEdge(who, kind, position, self._sample(self.now - self.began)))

    def _sample(self, moment: float) -> int:
        return round(moment * HEARING_RATE)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, until: float) -> "Call":
        """Let time pass until `until` seconds into the call."""
        end = self.began + until
        while True:
            due = self._queue[0][0] if self._queue else float("inf")
            moment = min(due, self.state.wake_at)
            if moment > end:
                break
            self.now = max(self.now, moment)
            if due <= self.state.wake_at:
                heapq.heappop(self._queue)[2]()
            else:
                self.feed(Tick())
                assert self.state.wake_at > self.now, "a timer that has come must be done with"
        self.now = end
        return self

    def feed(self, item: Input) -> None:
        if self.sounding is not None and not isinstance(item, Played):
            turn, index, _, _ = self.sounding
            self._take(Played(turn, index, self.position()))
        self._take(item)

    def _take(self, item: Input) -> None:
        self._enter(*step(self.state, item, self.now))

    # ── the rim ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def position(self) -> float:
        assert self.sounding is not None
        turn, index, position, since = self.sounding
        return min(position + self.now - since, self.clips[turn, index][0])

    def _do(self, decision: Decision) -> None:
        match decision:
            case Publish():
                self._publish(decision)
            case Play(turn, generation, index, clips, last):
                assert generation == self.generation or self.state.turns[turn].own, "a void reply is not played"
                self.ear.append((turn, generation, index))
                self.clips[turn, index] = (sum(clip.duration for clip in clips), last)
                self._sound(turn, index, 0.0)
                if self.as_it_sounds:
                    self.as_it_sounds.pop(0)()
            case Pause():
                turn, index, _, _ = self.sounding or (0, 0, 0.0, 0.0)
                assert (decision.turn, decision.index) == (turn, index)
                self.sounding = None
            case Resume(turn, index, position):
                self._sound(turn, index, position)
            case Stop() | End():
                self.sounding = None
            case Refold():
                self._refold()
            case NoMoreParts(turn, _, index) if (turn, index) in self.clips:
                self.clips[turn, index] = (self.clips[turn, index][0], True)
                if self.sounding:
                    self._sound(turn, index, self.position())
            case Tell() | NoMoreParts():
                pass

    def _sound(self, turn: int, index: int, position: float) -> None:
        self.sounding = mark = (turn, index, position, self.now)
        duration, last = self.clips[turn, index]

        def finish() -> None:
            if self.sounding == mark and last:
                self.sounding = None
                self._take(Played(turn, index, duration, finished=True))

        self.after(max(0.0, duration - position), finish)

    def _publish(self, publish: Publish) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.OK
        audio: dict[str, tuple[AudioRef, ...]] = {}
        for capture in publish.captures:
            key = f"{capture.participant}:{capture.start}:{capture.end}"
            audio[capture.job] = (
                *capture.behind,
                AudioRef(key=key, rate=HEARING_RATE, samples=capture.end - capture.start),
            )
        by_utterance = {capture.utterance: audio[capture.job] for capture in publish.captures if not capture.partial}

        epoch, losses, doomed = self.epoch, self.losses, self.lost_tail

        def answer() -> None:
            nonlocal outcome
            if self.epoch != epoch:
                return  # LOST, and nobody is there any more to be told
            if doomed or self.lost_tail or self.losses != losses:
                outcome = Outcome.REWOUND
            if outcome is Outcome.OK:
                self.generation = max(self.generation, publish.raises or 0)
                for event in publish.events:
                    if isinstance(event, UtteranceCaptured):
                        refs = list(by_utterance[event.utterance])
                        event = event.model_copy(update={"audio": refs, "duration": sum(ref.duration for ref in refs)})
                    self.append(event, feed=False, mark=False)
                self.marks.append(len(self.log))
                for job in publish.jobs:
                    if isinstance(job, SttJob):
                        job = job.model_copy(update={"audio": list(audio[job.id])})
                    self.enqueue(job)
            self._take(Published(publish.operation, outcome, len(self.log), audio))

        self.after(self.bus_delay, answer)

    def take_over(self, silence: float = 0.3) -> None:
        """Another gateway claims the session; the client is back after `silence` seconds."""
        positions = self.state.positions()
        if self.sounding is not None:
            positions["position"] = self.position()
        self.epoch += 1
        self.sounding, self.lost_tail = None, False
        self._enter(*resume("s1", self.log, positions, self.now, gateway="g2", epoch=self.epoch))
        self.after(silence, lambda: self.feed(Attached()))

    def lose_tail(self, events: int) -> None:
        """A failover drops the log's last events; jobs in flight go on."""
        young = sum(event.at > (self.now - 4.0) * 1e6 for event in self.log)  # what is kept of our own facts is 5 s
        kept = max(1, len(self.log) - min(events, young))
        kept = min(mark for mark in self.marks if mark >= kept)  # a publication is lost whole, or not at all
        if self.log[-1].type == "session.ended" or self.lost_tail or kept == len(self.log):
            return
        self.lost_tail = True
        self.losses += 1
        del self.log[kept:]
        gone = [job for job, length in self.enqueued if length > kept]
        self.dead_jobs += gone
        self.seen_jobs -= {job.id for job in gone}
        self.enqueued = [(job, length) for job, length in self.enqueued if length <= kept]
        self.marks = [mark for mark in self.marks if mark <= kept]
        self.generation = max((event.raises or 0 for event in self.log), default=0)
        self.after(0.5, self._refold)  # the next `hold` tells, if no publication did

    def _refold(self) -> None:
        if self.lost_tail:
            self.lost_tail, self.sounding = False, None
            self._enter(*rewound(self.state, self.log, self.now))

    def _enter(self, state: State, decisions: list[Decision]) -> None:
        self.state = state
        for decision in decisions:
            self.decisions.append((self.now - self.began, decision))
            self._do(decision)

    # ── the log and the stages ───────────────────────────────────────────────────────────────────────────────────────

    def append(self, event: Event, feed: bool = True, mark: bool = True) -> None:
        if self.log and self.log[-1].type == "session.ended":
            return  # CLOSED
        event = event.model_copy(update={"seq": len(self.log) + 1, "at": round(self.now * 1e6)})
        self.log.append(event)
        if mark:
            self.marks.append(len(self.log))
        if feed:
            self.after(0.0005, lambda: self._told(event))

    def _told(self, event: Event) -> None:
        """Of an event by others: the rim has a clip's sound before turn-taking knows of it."""
        if isinstance(event, ClipReady) and event.part and (event.turn, event.index) in self.clips:
            turn, index = event.turn or 0, event.index
            position = self.position() if self.sounding and self.sounding[:2] == (turn, index) else None
            duration, last = self.clips[turn, index]
            self.clips[turn, index] = (duration + event.duration, last or event.last)
            if position is not None:
                self._sound(turn, index, position)
        self.feed(LogEvent(event))

    def enqueue(self, job: Job) -> None:
        if job.id in self.seen_jobs:
            return
        self.seen_jobs.add(job.id)
        self.enqueued.append((job, len(self.log)))
        self.jobs.append(job)
        if isinstance(job, SttJob) and not job.partial:
            self.hear[job.participant] = (
                job.utterance if job.replaces else self.hear.get(job.participant, job.utterance)
            )
            waiting = self.lanes.setdefault(job.lane or "", [])
            if job.replaces and any(isinstance(j, SttJob) and j.utterance == job.replaces for j in waiting):
                waiting[:] = [job if isinstance(j, SttJob) and j.utterance == job.replaces else j for j in waiting]
                self._work(job)
                return
        if job.stage in self.stages.dead:
            return
        self._work(job)

    def _work(self, job: Job) -> None:
        if job.stage in self.stages.dead:
            return
        match job:
            case SttJob():
                self.after(self.stages.stt, lambda: self._transcribe(job))
            case LlmJob():
                self.asked += 1
                number = self.asked
                self.after(self.stages.llm, lambda: self._answer(job, number))
            case TtsJob():
                self.after(self.stages.tts + self.stages.tts_each * job.index, lambda: self._speak(job))

    def _void(self, job: Job) -> bool:
        closed = bool(self.log) and self.log[-1].type == "session.ended"
        return (
            closed
            or any(dead is job for dead in self.dead_jobs)
            or (job.generation is not None and job.generation != self.generation)
        )

    def heard_in(self, audio: list[AudioRef]) -> tuple[str, float | None, float | None]:
        """The words that lie in these stretches of sound, and the models' opinions of their end."""
        words: list[str] = []
        opinions: tuple[float | None, float | None] = (None, None)
        for ref in audio:
            who, first, last = ref.key.split(":")
            start, end = self.began + int(first) / HEARING_RATE, self.began + int(last) / HEARING_RATE
            for speech in self.speeches:
                pieces = speech.text.split()
                for index, word in enumerate(pieces):
                    moment = speech.at + (speech.end - speech.at) * (index + 0.5) / len(pieces)
                    if speech.who == who and start <= moment < end:
                        words.append(word)
                        opinions = speech.end_of_turn, speech.complete
        return " ".join(words), *opinions

    def _transcribe(self, job: SttJob) -> None:
        replaced = any(isinstance(j, SttJob) and j.replaces == job.utterance for j in self.jobs)
        if self._void(job) or replaced:
            return
        text, opinion, complete = self.heard_in(job.audio)
        who = {"utterance": job.utterance, "participant": job.participant}
        if job.partial:
            if self.partials:
                self.append(TranscriptPartial(**who, text=text))  # type: ignore[arg-type]
            return
        if self.stages.stt_fails:
            self.append(
                StageFailed(stage="stt", code="x", message="x", job=job.id, utterance=job.utterance, turn=job.turn)
            )
            return
        opinions = {"end_of_turn": opinion, "complete": complete if job.complete else None}
        final = TranscriptFinal(**who, **opinions, text=text, turn=job.turn)  # type: ignore[arg-type]
        self.append(final)
        if text and job.then is not None and not self._void(job.then):
            self.enqueue(job.then)

    def _answer(self, job: LlmJob, number: int) -> None:
        if self._void(job):
            return
        about = {"turn": job.turn, "generation": job.generation}
        if self.stages.llm_fails:
            self.append(StageFailed(stage="llm", code="x", message="x", job=job.id, **about))  # type: ignore[arg-type]
            return
        sentences = self.stages.replies[min(number, len(self.stages.replies)) - 1]
        if self.stages.tool and job.resume:
            sentences = sentences[1:]
            called = {"call": f"c{job.turn}.{job.generation}", "name": "clock", "cause": Cause(job=job.id, attempt=1)}
            self.append(ToolCalled(arguments={}, **called, **about))  # type: ignore[arg-type]
            self.append(ToolReturned(result="ten", **called, **about))  # type: ignore[arg-type]
        stops = self.stages.tool and not job.committed and not job.resume
        said = (e for e in self.log if isinstance(e, ReplySentence))
        first = sum((e.turn, e.generation) == (job.turn, job.generation) for e in said)
        for index, text in enumerate(sentences[:1] if stops else sentences, first):
            self.append(ReplySentence(index=index, text=text, cause=Cause(job=job.id, attempt=1), **about))  # type: ignore[arg-type]
            if self.agent.sound:
                self.enqueue(TtsJob.sentence(self.agent, "s1", job.turn or 0, job.generation or 0, index, text))
        reason = "tool" if stops else "stop"
        cause = Cause(job=job.id, attempt=1)
        self.append(ReplyFinished(sentences=len(sentences), reason=reason, cause=cause, **about))  # type: ignore[arg-type]

    def _speak(self, job: TtsJob) -> None:
        if self._void(job):
            return
        about: dict[str, Any] = {"turn": job.turn, "generation": job.generation, "index": job.index}
        if job.phrase is not None:
            about["phrase"] = job.phrase
        fails = self.stages.phrases_fail if job.phrase else self.stages.tts_fails(job.index)
        if fails:
            self.append(StageFailed(stage="tts", code="x", message="x", job=job.id, **about))
            return
        size = self.stages.word
        words = [Word(text=w, start=i * size, end=(i + 1) * size) for i, w in enumerate(job.text.split())]
        parts = min(self.stages.parts, len(words)) or 1
        self._part(job, about, words, 0, parts)

    def _part(self, job: TtsJob, about: dict[str, Any], all_words: list[Word], part: int, parts: int) -> None:
        if self._void(job):
            return
        if part and self.stages.tts_breaks:
            self.append(StageFailed(stage="tts", code="x", message="x", job=job.id, **about))
            return
        words = all_words[part * len(all_words) // parts : (part + 1) * len(all_words) // parts]
        began, duration = (words[0].start if words else 0.0), len(words) * self.stages.word
        key = f"clip/{job.id}.{part}" if part else f"clip/{job.id}"
        ref = AudioRef(key=key, rate=24_000, samples=round(duration * 24_000))
        timed = [Word(text=word.text, start=word.start - began, end=word.end - began) for word in words]
        piece: dict[str, Any] = {"text": job.text, "part": part, "last": part == parts - 1}
        self.append(ClipReady(audio=ref, duration=duration, words=timed, **about, **piece))
        if part < parts - 1:
            self.after(self.stages.part, lambda: self._part(job, about, all_words, part + 1, parts))

    # ── what happened ────────────────────────────────────────────────────────────────────────────────────────────────

    def types(self, *wanted: str) -> list[str]:
        return [event.type for event in self.log if not wanted or event.type in wanted]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.log if isinstance(event, kind)]

    def did(self, kind: type[Any]) -> list[tuple[float, Any]]:
        return [(round(moment, 3), decision) for moment, decision in self.decisions if isinstance(decision, kind)]

    def ended(self) -> list[tuple[int, str, str]]:
        return [(e.turn, e.how, e.reason) for e in self.log if e.type == "turn.ended"]

    def played_at(self, index: int = 0) -> float:
        return self.did(Play)[index][0]

    def show(self) -> str:
        """For the eye, when a test fails."""
        lines = []
        for event in self.log:
            rest = {
                key: value
                for key, value in event.model_dump(exclude_defaults=True).items()
                if key not in ("seq", "at", "clock", "saw", "type", "agent", "words", "audio", "inputs")
            }
            lines.append(f"{event.at / 1e6 - self.began:8.3f} {event.type:20} {rest}")
        return "\n".join(lines)


__all__ = ["Call", "Stages", "replace"]
