"""The machine's face: `start` and `step`. Each step takes one input, then does whatever is due until nothing is."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.inputs import Attached, Detached, Digits, HungUp, Joined, Left, PushToTalk, Typed
from gateway.turn_taking import (
    barge_in,
    callee,
    facts,
    filler,
    greeting,
    hearing,
    hooks,
    idle,
    phrases,
    playing,
    presence,
    replying,
    tools,
    trouble,
    waking,
)
from gateway.turn_taking.draft import KEPT, Draft
from gateway.turn_taking.interface import (
    Decision,
    End,
    Input,
    LogEvent,
    Played,
    Published,
    Queues,
    Refold,
    SpeechEdge,
    Stop,
    Tick,
    Tone,
)
from gateway.turn_taking.moments import NO_TIMER
from gateway.turn_taking.state import Load, Sent, State, UsersFloor
from schemas.bus import Outcome
from schemas.client import Activity, StateMessage
from schemas.clock import Micros, Now
from schemas.config.agent import AgentSpec
from schemas.config.steps import begun
from schemas.events import (
    AgentChanged,
    ClipReady,
    EndRequested,
    Event,
    HookCalled,
    MessageReceived,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    StageExpired,
    StageFailed,
    StepEntered,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
)

RULES = (
    presence.leave,
    hooks.settle,
    trouble.settle,
    hearing.settle,
    callee.settle,
    waking.settle,
    barge_in.settle,
    replying.settle,
    tools.settle,
    playing.settle,
    filler.settle,
    greeting.settle,
    phrases.settle,
    idle.settle,
    presence.settle,
)
"""Whichever fires first begins the round anew, so each may rely on those before it having nothing to do: what will not come is
given up before anybody waits for it; speech is captured before words are judged; who has taken a call, and whom the agent listens
to, is known before what was said is answered; words said over the agent are judged before a turn is committed; the floor passes
before anything sounds; a wait is bridged only where nothing can sound; phrases are made ahead when the greeting has been asked
for; silence is broken, and the session ends by time, only when nothing else is due."""
_EXITING = (presence.settle,)
"""Once nobody is answered any more."""
READ = (
    TranscriptFinal,
    TranscriptPartial,
    ReplySentence,
    ReplyFinished,
    ClipReady,
    StageFailed,
    StageExpired,
    ToolCalled,
    ToolReturned,
    HookCalled,
    StepEntered,
    AgentChanged,
    MessageReceived,
    SayRequested,
    EndRequested,
)
"""What others have to say. The rest are our own facts, read back."""
ROUNDS = 200
"""Rules that fire in one step, beyond which two of them contradict each other."""


def start(
    session: str, agent: AgentSpec, now: Now, *, seq: int = 1, generation: int = 0, began: Micros = Micros(0),
    metadata: Mapping[str, Any] = {},
) -> State:  # fmt: skip
    """A session just opened: `session.started` is its event `seq`, appended at `began`, with the call's `metadata`. Nobody has
    joined; no client is attached."""
    state = State(
        session, begun(agent), opened=now, began=began, metadata=metadata, generation=generation, saw=seq, away_since=now,
        active=now,
    )  # fmt: skip
    state.silent = state.turn_time(now)
    state.wake_at = _wake_at(state)
    return state


def step(state: State, item: Input, now: Now) -> tuple[State, list[Decision]]:
    """Take one input. Pure: the same arguments give the same answer, and `state` is not changed."""
    if (same := _in_passing(state, item, now)) is not None:
        return same, []
    draft = Draft(state.fork(), now)
    if isinstance(item, Published):
        _published(draft, item)
    elif not state.closed:
        _take(draft, item)
    return settle(draft)


def _in_passing(state: State, item: Input, now: Now) -> State | None:
    """The state after an input that decides nothing, as most do; None for one that may."""
    match item:
        case Played(finished=False):
            return state.at(item.position, now) if playing.sounds(state, item) else state
        case Queues() if _load(state, item) == state.load:
            return state
        case LogEvent(event) if not isinstance(event, READ):
            return state.after(event.seq)
        case _:
            return None


def settle(draft: Draft) -> tuple[State, list[Decision]]:
    """Do what is due, send what may be sent, and say when to be woken."""
    rounds = 0
    while not draft.state.closed and any(rule(draft) for rule in _rules(draft.state)):
        rounds += 1
        if rounds > ROUNDS:
            raise AssertionError(f"turn-taking does not come to rest: {draft.state}")
    draft.seal()
    _show(draft)
    draft.state.wake_at = _wake_at(draft.state)
    return draft.state, draft.decisions


def _rules(state: State) -> tuple[Callable[[Draft], bool], ...]:
    return RULES if state.exiting is None else _EXITING


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _take(draft: Draft, item: Input) -> None:
    if draft.state.exiting is not None and not isinstance(item, LogEvent | Tick | Published | HungUp):
        return  # nobody is answered any more
    match item:
        case SpeechEdge():
            hearing.edge(draft, item)
        case Tone():
            callee.tone(draft, item)
        case Played():
            playing.played(draft, item)
        case LogEvent(event):
            _log_event(draft, event)
        case Queues():
            draft.state.load = _load(draft.state, item)
        case Joined():
            presence.joined(draft, item)
        case Left():
            presence.left(draft, item)
        case Typed(participant, text, note):
            replying.typed(draft, participant, text, note)
        case PushToTalk():
            presence.push_to_talk(draft, item)
        case Digits():
            presence.digits(draft, item)
        case Attached():
            presence.attached(draft)
        case Detached(held):
            presence.detached(draft, held)
        case HungUp(reason):
            presence.close(draft, reason)
        case Tick() | Published():
            pass


def _log_event(draft: Draft, event: Event) -> None:
    if event.seq <= draft.state.saw:
        return  # folded already
    draft.state.saw = event.seq
    if isinstance(event, MessageReceived | SayRequested) and event.clock is not None:
        return  # one of our own, read back
    complete = not isinstance(event, StageFailed | StageExpired) or playing.sounding_is_complete(draft.state)
    facts.apply(draft.state, event, draft.now)
    if not complete:
        playing.no_more_parts(draft)
    if draft.state.exiting is not None:
        return
    match event:
        case TranscriptPartial():
            hearing.partial_came(draft, event)
            callee.words(draft, event.text)
        case MessageReceived():
            replying.answer_letters(draft)
        case EndRequested(reason=reason, said=False):
            presence.close(draft, "end_requested", reason)
        case ToolReturned():
            tools.returned(draft, event.turn, event.generation)
        case _:
            pass


def _load(state: State, item: Queues) -> Load:
    """What of the queues is not this session's own work, and whether they are long."""
    own = {"stt": 0, "llm": 0, "tts": 0}
    for turn in state.turns.values():
        own["stt"] += sum(utterance.waiting for utterance in turn.utterances)
        if turn.reply is not None:
            own["llm"] += not turn.reply.complete and not turn.waiting
            own["tts"] += sum(not sentence.settled for sentence in turn.reply.sentences)
    own["stt"] += sum(person.partial_until > state.turn_time(person.head_at) for person in state.people.values())
    stt_free = item.stt <= own["stt"]
    return Load(
        idle=stt_free and item.llm <= own["llm"] and item.tts <= own["tts"],
        stt_free=stt_free,
        short=max(item.llm, item.tts) < state.agent.turn_taking.speculate_below,
    )


# ── answers of the log ───────────────────────────────────────────────────────────────────────────────────────────────


def _published(draft: Draft, item: Published) -> None:
    state = draft.state
    sent = state.flight
    if sent is None or sent.operation != item.operation:
        return
    state.flight = None
    if item.outcome is Outcome.FULL:
        _store(draft, sent, item)
        trouble.refused(draft, sent)
    elif item.outcome in (Outcome.OK, Outcome.DUP):
        _store(draft, sent, item)
        done = replace(sent, seq=item.seq, answered=draft.now)
        state.lately = (*(other for other in state.lately if draft.now - other.answered < KEPT), done)
        if sent.bundle.closes is not None:
            draft.decisions.append(End(sent.bundle.closes))
        elif sent.bundle.starts:
            playing.started(draft)
    elif item.outcome is Outcome.REWOUND:
        state.flight = sent
        draft.decisions.append(Refold())
    else:
        _lose(draft, sent, item.outcome)


def _store(draft: Draft, sent: Sent, item: Published) -> None:
    """Remember the blobs of utterances that a further one may carry again."""
    stored = draft.state.stored
    live = {utterance.id for turn in draft.state.turns.values() for utterance in turn.utterances}
    ahead = (sent.bundle, *draft.state.outbox)  # refused, it goes out again
    live |= {capture.carries for bundle in ahead for capture in bundle.captures if capture.carries}
    for capture in sent.bundle.captures:
        if not capture.partial and capture.job in item.audio:
            stored[capture.utterance] = item.audio[capture.job]
    for utterance in stored.keys() - live:
        del stored[utterance]


def _lose(draft: Draft, sent: Sent, outcome: Outcome) -> None:
    """The session is somebody else's, or over: silence."""
    state = draft.state
    if state.playback is not None:
        draft.decisions.append(Stop(state.playback.turn))
    closed_by_us = sent.bundle.closes is not None and outcome is Outcome.CLOSED
    draft.decisions.append(End(sent.bundle.closes or "lost", lost=not closed_by_us))
    state.closed = True
    state.playback, state.outbox = None, ()


# ── for the client and the rim ───────────────────────────────────────────────────────────────────────────────────────


def _show(draft: Draft) -> None:
    """Tell the client when it is listened to, thought about, spoken to."""
    state = draft.state
    if state.closed:
        return
    shown: Activity
    if state.playback is not None and state.playback.mode in ("sounding", "hushed"):
        shown = "speaking"
    elif state.shown == "speaking" and state.playing is not None and not state.somebody_speaks and not _works(state):
        shown = "speaking"  # between two sentences of a reply
    elif state.somebody_speaks or all(isinstance(turn.phase, UsersFloor) for turn in state.turns.values()):
        shown = "listening"
    else:
        shown = "thinking"
    if shown != state.shown:
        state.shown = shown
        draft.tell(StateMessage(state=shown))


def _works(state: State) -> bool:
    """A tool of the reply that is being spoken does."""
    playing = state.playing
    return playing is not None and any(call.turn == playing.id for call in state.calls.values())


def _wake_at(state: State) -> Now:
    if state.closed:
        return NO_TIMER
    wake = min(*(moment for moment, _, _ in presence.ends_at(state)), NO_TIMER, *hooks.timers(state))
    if state.away_since is not None or state.exiting is not None:
        return wake
    timers = (*hearing.timers(state), *barge_in.timers(state), *replying.timers(state), *tools.timers(state))
    timers += (*trouble.timers(state), *filler.timers(state), *phrases.timers(state), *idle.timers(state))
    first = min((*timers, *waking.timers(state), *callee.timers(state)), default=None)
    return wake if first is None else min(wake, state.now_of(first))
