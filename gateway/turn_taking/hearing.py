"""Hearing: from the detector's edges to captured utterances and their transcripts.

Soft end, merged audio, the cut of long speech, partials. A capture, not a VAD edge, reopens a turn.
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway.turn_taking import answers, barge_in
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Capture, SpeechEdge
from gateway.turn_taking.state import (
    Committed,
    Hearing,
    Onset,
    Person,
    Reply,
    Silent,
    Speaking,
    Speech,
    State,
    Trailing,
    Turn,
    Utterance,
)
from schemas.audio import HEARING_RATE
from schemas.events import (
    CommitReason,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TranscriptFinal,
    TranscriptPartial,
    UtteranceCaptured,
)
from schemas.jobs import HINT_DEADLINE, LlmJob, SttJob

PREROLL = 0.4
"""Seconds stored before the first frame of speech: soft consonants lie there."""
SHORTEST = 0.128
"""Seconds of speech below which it was noise: nothing is captured."""
PARTIAL_EVERY = 1.0
PARTIAL_OVER = 0.5
"""Speech over the agent, after which a first partial is asked for."""
PAUSES_KEPT = 8

# ── edges ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def edge(draft: Draft, item: SpeechEdge) -> None:
    """One participant's voice changed."""
    person = draft.state.people.get(item.participant)
    if person is None or not person.human:
        return
    person = draft.person(replace(person, head=item.head, head_at=draft.now))
    moment = draft.time - (item.head - item.position) / HEARING_RATE
    match item.kind, person.voice:
        case "onset", Silent() | Trailing() as voice:
            draft.person(replace(person, voice=Onset(voice)))
            barge_in.hush(draft)
        case "noise", Onset(was):
            draft.person(replace(person, voice=was))
        case "start", Trailing(speech) | Onset(Trailing(speech)):
            draft.person(replace(person, voice=Speaking(speech)))
        case "start", Silent() | Onset():
            _begin(draft, person, item.position, moment)
        case "stop", Speaking(speech):
            draft.person(replace(person, voice=Trailing(speech, item.position, moment)))
        case _:
            pass


def _begin(draft: Draft, person: Person, position: int, moment: float) -> None:
    state = draft.state
    state.active = draft.now
    over = state.playing is not None and state.filler is None
    turn = state.users_turn or draft.new_turn(over=over, late=barge_in.all_but_finished(state))
    goes_on = bool(turn.utterances) and turn.utterances[-1].participant == person.name
    if goes_on:
        person = replace(person, pauses=_pauses(state, person, turn, moment - turn.spoken))
        draft.fact(SpeechResumed, turn=turn.id, participant=person.name, ago=draft.time - moment)
    else:
        draft.fact(SpeechStarted, turn=turn.id, participant=person.name, over=over, ago=draft.time - moment)
    start = max(person.captured_to, position - round(PREROLL * HEARING_RATE), 0)
    speech = Speech(turn.id, draft.new_utterance_id(), start, position, moment, over)
    draft.person(replace(person, voice=Speaking(speech)))
    draft.put(replace(answers.heard_during(state, turn), touched=draft.time))
    barge_in.pause(draft)


def _pauses(state: State, person: Person, turn: Turn, silence: float) -> tuple[float, ...]:
    """This speaker's pauses, with the silence that now ends, if it was one: while the agent has the floor, or is waited for (no
    pause is as long as the longest wait), whoever is silent only listens."""
    if turn.has_floor or state.other_replies(turn) or silence > state.agent.turn_taking.commit_max:
        return person.pauses
    return (*person.pauses, round(silence, 3))[-PAUSES_KEPT:]


# ── what time brings ─────────────────────────────────────────────────────────────────────────────────────────────────


def soft_end_at(state: State, voice: Trailing) -> float:
    settings = state.agent.turn_taking
    return voice.ended + (settings.soft_end_idle if _early(state) else settings.soft_end)


def _early(state: State) -> bool:
    """The soft end comes early: nobody else wants the pools."""
    return state.load.idle and state.agent.turn_taking.soft_end_idle < state.agent.turn_taking.soft_end


def cut_at(state: State, speech: Speech) -> float:
    before = (speech.voiced - speech.start) / HEARING_RATE
    return speech.began - before + state.agent.turn_taking.max_utterance


def partial_at(speech: Speech) -> float:
    first = PARTIAL_OVER if speech.over else PARTIAL_EVERY
    return speech.began + first + PARTIAL_EVERY * speech.partials


def timers(state: State) -> Iterator[float]:
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
                draft.person(replace(person, voice=Silent()))
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


def _soft_end(draft: Draft, name: str, speech: Speech, end: int, ended: float) -> None:
    if end - speech.voiced < round(SHORTEST * HEARING_RATE):
        _noise(draft, speech)
    else:
        capture(draft, name, speech, ended=ended)


def _noise(draft: Draft, speech: Speech) -> None:
    turn = draft.state.turns.get(speech.turn)
    if turn is not None and not turn.utterances and not turn.typed and not draft.state.speaks_in(turn):
        draft.end_turn(turn, "dropped", "noise")


def _cut(draft: Draft, person: Person, speech: Speech) -> None:
    end = speech.start + round(draft.state.agent.turn_taking.max_utterance * HEARING_RATE)
    moment = cut_at(draft.state, speech)
    turn = capture(draft, person.name, speech, ended=moment, end=end, cut=True)
    rest = Speech(turn.id, draft.new_utterance_id(), end, end, moment, speech.over)
    draft.person(replace(draft.state.people[person.name], voice=Speaking(rest)))


def finish_speech(draft: Draft, name: str, *, sure: CommitReason | None = None) -> Turn | None:
    """Capture what `name` has said so far, at once (button released, participant gone). Answers its turn."""
    person = draft.state.people[name]
    speech = person.speech
    if speech is None:
        draft.person(replace(person, voice=Silent()))
        return None
    ended = person.voice.ended if isinstance(person.voice, Trailing) else draft.time
    draft.person(replace(person, voice=Silent()))
    if person.position(draft.now) - speech.voiced < round(SHORTEST * HEARING_RATE):
        _noise(draft, speech)
        return None
    return capture(draft, name, speech, ended=ended, sure=sure)


# ── capture ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _carried(state: State, turn: Turn, name: str, speech: Speech, end: int) -> tuple[Utterance | None, int]:
    """The utterance whose audio the next one carries again, and the first sample to add to it."""
    last = turn.utterances[-1] if turn.utterances else None
    if last is None or last.participant != name:
        return None, speech.start
    start = speech.start if last.end is None else last.end
    fits = last.duration + (end - start) / HEARING_RATE <= state.agent.turn_taking.max_utterance
    return (last, start) if fits else (None, speech.start)


def capture(
    draft: Draft,
    name: str,
    speech: Speech,
    *,
    ended: float,
    end: int | None = None,
    cut: bool = False,
    sure: CommitReason | None = None,
) -> Turn:
    """Store an utterance and have it transcribed: this, not the VAD edge, reopens a turn whose reply nobody heard."""
    state = draft.state
    person = state.people[name]
    end = person.position(draft.now) if end is None else end
    turn = state.turns.get(speech.turn) or state.users_turn or draft.new_turn(over=state.playing is not None)
    _replace_own(draft)
    carried, start = _carried(state, turn, name, speech, end)
    turn = draft.void(turn)
    then = None if cut else _then(state, turn, committed=sure is not None)
    duration = (carried.duration if carried else 0.0) + (end - start) / HEARING_RATE
    before = carried.words if carried else ""
    utterance = Utterance(speech.utterance, name, end, duration, asked=draft.time, before=before)
    silence = draft.time - ended
    if not cut:
        draft.fact(SpeechPaused, turn=turn.id, participant=name, silence=round(silence, 4), ago=silence)
    inputs = {"idle": state.load.idle, "then": then.id if then else None, "cut": cut}
    draft.fact(
        UtteranceCaptured,
        turn=turn.id,
        generation=then.generation if then else None,
        utterance=utterance.id,
        participant=name,
        audio=[],
        duration=round(duration, 4),
        replaces=carried.id if carried else None,
        over=speech.over,
        ago=silence,
        inputs=inputs,
    )
    replaced = carried.id if carried else None
    job = SttJob.of(state.agent, state.session, turn.id, utterance.id, name, replaces=replaced, then=then)
    draft.enqueue(job)
    draft.captures.append(Capture(job.id, utterance.id, name, start, end, carries=replaced))
    kept = turn.utterances[:-1] if carried else turn.utterances
    draft.person(replace(person, captured_to=end))
    return draft.put(
        replace(
            turn,
            phase=Hearing(),
            utterances=(*kept, utterance),
            reply=Reply(then.generation or 0, draft.time) if then else None,
            sure=sure,
            spoken=max(turn.spoken, ended),
            touched=draft.time,
        )
    )


def _replace_own(draft: Draft) -> None:
    """The agent's own words that nobody has heard yet give way; a requested one waits again, an apology is out of place."""
    draft.state.wanted = tuple(own for own in draft.state.wanted if own.phrase is None)
    for turn in tuple(draft.state.turns.values()):
        if turn.own is not None and isinstance(turn.phase, Committed):
            draft.end_turn(turn, "dropped", "replaced")
            if turn.own.why == "say":
                draft.state.wanted = (turn.own, *draft.state.wanted)
        elif turn.own is not None and turn.own.why == "filler":  # the turn it bridges is taken back
            draft.end_turn(turn, "interrupted", "barge_in")


def speculates(state: State) -> bool:
    """Replies are made before their turn is committed, as long as the pools have room for wasted work."""
    return state.load.short and state.agent.turn_taking.speculate_below > 0


def _then(state: State, turn: Turn, *, committed: bool) -> LlmJob | None:
    """What follows the transcript without the gateway: only when one human speaks, and not over the agent. Not after an early
    soft end, either: more often than not it is a gap between words, and by the transcript we know."""
    if (_early(state) and not committed) or turn.over or state.humans > 1 or state.other_replies(turn):
        return None
    if not (committed or speculates(state)):
        return None
    return llm_job(state, turn, committed=committed)


def llm_job(state: State, turn: Turn, *, committed: bool) -> LlmJob:
    return LlmJob.of(state.agent, state.session, turn.id, state.generation, committed=committed)


# ── partials and transcripts ─────────────────────────────────────────────────────────────────────────────────────────


def _partial(draft: Draft, person: Person, speech: Speech) -> None:
    """Ask what was said so far; where that would cost somebody else's transcript, don't."""
    state = draft.state
    asked = replace(speech, partials=speech.partials + 1)
    person = draft.person(replace(person, voice=Speaking(asked)))
    turn = state.turns.get(speech.turn)
    free = state.load.stt_free and draft.quiet and person.partial_until <= draft.time
    if turn is None or not free or not state.agent.stt.partials:
        return
    end = person.position(draft.now)
    carried, start = _carried(state, turn, person.name, speech, end)
    name, behind = person.name, carried.id if carried else None
    job = SttJob.hint(state.agent, state.session, turn.id, speech.utterance, name, asked.partials)
    draft.enqueue(job)
    draft.captures.append(Capture(job.id, speech.utterance, name, start, end, partial=True, carries=behind))
    draft.person(replace(person, partial_until=draft.time + HINT_DEADLINE))


def partial_came(draft: Draft, event: TranscriptPartial) -> None:
    person = draft.state.people.get(event.participant)
    if person is None:
        return
    person = draft.person(replace(person, partial_until=draft.time))
    speech = person.speech
    turn = draft.state.turns.get(speech.turn) if speech and speech.utterance == event.utterance else None
    if turn is not None and turn.over:
        barge_in.words(draft, turn, event.text)


def transcript_came(draft: Draft, event: TranscriptFinal) -> None:
    """A transcript: of an utterance that stands, late as it may be; what was replaced meanwhile is ignored."""
    draft.state.deaf = False
    for turn in tuple(draft.state.turns.values()):
        for utterance in turn.utterances:
            if utterance.id == event.utterance and utterance.text is None:
                text = event.text.strip()
                turn = turn.with_utterance(replace(utterance, text=text, end_of_turn=event.end_of_turn, failed=None))
                reply = turn.reply
                if reply is not None and not reply.sentences and utterance.id == turn.utterances[-1].id:
                    # Its `then` has followed, or, after an empty transcript, never will.
                    reply = replace(reply, asked=draft.time) if text else None
                draft.put(replace(turn, reply=reply, touched=draft.time))
