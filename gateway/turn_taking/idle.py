"""Nobody says anything: the agent asks whether somebody is there, a few times, then says goodbye and hangs up. Where its
`agent.py` has on_idle, that is asked each time, and may have other words, or none.

Silence is counted from the end of the agent's words (or of whatever went on last), in turn time: while nobody can hear, on hold
or away, it stands still. Any word of anybody's, a key or a message begins the count anew.
"""

from collections.abc import Iterator

from gateway.turn_taking import presence
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.replying import open_own
from gateway.turn_taking.state import IdleAsked, State, farewell, idle_question
from schemas.clock import TurnTime
from schemas.jobs import HOOK_SLACK, HookJob


def settle(draft: Draft) -> bool:
    """Ask, or say goodbye, if it is due; True if it was."""
    state = draft.state
    if not _silent(state) or not draft.due(_moment(state)):
        return False
    if "on_idle" in state.agent.hooked and _asked(state) is None:
        _ask(draft)
        return True
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
    asked = _asked(state)
    return state.silent + state.agent.idle.after if asked is None else asked.until


def _asked(state: State) -> IdleAsked | None:
    """on_idle, of this silence: what it says comes first, or that it says nothing."""
    return state.idle_asked if state.idle_asked is not None and state.idle_asked.since == state.silent else None


def _ask(draft: Draft) -> None:
    state = draft.state
    state.idles += 1
    call = f"on_idle/{state.next_turn}.{state.idles}"
    state.idle_asked = IdleAsked(call, state.silent, draft.time + state.agent.hooks.timeout + HOOK_SLACK)
    about = {"count": state.questions + 1, "last": state.questions >= state.agent.idle.times}
    draft.enqueue(HookJob.of(state.agent, state.session, "on_idle", call, **about))


def _silent(state: State) -> bool:
    """Nothing goes on, and somebody is there who could say something that the agent would answer."""
    if not state.agent.idle.after or state.leaving or not state.humans:
        return False
    if state.turns or state.wanted or state.letters or state.somebody_speaks or state.holds_back:
        return False
    return not state.agent.turn_taking.wake or any(person.awake for person in state.people.values())
