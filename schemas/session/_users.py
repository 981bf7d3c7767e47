"""The fold, users' side: speech, utterances, transcripts, typed messages."""

from collections.abc import Callable
from typing import Any

from schemas.clock import Micros
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
from schemas.session.altered import altered, changer
from schemas.session.state import Letter, Lost, Participant, SessionState, Turn, Utterance


def _speaking(state: SessionState, event: SpeechStarted | SpeechResumed | SpeechPaused) -> Changes:
    changes = changed_turn(state, event, lambda turn: turn, opens=True)
    person = state.participants.get(event.participant)
    if person is not None:
        person = _speaks(person, not isinstance(event, SpeechPaused))
        changes["participants"] = {**state.participants, event.participant: person}
    return changes


def _captured(state: SessionState, event: UtteranceCaptured) -> Changes:
    """The new utterance stands in the place of the one it replaces. A turn nobody has heard an answer to is reopened."""
    utterance = _said(
        _NEW,
        event.utterance,
        event.participant,
        happened_at(event),
        event.at,
        event.duration,
        tuple(event.audio),
        event.over,
    )

    def change(turn: Turn) -> Turn:
        mine, kept = utterance, turn.utterances
        if kept:
            before = next((u.words for u in kept if u.id == event.replaces), "")
            mine = altered(utterance, before=before) if before else utterance
            kept = tuple(u for u in kept if u.id not in (event.replaces, event.utterance))
        partials = turn.partials
        if event.participant in partials:
            partials = {who: text for who, text in partials.items() if who != event.participant}
        if turn.end is None and turn.started_at is None and not turn.own:
            return _reopened(turn, (*kept, mine), partials, None, None)
        return _heard(turn, (*kept, mine), partials)

    return changed_turn(state, event, change, opens=True, totals=count(state, speech=event.duration))


def _partial(state: SessionState, event: TranscriptPartial) -> Changes:
    """A hint about speech that goes on; of an utterance that was captured meanwhile it is out of date."""

    def change(turn: Turn) -> Turn:
        for utterance in turn.utterances:
            if utterance.id == event.utterance:
                return turn
        return _with_partials(turn, {**turn.partials, event.participant: event.text})

    return changed_turn(state, event, change)


def _final(state: SessionState, event: TranscriptFinal) -> Changes:
    changes = with_utterance(
        state,
        event.utterance,
        lambda utterance: _transcribed(
            utterance, event.text.strip(), event.end_of_turn, event.at, event.took, event.queued
        ),
    )
    changes["totals"] = count(state, transcripts=1)
    return changes


def utterance_lost(state: SessionState, utterance: str, how: Lost) -> Changes:
    """No transcript of it will come."""
    return with_utterance(state, utterance, lambda found: altered(found, lost=how))


def with_utterance(state: SessionState, name: str, change: Callable[[Utterance], Utterance]) -> Changes:
    """A standing utterance changed, in whatever turn; one that was replaced is not there any more."""
    for turn in reversed([*state.turns.values()]):
        for place, utterance in enumerate(turn.utterances):
            if utterance.id == name:
                changed = (*turn.utterances[:place], change(utterance), *turn.utterances[place + 1 :])
                return {"turns": {**state.turns, turn.id: _with_utterances(turn, changed)}}
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


_NEW = Utterance("", "", spoken_at=Micros(0), captured_at=Micros(0), duration=0.0)
"""What an utterance begins as."""
_said = changer(Utterance, "id", "participant", "spoken_at", "captured_at", "duration", "audio", "over")
_transcribed = changer(Utterance, "text", "end_of_turn", "transcribed_at", "took", "queued")
_speaks = changer(Participant, "speaking")
_heard = changer(Turn, "utterances", "partials")
_reopened = changer(Turn, "utterances", "partials", "commit", "reply")
_with_partials, _with_utterances = changer(Turn, "partials"), changer(Turn, "utterances")

HANDLERS: dict[type, Callable[[SessionState, Any], Changes]] = {
    SpeechStarted: _speaking,
    SpeechPaused: _speaking,
    SpeechResumed: _speaking,
    UtteranceCaptured: _captured,
    TranscriptPartial: _partial,
    TranscriptFinal: _final,
    MessageReceived: _message,
}
