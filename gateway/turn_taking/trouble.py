"""Trouble: what comes from the stages, or doesn't. The gateway times each turn; nothing ends silently."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import NoMoreParts
from gateway.turn_taking.playing import apologize
from gateway.turn_taking.replying import phrase, tts_job
from gateway.turn_taking.state import Bundle, Clip, Own, Phrase, Reply, Sent, Sentence, State, Turn, Utterance
from schemas.client import SentenceMessage
from schemas.events import (
    ClipReady,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    StageExpired,
    StageFailed,
)
from schemas.jobs import Job, SttJob

SLACK = 1.0
"""Seconds beyond a job's deadline after which the gateway stops waiting for the worker that should have recorded it."""

# ── what the stages say ──────────────────────────────────────────────────────────────────────────────────────────────


def sentence_came(draft: Draft, event: ReplySentence) -> None:
    found = _reply_of(draft, event.turn, event.generation)
    if found is None or event.index != len(found[1].sentences):
        return
    turn, reply = found
    reply = replace(reply.with_sentence(event.index, Sentence(event.text, draft.time)), asked=draft.time)
    draft.put(replace(turn, reply=reply, touched=draft.time))


def reply_finished(draft: Draft, event: ReplyFinished) -> None:
    found = _reply_of(draft, event.turn, event.generation)
    if found is not None and found[0].own is None:
        turn, reply = found
        draft.put(replace(turn, reply=replace(reply, finished=event.reason), touched=draft.time))


def clip_came(draft: Draft, event: ClipReady) -> None:
    clip = Clip(event.audio, event.duration, tuple(event.words))
    if event.phrase is not None:
        known = draft.state.phrases.get(event.phrase, Phrase())
        if not known.complete and event.part == len(known.clips):
            draft.state.phrases[event.phrase] = Phrase((*known.clips, clip), complete=event.last)
        return
    found = _reply_of(draft, event.turn, event.generation)
    if found is None or event.index >= len(found[1].sentences):
        return
    turn, reply = found
    sentence = reply.sentences[event.index]
    if event.part != len(sentence.clips) or sentence.failed or sentence.complete:
        return
    sentence = replace(sentence, clips=(*sentence.clips, clip), complete=event.last, at=draft.time)
    draft.put(replace(turn, reply=reply.with_sentence(event.index, sentence), touched=draft.time))


def stage_gave_up(draft: Draft, event: StageFailed | StageExpired) -> None:
    """A job was given up for good (one that will be retried is not)."""
    if isinstance(event, StageFailed) and event.will_retry:
        return
    how: Literal["failed", "expired"] = "failed" if isinstance(event, StageFailed) else "expired"
    match event.stage:
        case "stt":
            _stt_gave_up(draft, event, how)
        case "llm":
            found = _reply_of(draft, event.turn, event.generation)
            if found is not None and not found[1].complete:
                draft.put(replace(found[0], reply=replace(found[1], failed=how), touched=draft.time))
        case "tts" if event.phrase is not None:
            known = draft.state.phrases.get(event.phrase, Phrase())
            if not known.complete:
                draft.state.phrases[event.phrase] = replace(known, failed=True)
        case "tts":
            found = _reply_of(draft, event.turn, event.generation)
            if found is not None and event.index is not None and event.index < len(found[1].sentences):
                _no_more_sound(draft, *found, event.index)


def _stt_gave_up(draft: Draft, event: StageFailed | StageExpired, how: Literal["failed", "expired"]) -> None:
    """Of an utterance; a partial that failed is nobody's loss."""
    for turn in tuple(draft.state.turns.values()):
        for utterance in turn.utterances:
            if utterance.waiting and utterance.id == event.utterance and event.job in ("", SttJob.id_of(utterance.id)):
                _hearing_failed(draft, turn, utterance, how)


def _hearing_failed(draft: Draft, turn: Turn, utterance: Utterance, how: Literal["failed", "expired"]) -> None:
    draft.state.deaf = True
    turn = turn.with_utterance(replace(utterance, failed=how))
    pending = turn.reply is not None and not turn.reply.sentences and utterance.id == turn.utterances[-1].id
    draft.put(replace(turn, reply=None if pending else turn.reply, touched=draft.time))


def _no_more_sound(draft: Draft, turn: Turn, reply: Reply, index: int) -> None:
    sentence = reply.sentences[index]
    if sentence.complete or sentence.failed:
        return
    if sentence.clips:
        sentence = replace(sentence, complete=True)
        playback = draft.state.playback
        if playback is not None and (playback.turn, playback.index) == (turn.id, index):
            draft.decisions.append(NoMoreParts(turn.id, reply.generation, index))
    else:
        sentence = replace(sentence, failed=True)
    draft.put(replace(turn, reply=reply.with_sentence(index, sentence), touched=draft.time))


def _reply_of(draft: Draft, turn_id: int | None, generation: int | None) -> tuple[Turn, Reply] | None:
    """The open turn and its reply, if that is of this generation."""
    turn = draft.state.turns.get(turn_id) if turn_id is not None else None
    if turn is None or turn.reply is None or turn.reply.generation != generation:
        return None
    return turn, turn.reply


# ── what time brings ─────────────────────────────────────────────────────────────────────────────────────────────────


def _stt_until(state: State, asked: float) -> float:
    return asked + state.agent.limits.stt_deadline + SLACK


def _llm_until(state: State, turn: Turn) -> float | None:
    reply = turn.reply
    if reply is None or reply.complete or reply.finished == "tool" or turn.waiting:
        return None
    return reply.asked + state.agent.limits.llm_deadline + SLACK


def _tts_until(state: State, sentence: Sentence) -> float | None:
    if sentence.complete or sentence.failed or sentence.ended:
        return None
    return sentence.at + state.agent.limits.tts_deadline + SLACK


def _turn_until(state: State, turn: Turn) -> float | None:
    """A turn that makes no progress; speech, playback and the turn before it are progress of a kind."""
    playback = state.playback
    sounding = playback is not None and playback.turn == turn.id and playback.mode != "starting"
    if sounding or state.somebody_speaks or state.other_replies(turn):
        return None
    return turn.touched + state.agent.limits.turn


def timers(state: State) -> Iterator[float]:
    for turn in state.turns.values():
        yield from (_stt_until(state, utterance.asked) for utterance in turn.utterances if utterance.waiting)
        moments = [_llm_until(state, turn), _turn_until(state, turn)]
        moments += [_tts_until(state, sentence) for sentence in turn.reply.sentences] if turn.reply else []
        yield from (moment for moment in moments if moment is not None)


def settle(draft: Draft) -> bool:
    """Stop waiting for what is overdue, and give fixed phrases their sound."""
    turns = tuple(draft.state.turns.values())
    return any(_overdue(draft, turn) or _sound_of_phrase(draft, turn) for turn in turns)


def _overdue(draft: Draft, turn: Turn) -> bool:
    state = draft.state
    for utterance in turn.utterances:
        if utterance.waiting and draft.due(_stt_until(state, utterance.asked)):
            _hearing_failed(draft, turn, utterance, "expired")
            return True
    llm = _llm_until(state, turn)
    if llm is not None and draft.due(llm) and turn.reply is not None:
        draft.put(replace(turn, reply=replace(turn.reply, failed="expired")))
        return True
    for index, sentence in enumerate(turn.reply.sentences if turn.reply else ()):
        tts = _tts_until(state, sentence)
        if tts is not None and draft.due(tts) and turn.reply is not None:
            _no_more_sound(draft, turn, turn.reply, index)
            return True
    until = _turn_until(state, turn)
    if until is not None and draft.due(until):
        stage = "stt" if turn.waiting else "llm" if turn.reply is None or not turn.reply.complete else "tts"
        draft.end_turn(turn, "expired", stage)
        apologize(draft, turn)
        return True
    return False


def _sound_of_phrase(draft: Draft, turn: Turn) -> bool:
    """A fixed phrase has its clips from the session's start; where that failed, it is synthesized like any sentence."""
    reply = turn.reply
    if reply is None or not reply.sentences or reply.sentences[0].phrase is None or reply.sentences[0].clips:
        return False
    sentence = reply.sentences[0]
    known = draft.state.phrases.get(sentence.phrase or "", Phrase())
    if known.complete:
        sentence = replace(sentence, clips=known.clips, complete=True)
    elif known.failed:
        sentence = replace(sentence, phrase=None, at=draft.time)
        draft.enqueue(tts_job(draft.state, turn, reply.generation, 0, sentence.text))
    else:
        return False
    draft.put(replace(turn, reply=reply.with_sentence(0, sentence)))
    return True


# ── FULL ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(draft: Draft, sent: Sent) -> None:
    """A queue is full: the facts are published without the jobs, the turns they were for end, and the user is told."""
    state = draft.state
    bundle = sent.bundle
    asked = {job.turn for job in bundle.jobs if _matters(job)}
    facts = [event for event in bundle.events if not (isinstance(event, PlaybackStarted) and event.turn in asked)]
    captures = tuple(capture for capture in bundle.captures if not capture.partial)
    starts = bundle.starts and any(isinstance(event, PlaybackStarted) for event in facts)
    stripped = Bundle(bundle.made, tuple(facts), (), bundle.raises, captures, starts, bundle.closes)
    state.operation -= 1  # nothing was written: the number is free
    if stripped.events or stripped.captures or stripped.raises is not None:
        state.outbox = (stripped, *state.outbox)
    unheard = {job.utterance for job in bundle.jobs if isinstance(job, SttJob) and not job.partial}
    for turn in tuple(state.turns.values()):
        if turn.id in asked and not _answers_the_rest(draft, turn, unheard):
            draft.end_turn(turn, "dropped", "overload")
            _say_sorry(draft, turn)


def _answers_the_rest(draft: Draft, turn: Turn, unheard: set[str]) -> bool:
    """Where the words of earlier utterances are there, those are answered without what could not be transcribed any more."""
    lost = [utterance for utterance in turn.utterances if utterance.id in unheard]
    heard = replace(turn, utterances=tuple(replace(u, failed="failed") if u in lost else u for u in turn.utterances))
    if not lost or not heard.text:
        return False
    for utterance in lost:
        _hearing_failed(draft, draft.state.turns[turn.id], utterance, "failed")
    return True


def _matters(job: Job) -> bool:
    return job.turn is not None and not (isinstance(job, SttJob) and job.partial)


def _say_sorry(draft: Draft, turn: Turn) -> None:
    apology: Own = phrase(draft.state.agent, "fallback")
    if turn.own is None:
        draft.want(apology)
    elif turn.reply is not None:
        for index, sentence in enumerate(turn.reply.sentences):
            if sentence.heard is None:
                draft.tell(SentenceMessage(turn=turn.id, index=index, text=sentence.text, spoken=False))
