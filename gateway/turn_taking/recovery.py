"""Take-over and lost tails: the state is the fold of the log. Speech not yet captured is lost, and only that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from gateway.turn_taking import answers, hearing, presence, trouble
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Decision, End, Stop
from gateway.turn_taking.machine import settle
from gateway.turn_taking.playing import apologize
from gateway.turn_taking.replying import phrase
from gateway.turn_taking.state import (
    Bundle,
    Committed,
    Hearing,
    Letter,
    Own,
    Person,
    Playing,
    Reply,
    Sentence,
    State,
    Turn,
    Utterance,
)
from schemas.events import (
    ClipReady,
    Event,
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
    SessionResumed,
    SessionRewound,
    SessionStarted,
    SpeechResumed,
    SpeechStarted,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import SttJob


def resume(
    session: str,
    events: Sequence[Event],
    positions: Mapping[str, Any],
    now: float,
    *,
    gateway: str,
    epoch: int,
    reason: Literal["expired", "ticket", "restart"] = "expired",
) -> tuple[State, list[Decision]]:
    """Take-over: the state is the fold of the log (all `events`, from seq 1). `positions`: as `claim` answered. The decisions
    begin with the publication of session.resumed. No client is attached yet."""
    state = fold(session, events, now)
    draft = Draft(state, now)
    if state.closed:
        return state, [End("closed", lost=True)]
    draft.fact(SessionResumed, gateway=gateway, epoch=epoch, positions=dict(positions), reason=reason)
    for turn in tuple(state.turns.values()):
        _skip_started(draft, turn, positions)
    for turn in tuple(state.turns.values()):
        if turn.own is None and not turn.utterances and not turn.typed:
            draft.end_turn(turn, "dropped", "lost")
    if any(_perhaps_asked(turn) for turn in state.turns.values()):
        draft.raise_generation()  # who was asked for these replies is not in the log: they are asked for anew
        for turn in tuple(state.turns.values()):
            if turn.own is not None and isinstance(turn.phase, Committed):
                # Its sound, if still being made, is void, too.
                if turn.own.why != "filler":
                    draft.want(turn.own)
                draft.end_turn(turn, "dropped", "replaced")
    return settle(draft)


def rewound(state: State, events: Sequence[Event], now: float) -> tuple[State, list[Decision]]:
    """After `Refold`, or a `hold` answered REWOUND: `events` is what the log has now. Answers the state to go on with, and
    the publication of our own facts of the last 5 s that the log lacks, and of session.rewound with a generation above all."""
    survived = events[-1].seq if events else 0
    fresh = fold(state.session, events, now)
    if fresh.closed:
        return fresh, [End("closed", lost=True)]
    draft = Draft(fresh, now)
    _keep_alive(fresh, state, now)
    lacking = _lacking(state, survived)
    fresh.lately = tuple(sent for sent in state.lately if sent.seq <= survived)
    for bundle in lacking:
        if bundle.closes is None:
            _again(draft, bundle)  # before session.rewound: they happened in the generations they name
    fresh.generation = max(fresh.generation, state.generation)
    draft.fact(SessionRewound, after=survived)
    draft.raise_generation()
    if state.playback is not None:
        draft.decisions.append(Stop(state.playback.turn))
    for turn in tuple(fresh.turns.values()):
        if isinstance(turn.phase, Playing):
            draft.end_turn(turn, "interrupted", "rewound")
        elif turn.own is not None:
            draft.end_turn(turn, "dropped", "replaced")
            if turn.own.why == "say":
                draft.want(turn.own)
        else:
            draft.put(replace(turn, phase=Hearing(), reply=None))
    for bundle in lacking:
        if bundle.closes is not None:
            presence.close(draft, bundle.closes)
    return settle(draft)


def _keep_alive(fresh: State, old: State, now: float) -> None:
    """What is not in any log: voices, the client, clocks, numbers given."""
    fresh.people, fresh.away_since, fresh.stood = dict(old.people), old.away_since, old.stood
    fresh.opened, fresh.active, fresh.load, fresh.shown = old.opened, old.active, old.load, old.shown
    fresh.greeted, fresh.operation, fresh.letters = old.greeted, old.operation, old.letters
    fresh.met, fresh.deaf = old.met, old.deaf
    fresh.stored = {**fresh.stored, **old.stored}
    fresh.next_turn = max(fresh.next_turn, old.next_turn)
    fresh.next_utterance = max(fresh.next_utterance, old.next_utterance)
    for own in old.wanted:
        if own not in fresh.wanted:
            fresh.wanted = (*fresh.wanted, own)


def _lacking(state: State, survived: int) -> list[Bundle]:
    """Our own publications which the log has lost, or never had."""
    lost = [sent.bundle for sent in state.lately if sent.seq > survived]
    return [*lost, *([state.flight.bundle] if state.flight else []), *state.outbox]


def _again(draft: Draft, bundle: Bundle) -> None:
    """Append the facts once more; what was heard is transcribed again, and who answers it is decided anew."""
    for event in bundle.events:
        if isinstance(event, SessionRewound):
            continue
        if not isinstance(event, _PLAYBACK) or _has_sound(draft.state, event):
            draft.append(event)
        _apply(draft, event)
    for job in bundle.jobs:
        if isinstance(job, SttJob) and not job.partial:
            draft.enqueue(job.model_copy(update={"then": None}))
    draft.captures += [capture for capture in bundle.captures if not capture.partial]


_PLAYBACK = (PlaybackStarted, PlaybackPaused, PlaybackResumed, PlaybackFinished)


def _has_sound(state: State, event: PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished) -> bool:
    """The log still has what was played; else nobody could make sense of it."""
    turn = state.turns.get(event.turn) if event.turn is not None else None
    known = turn.reply.sentences if turn is not None and turn.reply is not None else ()
    name = turn.own.phrase if turn is not None and turn.own is not None else None
    fixed = name is not None and name in state.phrases and state.phrases[name].complete
    return event.index < len(known) and (fixed or bool(known[event.index].clips))


def _perhaps_asked(turn: Turn) -> bool:
    return (
        turn.own is None and not turn.over and turn.reply is None and not turn.waiting and bool(turn.text or turn.typed)
    )


def _skip_started(draft: Draft, turn: Turn, positions: Mapping[str, Any]) -> None:
    """A started sentence was heard to the last hold; its rest is skipped, so that no sound comes twice."""
    reply = turn.reply
    for index, sentence in enumerate(reply.sentences if reply else ()):
        if sentence.heard is None or sentence.ended or reply is None:
            continue
        held = (positions.get("turn"), positions.get("index")) == (turn.id, index)
        position = max(sentence.heard, float(positions.get("position", 0.0)) if held else 0.0)
        sentence = replace(sentence, heard=position, ended=True)
        draft.put(replace(turn, reply=reply.with_sentence(index, sentence)))
        draft.fact(
            PlaybackFinished, turn=turn.id, generation=reply.generation, index=index, position=round(position, 3)
        )


# ── the fold ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fold(session: str, events: Sequence[Event], now: float) -> State:
    """What a gateway that has just read the log knows. Timers begin anew; no client is attached, nobody speaks."""
    first = events[0] if events else None
    if not isinstance(first, SessionStarted):
        found = first.type if first else "an empty log"
        raise ValueError(f"session {session}: expected session.started as the log's first event, found {found}")
    opened = now - max(0.0, (events[-1].at - first.at) / 1e6)
    state = State(session, first.agent, opened=opened, away_since=now, active=now)
    draft = Draft(state, now)
    for event in events:
        state.saw = max(state.saw, event.seq)
        _apply(draft, event)
    _said_already(state)
    return state


def _apply(draft: Draft, event: Event) -> None:
    state = draft.state
    if event.raises is not None and event.raises > state.generation:
        state.generation = event.raises
        for turn in tuple(state.turns.values()):
            if turn.reply is not None and turn.reply.generation < event.raises and turn.id != _ended(event):
                draft.put(replace(turn, reply=None))
    if event.turn is not None:
        state.next_turn = max(state.next_turn, event.turn + 1)
    match event:
        case ParticipantJoined():
            state.people[event.participant] = Person(
                event.participant, event.kind != "agent", event.attributes, head_at=draft.now
            )
            state.met = state.met or event.kind != "agent"
        case ParticipantChanged():
            if (person := state.people.get(event.participant)) is not None:
                state.people[event.participant] = replace(person, attributes=event.attributes)
        case ParticipantLeft():
            state.people.pop(event.participant, None)
        case SpeechStarted() | SpeechResumed():
            turn = draft.put(answers.heard_during(state, _turn(draft, event.turn)))
            if isinstance(event, SpeechStarted) and event.over and not turn.utterances:
                draft.put(replace(turn, over=True))
        case UtteranceCaptured():
            _captured(draft, event)
        case TurnCommitted():
            _committed(draft, event)
        case TurnEnded():
            _turn_ended(draft, event)
        case MessageReceived():
            _message(draft, event)
        case SayRequested():
            draft.want(Own("say", event.text, interrupt=event.interrupt))
        case SessionEnded():
            state.closed = True
        case PlaybackStarted() | PlaybackPaused() | PlaybackResumed() | PlaybackFinished():
            _playback(draft, event)
        case _:
            _stage(draft, event)


def _stage(draft: Draft, event: Event) -> None:
    """What the stages said means the same live and read back."""
    match event:
        case TranscriptFinal():
            hearing.transcript_came(draft, event)
        case ReplySentence():
            _expect_reply(draft, event)
            trouble.sentence_came(draft, event)
        case ReplyFinished():
            _expect_reply(draft, event)
            trouble.reply_finished(draft, event)
        case ClipReady():
            trouble.clip_came(draft, event)
        case StageFailed() | StageExpired():
            trouble.stage_gave_up(draft, event)
        case _:
            pass


def _ended(event: Event) -> int | None:
    return event.turn if isinstance(event, TurnEnded) else None


def _turn(draft: Draft, number: int | None) -> Turn:
    assert number is not None
    return draft.state.turns.get(number) or draft.put(Turn(number, touched=draft.time))


def _captured(draft: Draft, event: UtteranceCaptured) -> None:
    state = draft.state
    turn = _turn(draft, event.turn)
    state.wanted = tuple(own for own in state.wanted if own.phrase is None)
    state.next_utterance = max(state.next_utterance, _number(event.utterance) + 1)
    if event.audio:
        state.stored[event.utterance] = tuple(event.audio)
    if event.replaces:
        state.stored.pop(event.replaces, None)
    kept = tuple(utterance for utterance in turn.utterances if utterance.id != event.replaces)
    before = next((utterance.words for utterance in turn.utterances if utterance.id == event.replaces), "")
    utterance = Utterance(event.utterance, event.participant, None, event.duration, asked=draft.time, before=before)
    then = (event.inputs or {}).get("then") is not None
    draft.put(
        replace(
            turn,
            phase=Hearing(),
            utterances=(*kept, utterance),
            reply=Reply(state.generation, draft.time) if then else None,
            over=turn.over,
            spoken=draft.time,
            touched=draft.time,
        )
    )


def _number(utterance: str) -> int:
    digits = utterance.lstrip("u")
    return int(digits) if digits.isdigit() else 0


def _committed(draft: Draft, event: TurnCommitted) -> None:
    turn = _turn(draft, event.turn)
    own = turn.own
    if event.why in ("greeting", "say", "fallback", "repeat", "filler"):
        own = Own(event.why, "", phrase=event.why if event.why in ("fallback", "repeat", "filler") else None)
        draft.state.greeted = draft.state.greeted or event.why == "greeting"
        for other in tuple(draft.state.turns.values()):
            if other.own is not None or not isinstance(other.phase, Committed):
                continue
            if event.why == "filler":
                draft.put(replace(other, bridged=True))
            else:
                draft.put(replace(other, phase=Hearing(), reply=None))  # it made way, and is answered afterwards
        turn = replace(turn, reply=Reply(event.generation or 0, draft.time, (), "stop"))
        draft.state.wanted = tuple(
            other for other in draft.state.wanted if other.phrase is None or other.phrase != event.why
        )
    elif event.why == "text":
        turn = replace(turn, typed=True, letters=turn.letters + 1)
        draft.state.letters = draft.state.letters[1:]
    draft.put(replace(turn, own=own, phase=Committed(event.why), over=False, committed=draft.time))


def _message(draft: Draft, event: MessageReceived) -> None:
    """One that no turn has answered yet waits for somebody to hear the answer."""
    draft.state.letters = (*draft.state.letters, Letter(event.participant, event.text, logged=True))


def _turn_ended(draft: Draft, event: TurnEnded) -> None:
    turn = draft.state.turns.pop(event.turn, None)
    if turn is None:
        return
    for utterance in turn.utterances:
        draft.state.stored.pop(utterance.id, None)
    for other in tuple(draft.state.turns.values()):
        draft.put(answers.after(turn, other))
    if turn.own is None and event.how == "interrupted":
        for other in tuple(draft.state.turns.values()):
            draft.put(replace(other, over=False))  # it was what interrupted
    if turn.own is not None:
        if turn.own.why == "say" and (event.how, event.reason) == ("dropped", "replaced"):
            draft.want(Own("say", _text(turn)))
    elif event.how in ("failed", "expired") and event.reason == "stt":
        draft.want(phrase(draft.state.agent, "repeat"))
    elif event.how in ("failed", "expired") or event.reason == "overload":
        apologize(draft, turn)


def _text(turn: Turn) -> str:
    return " ".join(sentence.text for sentence in turn.reply.sentences) if turn.reply else ""


def _said_already(state: State) -> None:
    """A requested text whose turn is open is being said; an own turn's text is that of its sentences."""
    for turn in tuple(state.turns.values()):
        if turn.own is None:
            continue
        state.turns[turn.id] = replace(turn, own=replace(turn.own, text=_text(turn)))


def _expect_reply(draft: Draft, event: ReplySentence | ReplyFinished) -> None:
    """The gateway may have asked for a reply without a word in the log: what comes in this generation is it."""
    turn = draft.state.turns.get(event.turn) if event.turn is not None else None
    if turn is None:
        return
    if turn.reply is None and event.generation == draft.state.generation:
        draft.put(replace(turn, reply=Reply(draft.state.generation, draft.time)))
    elif turn.reply is not None and turn.reply.finished == "tool" and turn.reply.generation == event.generation:
        reply = replace(turn.reply, finished=None, resumes=turn.reply.resumes + 1)
        draft.put(replace(turn, reply=reply))
    if turn.own is not None and turn.own.why == "say" and isinstance(event, ReplySentence):
        _taken_up(draft.state, event.text)


def _taken_up(state: State, text: str) -> None:
    """The request whose text begins so has its turn."""
    for own in state.wanted:
        if own.why == "say" and own.text.lstrip().startswith(text):
            rest = list(state.wanted)
            rest.remove(own)
            state.wanted = tuple(rest)
            return


def _playback(draft: Draft, event: PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished) -> None:
    turn = draft.state.turns.get(event.turn) if event.turn is not None else None
    if turn is None:
        return
    phase = Playing(turn.phase.why) if isinstance(turn.phase, Committed) else turn.phase
    turn = draft.put(replace(turn, phase=phase))
    if turn.reply is None or event.index >= len(turn.reply.sentences):
        return
    sentence: Sentence = turn.reply.sentences[event.index]
    for index, earlier in enumerate(turn.reply.sentences[: event.index]):
        if not earlier.ended:  # it had no sound
            turn = replace(turn, reply=turn.reply.with_sentence(index, replace(earlier, failed=True, ended=True)))
            assert turn.reply is not None
    sentence = replace(sentence, heard=event.position, ended=isinstance(event, PlaybackFinished))
    assert turn.reply is not None
    draft.put(replace(turn, reply=turn.reply.with_sentence(event.index, sentence)))
