"""The fold, users' side: speech, utterances, transcripts, typed messages."""

from collections.abc import Callable
from typing import Any

from schemas.events import (
    MessageReceived,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TranscriptFinal,
    TranscriptPartial,
    UtteranceCaptured,
)
from schemas.session._changes import Changes, changed_turn, count, happened_at
from schemas.session.altered import altered
from schemas.session.state import Letter, Lost, SessionState, Turn, Utterance


def _speaking(state: SessionState, event: SpeechStarted | SpeechResumed | SpeechPaused) -> Changes:
    changes = changed_turn(state, event, lambda turn: turn, opens=True)
    person = state.participants.get(event.participant)
    if person is not None:
        speaking = not isinstance(event, SpeechPaused)
        changes["participants"] = {**state.participants, event.participant: altered(person, speaking=speaking)}
    return changes


def _captured(state: SessionState, event: UtteranceCaptured) -> Changes:
    """The new utterance stands in the place of the one it replaces. A turn nobody has heard an answer to is reopened."""
    spoken = happened_at(event)
    utterance = Utterance(
        event.utterance,
        event.participant,
        spoken_at=spoken,
        captured_at=event.at,
        duration=event.duration,
        audio=tuple(event.audio),
        over=event.over,
    )

    def change(turn: Turn) -> Turn:
        before = next((u.words for u in turn.utterances if u.id == event.replaces), "")
        kept = tuple(u for u in turn.utterances if u.id not in (event.replaces, event.utterance))
        partials = {who: text for who, text in turn.partials.items() if who != event.participant}
        turn = altered(turn, utterances=(*kept, altered(utterance, before=before)), partials=partials)
        if turn.end is None and turn.started_at is None and not turn.own:
            turn = altered(turn, commit=None, reply=None)
        return turn

    return changed_turn(state, event, change, opens=True, totals=count(state, speech=event.duration))


def _partial(state: SessionState, event: TranscriptPartial) -> Changes:
    """A hint about speech that goes on; of an utterance that was captured meanwhile it is out of date."""

    def change(turn: Turn) -> Turn:
        if any(utterance.id == event.utterance for utterance in turn.utterances):
            return turn
        return altered(turn, partials={**turn.partials, event.participant: event.text})

    return changed_turn(state, event, change)


def _final(state: SessionState, event: TranscriptFinal) -> Changes:
    return {
        **with_utterance(
            state,
            event.utterance,
            lambda utterance: altered(
                utterance,
                text=event.text.strip(),
                end_of_turn=event.end_of_turn,
                transcribed_at=event.at,
                took=event.took,
                queued=event.queued,
            ),
        ),
        "totals": count(state, transcripts=1),
    }


def utterance_lost(state: SessionState, utterance: str, how: Lost) -> Changes:
    """No transcript of it will come."""
    return with_utterance(state, utterance, lambda found: altered(found, lost=how))


def with_utterance(state: SessionState, name: str, change: Callable[[Utterance], Utterance]) -> Changes:
    """A standing utterance changed, in whatever turn; one that was replaced is not there any more."""
    for turn in reversed(tuple(state.turns.values())):
        if any(utterance.id == name for utterance in turn.utterances):
            changed = tuple(change(u) if u.id == name else u for u in turn.utterances)
            return {"turns": {**state.turns, turn.id: altered(turn, utterances=changed)}}
    return {}


def _message(state: SessionState, event: MessageReceived) -> Changes:
    """The gateway's own messages name their turn; those that came by the API wait until the gateway has committed one."""
    letter = Letter(event.participant, event.text, happened_at(event), event.seq)
    if event.turn is None:
        return {"letters": (*state.letters, letter)}

    def change(turn: Turn) -> Turn:
        turn = altered(turn, letters=(*turn.letters, letter))
        if turn.end is None and turn.started_at is None and not turn.own:
            turn = altered(turn, commit=None, reply=None)
        return turn

    return changed_turn(state, event, change, opens=True)


HANDLERS: dict[type, Callable[[SessionState, Any], Changes]] = {
    SpeechStarted: _speaking,
    SpeechPaused: _speaking,
    SpeechResumed: _speaking,
    UtteranceCaptured: _captured,
    TranscriptPartial: _partial,
    TranscriptFinal: _final,
    MessageReceived: _message,
}
