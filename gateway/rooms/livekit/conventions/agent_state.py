"""`lk.agent.state`: the attribute LiveKit's UI kits show. idle, listening, thinking, speaking."""

from collections.abc import Sequence

from gateway.rooms.livekit.conventions._sending import Scene, Send, SetAttributes
from gateway.rooms.livekit.facts import Fact, StateChanged

ATTRIBUTE = "lk.agent.state"


class AgentState:
    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        return [SetAttributes({ATTRIBUTE: fact.state})] if isinstance(fact, StateChanged) else []
