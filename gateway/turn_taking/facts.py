"""What each fact of the log changes in the state: `apply(state, fact, now)`. It stands here, in `arriving` (what the stages
bring) and in `lost` (what they won't), and nowhere else.

The gateway that decides a fact applies it as it writes it (`Draft.fact`); what others append it applies when it reads it; and who
takes over applies the whole log, in the order in which it was known (`as_known`). What no log holds stays beside: voices, what is
on its way to the log, what was asked of a stage, where playback is, what the client was told, and all clocks.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from gateway.turn_taking import answers, arriving, lost, moved
from gateway.turn_taking.moments import LONG_AGO
from gateway.turn_taking.people import Person
from gateway.turn_taking.state import (
    Committed,
    Letter,
    Own,
    Playing,
    Reply,
    Sentence,
    State,
    Turn,
    UsersFloor,
    Utterance,
    farewell,
    greeting,
    idle_question,
    phrase,
)
from schemas.clock import Now, TurnTime, earlier
from schemas.config.collecting import FIELDS_MOST
from schemas.events import (
    AgentSlept,
    AgentWoke,
    CalleeDetected,
    DtmfReceived,
    EndRequested,
    Event,
    FieldCollected,
    GatewayEvent,
    MessageReceived,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    SessionEnded,
    SessionRewound,
    SpeechResumed,
    SpeechStarted,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

PAUSES_KEPT = 8
"""Of one speaker."""
SAY_AGAIN, SAY_AGAIN_AT_MOST = 5.0, 60.0
"""Seconds after which a text for which there was no room is tried again: twice as many each time, up to the second."""


def apply(state: State, fact: Event, now: Now) -> None:
    """Change `state`, which must be the caller's own (`State.fork`)."""
    if fact.raises is not None and fact.raises > state.generation:
        _void(state, fact)
    if fact.turn is not None and fact.turn >= state.next_turn:
        state.next_turn = fact.turn + 1
    change = _CHANGES.get(type(fact))
    if change is not None:
        change(state, fact, now)


def as_known(events: Sequence[Event]) -> list[Event]:
    """A session's events in the order in which its gateway knew them: a decision comes before what it had not yet seen (`saw`),
    though that was appended first. Its own facts keep their order; those told again to a log that lost its tail came after
    what was left of it."""
    known: list[tuple[int, int, int]] = []
    bound = len(events) and events[-1].seq
    seen = _seen(events)
    for place in range(len(events) - 1, -1, -1):
        saw = seen[place]
        if saw is None:
            known.append((events[place].seq, 0, place))
        else:
            bound = min(bound, saw)
            known.append((bound, 1, place))
    return [events[place] for _, _, place in sorted(known)]


def _seen(events: Sequence[Event]) -> list[int | None]:
    """What its gateway had seen when it decided each; None of what is not a gateway's. The agent's own words bear no mark: they
    are said in the same breath as their turn is opened."""
    seen: list[int | None] = []
    breath: TurnCommitted | None = None
    for event in events:
        words = isinstance(event, ReplySentence | ReplyFinished) and event.cause is None
        if words and breath is not None and breath.turn == event.turn:
            seen.append(breath.saw)
        else:
            breath = event if isinstance(event, TurnCommitted) and event.why in _OWN else None
            seen.append(event.saw if isinstance(event, GatewayEvent) else None)
        if isinstance(event, ReplyFinished):
            breath = None
    return seen


def _void(state: State, fact: Event) -> None:
    """The generation rises: what was made of an older one and has not begun to sound never will."""
    assert fact.raises is not None
    state.generation = fact.raises
    ended = fact.turn if isinstance(fact, TurnEnded) else None
    for turn in tuple(state.turns.values()):
        old = turn.reply is not None and turn.reply.generation < fact.raises
        if old and turn.id != ended and not isinstance(turn.phase, Playing):
            state.turns[turn.id] = replace(turn, reply=None)


# ── who is there ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _joined(state: State, fact: ParticipantJoined, now: Now) -> None:
    person = Person(fact.participant, fact.kind, fact.name, fact.attributes, head_at=now)
    state.people[fact.participant] = person
    state.met = state.met or person.human


def _changed(state: State, fact: ParticipantChanged, now: Now) -> None:
    if (person := state.people.get(fact.participant)) is not None:
        state.people[fact.participant] = replace(person, attributes=fact.attributes)


def _left(state: State, fact: ParticipantLeft, now: Now) -> None:
    """Whoever comes back has another stream of samples."""
    state.people.pop(fact.participant, None)
    for turn in tuple(state.turns.values()):
        for utterance in turn.utterances:
            if utterance.participant == fact.participant:
                turn = turn.with_utterance(replace(utterance, end=None))
        state.turns[turn.id] = turn


def _session_ended(state: State, fact: SessionEnded, now: Now) -> None:
    state.closed = True


def _rewound(state: State, fact: SessionRewound, now: Now) -> None:
    """The log lost its tail: what was not begun is decided anew."""
    for turn in tuple(state.turns.values()):
        if turn.own is None and not isinstance(turn.phase, Playing):
            state.turns[turn.id] = replace(turn, phase=UsersFloor(), reply=None)


def _end_requested(state: State, fact: EndRequested, now: Now) -> None:
    if fact.said:
        state.ending = fact.reason
    else:
        state.end_requested = fact.reason


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _speech(state: State, fact: SpeechStarted | SpeechResumed, now: Now) -> None:
    """Somebody speaks: a turn is opened, or goes on. `inputs`: `late` as in `Turn`; `pause`: the silence that ends was one;
    `since`: how long it was, should it turn out to have been one."""
    assert fact.turn is not None
    at, inputs = state.turn_time(now), fact.inputs or {}
    turn = state.turns.get(fact.turn)
    if turn is None:
        state.first_word = earlier(at, fact.ago)
        over = isinstance(fact, SpeechStarted) and fact.over
        since = (fact.participant, inputs["since"]) if "since" in inputs else None
        turn = Turn(fact.turn, at, over=over, late=bool(inputs.get("late")), since=since)
    state.turns[turn.id] = replace(answers.heard_during(state, turn), touched=at)
    if "pause" in inputs:
        _paused(state, fact.participant, inputs["pause"])


def _paused(state: State, name: str, pause: float) -> None:
    """Somebody did, within a turn of theirs."""
    person = state.people.get(name)
    if person is not None:
        state.people[name] = replace(person, pauses=(*person.pauses, pause)[-PAUSES_KEPT:])


def _captured(state: State, fact: UtteranceCaptured, now: Now) -> None:
    """An utterance joins its turn, which is the users' again. `inputs`: `then`: the LLM job that follows its transcript, if any;
    `over`: as in `Turn`; `unheard`: there was no room for its STT job."""
    assert fact.turn is not None
    at, inputs = state.turn_time(now), fact.inputs or {}
    turn = state.turns.get(fact.turn) or Turn(fact.turn, at, over=fact.over)
    state.wanted = tuple(
        own for own in state.wanted if own.why in ("greeting", "say")
    )  # an apology would be out of place
    state.next_utterance = max(state.next_utterance, arriving.number_of(fact.utterance) + 1)
    carried = (*fact.joins, fact.replaces)
    if fact.audio:  # it is read: whoever decided it knows the sound by the answer to its publication
        state.stored[fact.utterance] = tuple(fact.audio)
        for name in carried:
            state.stored.pop(name or "", None)
    before = " ".join(one.words for one in turn.utterances if one.id in carried and one.words)
    kept = tuple(utterance for utterance in turn.utterances if utterance.id not in carried)
    lost: Literal["failed"] | None = "failed" if inputs.get("unheard") else None
    utterance = Utterance(fact.utterance, fact.participant, None, fact.duration, asked=at, failed=lost, before=before)
    state.deaf = state.deaf or lost is not None
    state.turns[turn.id] = replace(
        turn,
        phase=UsersFloor(),
        over=inputs.get("over", turn.over),
        utterances=(*kept, utterance),
        reply=Reply(state.generation, at) if inputs.get("then") is not None else None,
        spoken=max(turn.spoken, earlier(at, fact.ago)),
        touched=at,
    )


# ── the floor ────────────────────────────────────────────────────────────────────────────────────────────────────────

_OWN = ("greeting", "say", "fallback", "repeat", "filler", "idle", "goodbye")


def _message(state: State, fact: MessageReceived, now: Now) -> None:
    """Written: by somebody in the room (then its turn is named, and the users' again), or by the API."""
    state.questions, state.idle_asked = 0, None
    if fact.turn is None:
        if fact.text.strip():
            state.letters = (*state.letters, Letter(fact.participant, fact.text))
        return
    at = state.turn_time(now)
    turn = state.turns.get(fact.turn) or Turn(fact.turn, at)
    state.turns[turn.id] = replace(
        turn, phase=UsersFloor(), over=False, typed=True, letters=turn.letters + 1, reply=None, touched=at
    )


def _say_requested(state: State, fact: SayRequested, now: Now) -> None:
    want(state, Own("say", fact.text, interrupt=fact.interrupt, interruptible=fact.interruptible, ends=fact.ends))
    state.left_message = state.left_message or fact.ends == "machine"


def _keys(state: State, fact: DtmfReceived, now: Now) -> None:
    state.questions, state.idle_asked, state.silent = 0, None, state.turn_time(now)


def _woke(state: State, fact: AgentWoke, now: Now) -> None:
    if (person := state.people.get(fact.participant)) is not None:
        state.people[fact.participant] = replace(person, awake=True, answered=state.turn_time(now))


def _slept(state: State, fact: AgentSlept, now: Now) -> None:
    if (person := state.people.get(fact.participant)) is not None:
        state.people[fact.participant] = replace(person, awake=False)


def _callee(state: State, fact: CalleeDetected, now: Now) -> None:
    state.callee = fact.callee


def want(state: State, own: Own) -> None:
    """Say this when the floor is free. Of a fixed phrase one is enough."""
    if own.text.strip() and (own.phrase is None or own not in state.wanted):
        state.wanted = (*state.wanted, own)


def next_wanted(wanted: Sequence[Own]) -> Own:
    """What is said first: what is urgent, then in order."""
    return next((own for own in wanted if own.interrupt), wanted[0])


def _committed(state: State, fact: TurnCommitted, now: Now) -> None:
    """The floor is the agent's. `inputs`: `wait`: seconds, where words or silence decided it; `letter`: it takes up the first
    letter that waits (older logs don't say: there every answer to something written does)."""
    at, inputs = state.turn_time(now), fact.inputs or {}
    if fact.why in _OWN:
        turn = _own_turn(state, fact, at)
    else:
        turn = state.turns.get(fact.turn) or Turn(fact.turn, at)
        state.leaving = "" if state.leaving == "idle" else state.leaving  # somebody is there after all
        if "wait" in inputs:
            turn = _all_heard(state, turn)
        elif inputs.get("letter", fact.why == "text" and bool(state.letters)):  # the log may have lost it
            turn = replace(turn, typed=True, letters=turn.letters + 1)
            state.letters = state.letters[1:]
        if fact.why == "tool":
            turn = replace(turn, typed=True)
        else:
            state.ending = None  # somebody has gone on speaking
    state.turns[turn.id] = replace(turn, phase=Committed(fact.why), over=False, touched=at, committed=at)


def _all_heard(state: State, turn: Turn) -> Turn:
    """Nobody commits by words or silence while a transcript may still come: one that isn't there was given up."""
    for utterance in turn.utterances:
        if utterance.waiting:
            state.deaf = True
            turn = turn.with_utterance(replace(utterance, failed="expired"))
    return turn


def _own_turn(state: State, fact: TurnCommitted, at: TurnTime) -> Turn:
    """The agent speaks of its own accord. A turn whose answer nobody has heard makes way, and is answered afterwards; a filler
    only bridges the wait for it."""
    own = _taken_up(state, fact.why)
    inputs = fact.inputs or {}
    own = replace(own, interruptible=inputs.get("interruptible", own.interruptible), ends=inputs.get("ends", own.ends))
    for other in tuple(state.turns.values()):
        if other.own is None and own.why == "filler":
            state.turns[other.id] = replace(other, bridged=True)
        elif other.own is None and not isinstance(other.phase, Playing):
            state.turns[other.id] = replace(other, phase=UsersFloor(), reply=None)
    state.greeted = state.greeted or own.why == "greeting"
    generation = state.generation if fact.generation is None else fact.generation
    return Turn(fact.turn, at, own=own, reply=Reply(generation, at))


def _taken_up(state: State, why: str) -> Own:
    """What the agent wanted to say for this reason, which has its turn now."""
    waiting = [own for own in state.wanted if own.why == why]
    if waiting:
        own = next_wanted(waiting)
        state.wanted = _without(state.wanted, own)
        return own
    match why:
        case "fallback" | "repeat" | "filler":
            return phrase(state.agent, why)
        case "greeting":
            return greeting(state.agent, state.greeting)
        case "idle":
            return idle_question(state.agent)
        case "goodbye":
            return farewell(state.agent)
        case _:
            return Own("say", "")


def _without(wanted: tuple[Own, ...], own: Own) -> tuple[Own, ...]:
    place = wanted.index(own)
    return (*wanted[:place], *wanted[place + 1 :])


def _turn_ended(state: State, fact: TurnEnded, now: Now) -> None:
    """`inputs`: `again`: the agent's own words, which nobody heard, wait again. Those of a request always do."""
    turn = state.turns.pop(fact.turn, None)
    if turn is None:
        return
    state.silent = state.turn_time(now)
    _answered(state, turn, fact, now)
    heir = state.turns.get(fact.into) if fact.into is not None else None
    if heir is not None:
        state.turns[heir.id] = _goes_on_with(turn, heir)
        if heir.since is not None:
            _paused(state, *heir.since)
    else:
        for utterance in turn.utterances:
            state.stored.pop(utterance.id, None)
    if fact.into is None and turn.reply is not None and (turn.own is None or turn.own.phrase is None):
        state.asked = answers.asked_in(turn.reply, state.asked)
    interrupted = (fact.how, fact.reason) == ("interrupted", "barge_in")
    for other in tuple(state.turns.values()):  # it has been waiting for this one, or has interrupted it
        other = replace(answers.after(turn, other), touched=state.turn_time(now))
        state.turns[other.id] = replace(other, over=False) if interrupted else other
    gave_up = fact.how in ("failed", "expired")
    state.deaf = state.deaf or (gave_up and fact.reason == "stt")
    if turn.own is not None and turn.own.why == "idle" and fact.how != "dropped":
        state.questions += 1
    if turn.own is not None and turn.own.ends and _were_last_words(turn.own, fact):
        state.leaving = turn.own.ends
    if turn.own is not None and turn.own.why == "say":
        _found_room(state, fact.reason != "overload", now)
    if turn.own is not None:
        requested = fact.how == "dropped" and turn.own.why == "say"
        if (requested or (fact.inputs or {}).get("again")) and turn.own.text.strip():
            state.wanted = (turn.own, *state.wanted)
    elif gave_up and fact.reason == "stt":
        want(state, phrase(state.agent, "repeat"))
    elif fact.reason == "overload" or (gave_up and fact.reason in ("llm", "tts")):
        want(state, phrase(state.agent, "fallback"))


def _answered(state: State, turn: Turn, fact: TurnEnded, now: Now) -> None:
    """Whom the agent has answered, it listens to for a while."""
    if turn.own is None and fact.how in ("played", "interrupted"):
        for name in {utterance.participant for utterance in turn.utterances}:
            if (person := state.people.get(name)) is not None and person.awake:
                state.people[name] = replace(person, answered=state.turn_time(now))


def _were_last_words(own: Own, fact: TurnEnded) -> bool:
    """They were said, as far as they could be: nobody has interrupted them, and they do not wait again."""
    if fact.how in ("played", "failed", "expired") or fact.reason == "rewound":
        return True
    return fact.reason == "overload" and own.why != "say"


def _goes_on_with(turn: Turn, heir: Turn) -> Turn:
    """`heir`, which was spoken over `turn` and has taken it back: the users' again, with all that was said. Nothing was
    written in either."""
    return replace(
        heir,
        over=False,
        late=False,
        during=None,
        since=None,
        utterances=(*turn.utterances, *heir.utterances),
        spoken=max(turn.spoken, heir.spoken),
    )


def _found_room(state: State, found: bool, now: Now) -> None:
    """For a text that somebody asked for; else the next is tried after a while."""
    longer = min(2 * state.crowded_for, SAY_AGAIN_AT_MOST) or SAY_AGAIN
    state.crowded_for = 0.0 if found else longer
    state.crowded_until = LONG_AGO if found else state.turn_time(now) + longer


# ── its sound ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _playback(
    state: State, fact: PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished, now: Now
) -> None:
    turn = state.turns.get(fact.turn) if fact.turn is not None else None
    if turn is None:
        return
    phase = Playing(turn.phase.why) if isinstance(turn.phase, Committed) else turn.phase
    reply = turn.reply
    if reply is not None and fact.index < len(reply.sentences):
        sentences = [_passed(sentence) for sentence in reply.sentences[: fact.index]]
        sentence = reply.sentences[fact.index]
        sentences.append(replace(sentence, heard=fact.position, ended=isinstance(fact, PlaybackFinished)))
        reply = replace(reply, sentences=(*sentences, *reply.sentences[fact.index + 1 :]))
    state.turns[turn.id] = replace(turn, phase=phase, reply=reply, touched=state.turn_time(now))


def _passed(sentence: Sentence) -> Sentence:
    """A later one sounds: what did not begin had no sound, and will have none."""
    return replace(sentence, failed=sentence.heard is None, overdue=False, ended=True)


def _collected(state: State, fact: FieldCollected, now: Now) -> None:
    if fact.name in state.collected or len(state.collected) < FIELDS_MOST:
        state.collected = {**state.collected, fact.name: fact.confirmed}


_CHANGES: dict[type, Callable[[State, Any, Now], None]] = {
    ParticipantJoined: _joined,
    ParticipantChanged: _changed,
    ParticipantLeft: _left,
    SessionRewound: _rewound,
    SessionEnded: _session_ended,
    EndRequested: _end_requested,
    FieldCollected: _collected,
    SpeechStarted: _speech,
    SpeechResumed: _speech,
    UtteranceCaptured: _captured,
    MessageReceived: _message,
    SayRequested: _say_requested,
    DtmfReceived: _keys,
    AgentWoke: _woke,
    AgentSlept: _slept,
    CalleeDetected: _callee,
    TurnCommitted: _committed,
    TurnEnded: _turn_ended,
    PlaybackStarted: _playback,
    PlaybackPaused: _playback,
    PlaybackResumed: _playback,
    PlaybackFinished: _playback,
    **arriving.CHANGES,
    **lost.CHANGES,
    **moved.CHANGES,
}
