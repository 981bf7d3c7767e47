"""Replying: when the floor passes to the agent, who is asked for the reply, and what the agent says of its own accord."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.turn_taking import barge_in, commit, tools
from gateway.turn_taking.capturing import speculates
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.expecting import expected
from gateway.turn_taking.facts import next_wanted
from gateway.turn_taking.moments import LONG_AGO
from gateway.turn_taking.state import Committed, Own, Playing, Reply, State, Turn, UsersFloor, Utterance
from schemas.client import ErrorMessage
from schemas.clock import TurnTime
from schemas.config.conversation import Expects
from schemas.events import MessageReceived, ReplyFinished, ReplySentence
from schemas.jobs import LlmJob, TtsJob
from schemas.session import collecting
from schemas.text.sentences import sentences

LETTERS = 32
"""Typed messages in one turn, or waiting for a client: more are not taken before these are answered."""


def settle(draft: Draft) -> bool:
    """Do what is due; True if anything was."""
    if draft.state.letters and _may_write_back(draft.state):  # they came while nobody might interrupt
        answer_letters(draft)
        return True
    for turn in tuple(draft.state.turns.values()):
        users = turn.own is None and not turn.undecided and not isinstance(turn.phase, Playing)
        if users and (_hear_out(draft, turn) or _commit(draft, turn) or _ask(draft, turn)):
            return True
    return _speak_up(draft)


def timers(state: State) -> Iterator[TurnTime]:
    if state.somebody_speaks:
        return
    for turn in state.turns.values():
        if _may_commit(state, turn) and not turn.waiting and not state.holds_back:
            yield turn.spoken + _wait(state, turn).wait
    if state.crowded_until != LONG_AGO:
        yield state.crowded_until


# ── the users' turns ─────────────────────────────────────────────────────────────────────────────────────────────────


def _hear_out(draft: Draft, turn: Turn) -> bool:
    """End a turn in which, all being heard, there is nothing to answer."""
    state = draft.state
    if turn.waiting or turn.typed or state.speaks_in(turn) or (turn.text and state.is_addressed(turn)):
        return False
    if state.holds_back and turn.text:
        return False
    inputs = barge_in.looked_at(state, turn, turn.text, final=True)
    found = barge_in.verdict(inputs, state.agent)
    if (
        found in ("asleep", "unaddressed")
        and "awake" in inputs
        and not draft.due(turn.spoken + _wait(state, turn).wait)
    ):
        return False  # the wake phrase may come in pieces
    if found != "answered":
        barge_in.end_unanswered(draft, turn, found, inputs)
    return found != "answered"


def _may_commit(state: State, turn: Turn) -> bool:
    return (
        turn.own is None and not turn.undecided and isinstance(turn.phase, UsersFloor) and not state.other_replies(turn)
    )


def _wait(state: State, turn: Turn) -> commit.Wait:
    """How long to wait, by the last words and who said them."""
    last = turn.last_words
    if last is None:
        return commit.Wait(0.0, "text")  # written
    return _wait_for(state, last, _expected(state))


def _expected(state: State) -> Expects:
    """By the words of the agent's question; where these leave it open, by the field it asks for."""
    asked = expected(state.asked, state.agent.turn_taking)
    return asked if asked != "free" else collecting.expects(state.agent.fields, state.collected)


def _wait_for(state: State, last: Utterance, expects: Expects) -> commit.Wait:
    pauses, settings = _pauses(state, last), state.agent.turn_taking
    return commit.decide(last.end_of_turn, last.words, pauses, settings, complete=last.complete, expects=expects)


def _pauses(state: State, utterance: Utterance) -> tuple[float, ...]:
    speaker = state.people.get(utterance.participant)
    return speaker.pauses if speaker else ()


def _commit(draft: Draft, turn: Turn) -> bool:
    state = draft.state
    if state.away_since is not None or state.somebody_speaks or not _may_commit(state, turn):
        return False
    if state.holds_back or not (turn.waiting or state.is_addressed(turn)):
        return False
    if turn.sure is not None:
        draft.commit(turn, turn.sure, spoken=turn.spoken)
        return True
    if turn.waiting:
        return False
    wait = _wait(state, turn)
    if not draft.due(turn.spoken + wait.wait):
        return False
    last = turn.last_words
    inputs: dict[str, Any] = {"wait": round(wait.wait, 4)}
    if last is not None:
        inputs |= {"end_of_turn": last.end_of_turn, "text": last.words, "pauses": list(_pauses(state, last))}
        inputs |= {} if last.complete is None else {"complete": last.complete}
        if wait != _wait_for(state, last, "free"):  # else it does not matter what was asked
            inputs["expects"] = _expected(state)
    draft.commit(turn, wait.why, spoken=turn.spoken, **inputs)
    return True


def _ask(draft: Draft, turn: Turn) -> bool:
    """Have the reply made: by the first publication that finds nobody speaking and every transcript there."""
    state = draft.state
    if turn.reply is not None or turn.waiting or state.somebody_speaks or state.other_replies(turn):
        return False
    if state.callee == "machine" or not state.is_addressed(turn):
        return False
    committed = turn.has_floor
    if not committed and (not speculates(state) or state.waits_for_a_client(turn)):
        return False
    if tools.expected_soon(draft) or state.enters:
        return False
    state.untold = False
    draft.enqueue(LlmJob.of(state.agent, state.session, turn.id, state.generation, committed=committed))
    draft.put_turn(replace(turn, reply=Reply(state.generation, draft.time), touched=draft.time))
    return True


def typed(draft: Draft, participant: str, text: str, note: bool = False) -> None:
    """A written message interrupts and is answered at once; its turn waits while nobody hears, or nobody may interrupt."""
    state = draft.state
    if not text.strip():
        return
    turn = state.users_turn
    if max(len(state.letters), turn.letters if turn else 0) >= LETTERS:
        draft.tell(_TOO_MANY)
        return
    here = _may_write_back(state)
    if here:
        _give_way_to_writing(draft)
    turn = state.users_turn
    number = state.next_turn if turn is None else turn.id
    in_flight = turn is not None and turn.reply is not None
    draft.fact(
        MessageReceived, turn=number, participant=participant, text=text, note=note, raises=in_flight and not here
    )
    if here:
        draft.commit(state.turns[number], "text", raises=in_flight, letter=False)


def answer_letters(draft: Draft) -> None:
    """Answer what was written while nobody was there to hear, or came by the API, now that somebody is."""
    state = draft.state
    if not _may_write_back(state):
        return
    turn = state.users_turn
    while state.letters or (turn is not None and turn.typed and not turn.has_floor):
        _give_way_to_writing(draft)
        turn = state.users_turn or Turn(state.next_turn, draft.time)
        draft.commit(turn, "text", raises=turn.reply is not None, letter=bool(state.letters))
        turn = state.users_turn


def _may_write_back(state: State) -> bool:
    """Somebody hears the answer, and what the agent says may be interrupted."""
    return state.away_since is None and state.protected is None and not state.holds_back


def _give_way_to_writing(draft: Draft) -> None:
    draft.state.active = draft.now
    playing = draft.state.playing
    if playing is not None:
        draft.end_turn(playing, "interrupted", "barge_in", typed=True)
    draft.dismiss_own()


_TOO_MANY = ErrorMessage(
    code="too_many", message=f"{LETTERS} messages wait for their answer; this one was not taken", fatal=False
)


# ── the agent's own turns ────────────────────────────────────────────────────────────────────────────────────────────


def _speak_up(draft: Draft) -> bool:
    """Open what the agent wants to say when nobody speaks and no reply is in flight; an urgent one takes the floor."""
    state = draft.state
    if draft.due(state.crowded_until):
        state.crowded_until = LONG_AGO
    wanted = [own for own in state.wanted if own.phrase or state.crowded_until == LONG_AGO]
    if not wanted or state.away_since is not None or state.somebody_speaks or barge_in.holds(draft):
        return False
    own = next_wanted(wanted)
    if state.callee is None and state.holds_back and not own.interrupt:
        return False
    if own.interrupt and state.protected is not None and isinstance(state.protected.phase, Committed):
        return False
    if own.interrupt and not any(_is_about_to_be_said(turn) for turn in state.turns.values()):
        _clear_the_floor(draft)
    elif state.turns:
        return False
    open_own(draft, own)
    return True


def _is_about_to_be_said(turn: Turn) -> bool:
    """A requested text that nobody has heard yet: the next request waits for it."""
    return turn.own is not None and turn.own.why == "say" and isinstance(turn.phase, Committed)


def _clear_the_floor(draft: Draft) -> None:
    """For something urgent. A users' turn that waits for its answer makes way as the urgent one is committed."""
    for turn in tuple(draft.state.turns.values()):
        if isinstance(turn.phase, Playing):
            draft.end_turn(turn, "interrupted", "say")
    draft.dismiss_own()


def open_own(draft: Draft, own: Own, **inputs: Any) -> None:
    """Opened and committed in one publication, with its sentences and their jobs. `inputs`: from which it was decided."""
    state = draft.state
    parts = [own.text] if own.phrase else sentences(own.text)
    number = state.next_turn
    raises = own.why != "filler" and any(turn.reply is not None for turn in state.turns.values())
    if own.why == "say":  # a log that lost the request tells all the same what it was
        inputs |= {"interruptible": False} if not own.interruptible else {}
        inputs |= {"ends": own.ends} if own.ends else {}
    draft.commit(Turn(number, draft.time), own.why, raises=raises, **inputs)
    generation = state.generation
    for index, part in enumerate(parts):
        draft.write(ReplySentence(turn=number, generation=generation, index=index, text=part))
    draft.write(ReplyFinished(turn=number, generation=generation, sentences=len(parts)))
    if own.phrase is None and state.agent.sound:
        for index, part in enumerate(parts):
            draft.enqueue(TtsJob.sentence(state.agent, state.session, number, generation, index, part))
