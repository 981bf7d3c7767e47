"""The greeting: said once, as soon as there is somebody to hear it. (What an agent says first is nobody's answer.)"""

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.state import greeting as greeting_of


def settle(draft: Draft) -> bool:
    """Want it, if it is time; `facts` notes at its commit that everybody has been greeted."""
    state = draft.state
    if state.greeted or state.holds_back or state.away_since is not None or not state.humans:
        return False
    if state.enters:
        return False  # it may give another one
    if not state.agent.greeting.strip() or any(own.why == "greeting" for own in state.wanted):
        return False
    draft.want(greeting_of(state.agent, state.greeting))
    return True
