"""Facts of how the conversation goes: what hooks decided, another step, another agent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gateway.turn_taking.state import State, farewell, idle_question
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.config.steps import begun, in_step
from schemas.events import AgentChanged, HookCalled, StepEntered


def _hook_called(state: State, fact: HookCalled, now: Now) -> None:
    match fact.hook:
        case "on_enter":
            _entered(state, fact)
        case "on_exit":
            state.exited = True
        case "on_idle":
            _idled(state, fact, now)
        case _:
            pass


def _entered(state: State, fact: HookCalled) -> None:
    """Its greeting counts, word for word, or the file's with its values. (One that takes over says its own as a reply.)"""
    state.given = {**state.given, **fact.values}
    if state.entered or state.agents:
        return
    state.entered = True
    if fact.decision == "greeted":
        greeting = fact.text.replace("{{", "{")  # what callers are called is not read for values
        state.agent = state.agent.model_copy(update={"greeting": greeting})


def _idled(state: State, fact: HookCalled, now: Now) -> None:
    """It has other words than the agent's file, or none, having seen to the silence itself; else the file's come at once. What
    was said since it was called has broken that silence: then it says nothing."""
    turn, _, number = fact.call.removeprefix("on_idle/").partition(".")
    state.idles = max(state.idles, int(number) if number.isdecimal() else 0)
    asked, at = state.idle_asked, state.turn_time(now)
    ours = asked is not None and asked.call == fact.call
    if ours and fact.decision != "said":
        state.idle_asked = replace(asked, until=at)  # type: ignore[type-var]
        return
    state.idle_asked = None if ours else asked
    if fact.decision == "said" and not fact.text.strip():
        if ours:
            state.questions, state.silent = state.questions + 1, max(state.silent, at)
    elif fact.decision == "said" and turn == str(state.next_turn) and state.exiting is None:
        own = idle_question(state.agent) if state.questions < state.agent.idle.times else farewell(state.agent)
        state.wanted = (*state.wanted, replace(own, text=fact.text))


def _step_entered(state: State, fact: StepEntered, now: Now) -> None:
    _serve(state, in_step(state.agent, fact.step))


def _agent_changed(state: State, fact: AgentChanged, now: Now) -> None:
    """Its settings count from here on, for all that is decided here; what a room was made with stays."""
    state.agents += 1
    _serve(state, begun(fact.agent))


def _serve(state: State, agent: AgentSpec) -> None:
    """Fixed phrases are made anew where they would not be the same."""
    if _phrases(agent) != _phrases(state.agent):
        state.phrases, state.phrases_asked, state.voices = {}, frozenset(), state.voices + 1
    state.agent = agent


def _phrases(agent: AgentSpec) -> tuple[object, ...]:
    return agent.voice, agent.tts, agent.language, agent.fallback, agent.repeat, agent.filler, agent.patience > 0


CHANGES: dict[type, Callable[[State, Any, Now], None]] = {
    HookCalled: _hook_called,
    StepEntered: _step_entered,
    AgentChanged: _agent_changed,
}
