"""While a tool works: who waits for it, for how long, and what becomes of a result that comes late.

An LLM worker that runs its tools itself needs nobody: its reply goes on when they have returned. Here stands what goes beyond: a
reply that stopped for the tools' own pool, or before its turn was committed, goes on; its wait is bridged; whoever speaks while a
tool works is answered with its result, if that comes soon, and else without; and what comes after all is told by itself.
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.state import Call, Reply, State, Turn
from schemas.clock import TurnTime
from schemas.events import ReplySentence
from schemas.jobs import LlmJob, TtsJob

RESUMES = 24
"""Continuations after tools in one reply, beyond which the LLM is going in circles. (The agent's `rounds` are the LLM's to
count.)"""
SLACK = 2.0
"""Seconds beyond a call's time after which its worker must be dead."""
SOON = 3.0
"""Seconds for which the answer to what was said meanwhile waits for a result."""


def settle(draft: Draft) -> bool:
    """Do what is due; True if anything was."""
    if _give_up(draft):
        return True
    for turn in tuple(draft.state.turns.values()):
        if _go_on(draft, turn) or _bridge(draft, turn):
            return True
    return _tell(draft)


def timers(state: State) -> Iterator[TurnTime]:
    for call in state.calls.values():
        yield _late(call) if call.soon else _dead(call)
    for turn in state.turns.values():
        if (moment := _bridged_at(state, turn)) is not None:
            yield moment


def until(state: State, turn: Turn) -> TurnTime | None:
    """The moment to which the reply's own tools may take."""
    return max((_dead(call) for call in _of(state, turn)), default=None)


def expected_soon(draft: Draft) -> bool:
    """A result is, with which an answer would be better. (Its reply is void by now: who has one that stands waits there.)"""
    return any(call.soon for call in draft.state.calls.values())


def _of(state: State, turn: Turn) -> list[Call]:
    reply = turn.reply
    if reply is None or not state.calls:
        return []
    return [call for call in state.calls.values() if (call.turn, call.generation) == (turn.id, reply.generation)]


def _dead(call: Call) -> TurnTime:
    return call.since + call.timeout + SLACK


def _late(call: Call) -> TurnTime:
    return call.since + min(SOON, call.timeout)


def _give_up(draft: Draft) -> bool:
    """No longer wait for what should have returned. The LLM is told that it is unknown whether it was done."""
    calls = draft.state.calls
    late = [name for name, call in calls.items() if call.soon and draft.due(_late(call))]
    for name in late:
        calls[name] = replace(calls[name], soon=False)
    dead = [name for name, call in calls.items() if draft.due(_dead(call))]
    for name in dead:
        del calls[name]
    return bool(late or dead)


def _go_on(draft: Draft, turn: Turn) -> bool:
    """A speculative job stops at a tool call, and one whose tools the pool runs does behind it; committed, it goes on."""
    state, reply = draft.state, turn.reply
    if reply is None or reply.finished != "tool" or not turn.has_floor or _of(state, turn):
        return False
    if reply.resumes >= RESUMES:
        draft.put_turn(replace(turn, reply=replace(reply, finished=None, failed="failed")))
        return True
    resumes = reply.resumes + 1
    draft.enqueue(LlmJob.of(state.agent, state.session, turn.id, reply.generation, committed=True, resume=resumes))
    reply = replace(reply, finished=None, resumes=resumes, asked=draft.time)
    draft.put_turn(replace(turn, reply=reply, touched=draft.time))
    return True


def _bridged_at(state: State, turn: Turn) -> TurnTime | None:
    """When a filler is due in a reply that waits for the pool. (An LLM worker that waits says it itself.)"""
    reply = turn.reply
    if reply is None or reply.finished != "tool" or turn.bridged or not turn.has_floor:
        return None
    if state.somebody_speaks or not state.agent.filler.strip():
        return None
    return min((call.since + call.patience for call in _of(state, turn) if call.patience > 0), default=None)


def _bridge(draft: Draft, turn: Turn) -> bool:
    moment = _bridged_at(draft.state, turn)
    if moment is None or turn.reply is None or not draft.due(moment):
        return False
    say(draft, turn, turn.reply, draft.state.agent.filler)
    return True


def say(draft: Draft, turn: Turn, reply: Reply, text: str) -> None:
    """Add a sentence to a reply that no LLM is at work on."""
    state, index = draft.state, len(reply.sentences)
    draft.write(ReplySentence(turn=turn.id, generation=reply.generation, index=index, text=text))
    if state.agent.sound:
        draft.enqueue(TtsJob.sentence(state.agent, state.session, turn.id, reply.generation, index, text))


def returned(draft: Draft, turn: int | None, generation: int | None) -> None:
    """A result has come: if no reply waits for it, it is to be told by itself, unless somebody is answered first."""
    waiting = draft.state.turns.get(turn) if turn is not None else None
    if waiting is None or waiting.reply is None or waiting.reply.generation != generation:
        draft.state.untold = True


def _tell(draft: Draft) -> bool:
    """Have a late result told, once nobody speaks and nothing else is to be said."""
    state = draft.state
    free = not state.turns and not state.wanted and not state.somebody_speaks and state.away_since is None
    if not state.untold or not free or state.calls:
        return False
    draft.commit(Turn(state.next_turn, draft.time), "tool")
    return True
