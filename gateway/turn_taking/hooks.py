"""What the agent's `agent.py` is asked beside its replies: as somebody comes, and as the session ends. Turn-taking only says
when, and waits where it must, for a while; a worker calls it, and its answer is a fact (`moved.py`).

(on_idle is asked where silence is broken: `idle.py`. on_agent_turn follows from the end of a turn: `Draft.end_turn`. on_user_turn
and on_tool belong to a reply, and to the LLM stage. An agent whose on_user_turn may have effects is not asked for replies ahead:
`capturing.speculates`.)
"""

from collections.abc import Iterator

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.state import Exiting, Playing, State
from schemas.clock import Now
from schemas.jobs import HOOK_SLACK, HookJob


def settle(draft: Draft) -> bool:
    """Have called what is due; True if anything was."""
    return _enter(draft)


def timers(state: State) -> Iterator[Now]:
    if state.exiting is None and state.entering is not None and not state.entered:
        yield state.entering


# ── somebody comes ───────────────────────────────────────────────────────────────────────────────────────────────────


def _enter(draft: Draft) -> bool:
    """With the first who comes; what it says of the greeting and the instructions is waited for, a while. An agent that takes
    over is entered by the worker that asks it first."""
    state = draft.state
    if not state.enters or not state.humans:
        return False
    if state.entering is None:
        state.entering = Now(draft.now + state.agent.hooks.timeout + HOOK_SLACK)
        draft.enqueue(HookJob.of(state.agent, state.session, "on_enter", "on_enter/0"))
        return True
    if draft.now < state.entering:
        return False
    state.entered = True  # without it
    return True


# ── the session ends ─────────────────────────────────────────────────────────────────────────────────────────────────


def leave(draft: Draft, reason: str, detail: str) -> bool:
    """Whether the session's end waits for on_exit: all is over for who was in it, but for the last event of its log."""
    state = draft.state
    if state.exiting is not None:
        return not state.exited and draft.now < state.exiting.until
    if "on_exit" not in state.agent.hooked or state.exited:
        return False
    _end_turns(draft)
    until = Now(draft.now + state.agent.hooks.exit + HOOK_SLACK)
    state.exiting = Exiting(reason, detail, until)
    draft.enqueue(HookJob.of(state.agent, state.session, "on_exit", "on_exit", reason=reason))
    return True


def _end_turns(draft: Draft) -> None:
    state = draft.state
    while state.turns:
        turn = next(iter(state.turns.values()))
        draft.end_turn(turn, "interrupted" if isinstance(turn.phase, Playing) else "dropped", "session")
    state.wanted = ()
