"""Facts of how the conversation goes: what hooks decided, another step, another agent."""

from collections.abc import Callable
from typing import Any

from gateway.turn_taking.state import Own, State
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.config.steps import begun, in_step
from schemas.events import AgentChanged, HookCalled, StepEntered
from schemas.text.values import with_values


def _hook_called(state: State, fact: HookCalled, now: Now) -> None:
    match fact.hook:
        case "on_enter":
            _entered(state, fact)
        case "on_exit":
            state.exited = True
        case "on_idle":
            number = fact.call.rpartition(".")[2]
            state.idles = max(state.idles, int(number) if number.isdecimal() else 0)
            if fact.text.strip() and state.leaving is None:
                state.wanted = (*state.wanted, Own("say", fact.text))
        case _:
            pass


def _entered(state: State, fact: HookCalled) -> None:
    """Its greeting counts, or the file's with its values. (One that takes over says its own as a reply.)"""
    if state.entered or state.agents:
        return
    state.entered = True
    greeting = fact.text if fact.decision == "greeted" else state.agent.greeting
    greeting = with_values(greeting, fact.values)
    if greeting != state.agent.greeting:
        state.agent = state.agent.model_copy(update={"greeting": greeting})


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
