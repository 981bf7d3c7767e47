"""What of an agent's files is given with a question, for models that look nothing up by themselves."""

import time

from schemas.events import KnowledgeFound
from schemas.session.chat import past, reworded
from schemas.session.state import SessionState, Turn
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

    async def fits(self, state: SessionState, number: int, generation: int) -> KnowledgeFound | None:
        """For the answer to turn `number` in `generation`. None: there is nothing to look in, or the log has it already."""
        agent = state.agent
        if not agent.knowledge.searched or agent.knowledge.mode != "always":
            return None
        query, turn = _query(state, number, generation), state.turns.get(number)
        if not query or (turn is not None and turn.known is not None and turn.known.query == query):
            return None
        began = time.monotonic()
        found = await self._libraries.find(agent.name, Wanted(query, agent.language, agent.knowledge))
        took = round(time.monotonic() - began, 4)
        return KnowledgeFound(
            query=query, text=found.text, files=list(found.files), scores=list(found.scores), took=took
        )


def _query(state: SessionState, number: int, generation: int) -> str:
    """The words of the chat: as a hook has them, and none that another agent kept to itself."""
    turn = state.turns.get(number)
    words = "" if turn is None else _words(turn, generation)
    if words and len(words.split()) < _FEW:
        before = [said for one in past(state, number) if (said := _words(one))]
        words = " ".join([words, *before[-1:]])
    return one_line(words, _QUERY)


def _words(turn: Turn, generation: int | None = None) -> str:
    made = reworded(turn, generation)
    return (turn.text if made is None else made).strip()
