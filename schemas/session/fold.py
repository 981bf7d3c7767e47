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

from schemas.events import (
    DtmfReceived,
    EndRequested,
    Event,
    InstructionsChanged,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    SayRequested,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from schemas.session import _agent, _users
from schemas.session._changes import Changes
from schemas.session.altered import altered
from schemas.session.state import (
    OWN,
    Clip,
    Commit,
    Failure,
    Letter,
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
)

FOLD_VERSION = 6
"""Raise it whenever what is folded changes: snapshots of other versions are ignored, and the log is folded anew."""


def fold(state: SessionState, event: Event) -> SessionState:
    """The session after `event`. Events come in order of seq; a gap is allowed (an LLM job leaves out what came after it)."""
    handler = _HANDLERS.get(type(event))
    changes = handler(state, event) if handler is not None else {}
    if event.raises is not None and event.raises > state.generation:
        changes |= {"generation": event.raises, "turns": _voided(changes.get("turns", state.turns), event.raises)}
    return altered(state, seq=event.seq, at=event.at, **changes)


def _voided(turns: Mapping[int, Turn], generation: int) -> dict[int, Turn]:
    """What was made of an older generation and has not begun to sound never will."""

    def void(turn: Turn) -> bool:
        reply = turn.reply
        return reply is not None and reply.generation < generation and turn.end is None and turn.started_at is None

    return {number: altered(turn, reply=None) if void(turn) else turn for number, turn in turns.items()}


def fold_all(events: Iterable[Event], state: SessionState | None = None) -> SessionState:
    """All of `events`, onto `state` or from the beginning."""
    state = state if state is not None else SessionState()
    for event in events:
        state = fold(state, event)
    return state


# ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _started(state: SessionState, event: SessionStarted) -> Changes:
    return {
        "agent": event.agent,
        "instructions": event.agent.instructions,
        "room": event.room,
        "transport": event.transport,
        "metadata": event.metadata,
        "gateway": event.gateway,
        "started_at": event.at,
    }


def _resumed(state: SessionState, event: SessionResumed) -> Changes:
    """The gateway that comes hears everybody anew; what was being said and not captured is lost."""
    people = {name: altered(person, speaking=False) for name, person in state.participants.items()}
    return {"gateway": event.gateway, "epoch": event.epoch, "participants": people}


def _ended(state: SessionState, event: SessionEnded) -> Changes:
    return {"ended": event.reason, "ended_at": event.at}


def _joined(state: SessionState, event: ParticipantJoined) -> Changes:
    person = Participant(event.participant, event.kind, event.name, event.attributes)
    return {"participants": {**state.participants, event.participant: person}}


def _participant_changed(state: SessionState, event: ParticipantChanged) -> Changes:
    person = state.participants.get(event.participant)
    if person is None:
        return {}
    return {"participants": {**state.participants, event.participant: altered(person, attributes=event.attributes)}}


def _left(state: SessionState, event: ParticipantLeft) -> Changes:
    """Who left stays known by name, for the chat; of those gone the latest few."""
    person = state.participants.get(event.participant, Participant(event.participant))
    others = {name: other for name, other in state.participants.items() if name != event.participant}
    gone = [name for name, other in others.items() if not other.present]
    for name in gone[: max(0, len(gone) + 1 - _GONE_KEPT)]:
        del others[name]
    return {"participants": {**others, event.participant: altered(person, present=False, speaking=False)}}


_GONE_KEPT = 16


def _instructions(state: SessionState, event: InstructionsChanged) -> Changes:
    return {"instructions": event.instructions}


def _dtmf(state: SessionState, event: DtmfReceived) -> Changes:
    return {"digits": (state.digits + event.digits)[-64:]}


def _say_requested(state: SessionState, event: SayRequested) -> Changes:
    return {"says": (*state.says, Say(event.text, event.interrupt, event.request))}


def _end_requested(state: SessionState, event: EndRequested) -> Changes:
    return {"end_requested": event.reason}


_HANDLERS: dict[type, Callable[[SessionState, Any], Changes]] = {
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
    **_users.HANDLERS,
    **_agent.HANDLERS,
}

__all__ = [
    "FOLD_VERSION",
    "OWN",
    "Clip",
    "Commit",
    "Failure",
    "Letter",
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
    "fold",
    "fold_all",
]
