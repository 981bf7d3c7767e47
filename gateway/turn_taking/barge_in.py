"""Barge-in: speech over the agent pauses it at once; whether it interrupts is decided here and nowhere else.

The first frame that may be speech hushes it already: two frames earlier, and if it was nothing, all that is lost is their time.
Words that are no backchannel, or a second of unbroken speech, interrupt. A backchannel, or nothing, lets the agent go on; "yes"
over its question is the answer to it (`answers.py`). Waiting is inaudible, since playback is paused.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from gateway.turn_taking import answers
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Pause
from gateway.turn_taking.state import NEVER, Own, Speaking, State, Turn
from schemas.events import PlaybackPaused

LATE = 0.5
"""Seconds of the reply still to come, below which "yes" is an answer rather than a backchannel."""


def hush(draft: Draft) -> None:
    """Somebody may be about to speak: silence within this frame, until that is known."""
    playback = draft.state.playback
    if playback is not None and playback.mode == "sounding" and draft.state.agent.turn_taking.barge_in:
        draft.state.playback = replace(playback, mode="hushed")
        draft.decisions.append(Pause(playback.turn, playback.index))


def pause(draft: Draft) -> None:
    """Somebody speaks, or nobody hears: silence within this frame."""
    playback = draft.state.playback
    if playback is None or playback.mode not in ("sounding", "hushed"):
        return
    if draft.state.away_since is None and not draft.state.agent.turn_taking.barge_in:
        return
    draft.state.playback = replace(playback, mode="held")
    if playback.mode == "sounding":
        draft.decisions.append(Pause(playback.turn, playback.index))
    draft.fact(
        PlaybackPaused,
        turn=playback.turn,
        generation=playback.generation,
        index=playback.index,
        position=round(playback.position, 3),
    )


def all_but_finished(state: State) -> bool:
    """The agent has less than half a second left to say."""
    playback = state.playback
    turn = state.playing
    if playback is None or turn is None or turn.reply is None or not turn.reply.complete:
        return False
    sentence = turn.reply.sentences[playback.index]
    is_last = playback.index == len(turn.reply.sentences) - 1
    return is_last and sentence.complete and sentence.duration - playback.position <= LATE


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_HUM = re.compile(r"[mhn]{2,}")
"""What a small Whisper writes for a hum: "MMMM.", "M-H-N", "Hmm"."""


def is_backchannel(text: str, backchannels: Iterable[str]) -> bool:
    """Whether the whole of `text` is made of backchannels ("Mm-hmm. Yeah, okay."), however written."""
    spoken = _pieces(text)
    if spoken and _HUM.fullmatch("".join(spoken)):
        return True
    known = _known(tuple(backchannels))
    longest = max((len(pieces) for pieces in known), default=0)
    at = 0
    while at < len(spoken):
        size = next((n for n in range(longest, 0, -1) if tuple(spoken[at : at + n]) in known), 0)
        if not size:
            return False
        at += size
    return bool(spoken)


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold().replace("'", "").replace("’", ""))


@lru_cache(maxsize=256)
def _known(backchannels: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    pieces = [_pieces(entry) for entry in backchannels]
    return frozenset(tuple(entry) for entry in pieces) | frozenset(("".join(entry),) for entry in pieces if entry)


def words(draft: Draft, turn: Turn, text: str) -> bool:
    """Words spoken over the agent (a transcript, or a partial): True if they interrupt."""
    state = draft.state
    if not _pieces(text) or not state.is_addressed(turn):
        return False
    if not turn.late and is_backchannel(text, state.agent.turn_taking.backchannels):
        return False
    interrupt(draft, turn)
    return True


def interrupt(draft: Draft, turn: Turn) -> None:
    """`turn`, spoken over the agent, takes the floor; without barge-in it has to wait until the agent is done."""
    turn = draft.put(replace(turn, over=False, touched=draft.time))
    playing = draft.state.playing
    if playing is not None and draft.state.agent.turn_taking.barge_in:
        draft.end_turn(playing, "interrupted", "barge_in")


# ── what time and transcripts bring ──────────────────────────────────────────────────────────────────────────────────


def _unbroken(state: State, turn: Turn) -> Iterator[float]:
    """When speech going on in this turn will have been long enough to interrupt whatever its words."""
    settings = state.agent.turn_taking
    for person in state.people.values():
        if not isinstance(person.voice, Speaking) or person.voice.speech.turn != turn.id or not settings.barge_in:
            continue
        meant = settings.answer == "anyone" or (settings.answer == "linked" and person.name == state.linked)
        if state.humans <= 1 or meant:
            yield person.voice.speech.began + settings.interrupt_after


def _holds_until(state: State, turn: Turn) -> float:
    """While hearing works, a transcript on its way comes, or is given up for lost: to speak on meanwhile would only be cut short.
    Once one was lost, and none came since, the agent waits for a moment."""
    return turn.spoken + state.agent.turn_taking.resume_after if state.deaf else NEVER


def holds(draft: Draft) -> bool:
    """Playback waits for the transcript of what was said over it."""
    return any(
        turn.over and turn.waiting and not draft.due(_holds_until(draft.state, turn))
        for turn in draft.state.turns.values()
    )


def timers(state: State) -> Iterator[float]:
    for turn in state.turns.values():
        if turn.over:
            yield from _unbroken(state, turn)
            held = state.playback is not None and state.playback.mode in ("hushed", "held")
            if turn.waiting and held and not state.somebody_speaks:
                yield _holds_until(state, turn)


def settle(draft: Draft) -> bool:
    over = tuple(turn for turn in draft.state.turns.values() if turn.over)
    return any(_interrupts(draft, turn) or _lets_go(draft, turn) for turn in over)


def _interrupts(draft: Draft, turn: Turn) -> bool:
    if any(draft.due(moment) for moment in _unbroken(draft.state, turn)):
        interrupt(draft, turn)
        return True
    return words(draft, turn, turn.text)


def _lets_go(draft: Draft, turn: Turn) -> bool:
    """All was heard, and none of it was meant for the agent."""
    if turn.waiting or not turn.utterances or draft.state.speaks_in(turn):
        return False
    failed = next((utterance.failed for utterance in turn.utterances if utterance.failed), None)
    if failed:
        draft.end_turn(turn, failed, "stt")
        draft.want(Own("repeat", draft.state.agent.repeat, phrase="repeat"))
    elif not _pieces(turn.text):
        draft.end_turn(turn, "dropped", "empty")
    elif not draft.state.is_addressed(turn):
        draft.end_turn(turn, "dropped", "unaddressed")
    elif answers.may_answer(draft.state, turn):
        if not turn.asked:
            return False  # it waits until the agent is done
        draft.put(replace(turn, over=False, touched=draft.time))
    else:
        draft.end_turn(turn, "dropped", "backchannel")
    return True
