"""Who is there: participants, the client that hears, buttons; and how a session ends."""

from collections.abc import Iterator
from dataclasses import replace

from gateway.inputs import Digits, Joined, Left, PushToTalk
from gateway.turn_taking import barge_in, hooks, replying, waking
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.hearing import begin_speech, finish_speech
from gateway.turn_taking.people import Silent
from gateway.turn_taking.state import Playing, State
from schemas.clock import Now
from schemas.events import DtmfReceived, ParticipantChanged, ParticipantJoined, ParticipantLeft, SessionEnded

# ── participants ─────────────────────────────────────────────────────────────────────────────────────────────────────


def joined(draft: Draft, item: Joined) -> None:
    """Somebody came. Who is there already has only reconnected, or changed what is known of them."""
    if (person := draft.state.people.get(item.participant)) is not None:
        if person.attributes != item.attributes:
            draft.fact(ParticipantChanged, participant=item.participant, attributes=item.attributes)
        return
    draft.state.active = draft.now
    if item.kind != "agent":
        _meet(draft.state, draft.now)
    draft.fact(
        ParticipantJoined, participant=item.participant, kind=item.kind, name=item.name, attributes=item.attributes
    )


def _meet(state: State, now: Now) -> None:
    """Who has come but does not hear yet is waited for anew."""
    if state.away_since is not None:
        state.stood += now - state.away_since
        state.away_since = now


def left(draft: Draft, item: Left) -> None:
    """Somebody went; what they had said so far is heard."""
    if item.participant not in draft.state.people:
        return
    finish_speech(draft, item.participant)
    draft.fact(ParticipantLeft, participant=item.participant, reason=item.reason)


def push_to_talk(draft: Draft, item: PushToTalk) -> None:
    """While pressed the floor is held; released, the turn is committed at once, or forgotten. A button is no backchannel."""
    state = draft.state
    person = state.people.get(item.participant)
    if person is None or person.pressed == item.pressed:
        return
    if item.head is not None:
        person = replace(person, head=item.head, head_at=draft.now)
    person = draft.put_person(replace(person, pressed=item.pressed))
    if item.pressed:
        waking.pressed(draft, person)
        if state.by_button(person) and person.speech is None:
            begin_speech(draft, state.people[person.name], person.position(draft.now), draft.time)
        barge_in.pause(draft)
        return
    if item.cancel:
        _forget(draft, item.participant)
        return
    over = any(turn.undecided for turn in state.turns.values())
    turn = finish_speech(draft, item.participant, sure="push_to_talk") or state.users_turn
    if turn is None or turn.has_floor or not turn.utterances:
        return
    if over:
        barge_in.pressed(draft, turn)
    draft.put_turn(replace(state.turns[turn.id], sure="push_to_talk"))


def _forget(draft: Draft, name: str) -> None:
    """What `name` said while the button was held is not meant to be answered."""
    state = draft.state
    speech = state.people[name].speech
    draft.put_person(replace(state.people[name], voice=Silent()))
    turn = state.turns.get(speech.turn) if speech is not None else state.users_turn
    if turn is None or turn.has_floor or turn.typed or state.speaks_in(turn):
        return
    if all(utterance.participant == name for utterance in turn.utterances):
        draft.end_turn(turn, "dropped", "cancelled")


def digits(draft: Draft, item: Digits) -> None:
    draft.state.active = draft.now
    draft.fact(DtmfReceived, participant=item.participant, digits=item.digits)


# ── the client that hears ────────────────────────────────────────────────────────────────────────────────────────────


def attached(draft: Draft) -> None:
    state = draft.state
    if state.away_since is None:
        return
    state.stood += draft.now - state.away_since
    state.away_since, state.held, state.met = None, False, True
    state.active = draft.now
    state.silent = draft.time
    replying.answer_letters(draft)


def detached(draft: Draft, held: bool = False) -> None:
    """Nobody hears: nothing plays, nothing commits, the timers of turns stand still. `held`: a phone on hold, or ringing."""
    state = draft.state
    if state.away_since is not None:
        if state.held == held:
            return
        state.stood += draft.now - state.away_since
    state.held = held
    state.away_since = draft.now
    barge_in.pause(draft)


# ── beginning and end ────────────────────────────────────────────────────────────────────────────────────────────────


def ends_at(state: State) -> Iterator[tuple[Now, str, str]]:
    """(`now`, reason, detail) of the ends that time may bring."""
    limits = state.agent.limits
    if (exiting := state.exiting) is not None:
        yield exiting.until, exiting.reason, exiting.detail
        return
    yield Now(state.opened + limits.session), "limit", f"the session lasted {limits.session:g} s (limits.session)"
    if state.away_since is not None and state.held:
        held = f"on hold for {limits.hold:g} s (limits.hold)"
        yield Now(state.away_since + limits.hold), "limit", held
    elif state.away_since is not None:
        name, wait = ("client_gone", limits.client_gone) if state.met else ("nobody_yet", limits.nobody_yet)
        yield Now(state.away_since + wait), "client_gone", f"no client for {wait:g} s (limits.{name})"
    else:
        yield Now(state.active + limits.idle), "limit", f"nobody spoke for {limits.idle:g} s (limits.idle)"


_WHY_LEFT = {
    "idle": "nobody said anything (idle.after)",
    "machine": "an answering machine took the call (phone.machine)",
}


def why_left(reason: str) -> str:
    return _WHY_LEFT.get(reason, "")


def leave(draft: Draft) -> bool:
    """The session's end, once the agent has said its last words. Who speaks up after a goodbye that nobody was believed to hear
    is heard out first."""
    state = draft.state
    if not state.leaving or (state.leaving == "idle" and (state.turns or state.somebody_speaks)):
        return False
    close(draft, state.leaving, why_left(state.leaving))
    return True


def settle(draft: Draft) -> bool:
    """The session's end by time, or as it was asked for: when all is said."""
    state = draft.state
    if state.exiting is not None and state.exited:
        close(draft, state.exiting.reason, state.exiting.detail)
        return True
    if state.ending is not None and not (state.turns or state.wanted or state.somebody_speaks):
        close(draft, "end_requested", state.ending)
        return True
    for moment, reason, detail in ends_at(draft.state):
        if draft.now >= moment:
            close(draft, reason, detail)
            return state.exiting is None or draft.closes is not None
    return False


def close(draft: Draft, reason: str, detail: str = "") -> None:
    """The session's last publication: what is left of its turns ends with it. An agent with on_exit is asked before."""
    state = draft.state
    if hooks.leave(draft, reason, detail):
        return
    if state.exiting is not None:
        reason, detail = state.exiting.reason, state.exiting.detail
    while state.turns:
        turn = next(iter(state.turns.values()))
        draft.end_turn(turn, "interrupted" if isinstance(turn.phase, Playing) else "dropped", "session")
    draft.fact(SessionEnded, reason=reason, detail=detail)
    draft.closes = reason
    state.wanted = ()
