"""Regret: in the first moments of a reply the same caller going on takes the turn back, and is answered whole.

Nobody can tell a statement that ends from one that goes on, so a wrong guess has to be cheap. The agent is silent from the first
frame that may be speech, as over any speech; what is decided here is what becomes of the turn it was answering. Words that are no
backchannel, or a second of unbroken speech, end it as taken back: what was said in it belongs to the turn that goes on, its sound
is heard once more together with what came after it, and the reply counts as never said. A backchannel, or nothing, lets the agent
go on at the sample. What comes later than the first moments is a barge-in (`barge_in.py`).

Never taken back: what the agent says of its own accord, an answer to something written (be it only in part), one for which a tool
was called. An agent that may not be interrupted (`barge_in = false`) takes nothing back, either.
"""

from typing import Any

from gateway.turn_taking.capturing import join
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.heard import heard
from gateway.turn_taking.state import State, Turn
from schemas.config.agent import TurnTaking

FEW = 3
"""Words of a reply that may have been heard of it, however slowly they were spoken."""


def begun(state: State, turn: Turn) -> list[float] | None:
    """How much of the reply that `turn` is spoken over was heard, in seconds and in words; None: it can't be taken back by who
    speaks in `turn`."""
    over, rules = state.playing, state.agent.turn_taking
    if not rules.barge_in or not rules.regret or turn.typed:
        return None
    if over is None or over.id == turn.id or over.own is not None or over.typed or over.reply is None:
        return None
    if over.reply.tools or over.reply.resumes or over.reply.finished == "tool":
        return None
    speak = {utterance.participant for utterance in turn.utterances}
    speak |= {one.name for one in state.people.values() if one.speech is not None and one.speech.turn == turn.id}
    if not speak or not speak <= set(over.speakers):
        return None
    reply = state.as_heard(over).reply
    assert reply is not None
    seconds = sum(sentence.heard or 0.0 for sentence in reply.sentences)
    return [round(seconds, 3), len(heard(reply.sentences).split())]


def early(begun: list[float] | None, rules: TurnTaking) -> bool:
    """Whether a reply of which so much was heard has hardly begun."""
    if begun is None:
        return False
    seconds, words = begun
    return seconds <= rules.regret and words <= FEW


def take_back(draft: Draft, turn: Turn, **inputs: Any) -> None:
    """`turn` goes on with what the agent had begun to answer."""
    over = draft.state.playing
    assert over is not None
    draft.end_turn(over, "dropped", "taken_back", into=turn.id, **inputs)
    turn = draft.state.turns[turn.id]
    if not draft.state.speaks_in(turn):
        join(draft, turn)
