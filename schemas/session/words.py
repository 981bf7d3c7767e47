"""Events in words, for somebody who has not read the code: who did what; and what a session amounts to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from schemas import events as e
from schemas.session.ends import ENDS
from schemas.session.fold import SessionState, Turn
from schemas.text.clean import printable

Style = Literal["user", "agent", "stage", "system", "trouble"]


@dataclass(frozen=True, slots=True)
class Line:
    """`who`: a participant, the agent, a stage, the gateway or the API; `detail`: figures, may be empty."""

    who: str
    text: str
    detail: str = ""
    style: Style = "system"


def line(event: e.Event, state: SessionState) -> Line:
    """One event in words. `state`: the session after it."""
    made = _LINES[type(event)](event, state)
    detail = made.detail
    if event.raises is not None:
        note = "what was prepared so far is dropped"
        detail = f"{detail} · {note}" if detail else note
    if event.cause is not None and (attempt := event.cause.attempt) > 1:
        note = f"attempt {attempt}: whoever had it before gave no answer"
        detail = f"{detail} · {note}" if detail else note
    return Line(_on_one_line(made.who), _on_one_line(made.text), _on_one_line(detail), made.style)


_BOOKKEEPING = (
    e.SpeechPaused, e.SpeechResumed, e.UtteranceCaptured, e.TranscriptPartial, e.ReplySentence, e.ClipReady, e.PlaybackFinished,
    e.HookBegan,
)  # fmt: skip


def is_bookkeeping(event: e.Event) -> bool:
    """Whether who reads what happened misses nothing without it: what came of it is told by another event, or by the waterfall.
    What made something void, or was done a second time, is none."""
    if event.raises is not None or (event.cause is not None and event.cause.attempt > 1):
        return False
    nothing = isinstance(event, e.HookCalled) and not (event.decision or event.error or event.values)
    done = isinstance(event, e.ReplyFinished) and event.reason == "stop"
    return isinstance(event, _BOOKKEEPING) or done or nothing


def _on_one_line(text: str) -> str:
    """What was said or typed can't pose as an event of its own, nor move the cursor."""
    return printable(text).replace("\n", " ⏎ ").replace("\t", " ")


def _person(state: SessionState, identity: str) -> str:
    participant = state.participants.get(identity)
    return participant.shown if participant else identity


def _times(took: float, queued: float) -> str:
    """How long a job took, and, apart from that, how long it waited for a worker."""
    return f"took {_ms(took)}, waited {_ms(queued)}" if took or queued else ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def _quoted(text: str) -> str:
    return f"“{text}”"


def _sentence(state: SessionState, event: e.Event, index: int) -> str:
    turn = state.turns.get(event.turn or 0)
    sentence = turn.reply.sentences.get(index) if turn and turn.reply else None
    return _quoted(sentence.text) if sentence else f"sentence {index + 1}"


# ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────

_REPLAY = "replay"
"""Who goes on with a fork from the turn on that is decided again: no gateway has it, and none was restarted."""
_TAKEN = {
    "expired": "the last gateway's lease had run out",
    "ticket": "the client came back with its ticket",
    "restart": "the gateway was restarted",
}


def _started(event: e.SessionStarted, state: SessionState) -> Line:
    return Line(
        "gateway",
        f'session begins: agent "{event.agent.name}", {event.transport} room {event.room}',
        " · ".join([event.gateway, *event.warnings]),
    )


def _resumed(event: e.SessionResumed, state: SessionState) -> Line:
    forked = state.metadata.get("forked_from")
    if event.gateway == _REPLAY and isinstance(forked, dict):
        original = forked.get("session") or "the original"
        return Line("gateway", f"the replay begins here; what is before it is kept from {original}")
    return Line("gateway", f"{event.gateway} takes over: {_TAKEN[event.reason]}", f"epoch {event.epoch}", "trouble")


def _rewound(event: e.SessionRewound, state: SessionState) -> Line:
    return Line(
        "gateway", f"the log had lost what came after event {event.after}; it goes on from there", "", "trouble"
    )


def _ended(event: e.SessionEnded, state: SessionState) -> Line:
    return Line("gateway", f"session ends: {ENDS.get(event.reason, (event.reason,))[0]}", event.detail)


def _joined(event: e.ParticipantJoined, state: SessionState) -> Line:
    return Line(_person(state, event.participant), "joins", "" if event.kind == "standard" else event.kind, "user")


def _changed(event: e.ParticipantChanged, state: SessionState) -> Line:
    known = ", ".join(f"{name}: {value}" for name, value in event.attributes.items())
    return Line(_person(state, event.participant), "is known anew", known, "user")


def _left(event: e.ParticipantLeft, state: SessionState) -> Line:
    return Line(_person(state, event.participant), "leaves", event.reason, "user")


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _speaks(event: e.SpeechStarted, state: SessionState) -> Line:
    over = " over the agent" if event.over else ""
    return Line(_person(state, event.participant), f"begins to speak{over}", "", "user")


def _silent(event: e.SpeechPaused, state: SessionState) -> Line:
    return Line(_person(state, event.participant), "pauses", f"{_ms(event.silence)} of silence so far", "user")


def _speaks_on(event: e.SpeechResumed, state: SessionState) -> Line:
    return Line(_person(state, event.participant), "speaks on", "", "user")


def _captured(event: e.UtteranceCaptured, state: SessionState) -> Line:
    who = _person(state, event.participant)
    if event.replaces:
        return Line(who, f"has said more: all {event.duration:.1f} s of it go to STT", "", "user")
    return Line(who, f"has said something: {event.duration:.1f} s of it go to STT", "", "user")


def _partial(event: e.TranscriptPartial, state: SessionState) -> Line:
    return Line("STT", f"so far: {_quoted(event.text)} …", _times(event.took, event.queued), "stage")


def _final(event: e.TranscriptFinal, state: SessionState) -> Line:
    who = _person(state, event.participant)
    text = f"{who} said {_quoted(event.text)}" if event.text else f"{who} said nothing (noise)"
    sure = [] if event.end_of_turn is None else [f"has finished: {event.end_of_turn:.0%}"]
    sure += [] if event.complete is None else [f"complete: {event.complete:.0%}"]
    return Line("STT", text, ", ".join([*sure, _times(event.took, event.queued)]), "stage")


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_WHY = {
    "end_of_turn": "going by how it sounded",
    "silence": "going by the silence",
    "text": "going by the words",
    "push_to_talk": "the button was released",
    "interruption": "it interrupted",
    "greeting": "to greet",
    "say": "asked to speak",
    "fallback": "to apologize",
    "repeat": "to ask again",
    "filler": "to bridge the wait",
    "tool": "a tool's result has come",
    "idle": "nobody said anything",
    "goodbye": "nobody is there any more",
}
_HOW = {
    "played": "was answered",
    "interrupted": "was interrupted",
    "dropped": "needs no answer",
    "failed": "could not be answered",
    "expired": "took too long",
}
_REASON = {
    "finished": "",
    "silent": "silence was asked for",
    "barge_in": "the user spoke",
    "say": "something else had to be said",
    "noise": "noise",
    "empty": "no words",
    "backchannel": "only “mhm”",
    "replaced": "the user spoke first",
    "taken_back": "the user went on",
    "overload": "too much was waiting",
    "unaddressed": "somebody else was meant",
    "asleep": "nobody said the wake phrase",
    "cancelled": "taken back by the button",
    "machine": "an answering machine said it",
    "lost": "its sound went with its gateway",
    "rewound": "the log lost its tail",
    "session": "the session ended",
    "gateway": "a fault of the gateway",
    "stt": "hearing",
    "llm": "the LLM",
    "tts": "the voice",
}


_UNLIKE = {"session": "was cut off", "taken_back": "was restarted"}
"""How it ended for these reasons, whatever the `how`."""


def ended_turn(how: str, reason: str) -> str:
    """How a turn ended, and why."""
    said, why = _UNLIKE.get(reason) or _HOW[how], _REASON.get(reason, reason)
    return f"{said}: {why}" if why else said


def _committed(event: e.TurnCommitted, state: SessionState) -> Line:
    delay = f"{_ms(event.delay)} after the last word" if event.delay else ""
    turn = state.turns.get(event.turn)
    why = "it was typed" if event.why == "text" and turn and turn.letters else _WHY[event.why]
    return Line("gateway", f"turn {event.turn}: the agent has the floor ({why})", delay)


def _turn_ended(event: e.TurnEnded, state: SessionState) -> Line:
    turn = state.turns.get(event.turn)
    spoken = event.how == "played" and turn is not None and turn.own
    text = f"turn {event.turn} {'was spoken' if spoken else ended_turn(event.how, event.reason)}"
    heard = f"the user heard {_quoted(event.heard)}" if event.heard and event.how != "played" else ""
    trouble = event.how in ("failed", "expired") and event.reason != "session"
    return Line("gateway", text, heard, "trouble" if trouble else "system")


def _message(event: e.MessageReceived, state: SessionState) -> Line:
    if event.note:
        return Line("agent", f"is told {_quoted(event.text)}", "a note: nobody wrote it", "agent")
    return Line(_person(state, event.participant), f"types {_quoted(event.text)}", "", "user")


def _dtmf(event: e.DtmfReceived, state: SessionState) -> Line:
    return Line(_person(state, event.participant), f"presses {event.digits}", "", "user")


def _say(event: e.SayRequested, state: SessionState) -> Line:
    how = ["at once"] if event.interrupt else []
    how += [] if event.interruptible else ["to its end"]
    how += ["then it hangs up"] if event.ends else []
    who = "API" if event.clock is None else "gateway"
    return Line(who, f"asks the agent to say {_quoted(event.text)}", ", ".join(how))


def _woke(event: e.AgentWoke, state: SessionState) -> Line:
    how = f"by {_quoted(event.phrase)}" if event.phrase else "by the button"
    return Line("agent", f"listens to {_person(state, event.participant)} now", how, "agent")


def _slept(event: e.AgentSlept, state: SessionState) -> Line:
    who = _person(state, event.participant)
    return Line(
        "agent", f"waits for {who} to say the wake phrase", f"{event.after:.0f} s after its last answer", "agent"
    )


_BY = {
    "words": "by its words",
    "length": "by its length",
    "tone": "by its tone",
    "short": "a short greeting",
    "silence": "nobody said anything",
    "bound": "it could not be told in time",
}
_CALLEE = {"human": "a person", "machine": "an answering machine", "unknown": "nobody knows who"}


def _callee(event: e.CalleeDetected, state: SessionState) -> Line:
    text = f"{_CALLEE[event.callee]} has taken the call: {_BY[event.why]}"
    return Line("gateway", text, f"after {event.after:.1f} s", "system")


def _instructions(event: e.InstructionsChanged, state: SessionState) -> Line:
    return Line("API", f"gives new instructions: {_quoted(event.instructions[:80])}")


def _end_requested(event: e.EndRequested, state: SessionState) -> Line:
    if event.said:
        return Line("LLM", "ends the call once all is said", event.reason)
    return Line("API", "asks for the session's end", event.reason)


def _acts(event: e.ActionRequested, state: SessionState) -> Line:
    given = ", ".join(f"{name}={value!r}" for name, value in event.arguments.items())
    return Line("LLM", f"asks the gateway for {event.action}({given})", "", "stage")


# ── what the session brings ──────────────────────────────────────────────────────────────────────────────────────────


def _field(event: e.FieldCollected, state: SessionState) -> Line:
    sure = "" if event.confirmed else "not confirmed yet"
    return Line("LLM", f"notes {event.name} = {_quoted(str(event.value))}", sure, "stage")


def _memory(event: e.MemoryLoaded, state: SessionState) -> Line:
    known = f"is known: {_quoted(event.text[:80])}" if event.text else "is not known yet"
    return Line("gateway", f"the caller {known}")


def _summarized(event: e.ContextSummarized, state: SessionState) -> Line:
    text = f"a summary stands for the turns up to {event.through}: {_quoted(event.text[:80])}"
    return Line("LLM", text, _times(event.took, 0.0), "stage")


def _knowledge(event: e.KnowledgeFound, state: SessionState) -> Line:
    scores = [f" ({score:.1f})" for score in event.scores] + [""] * len(event.files)
    files = ", ".join(f"{file}{score}" for file, score in zip(event.files, scores, strict=False))
    found = f"is given what {files} says" if event.text else "finds nothing in the agent's knowledge"
    return Line("LLM", f"{found} to {_quoted(event.query[:80])}", _times(event.took, 0.0), "stage")


# ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reply(event: e.ReplySentence, state: SessionState) -> Line:
    who = "LLM" if event.cause else "agent"
    return Line(who, f"sentence {event.index + 1}: {_quoted(event.text)}", _times(event.took, event.queued), "stage")


_FINISHED = {
    "stop": "",
    "length": ", cut at max_tokens",
    "tool": ", then a tool",
    "cut": ", cut after a restart",
    "silent": ", nothing is to be said",
}


def _finished(event: e.ReplyFinished, state: SessionState) -> Line:
    sentences = "1 sentence" if event.sentences == 1 else f"{event.sentences} sentences"
    details = []
    if event.time_to_first_token is not None:
        details.append(f"first token after {_ms(event.time_to_first_token)}")
    if event.usage.completion_tokens:
        details.append(f"{event.usage.prompt_tokens} tokens in, {event.usage.completion_tokens} out")
    who = "LLM" if event.cause else "agent"
    return Line(who, f"that was all: {sentences}{_FINISHED[event.reason]}", ", ".join(details), "stage")


def _called(event: e.ToolCalled, state: SessionState) -> Line:
    arguments = ", ".join(f"{name}={value!r}" for name, value in event.arguments.items())
    return Line("tools" if event.pool else "LLM", f"calls {event.name}({arguments})", "", "stage")


def _returned(event: e.ToolReturned, state: SessionState) -> Line:
    if event.error:
        return Line("LLM", f"{event.name} failed: {event.error}", _times(event.took, 0.0), "trouble")
    return Line("LLM", f"{event.name} answers {event.result[:80]!r}", _times(event.took, 0.0), "stage")


_DECIDED = {
    "changed": "changes it",
    "vetoed": "vetoes it",
    "answered": "answers itself",
    "greeted": "gives the greeting",
    "said": "has something said",
}


def _hooked(event: e.HookCalled, state: SessionState) -> Line:
    took = _times(event.took, 0.0)
    if event.error:
        return Line("agent.py", f"{event.hook} failed, and decides nothing: {event.error}", took, "trouble")
    decided = _DECIDED.get(event.decision, "has nothing to say to it")
    decided = "sees to the silence itself" if event.decision == "said" and not event.text else decided
    arguments = ", ".join(f"{name}={value!r}" for name, value in (event.arguments or {}).items())
    text = _quoted(event.text[:200]) if event.text else arguments
    values = ", ".join(f"{name} = {value}" for name, value in event.values.items())
    told = f"{event.hook} {decided}{f': {text}' if text else ''}"
    return Line("agent.py", told, " · ".join(part for part in (values[:300], took) if part), "agent")


def _hook_began(event: e.HookBegan, state: SessionState) -> Line:
    return Line("agent.py", f"{event.hook} is called", "", "stage")


def _step(event: e.StepEntered, state: SessionState) -> Line:
    return Line("agent", f"enters the step {event.step}", f"by {event.via}" if event.via else "", "agent")


def _handed_over(event: e.AgentChanged, state: SessionState) -> Line:
    how = "knowing what was said" if event.context else "without what was said before"
    via = f"by {event.via}" if event.via else ""
    return Line("agent", f'hands over to "{event.agent.name}", {how}', via, "agent")


def _clip(event: e.ClipReady, state: SessionState) -> Line:
    what = f'the phrase "{event.phrase}"' if event.phrase else f"sentence {event.index + 1}"
    what += "" if event.last and not event.part else f", part {event.part + 1}"
    return Line("TTS", f"{event.duration:.1f} s of sound for {what}", _times(event.took, event.queued), "stage")


def _plays(event: e.PlaybackStarted, state: SessionState) -> Line:
    return Line("agent", f"says {_sentence(state, event, event.index)}", "", "agent")


def _holds(event: e.PlaybackPaused, state: SessionState) -> Line:
    return Line("agent", "falls silent to listen", f"{event.position:.1f} s into the sentence", "agent")


def _goes_on(event: e.PlaybackResumed, state: SessionState) -> Line:
    return Line("agent", "goes on", f"from {event.position:.1f} s", "agent")


def _has_said(event: e.PlaybackFinished, state: SessionState) -> Line:
    return Line("agent", f"has said sentence {event.index + 1}", f"{event.position:.1f} s", "agent")


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _failed(event: e.StageFailed, state: SessionState) -> Line:
    then = "; it is tried again" if event.will_retry else ""
    return Line(event.stage.upper(), f"{event.message}{then}", event.code, "trouble")


def _expired(event: e.StageExpired, state: SessionState) -> Line:
    return Line(event.stage.upper(), event.message or "the job came too late to be of use", event.job, "trouble")


_LINES: dict[type, Callable[[Any, SessionState], Line]] = {
    e.SessionStarted: _started,
    e.SessionResumed: _resumed,
    e.SessionRewound: _rewound,
    e.SessionEnded: _ended,
    e.ParticipantJoined: _joined,
    e.ParticipantChanged: _changed,
    e.ParticipantLeft: _left,
    e.SpeechStarted: _speaks,
    e.SpeechPaused: _silent,
    e.SpeechResumed: _speaks_on,
    e.UtteranceCaptured: _captured,
    e.TranscriptPartial: _partial,
    e.TranscriptFinal: _final,
    e.TurnCommitted: _committed,
    e.TurnEnded: _turn_ended,
    e.MessageReceived: _message,
    e.DtmfReceived: _dtmf,
    e.AgentWoke: _woke,
    e.AgentSlept: _slept,
    e.CalleeDetected: _callee,
    e.SayRequested: _say,
    e.InstructionsChanged: _instructions,
    e.EndRequested: _end_requested,
    e.ActionRequested: _acts,
    e.ReplySentence: _reply,
    e.ReplyFinished: _finished,
    e.ToolCalled: _called,
    e.ToolReturned: _returned,
    e.FieldCollected: _field,
    e.MemoryLoaded: _memory,
    e.ContextSummarized: _summarized,
    e.HookBegan: _hook_began,
    e.HookCalled: _hooked,
    e.StepEntered: _step,
    e.AgentChanged: _handed_over,
    e.KnowledgeFound: _knowledge,
    e.ClipReady: _clip,
    e.PlaybackStarted: _plays,
    e.PlaybackPaused: _holds,
    e.PlaybackResumed: _goes_on,
    e.PlaybackFinished: _has_said,
    e.StageFailed: _failed,
    e.StageExpired: _expired,
}


# ── what it amounts to ───────────────────────────────────────────────────────────────────────────────────────────────

_FLOOR = {"agent": "the agent's", "user": "the users'", "none": "nobody's"}


def floor(state: SessionState) -> str:
    """Whose turn it is."""
    return _FLOOR[state.floor]


def people(state: SessionState) -> str:
    """Who takes or took part."""
    return ", ".join(
        one.shown + (" (gone)" if not one.present else " (speaking)" if one.speaking else "")
        for one in state.participants.values()
    )


def users(turn: Turn) -> str:
    """What its users said and typed so far; of a turn of the agent's own, why it speaks."""
    if turn.own and turn.commit is not None:
        return f"({_WHY[turn.commit.why]})"
    partial = " ".join(f"{text} …" for text in turn.partials.values())
    return " ".join(part for part in (turn.text, partial) if part)


def how(turn: Turn) -> str:
    """How it ended, or what has come of it so far."""
    if turn.end is not None:
        return ended_turn(turn.end.how, turn.end.reason)
    if turn.started_at is not None:
        return "the agent speaks"
    return "committed" if turn.commit is not None else "listening"


def totals(state: SessionState) -> str:
    """What the session used, in one line."""
    used = state.totals
    turns = "1 turn" if used.turns == 1 else f"{used.turns} turns"
    return (
        f"{turns}, {used.interrupted} interrupted · {used.speech:.1f} s transcribed · "
        f"{used.prompt_tokens} + {used.completion_tokens} tokens · {used.sound:.1f} s of voice · "
        f"{used.failures} failures · {'ended' if state.ended else 'open'}"
    )
