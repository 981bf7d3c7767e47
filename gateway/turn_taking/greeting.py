"""The greeting: said once, as soon as there is somebody to hear it. (What an agent says first is nobody's answer.)"""

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.state import Own


def settle(draft: Draft) -> bool:
    """Want it, if it is time; `facts` notes at its commit that everybody has been greeted."""
    state = draft.state
    greeting = Own("greeting", state.agent.greeting)
    if state.greeted or state.away_since is not None or not state.humans:
        return False
    if state.enters:
        return False  # it may give another one
    if not greeting.text.strip() or greeting in state.wanted:
        return False
    draft.want(greeting)
    return True
