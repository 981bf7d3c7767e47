"""Hearing: from the detector's edges to captured utterances and their transcripts.

Soft end, the cut of long speech, partials; what is stored of it, and when a turn is reopened: `capturing.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.turn_taking import barge_in
from gateway.turn_taking.capturing import capture, carried, early
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Capture, SpeechEdge
from gateway.turn_taking.people import Onset, Person, Silent, Speaking, Speech, Trailing
from gateway.turn_taking.state import State, Turn
from schemas.audio import HEARING_RATE
from schemas.clock import TurnTime, earlier
from schemas.events import CommitReason, SpeechResumed, SpeechStarted, TranscriptPartial
from schemas.jobs import HINT_DEADLINE, SttJob

PREROLL = 0.4
"""Seconds stored before the first frame of speech: soft consonants lie there."""
SHORTEST = 0.128
"""Seconds of speech below which it was noise: nothing is captured."""
PARTIAL_EVERY = 1.0
PARTIAL_OVER = 0.5
"""Speech over the agent, after which a first partial is asked for."""

# ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def edge(draft: Draft, item: SpeechEdge) -> None:
    """One participant's voice changed."""
    person = draft.state.people.get(item.participant)
    if person is None or not person.human:
        return
    person = draft.put_person(replace(person, head=item.head, head_at=draft.now))
    if draft.state.by_button(person):
        return  # the detector is not asked
    moment = draft.time + (item.position - item.head) / HEARING_RATE
    match item.kind, person.voice:
        case "onset", Silent() | Trailing() as voice:
            draft.put_person(replace(person, voice=Onset(voice)))
            barge_in.hush(draft)
        case "noise", Onset(was):
            draft.put_person(replace(person, voice=was))
        case "start", Trailing(speech) | Onset(Trailing(speech)):
            draft.put_person(replace(person, voice=Speaking(speech)))
        case "start", Silent() | Onset():
            begin_speech(draft, person, item.position, moment)
        case "stop", Speaking(speech):
            draft.put_person(replace(person, voice=Trailing(speech, item.position, moment)))
        case _:
            pass


def begin_speech(draft: Draft, person: Person, position: int, moment: TurnTime) -> None:
    """`person` speaks from sample `position` on, which was at `moment`."""
    state = draft.state
    state.active = draft.now
    turn, ago = state.users_turn, draft.time - moment
    number = state.next_turn if turn is None else turn.id
    over = state.playing is not None and state.filler is None
    if turn is not None and turn.utterances and turn.utterances[-1].participant == person.name:
        pause = _pause(state, turn, moment - turn.spoken)
        inputs = None if pause is None else {"pause": pause}
        draft.fact(SpeechResumed, turn=number, participant=person.name, ago=ago, inputs=inputs)
    else:
        inputs = _over(state, person.name, moment) if over else None
        draft.fact(SpeechStarted, turn=number, participant=person.name, over=over, ago=ago, inputs=inputs)
    person = state.people[person.name]
    start = max(person.captured_to, position - round(PREROLL * HEARING_RATE), 0)
    speech = Speech(number, draft.new_utterance_id(), start, position, moment, over)
    draft.put_person(replace(person, voice=Speaking(speech)))
    barge_in.pause(draft)


def _over(state: State, name: str, moment: TurnTime) -> dict[str, Any]:
    """What is known of speech that begins over the agent: whether that is `late`; and for how long whoever it answers had been
    silent, which was a pause of theirs if they take their turn back (`regret.py`)."""
    rules, playing = state.agent.turn_taking, state.playing
    inputs: dict[str, Any] = {"late": barge_in.all_but_finished(state)}
    if playing is not None and rules.regret and rules.barge_in and name in playing.speakers:
        silence = moment - playing.spoken
        inputs |= {"since": round(silence, 3)} if silence <= rules.commit_max else {}
    return inputs


def _pause(state: State, turn: Turn, silence: float) -> float | None:
    """The silence that now ends, if it was a pause of this speaker: while the agent has the floor, or is waited for (no pause is
    as long as the longest wait), whoever is silent only listens."""
    if turn.has_floor or state.other_replies(turn) or silence > state.agent.turn_taking.commit_max:
        return None
    return round(silence, 3)


# ── what time brings ─────────────────────────────────────────────────────────────────────────────────────────────────


def soft_end_at(state: State, voice: Trailing) -> TurnTime:
    settings = state.agent.turn_taking
    return voice.ended + (settings.soft_end_idle if early(state) else settings.soft_end)


def cut_at(state: State, speech: Speech) -> TurnTime:
    stored_from = earlier(speech.began, (speech.voiced - speech.start) / HEARING_RATE)
    return stored_from + state.agent.turn_taking.max_utterance


def partial_at(speech: Speech) -> TurnTime:
    first = PARTIAL_OVER if speech.over else PARTIAL_EVERY
    return speech.began + first + PARTIAL_EVERY * speech.partials


def timers(state: State) -> Iterator[TurnTime]:
    """Moments, in turn time, at which hearing has something to do."""
    for person in state.people.values():
        match person.voice:
            case Trailing() as voice:
                yield soft_end_at(state, voice)
            case Speaking(speech):
                yield cut_at(state, speech)
                yield partial_at(speech)
            case _:
                pass


def settle(draft: Draft) -> bool:
    """Do what is due; True if anything was."""
    for person in tuple(draft.state.people.values()):
        match person.voice:
            case Trailing(speech, end, ended) as voice if draft.due(soft_end_at(draft.state, voice)):
                draft.put_person(replace(person, voice=Silent()))
                _soft_end(draft, person.name, speech, end, ended)
                return True
            case Speaking(speech) if draft.due(cut_at(draft.state, speech)):
                _cut(draft, person, speech)
                return True
            case Speaking(speech) if draft.due(partial_at(speech)):
                _partial(draft, person, speech)
                return True
            case _:
                pass
    return False


def _soft_end(draft: Draft, name: str, speech: Speech, end: int, ended: TurnTime) -> None:
    if _is_noise(draft.state, name, speech, end):
        _noise(draft, speech)
    else:
        capture(draft, name, speech, ended=ended)


def _is_noise(state: State, name: str, speech: Speech, end: int) -> bool:
    """It is too short for a word, and not the last sound of one: what comes sooner after somebody's speech than the soft end that
    is not early belongs to that."""
    if end - speech.voiced >= round(SHORTEST * HEARING_RATE):
        return False
    turn = state.turns.get(speech.turn)
    before = turn.utterances[-1] if turn is not None and turn.utterances else None
    if turn is None or before is None or before.participant != name:
        return True
    return speech.began - turn.spoken >= state.agent.turn_taking.soft_end


def _noise(draft: Draft, speech: Speech) -> None:
    turn = draft.state.turns.get(speech.turn)
    if turn is not None and not turn.utterances and not turn.typed and not draft.state.speaks_in(turn):
        draft.end_turn(turn, "dropped", "noise")


def _cut(draft: Draft, person: Person, speech: Speech) -> None:
    end = speech.start + round(draft.state.agent.turn_taking.max_utterance * HEARING_RATE)
    moment = cut_at(draft.state, speech)
    turn = capture(draft, person.name, speech, ended=moment, end=end, cut=True)
    rest = Speech(turn.id, draft.new_utterance_id(), end, end, moment, speech.over)
    draft.put_person(replace(draft.state.people[person.name], voice=Speaking(rest)))


def finish_speech(draft: Draft, name: str, *, sure: CommitReason | None = None) -> Turn | None:
    """Capture what `name` has said so far, at once (button released, participant gone). Answers its turn."""
    person = draft.state.people[name]
    speech = person.speech
    if speech is None:
        draft.put_person(replace(person, voice=Silent()))
        return None
    ended = person.voice.ended if isinstance(person.voice, Trailing) else draft.time
    draft.put_person(replace(person, voice=Silent()))
    if _is_noise(draft.state, name, speech, person.position(draft.now)):
        _noise(draft, speech)
        return None
    return capture(draft, name, speech, ended=ended, sure=sure)


# ── partials and transcripts ─────────────────────────────────────────────────────────────────────────────────────────


def _partial(draft: Draft, person: Person, speech: Speech) -> None:
    """Ask what was said so far; where that would cost somebody else's transcript, don't."""
    state = draft.state
    asked = replace(speech, partials=speech.partials + 1)
    person = draft.put_person(replace(person, voice=Speaking(asked)))
    turn = state.turns.get(speech.turn)
    free = state.load.stt_free and draft.quiet and person.partial_until <= draft.time
    if turn is None or not free or not state.agent.stt.partials:
        return
    end = person.position(draft.now)
    again, start = carried(state, turn, person.name, speech, end)
    name, behind = person.name, again[0].id if again else None
    job = SttJob.hint(state.agent, state.session, turn.id, speech.utterance, name, asked.partials)
    draft.enqueue(job)
    draft.captures.append(Capture(job.id, speech.utterance, name, start, end, partial=True, carries=behind))
    draft.put_person(replace(person, partial_until=draft.time + HINT_DEADLINE))


def partial_came(draft: Draft, event: TranscriptPartial) -> None:
    person = draft.state.people.get(event.participant)
    if person is None:
        return
    person = draft.put_person(replace(person, partial_until=draft.time))
    speech = person.speech
    turn = draft.state.turns.get(speech.turn) if speech and speech.utterance == event.utterance else None
    if turn is not None and turn.undecided:
        barge_in.words(draft, turn, event.text)
