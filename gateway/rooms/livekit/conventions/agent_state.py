"""`lk.agent.state`: the attribute LiveKit's UI kits show. idle, listening, thinking, speaking. And `antiphon.talk`: how one talks
to the agent, `push_to_talk` where it is not by voice."""

from collections.abc import Sequence

from gateway.rooms.livekit.conventions._sending import Scene, Send, SetAttributes
from gateway.rooms.livekit.facts import Fact, StateChanged

ATTRIBUTE = "lk.agent.state"
TALK = "antiphon.talk"


class AgentState:
    """`state`: whether that is told; `by_button`: whether turns begin and end by a button."""

    def __init__(self, *, state: bool = True, by_button: bool = False):
        self._state = state
        self._talk = {TALK: "push_to_talk"} if by_button else {}

    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        if not isinstance(fact, StateChanged):
            return []
        return [SetAttributes(({ATTRIBUTE: fact.state} if self._state else {}) | self._talk)]
