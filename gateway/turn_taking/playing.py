"""Playing: sentences in order, each only after its playback.started is in the log, and only while nobody speaks."""

from dataclasses import replace

from gateway.turn_taking import barge_in
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import NoMoreParts, Play, Played, Resume
from gateway.turn_taking.state import PlaybackState, Sentence, State, Turn
from schemas.client import SentenceMessage
from schemas.events import PlaybackFinished, PlaybackPaused, PlaybackResumed, PlaybackStarted


def settle(draft: Draft) -> bool:
    """Do what is due; True if anything was."""
    filler = draft.state.filler
    for turn in tuple(draft.state.turns.values()):
        if turn.has_floor and filler in (None, turn) and (_skip_failed(draft, turn) or _finish_turn(draft, turn)):
            return True
    return _go_on(draft) or _start(draft)


def may_sound(draft: Draft) -> bool:
    """Somebody hears, and nobody speaks (or speech does not matter: no barge-in, once the reply has begun)."""
    state = draft.state
    if state.away_since is not None:
        return False
    if not state.may_interrupt and state.playing is not None:
        return True
    return not state.somebody_speaks and not barge_in.holds(draft)


# ── a sentence ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _start(draft: Draft) -> bool:
    """Publish playback.started of the next sentence: from here on speech is speech over the agent."""
    state = draft.state
    turn = state.replying
    if turn is None or turn.reply is None or state.playback is not None or not draft.quiet or draft.starts:
        return False
    index = turn.reply.next_index()
    if index >= len(turn.reply.sentences) or not may_sound(draft):
        return False
    sentence = turn.reply.sentences[index]
    if state.agent.sound and (not sentence.clips or (sentence.phrase and not sentence.complete)):
        return False
    generation = turn.reply.generation
    draft.fact(PlaybackStarted, turn=turn.id, generation=generation, index=index)
    draft.starts = True
    state.playback = PlaybackState(turn.id, generation, index)
    return True


def started(draft: Draft) -> None:
    """The playback.started is in the log: play, unless the turn ended meanwhile; paused at once if somebody speaks."""
    playback = draft.state.playback
    if playback is None or playback.mode != "starting":
        return
    if may_sound(draft):
        _begin(draft, playback)
    else:
        draft.state.playback = replace(playback, mode="held")
        draft.fact(
            PlaybackPaused, turn=playback.turn, generation=playback.generation, index=playback.index,
            inputs=barge_in.why_silent(draft.state),
        )  # fmt: skip


def _begin(draft: Draft, playback: PlaybackState) -> None:
    sentence = _sentence(draft.state, playback)
    if not draft.state.agent.sound:
        _told(draft, playback, sentence.text)
        return
    draft.state.playback = replace(playback, mode="sounding", begun=True)
    clips = tuple(clip.audio for clip in sentence.clips)
    draft.decisions.append(
        Play(playback.turn, playback.generation, playback.index, clips, sentence.settled, sentence.phrase)
    )


def _told(draft: Draft, playback: PlaybackState, text: str) -> None:
    """Of an agent without sound: told is heard."""
    draft.tell(SentenceMessage(turn=playback.turn, index=playback.index, text=text, spoken=False))
    draft.state.playback, draft.state.active = None, draft.now
    draft.fact(PlaybackFinished, turn=playback.turn, generation=playback.generation, index=playback.index)


def _sentence(state: State, playback: PlaybackState) -> Sentence:
    reply = state.turns[playback.turn].reply
    assert reply is not None
    return reply.sentences[playback.index]


def sounding_is_complete(state: State) -> bool:
    """All of the sentence that is being played is there, if one is."""
    playback = state.playback
    return playback is None or playback.turn not in state.turns or _sentence(state, playback).settled


def no_more_parts(draft: Draft) -> None:
    """Tell the rim, where no further part of what is being played will come."""
    playback = draft.state.playback
    if playback is not None and sounding_is_complete(draft.state):
        draft.decisions.append(NoMoreParts(playback.turn, playback.generation, playback.index))


def _go_on(draft: Draft) -> bool:
    """Resume what was paused."""
    playback = draft.state.playback
    if playback is None or playback.mode not in ("hushed", "held") or not may_sound(draft):
        return False
    if playback.mode == "hushed":
        draft.state.playback = replace(playback, mode="sounding")
        draft.decisions.append(Resume(playback.turn, playback.index, playback.position))
        return True
    draft.fact(
        PlaybackResumed,
        turn=playback.turn,
        generation=playback.generation,
        index=playback.index,
        position=round(playback.position, 3),
    )
    if playback.begun:
        draft.state.playback = replace(playback, mode="sounding")
        draft.decisions.append(Resume(playback.turn, playback.index, playback.position))
    else:
        _begin(draft, playback)
    return True


def sounds(state: State, item: Played) -> bool:
    """Whether this is about the sentence being played."""
    playback = state.playback
    return playback is not None and playback.begun and (playback.turn, playback.index) == (item.turn, item.index)


def played(draft: Draft, item: Played) -> None:
    """A sentence has sounded to its end."""
    state = draft.state
    if not item.finished or not sounds(state, item) or state.playback is None:
        return
    playback = replace(state.playback, position=max(state.playback.position, item.position))
    state.active = draft.now
    state.playback = None
    draft.fact(
        PlaybackFinished,
        turn=playback.turn,
        generation=playback.generation,
        index=playback.index,
        position=round(playback.position, 3),
    )


# ── a reply ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _skip_failed(draft: Draft, turn: Turn) -> bool:
    """A sentence without sound counts as ended, when its place comes; its text goes out as data."""
    reply = turn.reply
    index = reply.next_index() if reply else 0
    if reply is None or index >= len(reply.sentences) or not reply.sentences[index].silent:
        return False
    if draft.state.away_since is not None:
        return False
    sentence = reply.sentences[index]
    passed = replace(sentence, failed=True, ended=True)
    draft.put_turn(replace(turn, reply=reply.with_sentence(index, passed), touched=draft.time))
    draft.tell(SentenceMessage(turn=turn.id, index=index, text=sentence.text, spoken=False))
    return True


def _finish_turn(draft: Draft, turn: Turn) -> bool:
    """The reply was heard to its end, or as far as it came."""
    reply = turn.reply
    if reply is None or not reply.complete or reply.next_index() < len(reply.sentences):
        return False
    if barge_in.may_be_taken_back(draft, turn):
        return False
    if reply.finished == "silent" and not reply.sentences:
        draft.end_turn(turn, "played", "silent")
    elif reply.failed or not reply.sentences:
        draft.end_turn(turn, reply.failed or "failed", "llm")
    elif all(sentence.silent for sentence in reply.sentences):
        draft.end_turn(turn, "failed", "tts")
    else:
        draft.end_turn(turn, "played", "finished")
    return True
