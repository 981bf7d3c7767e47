"""What the parts of the fold share: one turn changed, the totals counted, old turns forgotten."""

from collections.abc import Callable
from typing import Any

from schemas.clock import Micros
from schemas.events import Event
from schemas.session import chat
from schemas.session.altered import altered
from schemas.session.state import Reply, Sentence, SessionState, Totals, Turn

Changes = dict[str, Any]
"""Fields of the session's state, as they are after the event."""


def micros(seconds: float) -> int:
    return round(seconds * 1e6)


def happened_at(event: Event) -> Micros:
    """Redis time, µs, at which it happened. An `ago` that makes no sense counts as none."""
    return Micros(event.at - (micros(event.ago) if 0 <= event.ago <= _LONG_AGO else 0))


_LONG_AGO = 1e6


def changed_turn(
    state: SessionState, event: Event, change: Callable[[Turn], Turn], *, opens: bool = False, **others: Any
) -> Changes:
    """The event's turn changed. A turn that isn't there is opened if the event `opens` turns; else it is long forgotten."""
    if event.turn is None:
        return others
    turn = state.turns.get(event.turn)
    if turn is not None:
        return {"turns": {**state.turns, event.turn: change(turn)}, **others}
    if not opens:
        return others
    opened = change(Turn(event.turn, happened_at(event)))
    turns = {**state.turns, event.turn: opened}
    if state.turns and event.turn < next(reversed(tuple(state.turns))):
        turns = dict(sorted(turns.items()))
    totals = others.pop("totals", state.totals)
    return {"turns": turns, "totals": altered(totals, turns=totals.turns + 1), **others}


def changed_sentence(turn: Turn, event: Event, index: int, change: Callable[[Sentence], Sentence]) -> Turn:
    """A sentence of the standing reply changed; an event of another generation, or of an unknown sentence, changes nothing."""
    reply = turn.reply
    if reply is None or event.generation not in (None, reply.generation) or index not in reply.sentences:
        return turn
    sentences = {**reply.sentences, index: change(reply.sentences[index])}
    return altered(turn, reply=altered(reply, sentences=sentences))


def standing_reply(state: SessionState, turn: Turn, event: Event) -> Reply | None:
    """The reply this event belongs to: the turn's, or a new one of the present generation; None if it has been voided."""
    generation = event.generation or 0
    if turn.reply is None or generation > turn.reply.generation:
        return Reply(generation) if generation >= state.generation else None
    return turn.reply if generation == turn.reply.generation else None


def count(state: SessionState, **more: float) -> Totals:
    """The totals, with `more` added by name."""
    return altered(state.totals, **{name: getattr(state.totals, name) + value for name, value in more.items()})


def forgotten(state: SessionState, turns: dict[int, Turn]) -> dict[int, Turn]:
    """The turns without those too old to matter: of ended ones the last `history_turns` that count in the chat stay, and as
    many of the others."""
    limit = state.agent.limits.history_turns
    kept = {True: 0, False: 0}
    old = set()
    for turn in reversed(tuple(turns.values())):
        if turn.end is None:
            continue
        counts = chat.counts(turn)
        kept[counts] += 1
        if kept[counts] > limit:
            old.add(turn.id)
    return {number: turn for number, turn in turns.items() if number not in old} if old else turns
