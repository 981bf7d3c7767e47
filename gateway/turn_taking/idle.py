"""Nobody says anything: the agent asks whether somebody is there, a few times, then says goodbye and hangs up.

Silence is counted from the end of the agent's words (or of whatever went on last), in turn time: while nobody can hear, on hold
or away, it stands still. Any word of anybody's, a key or a message begins the count anew.
"""

from collections.abc import Iterator

from gateway.turn_taking import presence
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.replying import open_own
from gateway.turn_taking.state import State, farewell, idle_question
from schemas.clock import TurnTime


def settle(draft: Draft) -> bool:
    """Ask, or say goodbye, if it is due; True if it was."""
    state = draft.state
    if not _silent(state) or not draft.due(_moment(state)):
        return False
    rules, silence = state.agent.idle, round(draft.time - state.silent, 3)
    question, goodbye = idle_question(state.agent), farewell(state.agent)
    if state.questions < rules.times and question.text.strip():
        open_own(draft, question, silence=silence, before=state.questions)
    elif goodbye.text.strip():
        open_own(draft, goodbye, silence=silence, before=state.questions)
    else:
        presence.close(draft, goodbye.ends, presence.why_left(goodbye.ends))
    return True


def timers(state: State) -> Iterator[TurnTime]:
    if _silent(state):
        yield _moment(state)


def _moment(state: State) -> TurnTime:
    return state.silent + state.agent.idle.after


def _silent(state: State) -> bool:
    """Nothing goes on, and somebody is there who could say something that the agent would answer."""
    if not state.agent.idle.after or state.leaving or not state.humans:
        return False
    if state.turns or state.wanted or state.letters or state.somebody_speaks or state.holds_back:
        return False
    return not state.agent.turn_taking.wake or any(person.awake for person in state.people.values())
