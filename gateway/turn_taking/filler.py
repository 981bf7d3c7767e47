"""While the LLM thinks: after the agent's `patience` a fixed phrase says that the answer is on its way, once a turn.

It is a turn of the agent's own that is heard before the one it bridges, which keeps the floor meanwhile: nothing of the reply
under way is void, and whoever goes on speaking takes that turn back as if there had been silence. The LLM is never told of it.
"""

from collections.abc import Iterator

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.replying import open_own
from gateway.turn_taking.state import Committed, Phrase, State, Turn, phrase
from schemas.clock import TurnTime


def settle(draft: Draft) -> bool:
    """Say it, if it is due; True if it was."""
    turn = _waits(draft.state)
    if turn is None or not draft.due(_moment(draft.state, turn)):
        return False
    open_own(draft, phrase(draft.state.agent, "filler"))
    return True


def timers(state: State) -> Iterator[TurnTime]:
    if (turn := _waits(state)) is not None:
        yield _moment(state, turn)


def _moment(state: State, turn: Turn) -> TurnTime:
    reply = turn.reply
    since = (
        max(turn.committed, reply.asked) if reply is not None and reply.tools else turn.committed
    )  # its tools were bridged
    return since + state.agent.patience


def _waits(state: State) -> Turn | None:
    """The turn whose answer is waited for in silence, and may be bridged."""
    turn = next(iter(state.turns.values()), None)
    alone = len(state.turns) == 1 and not state.wanted and not state.somebody_speaks and state.playback is None
    if turn is None or not alone or turn.own is not None or turn.bridged or not isinstance(turn.phase, Committed):
        return None
    reply = turn.reply
    if any(call.turn == turn.id for call in state.calls.values()):
        return None  # each has a patience of its own
    if reply is not None and (
        reply.complete or any(sentence.clips or sentence.settled for sentence in reply.sentences)
    ):
        return None
    known = state.phrases.get("filler", Phrase()).complete or not state.agent.sound
    return turn if known and state.agent.patience > 0 and state.agent.filler.strip() else None
