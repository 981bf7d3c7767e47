"""Who has taken a call of ours: a person, or a machine that will want a message after its tone.

People say a word or two and wait; machines say a sentence or three, and what they say gives them away. It is decided by the
words, by how long the greeting is, by a tone, and in any case within a bound; until then the agent keeps silent, and has its
answer made all the same. Whoever is not found to be a machine is talked to: to hang up on a person is the worse mistake.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from gateway.turn_taking import presence
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Tone
from gateway.turn_taking.moments import LONG_AGO
from gateway.turn_taking.people import Person
from gateway.turn_taking.state import State, Turn
from schemas.clock import TurnTime
from schemas.events import CalleeDetected, SayRequested

SHORT, LONG = 3.0, 7.0
"""Seconds of a person's greeting, at most, and of a machine's, from which on nothing else need be known."""
_ANSWERED, _PAUSED, _UNHEARD = 0.8, 1.5, 3.0
"""Seconds of silence after a short greeting, after a longer one, and after one whose words do not come."""
NOBODY, BOUND = 5.0, 20.0
"""Seconds from when the call was taken: for the first word, and for the decision."""
AFTER_TONE, AFTER_WORDS = 0.3, 2.5
"""Seconds of silence before the message: after the tone, and of a machine that gave none."""
GIVEN_UP = 90.0
"""Seconds after which a machine that does not let us leave a message is hung up."""

_MACHINE = re.compile(
    r"\b(leave|record)\b.{0,30}\b(message|name|number)|after the (tone|beep|signal)|at the (tone|beep)|voice ?mail(?!ing)"
    r"|answering (machine|service)|mail ?box|(not|n't|unable to|can't|cannot) (be )?(available|reached|take your call|answer)"
    r"|(can't|cannot|unable to) (come to|get to|answer|take) (the|your)|you('ve| have) reached|unavailable"
    r"|no one is available|nobody is available|call (you )?back as soon|the (person|number|subscriber) you"
    r"|nachricht (hinterlassen|nach)|nach dem (signal|ton|piep)|mailbox|anrufbeantworter|nicht erreichbar"
    r"|laissez.{0,20}message|après le (bip|signal)|deje.{0,20}mensaje|después del? (tono|señal)",
    re.IGNORECASE,
)
_LONGEST = 4000


def is_machines(text: str) -> bool:
    """Whether only a machine says so."""
    return _MACHINE.search(text[-_LONGEST:]) is not None


def judged(
    inputs: Mapping[str, Any],
) -> tuple[Literal["human", "machine", "unknown"], Literal["words", "length", "tone", "short", "silence", "bound"]]:
    """Who it is, and by what: a function of nothing but these `inputs`, which the log keeps with the decision. `tone`: one was
    heard; `text`: what was said; `spoke`: seconds from its first to its last sound; `after`: seconds since the call was taken."""
    if inputs["tone"]:
        return "machine", "tone"
    if is_machines(inputs["text"]):
        return "machine", "words"
    if inputs["spoke"] + 1e-3 >= LONG:
        return "machine", "length"
    if not inputs["spoke"]:
        return "unknown", "silence"
    if inputs["text"] and inputs["spoke"] <= SHORT and inputs["after"] < BOUND:
        return "human", "short"
    return "unknown", "bound"


# ── what time, words and tones bring ─────────────────────────────────────────────────────────────────────────────────


def tone(draft: Draft, item: Tone) -> None:
    """A tone ended: what a machine gives, when it is our turn."""
    person = draft.state.called
    if person is None or person.name != item.participant or draft.state.callee in ("human", "unknown"):
        return
    draft.state.tone = draft.time
    if draft.state.callee is None:
        _decide(draft, person, tone=True)


def words(draft: Draft, text: str) -> None:
    """Interim words."""
    person = draft.state.called
    if person is not None and draft.state.callee is None and is_machines(text):
        _decide(draft, person, text=text)


def settle(draft: Draft) -> bool:
    """Decide, and do with a machine what is to be done; True if anything was."""
    state = draft.state
    person = state.called
    if person is None:
        return False
    if state.callee is None:
        if not draft.due(_decided_at(state)):
            return False
        _decide(draft, person)
        return True
    return state.callee == "machine" and (_unanswered(draft) or _leave(draft))


def timers(state: State) -> Iterator[TurnTime]:
    if state.called is None:
        return
    if state.callee is None:
        yield _decided_at(state)
    elif state.callee == "machine":
        if not state.left_message and not state.turns and not state.somebody_speaks:
            yield _message_at(state)
        if not (state.left_message and state.turns):
            yield _taken(state) + GIVEN_UP


def _decide(draft: Draft, person: Person, *, tone: bool = False, text: str = "") -> None:
    state = draft.state
    began, ended = _spoke(state, draft.time)
    inputs = {
        "tone": tone,
        "text": text or _said(state),
        "spoke": round(ended - began, 3),
        "after": round(draft.time - _taken(state), 3),
    }
    callee, why = judged(inputs)
    draft.fact(CalleeDetected, participant=person.name, callee=callee, why=why, after=inputs["after"], inputs=inputs)
    turn = state.users_turn
    if callee != "machine" and turn is not None and state.agent.greeting.strip() and not state.greeted:
        draft.end_turn(turn, "dropped", "unaddressed")  # "Hello?" is what the greeting answers


def _taken(state: State) -> TurnTime:
    """When the call was: turn time stands still before somebody hears."""
    return TurnTime(state.opened)


def _said(state: State) -> str:
    return state.users_turn.text if state.users_turn is not None else ""


def _speaks(state: State, turn: Turn) -> bool:
    return state.speaks_in(turn) or state.somebody_speaks


def _spoke(state: State, time: TurnTime) -> tuple[TurnTime, TurnTime]:
    """From when to when; the same twice: nobody has."""
    turn = state.users_turn
    if turn is None or state.first_word == LONG_AGO:
        return time, time
    return state.first_word, time if _speaks(state, turn) else max(turn.spoken, state.first_word)


def _decided_at(state: State) -> TurnTime:
    """When it will be, should nothing more happen."""
    turn = state.users_turn
    if turn is None or state.first_word == LONG_AGO:
        return _taken(state) + NOBODY
    if is_machines(turn.text):
        return LONG_AGO
    bound = _taken(state) + BOUND
    if _speaks(state, turn):
        return min(state.first_word + LONG, bound)
    spoke = turn.spoken - state.first_word
    if spoke >= LONG:
        return LONG_AGO
    silence = _UNHEARD if turn.waiting else _ANSWERED if spoke <= SHORT else _PAUSED
    return min(turn.spoken + silence, bound)


def _unanswered(draft: Draft) -> bool:
    """What a machine says is heard, and not answered."""
    state = draft.state
    for turn in tuple(state.turns.values()):
        if turn.own is None and not turn.waiting and not state.speaks_in(turn):
            draft.end_turn(turn, "dropped", "machine" if turn.text or turn.typed else "empty")
            return True
    return False


def _message_at(state: State) -> TurnTime:
    return state.tone + AFTER_TONE if state.tone != LONG_AGO else state.silent + AFTER_WORDS


def _leave(draft: Draft) -> bool:
    """Hang up, or leave the message once it is our turn."""
    state = draft.state
    over = draft.due(_taken(state) + GIVEN_UP) and not (state.left_message and state.turns)
    if state.agent.phone.machine == "hang_up" or over:
        presence.close(draft, "machine", presence.why_left("machine"))
        return True
    if state.left_message or state.turns or state.somebody_speaks or not draft.due(_message_at(state)):
        return False
    inputs = {"tone": state.tone != LONG_AGO, "silence": round(draft.time - state.silent, 3)}
    draft.fact(
        SayRequested, text=state.agent.phone.machine_message, interruptible=False, ends="machine", request="machine",
        inputs=inputs,
    )  # fmt: skip
    return True
