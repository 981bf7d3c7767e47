"""What will not come: a transcript, a reply, a sound; because a stage says so, or because the gateway's own clock does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from gateway.turn_taking.arriving import expected_reply, reply_of
from gateway.turn_taking.state import Phrase, Reply, State, Turn, Utterance
from schemas.clock import Now
from schemas.events import StageExpired, StageFailed
from schemas.jobs import SttJob


def hearing_failed(state: State, turn: Turn, utterance: Utterance, how: Literal["failed", "expired"], now: Now) -> None:
    """No transcript of it will come: a stage says so, or our own clock."""
    state.deaf = True
    turn = turn.with_utterance(replace(utterance, failed=how))
    pending = turn.reply is not None and not turn.reply.sentences and utterance.id == turn.utterances[-1].id
    state.turns[turn.id] = replace(turn, reply=None if pending else turn.reply, touched=state.turn_time(now))


def _gave_up(state: State, fact: StageFailed | StageExpired, now: Now) -> None:
    """A stage gave a job up for good (one that will be retried is not)."""
    if isinstance(fact, StageFailed) and fact.will_retry:
        return
    how: Literal["failed", "expired"] = "failed" if isinstance(fact, StageFailed) else "expired"
    match fact.stage:
        case "stt":
            _stt_gave_up(state, fact, how, now)
        case "llm":
            at = state.turn_time(now)
            found = expected_reply(state, fact, at)
            if found is not None and not found[1].complete:
                state.turns[found[0].id] = replace(found[0], reply=replace(found[1], failed=how), touched=at)
        case "tools":
            state.calls.pop(fact.job.removeprefix("tools/"), None)
        case "tts" if fact.phrase is not None:
            known = state.phrases.get(fact.phrase, Phrase())
            if not known.complete:
                state.phrases[fact.phrase] = replace(known, failed=True)
        case "tts":
            found = reply_of(state, fact)
            if found is not None and fact.index is not None and fact.index < len(found[1].sentences):
                no_more_sound(state, *found, fact.index, now)


def _stt_gave_up(state: State, fact: StageFailed | StageExpired, how: Literal["failed", "expired"], now: Now) -> None:
    """Of an utterance; a partial that failed is nobody's loss."""
    for turn in tuple(state.turns.values()):
        for utterance in turn.utterances:
            whole = fact.job in ("", SttJob.id_of(utterance.id))
            if utterance.id != fact.utterance or utterance.text is not None or not whole:
                continue
            if utterance.failed is None:
                hearing_failed(state, turn, utterance, how, now)
            else:  # our own clock had given it up
                state.turns[turn.id] = turn.with_utterance(replace(utterance, failed=how))


def no_more_sound(state: State, turn: Turn, reply: Reply, index: int, now: Now) -> None:
    """No further part of a sentence will come, says a stage: it ends with what there is."""
    sentence = reply.sentences[index]
    if sentence.complete or (sentence.failed and not sentence.overdue):
        return
    said = replace(sentence, overdue=False)
    sentence = replace(said, complete=True) if sentence.clips else replace(said, failed=True)
    reply = reply.with_sentence(index, sentence)
    state.turns[turn.id] = replace(turn, reply=reply, touched=state.turn_time(now))


CHANGES: dict[type, Callable[[State, Any, Now], None]] = {StageFailed: _gave_up, StageExpired: _gave_up}
