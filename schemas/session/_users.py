"""The fold, users' side: speech, utterances, transcripts, typed messages."""

from collections.abc import Callable, Mapping
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
from schemas.session._draft import Draft, happened_at, of_event, opened
from schemas.session.altered import altered, changer
from schemas.session.state import Letter, Participant, Totals, Turn, Utterance


def _speaks(draft: Draft, event: SpeechStarted | SpeechResumed) -> None:
    opened(draft, event)
    _is_speaking(draft, event.participant, True)


def _pauses(draft: Draft, event: SpeechPaused) -> None:
    opened(draft, event)
    _is_speaking(draft, event.participant, False)


def _is_speaking(draft: Draft, name: str, speaking: bool) -> None:
    person = draft.participants.get(name)
    if person is not None and person.speaking is not speaking:
        draft.participants = {**draft.participants, name: _with_speaking(person, speaking)}


def _captured(draft: Draft, event: UtteranceCaptured) -> None:
    """The new utterance stands in the place of the one it replaces. A turn nobody has heard an answer to is reopened."""
    totals = draft.totals
    draft.totals = _with_speech(totals, totals.speech + event.duration)
    turn = opened(draft, event)
    if turn is None:
        return
    who, name = event.participant, event.utterance
    mine = _said(_NEW, name, who, happened_at(event), event.at, event.duration, tuple(event.audio), event.over)
    kept = turn.utterances
    if kept:
        carried = (*event.joins, event.replaces)
        before = " ".join([u.words for u in kept if u.id in carried and u.words])
        mine = altered(mine, before=before) if before else mine
        kept = tuple([u for u in kept if u.id not in carried and u.id != name])
    partials = turn.partials
    if who in partials:
        partials = {one: text for one, text in partials.items() if one != who}
    if turn.end is None and turn.started_at is None and not turn.own:
        draft.turns[turn.id] = _reopened(turn, (*kept, mine), partials, None, None, turn.calls)
    else:
        draft.turns[turn.id] = _heard(turn, (*kept, mine), partials)


def _partial(draft: Draft, event: TranscriptPartial) -> None:
    """A hint about speech that goes on; of an utterance that was captured meanwhile it is out of date."""
    turn = of_event(draft, event)
    if turn is None:
        return
    for utterance in turn.utterances:
        if utterance.id == event.utterance:
            return
    draft.turns[turn.id] = _with_partials(turn, {**turn.partials, event.participant: event.text})


def _final(draft: Draft, event: TranscriptFinal) -> None:
    def transcribed(utterance: Utterance) -> Utterance:
        return _transcribed(utterance, event.text.strip(), event.end_of_turn, event.at, event.took, event.queued)

    change_utterance(draft, event.utterance, transcribed)
    totals = draft.totals
    draft.totals = _with_transcripts(totals, totals.transcripts + 1)


def change_utterance(draft: Draft, name: str, change: Callable[[Utterance], Utterance]) -> None:
    """A standing utterance changed, in whatever turn; one that was replaced is not there any more."""
    for turn in reversed(draft.turns.values()):
        for place, utterance in enumerate(turn.utterances):
            if utterance.id == name:
                changed = (*turn.utterances[:place], change(utterance), *turn.utterances[place + 1 :])
                draft.turns[turn.id] = _with_utterances(turn, changed)
                return


def _message(draft: Draft, event: MessageReceived) -> None:
    """The gateway's own messages name their turn; those that came by the API wait until the gateway has committed one."""
    letter = Letter(event.participant, event.text, happened_at(event), event.seq, event.note)
    turn = opened(draft, event)
    if turn is None:
        draft.letters = (*draft.letters, letter)
        return
    turn = altered(turn, letters=(*turn.letters, letter))
    if turn.end is None and turn.started_at is None and not turn.own:
        turn = altered(turn, commit=None, reply=None, tools=turn.calls)
    draft.turns[turn.id] = turn


_NEW = Utterance("", "", spoken_at=Micros(0), captured_at=Micros(0), duration=0.0)
"""What an utterance begins as."""
_said = changer(Utterance, "id", "participant", "spoken_at", "captured_at", "duration", "audio", "over")
_transcribed = changer(Utterance, "text", "end_of_turn", "transcribed_at", "took", "queued")
_with_speaking = changer(Participant, "speaking")
_with_speech, _with_transcripts = changer(Totals, "speech"), changer(Totals, "transcripts")
_heard = changer(Turn, "utterances", "partials")
_reopened = changer(Turn, "utterances", "partials", "commit", "reply", "tools")
_with_partials, _with_utterances = changer(Turn, "partials"), changer(Turn, "utterances")

HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    SpeechStarted: _speaks,
    SpeechPaused: _pauses,
    SpeechResumed: _speaks,
    UtteranceCaptured: _captured,
    TranscriptPartial: _partial,
    TranscriptFinal: _final,
    MessageReceived: _message,
}
