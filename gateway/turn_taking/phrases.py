"""The fixed phrases are made ahead, and behind all else: one after another, once the greeting has its sound.

Whoever comes first hears the greeting after the time its own sound takes; a phrase that a worker has spoken before costs it none
(`workers/tts/stage.py`). One that is to be said now waits for nothing."""

from collections.abc import Iterator

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.moments import LONG_AGO
from gateway.turn_taking.state import Phrase, State
from schemas.clock import TurnTime
from schemas.config.agent import AgentSpec
from schemas.jobs import TtsJob

PAUSE = 5.0
"""Seconds for which no phrase is asked for after there was no room for one."""


def settle(draft: Draft) -> bool:
    """Have the next one made, if it is time."""
    state = draft.state
    if not draft.due(state.phrases_after):
        return False
    state.phrases_after = LONG_AGO
    texts = texts_of(state.agent)
    missing = [name for name in texts if name not in state.phrases and name not in state.phrases_asked]
    to_say = [name for name in missing if any(turn.own and turn.own.phrase == name for turn in state.turns.values())]
    if not to_say and (not missing or _greeting_comes(state) or _one_is_made(state)):
        return False
    name = (to_say or missing)[0]
    draft.enqueue(TtsJob.fixed(state.agent, state.session, name, texts[name], state.voices))
    state.phrases_asked |= {name}
    return True


def timers(state: State) -> Iterator[TurnTime]:
    if state.phrases_after != LONG_AGO:
        yield state.phrases_after


def refused(draft: Draft, job: TtsJob) -> None:
    """There was no room for it: it is asked for again, later."""
    if job.phrase is not None:
        draft.state.phrases_asked -= {job.phrase}
        draft.state.phrases_after = draft.time + PAUSE


def texts_of(agent: AgentSpec) -> dict[str, str]:
    """What an agent may have to speak at any moment, by name."""
    if not agent.sound:
        return {}
    texts = {"fallback": agent.fallback, "repeat": agent.repeat}
    texts |= {"filler": agent.filler} if agent.patience > 0 else {}
    return {name: text for name, text in texts.items() if text.strip()}


def _greeting_comes(state: State) -> bool:
    """It waits to be said, or for its sound."""
    if not state.greeted:
        return bool(state.agent.greeting.strip())
    greetings = [turn for turn in state.turns.values() if turn.own is not None and turn.own.why == "greeting"]
    sentences = [one for turn in greetings if turn.reply is not None for one in turn.reply.sentences]
    return any(not (one.settled or one.ended) for one in sentences)


def _one_is_made(state: State) -> bool:
    known = (state.phrases.get(name, Phrase()) for name in state.phrases_asked)
    return any(not (phrase.complete or phrase.failed) for phrase in known)
