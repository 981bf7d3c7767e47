"""What the stages say when all goes well: transcripts, sentences, clips; and what that changes in the state."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gateway.turn_taking.state import Call, Clip, Phrase, Reply, Sentence, State, Turn
from schemas.clock import Now, TurnTime
from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
)

# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number_of(utterance: str) -> int:
    """Of an utterance's id."""
    digits = utterance.lstrip("u")
    return int(digits) if digits.isdigit() else 0


def _partial(state: State, fact: TranscriptPartial, now: Now) -> None:
    state.next_utterance = max(state.next_utterance, number_of(fact.utterance) + 1)


def _transcribed(state: State, fact: TranscriptFinal, now: Now) -> None:
    """A transcript: of an utterance that stands, late as it may be; what was replaced meanwhile is ignored."""
    state.deaf = False
    if fact.text.strip():
        state.questions, state.idle_asked = 0, None
    at = state.turn_time(now)
    for turn in tuple(state.turns.values()):
        for utterance in turn.utterances:
            if utterance.id == fact.utterance and utterance.text is None:
                text = fact.text.strip()
                said = replace(utterance, text=text, end_of_turn=fact.end_of_turn, complete=fact.complete, failed=None)
                turn = turn.with_utterance(said)
                reply = turn.reply
                if reply is not None and not reply.sentences and utterance.id == turn.utterances[-1].id:
                    # the LLM job chained to this one has followed; after an empty transcript none does
                    reply = replace(reply, asked=at) if text else None
                state.turns[turn.id] = replace(turn, reply=reply, touched=at)


# ── a reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


def reply_of(state: State, fact: Event) -> tuple[Turn, Reply] | None:
    """The open turn and its reply, if that is of this generation."""
    turn = state.turns.get(fact.turn) if fact.turn is not None else None
    if turn is None or turn.reply is None or turn.reply.generation != fact.generation:
        return None
    return turn, turn.reply


def expected_reply(state: State, fact: Event, at: TurnTime) -> tuple[Turn, Reply] | None:
    """The same. An LLM may have been asked without a word in the log: what comes in this generation is the reply, or goes on with
    it after a tool."""
    turn = state.turns.get(fact.turn) if fact.turn is not None else None
    if turn is None or fact.generation is None:
        return None
    if turn.reply is None and turn.own is None and fact.generation == state.generation:
        return turn, Reply(state.generation, at)
    found = reply_of(state, fact)
    if found is not None and found[1].finished == "tool" and turn.has_floor and fact.cause is not None:
        return turn, replace(found[1], finished=None, resumes=found[1].resumes + 1)
    return found


def _sentence(state: State, fact: ReplySentence, now: Now) -> None:
    at = state.turn_time(now)
    found = expected_reply(state, fact, at)
    if found is None or fact.index != len(found[1].sentences):
        return
    turn, reply = found
    name = turn.own.phrase if turn.own is not None else None
    sentence = _with_sound(state, Sentence(fact.text, at, complete=not state.agent.sound, phrase=name))
    if turn.own is not None and not turn.own.text:  # the log has lost the request
        turn = replace(turn, own=replace(turn.own, text=fact.text))
    reply = replace(reply.with_sentence(fact.index, sentence), asked=at)
    bridged = turn.bridged or (turn.own is None and fact.cause is None)  # we have bridged a wait ourselves
    state.turns[turn.id] = replace(turn, reply=reply, bridged=bridged, touched=at)


def _with_sound(state: State, sentence: Sentence) -> Sentence:
    """A fixed phrase has the clips that were made ahead."""
    known = state.phrases.get(sentence.phrase or "")
    if known is None or not known.complete or sentence.clips:
        return sentence
    return replace(sentence, clips=known.clips, complete=True)


def _finished(state: State, fact: ReplyFinished, now: Now) -> None:
    at = state.turn_time(now)
    found = expected_reply(state, fact, at)
    if found is not None:
        turn, reply = found
        state.turns[turn.id] = replace(turn, reply=replace(reply, finished=fact.reason), touched=at)


def _tool_called(state: State, fact: ToolCalled, now: Now) -> None:
    at = state.turn_time(now)
    state.calls[fact.call] = Call(
        fact.turn or 0, fact.generation or 0, at, fact.timeout, fact.patience, fact.pool
    )  # fmt: skip
    _tool_works(state, fact, at)


def _tool_returned(state: State, fact: ToolReturned, now: Now) -> None:
    call, at = state.calls.pop(fact.call, None), state.turn_time(now)
    _tool_works(state, fact, at, by_pool=call is not None and call.pool)


def _tool_works(state: State, fact: ToolCalled | ToolReturned, at: TurnTime, *, by_pool: bool = False) -> None:
    """A reply that has stopped for the tools' pool goes on when the gateway says so."""
    found = reply_of(state, fact) if by_pool else expected_reply(state, fact, at)
    if found is not None:
        state.turns[found[0].id] = replace(found[0], reply=replace(found[1], asked=at, tools=True), touched=at)


def _clip(state: State, fact: ClipReady, now: Now) -> None:
    at = state.turn_time(now)
    clip = Clip(fact.audio, fact.duration, tuple(fact.words))
    if fact.phrase is not None:
        _clip_of_phrase(state, fact, clip, fact.phrase)
        return
    found = reply_of(state, fact)
    if found is None or fact.index >= len(found[1].sentences):
        return
    turn, reply = found
    sentence = reply.sentences[fact.index]
    given_up = sentence.complete or (sentence.failed and not sentence.overdue)
    if fact.part != len(sentence.clips) or given_up:
        return
    begun = sentence.heard is not None or sentence.ended  # then the rim was told that no further part comes
    overdue = sentence.overdue and begun
    sentence = replace(sentence, clips=(*sentence.clips, clip), complete=fact.last, overdue=overdue, at=at)
    state.turns[turn.id] = replace(turn, reply=reply.with_sentence(fact.index, sentence), touched=at)


def _clip_of_phrase(state: State, fact: ClipReady, clip: Clip, name: str) -> None:
    known = state.phrases.get(name, Phrase())
    if known.complete or fact.part != len(known.clips):
        return
    state.phrases[name] = Phrase((*known.clips, clip), complete=fact.last)
    for turn in tuple(state.turns.values()):
        if turn.reply is not None and any(sentence.phrase == name for sentence in turn.reply.sentences):
            sentences = tuple(_with_sound(state, one) if one.phrase == name else one for one in turn.reply.sentences)
            state.turns[turn.id] = replace(turn, reply=replace(turn.reply, sentences=sentences))


CHANGES: dict[type, Callable[[State, Any, Now], None]] = {
    TranscriptPartial: _partial,
    TranscriptFinal: _transcribed,
    ReplySentence: _sentence,
    ReplyFinished: _finished,
    ToolCalled: _tool_called,
    ToolReturned: _tool_returned,
    ClipReady: _clip,
}
