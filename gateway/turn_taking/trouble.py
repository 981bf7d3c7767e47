"""Trouble: what fails, what doesn't come, what finds no room. The gateway times each turn; nothing ends silently."""

from collections.abc import Iterator
from dataclasses import replace

from gateway.turn_taking import phrases, playing, tools
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.lost import hearing_failed
from gateway.turn_taking.state import Bundle, Phrase, Sent, Sentence, State, Turn
from schemas.client import SentenceMessage
from schemas.clock import TurnTime
from schemas.events import PlaybackStarted, UtteranceCaptured
from schemas.jobs import HookJob, Job, SttJob, TtsJob

SLACK = 1.0
"""Seconds beyond a job's deadline after which the gateway stops waiting for the worker that should have recorded it."""


# ── what time brings ─────────────────────────────────────────────────────────────────────────────────────────────────


def _stt_until(state: State, asked: TurnTime) -> TurnTime:
    return asked + state.agent.limits.stt_deadline + SLACK


def _nobody_waits(state: State, turn: Turn) -> bool:
    """For its answer: it is not known yet whether there is anybody to be answered."""
    return state.holds_back and not turn.has_floor


def _llm_until(state: State, turn: Turn) -> TurnTime | None:
    reply = turn.reply
    if reply is None or reply.complete or reply.finished == "tool" or turn.waiting or _nobody_waits(state, turn):
        return None
    silent = reply.asked + state.agent.limits.llm_deadline + SLACK
    works = tools.until(state, turn)
    return silent if works is None else max(silent, works + SLACK)


def _tts_until(state: State, turn: Turn, sentence: Sentence) -> TurnTime | None:
    if sentence.settled or sentence.ended or _nobody_waits(state, turn):
        return None
    return sentence.at + state.agent.limits.tts_deadline + SLACK


def _turn_until(state: State, turn: Turn) -> TurnTime | None:
    """A turn that makes no progress; speech, playback and the turn before it are progress of a kind."""
    playback = state.playback
    sounding = playback is not None and playback.turn == turn.id and playback.mode != "starting"
    if sounding or state.somebody_speaks or state.other_replies(turn):
        return None
    works = tools.until(state, turn)
    idle = turn.touched + state.agent.limits.turn
    return idle if works is None else max(idle, works + SLACK)


def timers(state: State) -> Iterator[TurnTime]:
    for turn in state.turns.values():
        yield from (_stt_until(state, utterance.asked) for utterance in turn.utterances if utterance.waiting)
        moments = [_llm_until(state, turn), _turn_until(state, turn)]
        moments += [_tts_until(state, turn, sentence) for sentence in turn.reply.sentences] if turn.reply else []
        yield from (moment for moment in moments if moment is not None)


def settle(draft: Draft) -> bool:
    """Stop waiting for what is overdue, and have a fixed phrase spoken that could not be made in advance."""
    turns = tuple(draft.state.turns.values())
    return any(_overdue(draft, turn) or _speak_phrase(draft, turn) for turn in turns)


def _overdue(draft: Draft, turn: Turn) -> bool:
    state = draft.state
    for utterance in turn.utterances:
        if utterance.waiting and draft.due(_stt_until(state, utterance.asked)):
            hearing_failed(draft.state, turn, utterance, "expired", draft.now)
            return True
    llm = _llm_until(state, turn)
    if llm is not None and draft.due(llm) and turn.reply is not None:
        draft.put_turn(replace(turn, reply=replace(turn.reply, failed="expired")))
        return True
    for index, sentence in enumerate(turn.reply.sentences if turn.reply else ()):
        tts = _tts_until(state, turn, sentence)
        if tts is not None and draft.due(tts) and turn.reply is not None:
            complete = playing.sounding_is_complete(state)
            reply = turn.reply.with_sentence(index, replace(sentence, overdue=True))
            draft.put_turn(replace(turn, reply=reply, touched=draft.time))
            if not complete:
                playing.no_more_parts(draft)
            return True
    until = _turn_until(state, turn)
    if until is not None and draft.due(until):
        stage = "stt" if turn.waiting else "llm" if turn.reply is None or not turn.reply.complete else "tts"
        draft.end_turn(turn, "expired", stage)
        return True
    return False


def _speak_phrase(draft: Draft, turn: Turn) -> bool:
    """Where a fixed phrase could not be made ahead, it is synthesized like any sentence."""
    reply, state = turn.reply, draft.state
    if reply is None or not reply.sentences or reply.sentences[0].phrase is None or reply.sentences[0].clips:
        return False
    sentence = reply.sentences[0]
    if not state.phrases.get(sentence.phrase or "", Phrase()).failed:
        return False
    draft.enqueue(TtsJob.sentence(state.agent, state.session, turn.id, reply.generation, 0, sentence.text))
    sentence = replace(sentence, phrase=None, at=draft.time)
    draft.put_turn(replace(turn, reply=reply.with_sentence(0, sentence)))
    return True


# ── FULL ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(draft: Draft, sent: Sent) -> None:
    """A queue is full: the facts are published without the jobs, and the turns they were for end. Who was to be answered hears
    the fallback; what somebody asked the agent to say waits again; other words of the agent's own are shown."""
    state = draft.state
    bundle = sent.bundle
    asked = {job.turn for job in bundle.jobs if _matters(job)}
    unheard = {job.utterance for job in bundle.jobs if isinstance(job, SttJob) and not job.partial}
    kept = [event for event in bundle.events if not (isinstance(event, PlaybackStarted) and event.turn in asked)]
    kept = [
        _unheard(event) if isinstance(event, UtteranceCaptured) and event.utterance in unheard else event
        for event in kept
    ]
    captures = tuple(capture for capture in bundle.captures if not capture.partial)
    starts = bundle.starts and any(isinstance(event, PlaybackStarted) for event in kept)
    stripped = Bundle(bundle.made, tuple(kept), (), bundle.raises, captures, starts, bundle.closes)
    state.operation -= 1  # nothing was written: the number is free
    for job in bundle.jobs:
        if isinstance(job, TtsJob):
            phrases.refused(draft, job)
    if stripped.events or stripped.captures or stripped.raises is not None:
        state.outbox = (stripped, *state.outbox)
    state.deaf = state.deaf or bool(unheard)
    for turn in tuple(state.turns.values()):
        if turn.id in asked and not _answers_the_rest(draft, turn, unheard):
            draft.end_turn(turn, "dropped", "overload")
            if turn.own is not None and turn.own.why != "say":
                _show_unheard(draft, turn)


def _unheard(event: UtteranceCaptured) -> UtteranceCaptured:
    """The log says that nobody was asked for its transcript."""
    return event.model_copy(update={"inputs": {**(event.inputs or {}), "unheard": True}})


def _answers_the_rest(draft: Draft, turn: Turn, unheard: set[str]) -> bool:
    """Where the words of earlier utterances are there, those are answered without what could not be transcribed any more."""
    lost = [utterance for utterance in turn.utterances if utterance.id in unheard]
    heard = replace(turn, utterances=tuple(replace(u, failed="failed") if u in lost else u for u in turn.utterances))
    if not lost or not heard.text:
        return False
    for utterance in lost:
        hearing_failed(draft.state, draft.state.turns[turn.id], utterance, "failed", draft.now)
    return True


def _matters(job: Job) -> bool:
    return job.turn is not None and not isinstance(job, HookJob) and not (isinstance(job, SttJob) and job.partial)


def _show_unheard(draft: Draft, turn: Turn) -> None:
    for index, sentence in enumerate(turn.reply.sentences if turn.reply is not None else ()):
        if sentence.heard is None:
            draft.tell(SentenceMessage(turn=turn.id, index=index, text=sentence.text, spoken=False))
