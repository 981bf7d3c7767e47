"""Capturing: what is stored of speech and given to STT, whose audio it carries again, and what follows its transcript.

A capture, not a VAD edge, reopens a turn.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Capture
from gateway.turn_taking.people import Speech
from gateway.turn_taking.state import State, Turn, Utterance
from schemas.audio import HEARING_RATE
from schemas.clock import TurnTime
from schemas.events import CommitReason, SpeechPaused, UtteranceCaptured
from schemas.jobs import LlmJob, SttJob


def carried(state: State, turn: Turn, name: str, speech: Speech, end: int) -> tuple[tuple[Utterance, ...], int]:
    """The utterances whose audio the next one carries again, as long as all of it is no more than one may have; and the first
    sample to add to it. More than one where a turn was taken back: the silence between them is in it, too."""
    mine: list[Utterance] = []
    for utterance in reversed(turn.utterances):
        if utterance.participant != name:
            break
        mine.insert(0, utterance)
    for place, first in enumerate(mine):
        if first is not mine[-1] and not _in_one_stream(mine[place:]):
            continue
        start = speech.start if first.end is None else first.end
        if first.duration + (end - start) / HEARING_RATE <= state.agent.turn_taking.max_utterance:
            return tuple(mine[place:]), start
    return (), speech.start


def _in_one_stream(utterances: Sequence[Utterance]) -> bool:
    """Their samples are counted alike: by this gateway, since whoever said them last came in."""
    return all(utterance.end is not None for utterance in utterances)


def capture(
    draft: Draft,
    name: str,
    speech: Speech,
    *,
    ended: TurnTime,
    end: int | None = None,
    cut: bool = False,
    sure: CommitReason | None = None,
) -> Turn:
    """Store an utterance and have it transcribed: this, not the VAD edge, reopens a turn whose reply nobody heard."""
    state = draft.state
    end = state.people[name].position(draft.now) if end is None else end
    _take_back_own(draft, speech)
    turn = (
        state.turns.get(speech.turn)
        or state.users_turn
        or Turn(state.next_turn, draft.time, over=state.playing is not None)
    )
    raises = turn.reply is not None
    then = None if cut else _then(state, turn, name, state.generation + raises, committed=sure is not None)
    silence = draft.time - ended
    if not cut:
        draft.fact(SpeechPaused, turn=turn.id, participant=name, silence=round(silence, 4), ago=silence)
    over = turn.undecided and sure is None  # a button is no backchannel
    inputs = {"idle": state.load.idle, "then": then.id if then else None, "cut": cut, "over": over}
    turn = _store(draft, turn, name, speech, end, then, silence, raises, inputs)
    draft.put_person(replace(state.people[name], captured_to=end))
    return draft.put_turn(replace(turn, sure=sure))


def join(draft: Draft, turn: Turn) -> Turn:
    """`turn` has taken another back, and nobody speaks in it: what was said in both is heard once more, as one. Where that can't
    be (it is too long, another spoke in between, the first part was heard by a gateway before), its words stand side by side."""
    state = draft.state
    last = turn.utterances[-1] if turn.utterances else None
    if last is None or last.end is None or last.participant not in state.people:
        return turn
    speech = Speech(turn.id, "", last.end, last.end, draft.time, over=True)
    together, _ = carried(state, turn, last.participant, speech, last.end)
    if len(together) < 2:
        return turn
    asked = SttJob.id_of(last.id)
    draft.jobs = [job for job in draft.jobs if job.id != asked]  # not sent yet, and not wanted any more
    then = _then(state, turn, last.participant, state.generation, committed=turn.sure is not None)
    inputs = {"then": then.id if then else None, "over": False, "joined": True}
    speech = replace(speech, utterance=draft.new_utterance_id())
    return _store(draft, turn, last.participant, speech, last.end, then, draft.time - turn.spoken, False, inputs)


def _store(
    draft: Draft,
    turn: Turn,
    name: str,
    speech: Speech,
    end: int,
    then: LlmJob | None,
    silence: float,
    raises: bool,
    inputs: dict[str, Any],
) -> Turn:
    """Write the capture, and ask for its transcript. Answers the turn with it."""
    state = draft.state
    again, start = carried(state, turn, name, speech, end)
    names = [one.id for one in again]
    replaced = names[-1] if names else None
    duration = (again[0].duration if again else 0.0) + (end - start) / HEARING_RATE
    draft.fact(
        UtteranceCaptured,
        turn=turn.id,
        generation=then.generation if then else None,
        utterance=speech.utterance,
        participant=name,
        audio=[],
        duration=round(duration, 4),
        replaces=replaced,
        joins=names[:-1],
        over=speech.over,
        ago=silence,
        inputs=inputs,
        raises=raises,
    )
    job = SttJob.of(
        state.agent, state.session, turn.id, speech.utterance, name,
        replaces=replaced, then=then, busy=not state.load.short, asleep=asleep(state, name),
    )  # fmt: skip
    draft.enqueue(job)
    draft.captures.append(Capture(job.id, speech.utterance, name, start, end, carries=names[0] if names else None))
    turn = state.turns[turn.id]
    utterance = replace(turn.utterances[-1], end=end, duration=duration)
    return draft.put_turn(replace(turn, utterances=(*turn.utterances[:-1], utterance)))


def _take_back_own(draft: Draft, speech: Speech) -> None:
    """The agent's own words that nobody has heard yet give way, and so does what bridges the wait for the turn taken back."""
    draft.dismiss_own()
    filler = draft.state.filler
    if filler is not None:
        draft.end_turn(filler, "interrupted", "barge_in", by=speech.turn, captured=speech.utterance)


def asleep(state: State, name: str) -> bool:
    """Whether the agent waits for them to say its wake phrase."""
    return bool(state.agent.turn_taking.wake) and not state.people[name].awake


def early(state: State) -> bool:
    """The soft end comes early: nobody else wants the pools."""
    return state.load.idle and state.agent.turn_taking.soft_end_idle < state.agent.turn_taking.soft_end


def speculates(state: State) -> bool:
    """Replies are made before their turn is committed, as long as the pools have room for wasted work."""
    if state.agent.hooked.get("on_user_turn") == "once":
        return False  # the reply runs code that may have effects
    return state.load.short and state.agent.turn_taking.speculate_below > 0 and not state.calls


def _then(state: State, turn: Turn, name: str, generation: int, *, committed: bool) -> LlmJob | None:
    """What follows the transcript without the gateway: only when one human speaks, to whom the agent listens, and not over it.
    Not after an early soft end, either: more often than not it is a gap between words, and by the transcript we know."""
    if state.callee == "machine" or asleep(state, name):
        return None
    if (
        state.calls
        or state.enters
        or (early(state) and not committed)
        or turn.undecided
        or state.humans > 1
        or state.other_replies(turn)
    ):
        return None
    if not committed and (not speculates(state) or state.waits_for_a_client(turn)):
        return None
    return LlmJob.of(state.agent, state.session, turn.id, generation, committed=committed)
