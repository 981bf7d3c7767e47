"""The fold of a session's log: `fold(state, event) -> state`, pure, over every event. As bytes: `snapshot.py`.

A state is a frozen value that shares what did not change with the state before, so that one fold step costs the same however long
the session is: open turns, the last `history_turns` ended ones and running totals are all it holds.

    state = SessionState()
    for event in events:
        state = fold(state, event)
    messages(state, 4)              # the chat for the LLM (chat.py)
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.config.collecting import FIELDS_MOST
from schemas.config.steps import begun
from schemas.events import (
    ContextSummarized,
    DtmfReceived,
    EndRequested,
    Event,
    FieldCollected,
    InstructionsChanged,
    MemoryLoaded,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    SayRequested,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from schemas.session import _agent, _conversation, _users
from schemas.session._draft import Draft, done, drafted, without_reply
from schemas.session.altered import altered
from schemas.session.row import FOLD_VERSION
from schemas.session.state import (
    OWN,
    Clip,
    Collected,
    Commit,
    Earlier,
    Failure,
    Hooked,
    Letter,
    Memory,
    Participant,
    Phrase,
    Reply,
    Say,
    Sentence,
    SessionState,
    Tool,
    Totals,
    Turn,
    TurnEnd,
    Utterance,
    Wanted,
)


def fold(state: SessionState, event: Event) -> SessionState:
    """The session after `event`. Events come in order of seq; a gap is allowed (an LLM job leaves out what came after it)."""
    return fold_all((event,), state)


def fold_all(events: Iterable[Event], state: SessionState | None = None) -> SessionState:
    """All of `events`, onto `state` or from the beginning; of many several times as fast as one by one."""
    draft = drafted(state if state is not None else SessionState())
    handlers = _HANDLERS
    for event in events:
        handler = handlers.get(type(event))
        if handler is not None:
            handler(draft, event)
        raises = event.raises
        if raises is not None and raises > draft.generation:
            _raise(draft, raises)
        draft.seq = event.seq
        draft.at = event.at
    return done(draft)


def _raise(draft: Draft, generation: int) -> None:
    """What was made of an older generation and has not begun to sound never will."""
    draft.generation = generation
    for turn in draft.turns.values():
        reply = turn.reply
        if reply is not None and turn.end is None and reply.generation < generation and turn.started_at is None:
            draft.turns[turn.id] = without_reply(turn)


# ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _started(draft: Draft, event: SessionStarted) -> None:
    draft.agent = begun(event.agent)
    draft.instructions = event.agent.instructions
    draft.room = event.room
    draft.transport = event.transport
    draft.metadata = event.metadata
    draft.gateway = event.gateway
    draft.started_at = event.at
    draft.caller, draft.variant = event.caller, event.variant


def _resumed(draft: Draft, event: SessionResumed) -> None:
    """The gateway that comes hears everybody anew; what was being said and not captured is lost."""
    draft.gateway, draft.epoch = event.gateway, event.epoch
    draft.participants = {name: altered(person, speaking=False) for name, person in draft.participants.items()}


def _ended(draft: Draft, event: SessionEnded) -> None:
    draft.ended, draft.ended_at = event.reason, event.at


def _joined(draft: Draft, event: ParticipantJoined) -> None:
    person = Participant(event.participant, event.kind, event.name, event.attributes)
    draft.participants = {**draft.participants, event.participant: person}


def _participant_changed(draft: Draft, event: ParticipantChanged) -> None:
    person = draft.participants.get(event.participant)
    if person is not None:
        draft.participants = {**draft.participants, event.participant: altered(person, attributes=event.attributes)}


def _left(draft: Draft, event: ParticipantLeft) -> None:
    """Who left stays known by name, for the chat; of those gone the latest few."""
    person = draft.participants.get(event.participant, Participant(event.participant))
    others = {name: other for name, other in draft.participants.items() if name != event.participant}
    gone = [name for name, other in others.items() if not other.present]
    for name in gone[: max(0, len(gone) + 1 - _GONE_KEPT)]:
        del others[name]
    draft.participants = {**others, event.participant: altered(person, present=False, speaking=False)}


_GONE_KEPT = 16


def _instructions(draft: Draft, event: InstructionsChanged) -> None:
    draft.instructions = event.instructions


def _dtmf(draft: Draft, event: DtmfReceived) -> None:
    draft.digits = (draft.digits + event.digits)[-64:]


def _say_requested(draft: Draft, event: SayRequested) -> None:
    draft.says = (*draft.says, Say(event.text, event.interrupt, event.request))


def _end_requested(draft: Draft, event: EndRequested) -> None:
    draft.end_requested = event.reason


# ── what the session brings ──────────────────────────────────────────────────────────────────────────────────────────


def _collected(draft: Draft, event: FieldCollected) -> None:
    """As many names as an agent may have fields: what else bears one is no agent's."""
    if event.name in draft.fields or len(draft.fields) < FIELDS_MOST:
        one = Collected(event.value, event.said, event.confirmed, event.turn or 0, event.at)
        draft.fields = {**draft.fields, event.name: one}


def _memory_loaded(draft: Draft, event: MemoryLoaded) -> None:
    draft.memory = Memory(event.caller, event.text, event.updated_at)


def _summarized(draft: Draft, event: ContextSummarized) -> None:
    """One that covers less than another, and came later, is none."""
    if event.through >= draft.chat_from and (draft.earlier is None or event.through > draft.earlier.through):
        draft.earlier = Earlier(event.through, event.text)


_HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    SessionStarted: _started,
    SessionResumed: _resumed,
    SessionEnded: _ended,
    ParticipantJoined: _joined,
    ParticipantChanged: _participant_changed,
    ParticipantLeft: _left,
    InstructionsChanged: _instructions,
    DtmfReceived: _dtmf,
    SayRequested: _say_requested,
    EndRequested: _end_requested,
    FieldCollected: _collected,
    MemoryLoaded: _memory_loaded,
    ContextSummarized: _summarized,
    **_users.HANDLERS,
    **_agent.HANDLERS,
    **_conversation.HANDLERS,
}

__all__ = [
    "FOLD_VERSION",
    "OWN",
    "Clip",
    "Collected",
    "Commit",
    "Earlier",
    "Failure",
    "Hooked",
    "Letter",
    "Memory",
    "Participant",
    "Phrase",
    "Reply",
    "Say",
    "Sentence",
    "SessionState",
    "Tool",
    "Totals",
    "Turn",
    "TurnEnd",
    "Utterance",
    "Wanted",
    "fold",
    "fold_all",
]
