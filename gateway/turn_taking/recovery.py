"""Take-over and lost tails: the state is the fold of the log. Speech not yet captured is lost, and only that."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from gateway.turn_taking import facts, presence, replying
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.interface import Decision, End, Stop
from gateway.turn_taking.machine import settle
from gateway.turn_taking.state import Bundle, Playing, State, Turn
from schemas.clock import Now
from schemas.config.steps import begun
from schemas.events import (
    AgentSlept,
    AgentWoke,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    SessionResumed,
    SessionRewound,
    SessionStarted,
)
from schemas.jobs import SttJob


def resume(
    session: str,
    events: Sequence[Event],
    positions: Mapping[str, Any],
    now: Now,
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
    asked = any(_perhaps_asked(state, turn) for turn in state.turns.values())
    # who was asked for these replies is not in the log: they are asked for anew
    draft.fact(
        SessionResumed, gateway=gateway, epoch=epoch, positions=dict(positions), reason=reason, raises=asked
    )  # fmt: skip
    _skip_started(draft, positions)
    for turn in tuple(state.turns.values()):
        if turn.own is None and not turn.utterances and not turn.typed:
            draft.end_turn(turn, "dropped", "lost")
    if asked:
        draft.dismiss_own(again=True)  # their sound, if still being made, is void, too
    if state.end_requested is not None:
        presence.close(draft, "end_requested", state.end_requested)
    return settle(draft)


def rewound(state: State, events: Sequence[Event], now: Now) -> tuple[State, list[Decision]]:
    """After `Refold`, or a `hold` answered REWOUND: `events` is what the log has now. Answers the state to go on with, and
    the publication of our own facts of the last 5 s that the log lacks, and of session.rewound with a generation above all."""
    survived = events[-1].seq if events else 0
    fresh = fold(state.session, events, now, clocks=state)
    if fresh.closed:
        return fresh, [End("closed", lost=True)]
    draft = Draft(fresh, now)
    _keep_alive(fresh, state, now)
    kept = {_mark(event) for event in events}
    fresh.lately = tuple(sent for sent in state.lately if _is_kept(sent.bundle, kept))
    lacking = [sent.bundle for sent in state.lately if sent not in fresh.lately]
    lacking += [*([state.flight.bundle] if state.flight else []), *state.outbox]  # which the log never had
    for bundle in lacking:
        if bundle.closes is None:
            _again(draft, bundle)  # before session.rewound: they happened in the generations they name
    _keep_people(draft, state)
    _keep_requests(fresh, state)
    fresh.generation = max(fresh.generation, state.generation)
    draft.fact(SessionRewound, after=survived, raises=True)
    if state.playback is not None:
        draft.decisions.append(Stop(state.playback.turn))
    draft.dismiss_own(again=True)
    for turn in tuple(fresh.turns.values()):
        if isinstance(turn.phase, Playing):
            draft.end_turn(turn, "interrupted", "rewound")
    for bundle in lacking:
        if bundle.closes is not None:
            presence.close(draft, bundle.closes)
    if fresh.end_requested is not None and not fresh.closed:
        presence.close(draft, "end_requested", fresh.end_requested)
    if not fresh.closed:
        replying.answer_letters(draft)  # which the log had, and we had not been told of
    return settle(draft)


def _keep_alive(fresh: State, old: State, now: Now) -> None:
    """What is not in any log: voices, the client, clocks, numbers given."""
    fresh.opened, fresh.active, fresh.load, fresh.shown = old.opened, old.active, old.load, old.shown
    fresh.greeted, fresh.operation = old.greeted, old.operation
    fresh.met, fresh.deaf = old.met, old.deaf
    fresh.silent, fresh.first_word, fresh.tone = old.silent, old.first_word, old.tone
    fresh.entering, fresh.entered = old.entering, fresh.entered or old.entered
    fresh.exiting, fresh.exited = old.exiting, fresh.exited or old.exited
    fresh.idle_asked, fresh.idles = old.idle_asked, max(fresh.idles, old.idles)
    fresh.stored = {**fresh.stored, **old.stored}
    fresh.next_turn = max(fresh.next_turn, old.next_turn)
    fresh.next_utterance = max(fresh.next_utterance, old.next_utterance)


def _keep_people(draft: Draft, old: State) -> None:
    """Who is there is there, though the log may have lost their coming, or their going."""
    people = draft.state.people
    for name, person in old.people.items():
        if name not in people:
            about: dict[str, Any] = {"kind": person.kind, "name": person.shown, "attributes": dict(person.attributes)}
            draft.fact(ParticipantJoined, participant=name, **about)
        if people[name].awake != person.awake:  # which was told again before they came, or is lost
            draft.fact(AgentWoke if person.awake else AgentSlept, participant=name)
        people[name] = person
    for name in tuple(people):
        if name not in old.people:
            draft.fact(ParticipantLeft, participant=name)


def _keep_requests(fresh: State, old: State) -> None:
    """What was asked of us is done, though the log may have lost who asked."""
    fresh.wanted = (*fresh.wanted, *(own for own in old.wanted if own not in fresh.wanted))
    fresh.letters = (*fresh.letters, *(letter for letter in old.letters if letter not in fresh.letters))


def _is_kept(bundle: Bundle, kept: Collection[tuple[object, ...]]) -> bool:
    """The log still has it. (Its seq tells nothing: others may have appended since the tail was lost.)"""
    return not bundle.events or _mark(bundle.events[0]) in kept


def _mark(event: Event) -> tuple[object, ...]:
    """By which one of our own facts is known again."""
    return event.type, event.turn, *(getattr(event, name, None) for name in ("clock", "participant", "index"))


def _again(draft: Draft, bundle: Bundle) -> None:
    """Append the facts once more; what was heard is transcribed again, and who answers it is decided anew."""
    for event in bundle.events:
        if isinstance(event, SessionRewound):
            continue
        if isinstance(event, _PLAYBACK) and not _has_sound(draft.state, event):
            facts.apply(draft.state, event, draft.now)
        else:
            draft.write(event)
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
    return event.index < len(known) and (fixed or not state.agent.sound or bool(known[event.index].clips))


def _perhaps_asked(state: State, turn: Turn) -> bool:
    """An LLM may be at work on its answer. (While another turn has the floor nobody is asked, but for what a filler bridges.)"""
    waits = any(
        other.has_floor and other.id != turn.id and (other.own is None or other.own.why != "filler")
        for other in state.turns.values()
    )
    mine = turn.own is None and not turn.undecided and turn.reply is None and not waits
    return mine and not turn.waiting and bool(turn.text or turn.typed)


def _skip_started(draft: Draft, positions: Mapping[str, Any]) -> None:
    """A started sentence was heard to the last hold; its rest is skipped, so that no sound comes twice."""
    for turn in tuple(draft.state.turns.values()):
        for index, sentence in enumerate(turn.reply.sentences if turn.reply is not None else ()):
            if sentence.heard is None or sentence.ended or turn.reply is None:
                continue
            held = (positions.get("turn"), positions.get("index")) == (turn.id, index)
            position = max(sentence.heard, float(positions.get("position", 0.0)) if held else 0.0)
            draft.fact(
                PlaybackFinished,
                turn=turn.id,
                generation=turn.reply.generation,
                index=index,
                position=round(position, 3),
            )


# ── the fold ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fold(session: str, events: Sequence[Event], now: Now, *, clocks: State | None = None) -> State:
    """What a gateway that has just read the log knows. Timers begin anew, in the turn time of `clocks` where it had the session
    already; else no client is attached. Nobody speaks."""
    first = events[0] if events else None
    if not isinstance(first, SessionStarted):
        found = first.type if first else "an empty log"
        raise ValueError(f"session {session}: expected session.started as the log's first event, found {found}")
    opened = Now(now - max(0.0, (events[-1].at - first.at) / 1e6))
    state = State(
        session, begun(first.agent), opened=opened, began=first.at, metadata=first.metadata, away_since=now, active=now
    )
    if clocks is not None:
        state.away_since, state.stood = clocks.away_since, clocks.stood
    state.silent = state.turn_time(now)
    for event in facts.as_known(events):
        facts.apply(state, event, now)
    state.saw = events[-1].seq
    return state
