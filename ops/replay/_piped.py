"""The rim in virtual time, with stages that are asked anew: what depends on what changed is given to the pools, the rest is
answered as it was recorded. It asks nobody itself: `asks` are to be answered before time goes on.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gateway.inputs import Detached, HungUp, Left
from gateway.turn_taking import Input
from ops.replay._answering import BY, bare, cause_of
from ops.replay._calls import NOT_CALLED, Calls, cause_of_call
from ops.replay._recorded import Answer, Did, Given, Recording, Span
from ops.replay._virtual import Virtual
from schemas.audio import HEARING_RATE, AudioRef
from schemas.config.agent import AgentSpec
from schemas.config.steps import step_of
from schemas.events import (
    STAGES,
    ClipReady,
    Event,
    FinishReason,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    Stage,
    ToolCalled,
    ToolReturned,
    ToolWanted,
)
from schemas.jobs import Job, LlmJob, SttJob, ToolJob, TtsJob
from schemas.session.chat import messages
from schemas.session.fold import SessionState, fold
from schemas.session.state import Reply
from workers import fields

__all__ = ["BROKEN_OFF", "Ask", "Cut", "How", "Parts", "Piped", "Plan", "chats"]

How = Literal["made", "reused", "estimated"]
"""made: by the pools, now · reused: as it was recorded · estimated: neither could be."""
Parts = Sequence[tuple[float, Event]]
"""What came of a job, and how many seconds after."""
BROKEN_OFF = "broken_off"
"""Why a fork ended that somebody stopped in the midst of it."""
_NOTED = 0.01
"""Seconds a call takes that is answered at once."""
_GOING, _HEARS_OUT, _LOOKS = 2.0, 60.0, 0.25
"""Seconds before the recorded end in which people go; for which they hear an answer out; between two looks whether it is over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`anew`: stages that do all of theirs again; `manned`: that can be asked at all; `exactly`: a recorded reply counts only
    where all that the LLM was told is as it was, not just the last words; `gone`: keys of sounds that are no more; `chats`: what
    it was told then, by turn and generation; `waits`: people go, as they did, when the agent has answered; `real`: tools that are
    called again, and within how many seconds; `cut_key`: names the sound of a stretch that was never one utterance."""

    anew: Collection[Stage]
    manned: Collection[Stage]
    exactly: bool = False
    gone: Collection[str] = ()
    chats: Mapping[tuple[int | None, int | None], str] = field(default_factory=dict)
    waits: bool = False
    real: Mapping[str, float] = field(default_factory=dict)
    cut_key: Callable[[int], str] = str


@dataclass(frozen=True, slots=True)
class Ask:
    """`done`: is told what came of it, while time stands still; `sound`: of what is to be heard."""

    job: Job
    done: Callable[[Parts], None]
    sound: tuple[AudioRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of somebody's recorded sound that was never one utterance."""

    participant: str
    spans: tuple[Span, ...]


class Piped(Virtual):
    """`asks`: of the present moment; `asked`: ids of jobs the pools were given; `became`: by turn and stage, how its jobs were
    answered; `cuts`: by key, sounds to be made of the recorded ones."""

    def __init__(
        self, recording: Recording, agent: AgentSpec, given: Iterable[Given], started: SessionStarted, plan: Plan,
        kept: Sequence[Event] = (), since: float = 0.0, late: Sequence[tuple[float, Event]] = (),
    ):  # fmt: skip
        self.asks: list[Ask] = []
        self.asked: set[str] = set()
        self.became: dict[int, dict[Stage, Counter[How]]] = {}
        self.cuts: dict[str, Cut] = {}
        self._keys: dict[Cut, str] = {}
        self._calls = Calls(recording)
        self._making: set[tuple[int, int]] = set()
        """Replies that are made, by turn and generation."""
        self._last: dict[str, bool] = {}
        """Of calls: whether the reply was over with them."""
        self._plan = plan
        self._off = False
        super().__init__(recording, agent, given, started, kept, since, late)

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def agent(self) -> AgentSpec:
        return self._agent

    @property
    def folded(self) -> SessionState:
        """The fork, as far as it is."""
        return self._folded

    def break_off(self) -> None:
        """Somebody stops it: it ends here, and nobody is asked any more."""
        self._off = True
        self.asks.clear()
        self.feed(HungUp(BROKEN_OFF))
        self.run()

    def feed(self, item: Input) -> None:
        """Whoever went once they were answered hears the answer out, though it takes longer now."""
        if isinstance(item, HungUp | Left | Detached) and self._hears_out():
            self._after(_LOOKS, partial(self.feed, item))
            return
        super().feed(item)

    def _hears_out(self) -> bool:
        late = self._now - self._recording.length
        if not self._plan.waits or self._off or not -_GOING <= late < _HEARS_OUT:
            return False
        return any(turn.end is None for turn in self._folded.turns.values())

    def _became(self, job: Job, how: How) -> None:
        self.became.setdefault(job.turn or 0, {stage: Counter() for stage in STAGES})[job.stage][how] += 1

    def _can(self, stage: Stage) -> bool:
        return stage in self._plan.manned and not self._off

    def _full(self, stage: Stage) -> float | None:
        """What is all done again is asked of the queues there are now."""
        return None if stage in self._plan.anew else super()._full(stage)

    def _ask(self, job: Job, done: Callable[[Parts], None], sound: tuple[AudioRef, ...] = ()) -> None:
        self._became(job, "made")
        self.asked.add(job.id)
        self.asks.append(Ask(job, done, sound))

    def _later(self, what: Callable[[Event], None], parts: Parts) -> None:
        for delay, event in parts:
            self._after(delay, partial(what, event))

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _audio(self, participant: str, spans: Sequence[Span]) -> tuple[AudioRef, ...]:
        """Of a stretch that was never one utterance, a sound of its own."""
        recorded = super()._audio(participant, spans)
        if not recorded or self._recording.same_as(participant, spans) is not None:
            return recorded
        if all(ref.key in self._plan.gone for ref in recorded):
            return recorded
        cut = Cut(participant, tuple(spans))
        key = self._keys.setdefault(cut, self._plan.cut_key(len(self._keys) + 1))
        self.cuts[key] = cut
        return (AudioRef(key=key, rate=HEARING_RATE, samples=samples(spans)),)

    def _hear(self, job: SttJob, spans: Sequence[Span]) -> None:
        heard = self._recording.same_as(job.participant, spans)
        recorded = heard is not None and heard.result is not None
        if recorded and "stt" not in self._plan.anew:
            self._became(job, "reused")
            super()._hear(job, spans)
            return
        sound = self._audio(job.participant, spans)
        if not self._can("stt") or not sound or any(ref.key in self._plan.gone for ref in sound):
            if self._can("stt"):
                self._note(job.turn, f"what {job.participant} said: its sound is gone, so it can't be heard again")
            self._became(job, "reused" if recorded else "estimated")
            super()._hear(job, spans)
            return

        def heard_as(event: Event) -> None:
            about = {"turn": job.turn, "utterance": job.utterance, "generation": None, "cause": cause_of(job)}
            about |= {"participant": job.participant} if hasattr(event, "participant") else {"job": job.id}
            self._transcribed(job, event.model_copy(update=about))

        self._ask(job, partial(self._later, heard_as), sound)

    # ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _think(self, job: LlmJob) -> None:
        reply = job.turn, job.generation
        if reply in self._making and self._can("llm"):
            self._go_on(job)
            return
        if reply not in self._given and ("llm" not in self._plan.anew or not self._can("llm")):
            known = self._recorded_reply(job)
            if known is not None:
                self._became(job, "reused")
                self._used[id(known)] = self._used.get(id(known), 0) + 1
                self._give(job, known)
        if reply in self._given:
            self._say(job, self._given[reply])
        elif self._can("llm"):
            self._making.add(reply)
            self._ask(job, partial(self._later, partial(self._made, job)))
        else:
            self._became(job, "estimated")
            super()._think(job)

    # ── what it calls ────────────────────────────────────────────────────────────────────────────────────────────────

    def _made(self, job: LlmJob, event: Event) -> None:
        """Whoever is asked is told that its turn is not committed, and so calls no tool: it says what it wants called."""
        stops = isinstance(event, ReplyFinished) and event.reason == "tool"
        if not stops or not job.committed or self._void(job):
            self._said(job, event)
            return
        assert isinstance(event, ReplyFinished)
        if not event.calls:  # none that can be made out
            self._said(job, event.model_copy(update={"reason": "stop"}))
            return
        self._call(job, event.calls)
        self._said(job, event.model_copy(update={"calls": []}))

    def _go_on(self, job: LlmJob) -> None:
        """A reply that stopped for tools: what it wants is called, or, that having been, the LLM is asked on."""
        reply = self._standing(job)
        if reply is not None and reply.wanted:
            self._call(job, [ToolWanted(name=one.name, arguments=dict(one.arguments)) for one in reply.wanted])
            self._after(0.001, partial(self._said, job, ReplyFinished(sentences=0, reason="tool")))
            return
        over = self._over_with(reply) if reply is not None else None
        if over is not None:
            self._after(0.001, partial(self._said, job, ReplyFinished(sentences=0, reason=over)))
            return
        self._ask(job, partial(self._later, partial(self._made, job)))

    def _standing(self, job: LlmJob) -> Reply | None:
        turn = self._folded.turns.get(job.turn)
        reply = turn.reply if turn is not None else None
        return reply if reply is not None and reply.generation == job.generation else None

    def _over_with(self, reply: Reply) -> FinishReason | None:
        """After a round in which all have returned: nothing more is said where it was so."""
        number = max((tool.round for tool in reply.tools), default=0)
        round_ = [tool for tool in reply.tools if tool.round == number]
        if any(tool.silent for tool in round_):
            return "stop" if reply.sentences else "silent"
        last = [self._last.get(tool.call, False) and not tool.error for tool in round_]
        return "stop" if last and all(last) and reply.sentences else None

    def _call(self, job: LlmJob, wanted: Sequence[ToolWanted]) -> None:
        """Nothing is called but what was asked to be: each gets what was recorded of the same call, or a word that nobody knows.
        Fields are noted, which changes nothing but this session."""
        reply = self._standing(job)
        before = reply.tools if reply is not None else ()
        number = max((tool.round for tool in before), default=0) + 1
        for place, one in enumerate(wanted, len(before)):
            call = f"{job.turn}.{job.generation}.{place}"
            if self._is_real(one.name):
                self._really(job, call, one, number)
                continue
            did = self._did(job, call, one)
            called = ToolCalled(
                call=call, name=one.name, arguments=one.arguments, round=number, pool=True,
                timeout=max(did.timeout, did.parts[-1][0]), patience=did.patience,
                turn=job.turn, generation=job.generation, cause=cause_of(job), by=BY,
            )  # fmt: skip
            self._append(called)
            self._begun.add(call)
            self._last[call] = did.last
            self._works(job, call, did)

    def _is_real(self, name: str) -> bool:
        """Whether it is called again: only what the agent that has the conversation may call, in the step it is in."""
        now = self._folded.agent
        step = step_of(now)
        there = now.name == self._agent.name and (step is None or step.tools is None or name in step.tools)
        return name in self._plan.real and there and not self._off

    def _really(self, job: LlmJob, call: str, one: ToolWanted, number: int) -> None:
        """It is called, now: what came of it comes as long after as that takes."""
        timeout = self._plan.real[one.name]
        called = ToolCalled(
            call=call, name=one.name, arguments=one.arguments, round=number, pool=True, timeout=timeout,
            turn=job.turn, generation=job.generation, cause=cause_of(job), by=BY,
        )  # fmt: skip
        self._append(called)
        self._begun.add(call)
        asked = ToolJob(
            id=f"tools/{call}", session=job.session, turn=job.turn, reply=job.generation, call=call, name=one.name,
            arguments=dict(one.arguments), timeout=timeout, deadline=timeout,
        )  # fmt: skip
        self.asks.append(Ask(asked, partial(self._later, partial(self._came_of, job, call))))

    def _did(self, job: LlmJob, call: str, one: ToolWanted) -> Did:
        """What comes of it."""
        agent = self.agent
        if one.name == fields.NOTE_FIELD and agent.fields:
            collected, answer = fields.call(self._folded, job.turn, one.arguments)
            returned = ToolReturned(call=call, name=one.name, result=answer)
            parts: tuple[tuple[float, Event], ...] = ((_NOTED, returned),)
            if collected is not None:
                own = {"generation": job.generation, "cause": cause_of_call(call)}
                parts = ((_NOTED, collected.model_copy(update=own)), *parts)
            return Did(call, one.name, one.arguments, self._now, parts)
        known = self._calls.given(one.name, one.arguments)
        if known is not None:
            return known
        shown = json.dumps(one.arguments, ensure_ascii=False)
        self._note(
            job.turn, f"what {one.name} answers to {shown[:80]}: no tool is called in a replay, and it was not then"
        )
        unknown = ToolReturned(call=call, name=one.name, error=NOT_CALLED)
        return Did(call, one.name, one.arguments, self._now, ((_NOTED, unknown),))

    def _recorded_reply(self, job: LlmJob) -> Answer | None:
        """What was said to these words; where it must be exact, to all these words."""
        turn = self._folded.turns.get(job.turn)
        text = bare(turn.text if turn is not None else "")
        same = [one for one in self._recording.answers if one.whole and bare(one.text) == text]
        if self._plan.exactly and self._can("llm"):
            told = told_to(self._folded, job.turn, job.generation)
            same = [one for one in same if self._plan.chats.get(_of(one)) == told]
        return min(same, key=lambda one: (self._used.get(id(one), 0), self._since_asked(one)), default=None)

    # ── its sound ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _speak(self, job: TtsJob) -> None:
        known = self._is_recorded(job)
        if self._can("tts") and ("tts" in self._plan.anew or not known):
            self._ask(job, partial(self._later, partial(self._spoke, job)))
            return
        self._became(job, "reused" if known else "estimated")
        super()._speak(job)

    def _is_recorded(self, job: TtsJob) -> bool:
        """Whether this very text was spoken."""
        phrase = self._recording.phrases.get(job.phrase) if job.phrase is not None else None
        if phrase is not None:
            texts = {event.text for _, event in phrase.parts if isinstance(event, ClipReady)}
            return texts <= {job.text, ""}
        return job.text in self._recording.spoken


def samples(spans: Iterable[Span]) -> int:
    """How many there are in these stretches."""
    return sum(max(0, round((end - start) * HEARING_RATE)) for start, end in spans)


def _of(answer: Answer) -> tuple[int | None, int | None]:
    event = answer.parts[0][1]
    return event.turn, event.generation


def told_to(state: SessionState, turn: int, generation: int | None) -> str:
    """What an LLM is told, without what is no letter: how a transcript writes it is no other question."""
    chat = messages(state, turn, generation)
    return "\n".join(f"{one['role']}:{bare(json.dumps(one, ensure_ascii=False, default=str))}" for one in chat)


def chats(events: Iterable[Event]) -> dict[tuple[int | None, int | None], str]:
    """What the LLM was told for each reply of a log, by turn and generation."""
    found: dict[tuple[int | None, int | None], str] = {}
    state = SessionState()
    for event in events:
        said = isinstance(event, ReplySentence | ReplyFinished) and event.cause is not None
        if said and event.turn is not None and (event.turn, event.generation) not in found:
            found[event.turn, event.generation] = told_to(state, event.turn, event.generation)
        state = fold(state, event)
    return found
