"""The fold, agent's side: the floor, the reply, its sound, and trouble."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.clock import Micros
from schemas.events import (
    ClipReady,
    KnowledgeFound,
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
from schemas.session._draft import Draft, change_sentence, forget, of_event, opened, remember, standing_reply
from schemas.session._users import change_utterance
from schemas.session.altered import altered, changer
from schemas.session.state import (
    OWN,
    Clip,
    Commit,
    Failure,
    Known,
    Letter,
    Lost,
    Phrase,
    Reply,
    Say,
    Sentence,
    Tool,
    Totals,
    Turn,
    TurnEnd,
    Utterance,
    Wanted,
)

# ── the floor ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _committed(draft: Draft, event: TurnCommitted) -> None:
    """A turn that answers what was typed takes up the messages that waited when it was decided."""
    taken: list[Letter] = []
    if draft.letters and event.why == "text":
        taken = [letter for letter in draft.letters if event.saw is None or letter.seq <= event.saw]
        draft.letters = tuple(letter for letter in draft.letters if letter not in taken)
    turn = opened(draft, event)
    if turn is not None:
        commit = Commit(event.why, event.at, event.delay)
        draft.turns[turn.id] = _with_commit(turn, commit, (*turn.letters, *taken))
        if event.why in OWN and event.why != "filler":
            _make_way(draft, turn.id)
    if event.why == "greeting":
        draft.greeted = True


def _make_way(draft: Draft, number: int) -> None:
    """The agent takes the floor of its own accord while a turn is open for something urgent: a turn nobody has heard an answer
    to is the users' again, and is answered afterwards."""
    for turn in draft.turns.values():
        if turn.id != number and turn.end is None and not turn.own and turn.started_at is None:
            draft.turns[turn.id] = altered(turn, commit=None, reply=None, tools=turn.calls)


def _ended(draft: Draft, event: TurnEnded) -> None:
    """What is needed afterwards stays: texts, moments, what was heard. A request dropped unheard waits again. What was said in a
    turn that was taken back belongs to the one that goes on."""
    turn = of_event(draft, event)
    if turn is None:
        return
    end = TurnEnd(event.how, event.reason, event.heard, tuple(event.unheard), event.at)
    draft.turns[turn.id] = _without_sound(turn, end)
    if event.into is not None and (heir := draft.turns.get(event.into)) is not None:
        said = turn.utterances  # with their sound; nothing was written
        draft.turns[heir.id] = altered(heir, utterances=(*said, *heir.utterances), tools=(*turn.calls, *heir.tools))
    forget(draft)
    if turn.say is not None and event.how == "dropped" and not event.heard:
        draft.says = (turn.say, *draft.says)
    if event.how == "interrupted" and event.reason != "session":
        draft.totals = altered(draft.totals, interrupted=draft.totals.interrupted + 1)


def _without_sound(turn: Turn, end: TurnEnd) -> Turn:
    utterances = tuple([_unheard(one, ()) if one.audio else one for one in turn.utterances])
    reply = turn.reply
    if reply is not None:
        silent = {index: _silent(one, ()) if one.clips else one for index, one in reply.sentences.items()}
        reply = _with_sentences(reply, silent)
    return _over(turn, end, utterances, reply, {}, None)


# ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sentence(draft: Draft, event: ReplySentence) -> None:
    turn = of_event(draft, event)
    if turn is None:
        return
    reply, commit = standing_reply(draft, turn, event), turn.commit
    if reply is not None:
        job = event.cause.job if event.cause else ""
        own = _said(_NEW, event.index, event.text, job, event.at, event.took, event.queued)
        if commit is not None and commit.why in draft.phrases:
            own = _with_phrase(own, draft.phrases[commit.why])
        turn = _with_reply(turn, _with_sentences(reply, {**reply.sentences, event.index: own}))
    if commit is not None and commit.why == "say" and turn.say is None:
        say = _asked_for(draft.says, turn)
        if say is not None:
            waiting = list(draft.says)
            waiting.remove(say)
            turn, draft.says = altered(turn, say=say), tuple(waiting)
    draft.turns[turn.id] = turn


def _asked_for(says: Sequence[Say], turn: Turn) -> Say | None:
    """The request this turn speaks: it begins with the turn's words."""
    words = _bare(" ".join(s.text for _, s in sorted(turn.reply.sentences.items()))) if turn.reply else ""
    return next((say for say in says if _bare(say.text).startswith(words)), None)


_NEW = Sentence(0, "", "", Micros(0))
"""What a sentence begins as."""
_said = changer(Sentence, "index", "text", "job", "at", "took", "queued")
_first_sound = changer(Sentence, "clips", "duration", "complete", "clip_at", "clip_took", "clip_queued")
_played = changer(Sentence, "started_at", "paused", "heard", "finished")
_silent, _unheard = changer(Sentence, "clips"), changer(Utterance, "audio")
_complete = changer(Reply, "finished", "model", "time_to_first_token", "wanted")
_with_reply, _with_sentences = changer(Turn, "reply"), changer(Reply, "sentences")
_with_usage = changer(Totals, "replies", "prompt_tokens", "completion_tokens")
_with_clip = changer(Totals, "clips", "sound", "characters")
_with_commit = changer(Turn, "commit", "letters")
_over = changer(Turn, "end", "utterances", "reply", "partials", "known")


def _bare(text: str) -> str:
    return " ".join(text.split())


def _with_phrase(sentence: Sentence, phrase: Phrase) -> Sentence:
    """A fixed phrase plays the clips made ahead."""
    duration = sum(clip.duration for clip in phrase.clips)
    return altered(sentence, clips=phrase.clips, duration=duration, complete=phrase.complete, lost=phrase.lost)


def _finished(draft: Draft, event: ReplyFinished) -> None:
    if event.cause is not None:
        totals, usage = draft.totals, event.usage
        draft.totals = _with_usage(
            totals,
            totals.replies + 1,
            totals.prompt_tokens + usage.prompt_tokens,
            totals.completion_tokens + usage.completion_tokens,
        )
    turn = of_event(draft, event)
    reply = standing_reply(draft, turn, event) if turn is not None else None
    if turn is None or reply is None:
        return
    first_token = reply.time_to_first_token
    if first_token is None:
        first_token = event.time_to_first_token
    wanted = tuple([Wanted(call.name, call.arguments) for call in event.calls]) if event.calls else ()
    model = event.model or reply.model
    draft.turns[turn.id] = _with_reply(turn, _complete(reply, event.reason, model, first_token, wanted))


def _tool_called(draft: Draft, event: ToolCalled) -> None:
    turn = of_event(draft, event)
    reply = standing_reply(draft, turn, event) if turn is not None else None
    if turn is None or reply is None or any(tool.call == event.call for tool in turn.calls):
        return
    tool = Tool(
        event.call,
        event.name,
        event.arguments,
        after=len(reply.sentences),
        job=event.cause.job if event.cause else "",
        round=event.round,
        repeat=event.repeat,
        pool=event.pool,
    )
    draft.turns[turn.id] = _with_reply(turn, altered(reply, tools=(*reply.tools, tool), wanted=()))


def _known(draft: Draft, event: KnowledgeFound) -> None:
    turn = of_event(draft, event)
    if turn is not None and turn.end is None:
        draft.turns[turn.id] = altered(turn, known=Known(event.query, event.text))


def _tool_returned(draft: Draft, event: ToolReturned) -> None:
    """Also into a turn that is over, or has another reply by now, or has become part of another one. Once."""
    turn = of_event(draft, event)
    turns = reversed(draft.turns.values()) if turn is None or not _is_called(turn, event.call) else (turn,)
    turn = next((turn for turn in turns if _is_called(turn, event.call)), None)
    if turn is None:
        return
    remember(draft, event.state)
    until = len(turn.reply.sentences) if turn.reply is not None else 0

    def told(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
        return tuple([_result(tool, event, until) if tool.call == event.call else tool for tool in tools])

    reply = turn.reply
    if reply is not None and reply.tools:
        reply = altered(reply, tools=told(reply.tools))
    draft.turns[turn.id] = altered(turn, reply=reply, tools=told(turn.tools) if turn.tools else ())


def _is_called(turn: Turn, call: str) -> bool:
    """And has not returned."""
    return any(tool.call == call and not tool.returned for tool in turn.calls)


def _result(tool: Tool, event: ToolReturned, until: int) -> Tool:
    return altered(tool, returned=True, result=event.result, error=event.error, until=until, silent=event.silent)


# ── its sound ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _clip(draft: Draft, event: ClipReady) -> None:
    seconds, last, totals = event.duration, event.last, draft.totals
    draft.totals = _with_clip(totals, totals.clips + 1, totals.sound + seconds, totals.characters + len(event.text))
    clip = Clip(event.part, last, event.audio, seconds, tuple(event.words))
    if event.phrase is not None:
        phrase = draft.phrases.get(event.phrase, Phrase())
        phrase = altered(phrase, clips=_in_order(phrase.clips, clip), complete=phrase.complete or last)
        _change_phrase(draft, event.phrase, phrase)
        return

    def change(sentence: Sentence) -> Sentence:
        complete = sentence.complete or last
        if not sentence.clips:
            return _first_sound(sentence, (clip,), 0 + seconds, complete, event.at, event.took, event.queued)
        clips = _in_order(sentence.clips, clip)
        return altered(sentence, clips=clips, duration=sum(one.duration for one in clips), complete=complete)

    change_sentence(draft, event, event.index, change)


def _change_phrase(draft: Draft, name: str, phrase: Phrase) -> None:
    """The phrase, and the open turn that is waiting to speak it."""
    draft.phrases = {**draft.phrases, name: phrase}
    for turn in reversed(draft.turns.values()):
        if turn.end is None and turn.commit is not None and turn.commit.why == name and turn.reply is not None:
            sentences = {index: _with_phrase(one, phrase) for index, one in turn.reply.sentences.items()}
            draft.turns[turn.id] = _with_reply(turn, _with_sentences(turn.reply, sentences))
            return


def _in_order(clips: tuple[Clip, ...], clip: Clip) -> tuple[Clip, ...]:
    others = [other for other in clips if other.part != clip.part]
    return tuple(sorted([*others, clip], key=lambda one: one.part))


def _playback(*, begins: bool = False, paused: bool = False, ends: bool = False) -> Callable[[Draft, Any], None]:
    """How a sentence sounds from now on. One handler for each event of playback."""

    def handler(draft: Draft, event: PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished) -> None:
        def change(sentence: Sentence) -> Sentence:
            started_at = event.at if begins else sentence.started_at
            return _played(sentence, started_at, paused, max(sentence.heard, event.position), ends)

        change_sentence(draft, event, event.index, change)

    return handler


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _failed(draft: Draft, event: StageFailed) -> None:
    _trouble(draft, event, Failure(event.stage, event.code, event.message, event.will_retry), "failed")


def _expired(draft: Draft, event: StageExpired) -> None:
    _trouble(draft, event, Failure(event.stage, "expired", event.message, will_retry=False), "expired")


def _trouble(draft: Draft, event: StageFailed | StageExpired, failure: Failure, how: Lost) -> None:
    """A stage gave up on an utterance, a sentence or a phrase; or, with `will_retry`, has only stumbled."""
    draft.totals = altered(draft.totals, failures=draft.totals.failures + 1)
    turn = of_event(draft, event)
    if turn is not None:
        draft.turns[turn.id] = altered(turn, failures=(*turn.failures, failure))
    if failure.will_retry:
        return
    if event.index is not None:
        change_sentence(draft, event, event.index, lambda sentence: altered(sentence, lost=how, complete=True))
    if event.phrase is not None:
        phrase = altered(draft.phrases.get(event.phrase, Phrase()), lost=how)
        _change_phrase(draft, event.phrase, phrase)
    if event.utterance is not None:
        change_utterance(draft, event.utterance, lambda utterance: altered(utterance, lost=how))


HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    TurnCommitted: _committed,
    TurnEnded: _ended,
    ReplySentence: _sentence,
    ReplyFinished: _finished,
    ToolCalled: _tool_called,
    KnowledgeFound: _known,
    ToolReturned: _tool_returned,
    ClipReady: _clip,
    PlaybackStarted: _playback(begins=True),
    PlaybackPaused: _playback(paused=True),
    PlaybackResumed: _playback(),
    PlaybackFinished: _playback(ends=True),
    StageFailed: _failed,
    StageExpired: _expired,
}
