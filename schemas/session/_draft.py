"""What the parts of the fold share: a state that is being changed, one turn of it, the totals, old turns forgotten."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.events import Event
from schemas.session import chat
from schemas.session.altered import changer
from schemas.session.state import (
    Collected,
    Earlier,
    Hooked,
    Letter,
    Memory,
    Participant,
    Phrase,
    Reply,
    Say,
    Sentence,
    SessionState,
    Totals,
    Turn,
)


@dataclass(slots=True)
class Draft:
    """A `SessionState` that is nobody else's yet: its fields may be set, and `turns` is its own. All else in it is shared with
    states before and after, and therefore never changed in place."""

    seq: int
    at: Micros
    agent: AgentSpec
    instructions: str
    room: str
    transport: str
    metadata: Mapping[str, Any]
    gateway: str
    epoch: int
    started_at: Micros
    generation: int
    participants: Mapping[str, Participant]
    turns: dict[int, Turn]
    letters: tuple[Letter, ...]
    says: tuple[Say, ...]
    phrases: Mapping[str, Phrase]
    greeted: bool
    totals: Totals
    digits: str
    data: Mapping[str, Any]
    hooks: Mapping[str, Hooked]
    values: Mapping[str, str]
    entered: bool
    handovers: tuple[Micros, ...]
    agents: int
    chat_from: int
    end_requested: str | None
    ended: str | None
    ended_at: Micros | None
    caller: str
    variant: str
    fields: Mapping[str, Collected]
    memory: Memory | None
    earlier: Earlier | None


_fields_of = attrgetter(*Draft.__slots__)


def drafted(state: SessionState) -> Draft:
    """A draft that begins as `state`."""
    draft = Draft(*_fields_of(state))
    draft.turns = {**state.turns}
    return draft


def done(draft: Draft) -> SessionState:
    """The draft itself as a state: Python lets an object become one of another class with the same slots."""
    state: Any = draft
    state.__class__ = SessionState
    made: SessionState = state
    return made


def micros(seconds: float) -> int:
    return round(seconds * 1e6)


def happened_at(event: Event) -> Micros:
    """Redis time, µs, at which it happened. An `ago` that makes no sense counts as none."""
    ago = event.ago
    return Micros(event.at - micros(ago) if 0 < ago <= _LONG_AGO else event.at)


_LONG_AGO = 1e6


def opened(draft: Draft, event: Event) -> Turn | None:
    """The event's turn, opened if it isn't there. None: it names none."""
    number = event.turn
    if number is None:
        return None
    turns = draft.turns
    turn = turns.get(number)
    if turn is None:
        turn = _opened(_NEW, number, happened_at(event))
        early = bool(turns) and number < next(reversed(turns))
        turns[number] = turn
        if early:
            draft.turns = dict(sorted(turns.items()))
        totals = draft.totals
        draft.totals = _with_turns(totals, totals.turns + 1)
    return turn


_NEW = Turn(0, Micros(0))
"""What a turn begins as. To alter it is faster than to make another: past a frozen class' own `__setattr__`."""
_opened = changer(Turn, "id", "opened_at")
_with_turns = changer(Totals, "turns")
_with_reply, _with_sentences = changer(Turn, "reply"), changer(Reply, "sentences")


def without_reply(turn: Turn) -> Turn:
    """Its reply is void, and will be made anew. What that has called it has called."""
    return _bare(turn, None, turn.calls)


_bare = changer(Turn, "reply", "tools")


def remember(draft: Draft, changes: Mapping[str, Any]) -> None:
    """What tools and hooks changed of the session's state; None: removed."""
    if changes:
        draft.data = {name: value for name, value in {**draft.data, **changes}.items() if value is not None}


def of_event(draft: Draft, event: Event) -> Turn | None:
    """The event's turn. One that isn't there is long forgotten."""
    number = event.turn
    return draft.turns.get(number) if number is not None else None


def change_sentence(draft: Draft, event: Event, index: int, change: Callable[[Sentence], Sentence]) -> None:
    """A sentence of the standing reply changed; an event of another generation, or of an unknown sentence, changes nothing."""
    turn = of_event(draft, event)
    reply = turn.reply if turn is not None else None
    if turn is None or reply is None or event.generation not in (None, reply.generation):
        return
    sentence = reply.sentences.get(index)
    if sentence is not None:
        sentences = {**reply.sentences, index: change(sentence)}
        draft.turns[turn.id] = _with_reply(turn, _with_sentences(reply, sentences))


def standing_reply(draft: Draft, turn: Turn, event: Event) -> Reply | None:
    """The reply this event belongs to: the turn's, or a new one of the present generation; None if it has been voided."""
    generation = event.generation or 0
    if turn.reply is None or generation > turn.reply.generation:
        return Reply(generation) if generation >= draft.generation else None
    return turn.reply if generation == turn.reply.generation else None


def forget(draft: Draft) -> None:
    """Turns too old to matter: of ended ones the last `history_turns` that count in the chat stay, and as many of the others."""
    turns = draft.turns
    limit = draft.agent.limits.history_turns
    if len(turns) <= limit:
        return
    counted = others = 0
    old = []
    for turn in reversed(turns.values()):
        if turn.end is None:
            continue
        if chat.counts(turn):
            counted += 1
            if counted > limit:
                old.append(turn.id)
        else:
            others += 1
            if others > limit:
                old.append(turn.id)
    for number in old:
        del turns[number]
