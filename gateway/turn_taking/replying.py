"""Replying: when the floor passes to the agent, who is asked for the reply, and what the agent says of its own accord."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.turn_taking import barge_in, commit
from gateway.turn_taking.draft import Draft
from gateway.turn_taking.hearing import llm_job, speculates
from gateway.turn_taking.state import Committed, Hearing, Letter, Own, Playing, Reply, Sentence, State, Turn, Utterance
from schemas.client import ErrorMessage
from schemas.config.agent import AgentSpec
from schemas.events import MessageReceived, ReplyFinished, ReplySentence
from schemas.jobs import LlmJob, TtsJob
from schemas.text.sentences import sentences

RESUMES = 8
"""Continuations after tools in one reply, beyond which the LLM is going in circles."""


LETTERS = 32
"""Typed messages in one turn, or waiting for a client: more are not taken before these are answered."""


def settle(draft: Draft) -> bool:
    """Do what is due; True if anything was."""
    for turn in tuple(draft.state.turns.values()):
        users = turn.own is None and not turn.over and not isinstance(turn.phase, Playing)
        if users and (_hear_out(draft, turn) or _commit(draft, turn) or _ask(draft, turn)):
            return True
        if _go_on_after_tool(draft, turn):
            return True
    return _speak_up(draft)


def timers(state: State) -> Iterator[float]:
    if state.somebody_speaks:
        return
    for turn in state.turns.values():
        if _may_commit(state, turn) and not turn.waiting:
            yield turn.spoken + _wait(state, turn).wait


# ── the users' turns ─────────────────────────────────────────────────────────────────────────────────────────────────


def _hear_out(draft: Draft, turn: Turn) -> bool:
    """End a turn in which, all being heard, there is nothing to answer."""
    state = draft.state
    if turn.waiting or state.speaks_in(turn):
        return False
    failed = next((utterance.failed for utterance in turn.utterances if utterance.failed), None)
    understood = bool(turn.text) and state.is_addressed(turn)  # what was transcribed is answered
    if failed and not turn.typed and not understood:
        draft.end_turn(turn, failed, "stt")
        draft.want(phrase(state.agent, "repeat"))
    elif not turn.text and not turn.typed:
        draft.end_turn(turn, "dropped", "empty" if turn.utterances else "noise")
    elif not state.is_addressed(turn):
        draft.end_turn(turn, "dropped", "unaddressed")
    else:
        return False
    return True


def _may_commit(state: State, turn: Turn) -> bool:
    return turn.own is None and not turn.over and isinstance(turn.phase, Hearing) and not state.other_replies(turn)


def _wait(state: State, turn: Turn) -> commit.Wait:
    """How long to wait, by the last words and who said them."""
    last = turn.last_words
    if last is None:
        return commit.Wait(0.0, "text")  # written
    return commit.decide(last.end_of_turn, last.words, _pauses(state, last), state.agent.turn_taking)


def _pauses(state: State, utterance: Utterance) -> tuple[float, ...]:
    speaker = state.people.get(utterance.participant)
    return speaker.pauses if speaker else ()


def _commit(draft: Draft, turn: Turn) -> bool:
    state = draft.state
    if state.away_since is not None or state.somebody_speaks or not _may_commit(state, turn):
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
    draft.commit(turn, wait.why, spoken=turn.spoken, **inputs)
    return True


def _ask(draft: Draft, turn: Turn) -> bool:
    """Have the reply made: by the first publication that finds nobody speaking and every transcript there."""
    state = draft.state
    if turn.reply is not None or turn.waiting or state.somebody_speaks or state.other_replies(turn):
        return False
    committed = turn.has_floor
    if not committed and not speculates(state):
        return False
    draft.enqueue(llm_job(state, turn, committed=committed))
    draft.put(replace(turn, reply=Reply(state.generation, draft.time), touched=draft.time))
    return True


def _go_on_after_tool(draft: Draft, turn: Turn) -> bool:
    """A speculative job stops at a tool call; committed, it goes on."""
    reply = turn.reply
    if reply is None or reply.finished != "tool" or not turn.has_floor:
        return False
    if reply.resumes >= RESUMES:
        draft.put(replace(turn, reply=replace(reply, finished=None, failed="failed")))
        return True
    resumes = reply.resumes + 1
    state = draft.state
    job = LlmJob.of(state.agent, state.session, turn.id, reply.generation, committed=True, resume=resumes)
    draft.enqueue(job)
    draft.put(replace(turn, reply=replace(reply, finished=None, resumes=resumes, asked=draft.time), touched=draft.time))
    return True


def typed(draft: Draft, participant: str, text: str, *, logged: bool = False) -> None:
    """A written message interrupts and is answered at once. `logged`: the log has it already (it came by the API). While
    nobody is there to hear, it waits."""
    state = draft.state
    if not text.strip():
        return
    waiting = state.users_turn
    if not logged and max(len(state.letters), waiting.letters if waiting else 0) >= LETTERS:
        draft.tell(_TOO_MANY)
        return
    if state.away_since is not None:
        state.letters = (*state.letters, Letter(participant, text, logged))
        return
    state.active = draft.now
    playing = state.playing
    if playing is not None:
        draft.end_turn(playing, "interrupted", "barge_in")
    for other in tuple(state.turns.values()):
        if other.own is not None:
            draft.end_turn(other, "dropped", "replaced")
            if other.own.why == "say":
                state.wanted = (other.own, *state.wanted)
    turn = state.users_turn or draft.new_turn()
    if not logged:
        draft.fact(MessageReceived, turn=turn.id, participant=participant, text=text)
    turn = draft.void(turn)
    draft.commit(replace(turn, over=False, typed=True, letters=turn.letters + 1), "text")


_TOO_MANY = ErrorMessage(
    code="too_many", message=f"{LETTERS} messages wait for their answer; this one was not taken", fatal=False
)


# ── the agent's own turns ────────────────────────────────────────────────────────────────────────────────────────────


def phrase(agent: AgentSpec, name: str) -> Own:
    """A fixed phrase of the agent: `fallback` or `repeat`."""
    if name == "repeat":
        return Own("repeat", agent.repeat, phrase="repeat")
    return Own("fallback", agent.fallback, phrase="fallback")


def _speak_up(draft: Draft) -> bool:
    """Open what the agent wants to say when nobody speaks and no reply is in flight; an urgent one takes the floor."""
    state = draft.state
    if not state.wanted or state.away_since is not None or state.somebody_speaks or barge_in.holds(draft):
        return False
    own = next((own for own in state.wanted if own.interrupt), state.wanted[0])
    if own.interrupt and not any(_is_about_to_be_said(turn) for turn in state.turns.values()):
        _clear_the_floor(draft)
    elif state.turns:
        return False
    rest = list(state.wanted)
    rest.remove(own)
    state.wanted = tuple(rest)
    if own.text.strip():
        open_own(draft, own)
    return True


def _is_about_to_be_said(turn: Turn) -> bool:
    """A requested text that nobody has heard yet: the next request waits for it."""
    return turn.own is not None and turn.own.why == "say" and isinstance(turn.phase, Committed)


def _clear_the_floor(draft: Draft) -> None:
    for turn in tuple(draft.state.turns.values()):
        if isinstance(turn.phase, Playing):
            draft.end_turn(turn, "interrupted", "say")
        elif turn.own is not None:
            draft.end_turn(turn, "dropped", "replaced")
        else:  # it is answered afterwards
            turn = draft.void(turn)
            draft.put(replace(turn, phase=Hearing()))


def open_own(draft: Draft, own: Own) -> None:
    """Opened and committed in one publication, with its sentences and their jobs."""
    state = draft.state
    parts = [own.text] if own.phrase else sentences(own.text)
    spoken = tuple(Sentence(part, draft.time, phrase=own.phrase) for part in parts)
    turn = draft.new_turn(own=own, reply=Reply(state.generation, draft.time, spoken, "stop"), phase=Committed(own.why))
    draft.commit(turn, own.why)
    generation = state.generation
    for index, part in enumerate(parts):
        draft.append(ReplySentence(turn=turn.id, generation=generation, index=index, text=part))
    draft.append(ReplyFinished(turn=turn.id, generation=generation, sentences=len(parts)))
    if own.phrase is None:
        for index, part in enumerate(parts):
            draft.enqueue(tts_job(state, turn, generation, index, part))


def tts_job(state: State, turn: Turn, generation: int, index: int, text: str) -> TtsJob:
    return TtsJob.sentence(state.agent, state.session, turn.id, generation, index, text)
