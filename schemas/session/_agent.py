"""The fold, agent's side: the floor, the reply, its sound, and trouble."""

from collections.abc import Callable
from typing import Any

from schemas.events import (
    ClipReady,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TurnCommitted,
    TurnEnded,
)
from schemas.session._changes import (
    Changes,
    changed_sentence,
    changed_turn,
    count,
    forgotten,
    standing_reply,
)
from schemas.session._users import utterance_lost
from schemas.session.altered import altered
from schemas.session.state import (
    OWN,
    Clip,
    Commit,
    Failure,
    Lost,
    Phrase,
    Say,
    Sentence,
    SessionState,
    Tool,
    Turn,
    TurnEnd,
)

# ── the floor ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _committed(state: SessionState, event: TurnCommitted) -> Changes:
    """A turn that answers what was typed takes up the messages that waited when it was decided."""
    taken = [m for m in state.letters if event.why == "text" and (event.saw is None or m.seq <= event.saw)]
    waiting = tuple(letter for letter in state.letters if letter not in taken)
    commit = Commit(event.why, event.at, event.delay)
    changes = changed_turn(
        state,
        event,
        lambda turn: altered(turn, commit=commit, letters=(*turn.letters, *taken)),
        opens=True,
        letters=waiting,
    )
    if event.why in OWN and event.why != "filler" and "turns" in changes:
        changes["turns"] = {number: _taken_back(turn, event) for number, turn in changes["turns"].items()}
    return {**changes, "greeted": True} if event.why == "greeting" else changes


def _taken_back(turn: Turn, event: TurnCommitted) -> Turn:
    """The agent takes the floor of its own accord while a turn is open for something urgent: a turn nobody has heard an answer
    to is the users' again, and is answered afterwards."""
    if turn.id == event.turn or turn.end is not None or turn.own or turn.started_at is not None:
        return turn
    return altered(turn, commit=None, reply=None)


def _ended(state: SessionState, event: TurnEnded) -> Changes:
    """What is needed afterwards stays: texts, moments, what was heard. A request dropped unheard waits again."""
    end = TurnEnd(event.how, event.reason, event.heard, tuple(event.unheard), event.at)
    changes = changed_turn(state, event, lambda turn: _without_sound(altered(turn, end=end)))
    if "turns" not in changes:
        return {}
    turns: dict[int, Turn] = changes["turns"]
    ended = turns[event.turn]
    changes["turns"] = forgotten(state, turns)
    if ended.say is not None and event.how == "dropped" and not event.heard:
        changes["says"] = (ended.say, *state.says)
    if event.how == "interrupted" and event.reason != "session":
        totals = changes.get("totals", state.totals)
        changes["totals"] = altered(totals, interrupted=totals.interrupted + 1)
    return changes


def _without_sound(turn: Turn) -> Turn:
    utterances = tuple(altered(utterance, audio=()) for utterance in turn.utterances)
    reply = turn.reply
    if reply is not None:
        silent = {index: altered(sentence, clips=()) for index, sentence in reply.sentences.items()}
        reply = altered(reply, sentences=silent)
    return altered(turn, utterances=utterances, reply=reply, partials={})


# ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sentence(state: SessionState, event: ReplySentence) -> Changes:
    job = event.cause.job if event.cause else ""
    sentence = Sentence(event.index, event.text, job, event.at, event.took, event.queued)

    def change(turn: Turn) -> Turn:
        reply = standing_reply(state, turn, event)
        if reply is None:
            return turn
        own = _with_phrase(sentence, state.phrases.get(turn.commit.why)) if turn.commit else sentence
        return altered(turn, reply=altered(reply, sentences={**reply.sentences, event.index: own}))

    changes = changed_turn(state, event, change)
    turn = changes.get("turns", {}).get(event.turn)
    if turn is None or turn.say is not None or turn.commit is None or turn.commit.why != "say":
        return changes
    say = _asked_for(state, turn)
    if say is None:
        return changes
    waiting = list(state.says)
    waiting.remove(say)
    return {**changes, "turns": {**changes["turns"], turn.id: altered(turn, say=say)}, "says": tuple(waiting)}


def _asked_for(state: SessionState, turn: Turn) -> Say | None:
    """The request this turn speaks: it begins with the turn's words."""
    words = _bare(" ".join(s.text for _, s in sorted(turn.reply.sentences.items()))) if turn.reply else ""
    return next((say for say in state.says if _bare(say.text).startswith(words)), None)


def _bare(text: str) -> str:
    return " ".join(text.split())


def _with_phrase(sentence: Sentence, phrase: Phrase | None) -> Sentence:
    """A fixed phrase plays the clips made ahead."""
    if phrase is None:
        return sentence
    duration = sum(clip.duration for clip in phrase.clips)
    return altered(sentence, clips=phrase.clips, duration=duration, complete=phrase.complete, lost=phrase.lost)


def _finished(state: SessionState, event: ReplyFinished) -> Changes:
    def change(turn: Turn) -> Turn:
        reply = standing_reply(state, turn, event)
        if reply is None:
            return turn
        first_token = reply.time_to_first_token
        first_token = event.time_to_first_token if first_token is None else first_token
        model = event.model or reply.model
        return altered(turn, reply=altered(reply, finished=event.reason, model=model, time_to_first_token=first_token))

    changes = changed_turn(state, event, change)
    if event.cause is not None:
        usage = event.usage
        changes["totals"] = count(
            altered(state, totals=changes.get("totals", state.totals)),
            replies=1,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
    return changes


def _tool_called(state: SessionState, event: ToolCalled) -> Changes:
    def change(turn: Turn) -> Turn:
        reply = standing_reply(state, turn, event)
        if reply is None or any(tool.call == event.call for tool in reply.tools):
            return turn
        job = event.cause.job if event.cause else ""
        tool = Tool(event.call, event.name, event.arguments, after=len(reply.sentences), job=job)
        return altered(turn, reply=altered(reply, tools=(*reply.tools, tool)))

    return changed_turn(state, event, change)


def _tool_returned(state: SessionState, event: ToolReturned) -> Changes:
    def change(turn: Turn) -> Turn:
        reply = standing_reply(state, turn, event)
        if reply is None:
            return turn
        tools = tuple(
            altered(tool, returned=True, result=event.result, error=event.error) if tool.call == event.call else tool
            for tool in reply.tools
        )
        return altered(turn, reply=altered(reply, tools=tools))

    return changed_turn(state, event, change)


# ── its sound ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _clip(state: SessionState, event: ClipReady) -> Changes:
    clip = Clip(event.part, event.last, event.audio, event.duration, tuple(event.words))
    totals = count(state, clips=1, sound=event.duration, characters=len(event.text))
    if event.phrase is not None:
        phrase = state.phrases.get(event.phrase, Phrase())
        phrase = altered(phrase, clips=_in_order(phrase.clips, clip), complete=phrase.complete or event.last)
        return {**_phrase_changed(state, event.phrase, phrase), "totals": totals}

    def change(sentence: Sentence) -> Sentence:
        if not sentence.clips:
            sentence = altered(sentence, clip_at=event.at, clip_took=event.took, clip_queued=event.queued)
        clips = _in_order(sentence.clips, clip)
        return altered(
            sentence,
            clips=clips,
            duration=sum(one.duration for one in clips),
            complete=sentence.complete or event.last,
        )

    return changed_turn(state, event, lambda turn: changed_sentence(turn, event, event.index, change), totals=totals)


def _phrase_changed(state: SessionState, name: str, phrase: Phrase) -> Changes:
    """The phrase, and the open turn that is waiting to speak it."""
    changes: Changes = {"phrases": {**state.phrases, name: phrase}}
    for turn in state.turns.values():
        if turn.end is None and turn.commit is not None and turn.commit.why == name and turn.reply is not None:
            sentences = {index: _with_phrase(one, phrase) for index, one in turn.reply.sentences.items()}
            turn = altered(turn, reply=altered(turn.reply, sentences=sentences))
            changes["turns"] = {**state.turns, turn.id: turn}
    return changes


def _in_order(clips: tuple[Clip, ...], clip: Clip) -> tuple[Clip, ...]:
    others = [other for other in clips if other.part != clip.part]
    return tuple(sorted([*others, clip], key=lambda one: one.part))


def _playback(
    state: SessionState, event: PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished
) -> Changes:
    def change(sentence: Sentence) -> Sentence:
        return altered(
            sentence,
            started_at=event.at if isinstance(event, PlaybackStarted) else sentence.started_at,
            paused=isinstance(event, PlaybackPaused),
            heard=max(sentence.heard, event.position),
            finished=isinstance(event, PlaybackFinished),
        )

    return changed_turn(state, event, lambda turn: changed_sentence(turn, event, event.index, change))


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _trouble(state: SessionState, event: StageFailed | StageExpired) -> Changes:
    """A stage gave up on an utterance, a sentence or a phrase; or, with `will_retry`, has only stumbled."""
    if isinstance(event, StageFailed):
        failure = Failure(event.stage, event.code, event.message, event.will_retry)
        how: Lost = "failed"
    else:
        failure, how = Failure(event.stage, "expired", event.message, will_retry=False), "expired"
    totals = count(state, failures=1)

    def change(turn: Turn) -> Turn:
        turn = altered(turn, failures=(*turn.failures, failure))
        if event.index is None or failure.will_retry:
            return turn
        return changed_sentence(turn, event, event.index, lambda sentence: altered(sentence, lost=how, complete=True))

    changes = changed_turn(state, event, change, totals=totals)
    if failure.will_retry:
        return changes
    if event.phrase is not None:
        phrase = altered(state.phrases.get(event.phrase, Phrase()), lost=how)
        changes |= _phrase_changed(altered(state, **changes), event.phrase, phrase)
    if event.utterance is not None:
        changes |= utterance_lost(altered(state, **changes), event.utterance, how)
    return changes


HANDLERS: dict[type, Callable[[SessionState, Any], Changes]] = {
    TurnCommitted: _committed,
    TurnEnded: _ended,
    ReplySentence: _sentence,
    ReplyFinished: _finished,
    ToolCalled: _tool_called,
    ToolReturned: _tool_returned,
    ClipReady: _clip,
    PlaybackStarted: _playback,
    PlaybackPaused: _playback,
    PlaybackResumed: _playback,
    PlaybackFinished: _playback,
    StageFailed: _trouble,
    StageExpired: _trouble,
}
