"""What of an agent's files is given with a question, for models that look nothing up by themselves."""

import time

from schemas.events import KnowledgeFound
from schemas.session.state import SessionState
from schemas.text.clean import one_line
from workers.knowledge import Libraries, Wanted

__all__ = ["Finding"]

_FEW = 5
"""Words of a question below which those before it count, too: "and on Sunday?"."""
_QUERY = 1_000
"""Characters of it."""


class Finding:
    def __init__(self, libraries: Libraries) -> None:
        self._libraries = libraries

    async def fits(self, state: SessionState, number: int) -> KnowledgeFound | None:
        """For the answer to turn `number`. None: there is nothing to look in, or the log has it already."""
        agent = state.agent
        if not agent.knowledge.searched or agent.knowledge.mode != "always":
            return None
        query, turn = _query(state, number), state.turns.get(number)
        if not query or (turn is not None and turn.known is not None and turn.known.query == query):
            return None
        began = time.monotonic()
        found = await self._libraries.find(agent.name, Wanted(query, agent.language, agent.knowledge))
        took = round(time.monotonic() - began, 4)
        return KnowledgeFound(query=query, text=found.text, files=list(found.files), took=took)


def _query(state: SessionState, number: int) -> str:
    turn = state.turns.get(number)
    if turn is None or not turn.text.strip():
        return ""
    words = turn.text
    if len(words.split()) < _FEW:
        before = [one.text for one in state.turns.values() if one.id < number and one.text and not one.taken_back]
        words = " ".join([words, *before[-1:]])
    return one_line(words, _QUERY)
