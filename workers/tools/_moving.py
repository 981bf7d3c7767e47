"""Where a conversation goes by what a tool or a hook does: to another step, or to another agent. And the tools by which the
LLM does so itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.config.agent import AgentSpec
from schemas.config.steps import begun, in_step, step_of, within_reach
from schemas.errors import AgentSpecError
from schemas.events import AgentChanged, Cause, StepEntered
from schemas.session.collecting import NOTE_FIELD
from schemas.session.state import HANDOVER_SPAN, SessionState
from workers.agents import ArgumentsError, Context, Tool, ToolError

__all__ = ["GOTO", "HAND_OVER", "MOVES", "FindAgent", "Moves", "in_its_step", "moving", "no_agents", "stamped"]

GOTO, HAND_OVER = "goto", "hand_over"
MOVES = frozenset({GOTO, HAND_OVER})
FindAgent = Callable[[str], AgentSpec]
"""The agent of a name, as its file says now. AgentSpecError."""
_MOST = 8
"""Moves of one call."""


def no_agents(name: str) -> AgentSpec:
    raise AgentSpecError(f"no agent {name[:80]!r}: this worker has no AGENTS")


class Moves:
    """What one call of a tool or hook asks for, to be written together with what came of it. It may be asked from any thread, one
    at a time."""

    def __init__(self, state: SessionState, find: FindAgent = no_agents, via: str = ""):
        """`via`: the tool or hook, for the log."""
        self.events: list[StepEntered | AgentChanged] = []
        self._agent, self._state, self._find, self._via = state.agent, state, find, via
        since = state.at - HANDOVER_SPAN
        self._lately = sum(at > since for at in state.handovers)

    def ask(self, action: str, arguments: Mapping[str, Any]) -> None:
        """ToolError: it can't be, and why."""
        if len(self.events) >= _MOST:
            raise ToolError(f"one call may change the step or the agent at most {_MOST} times")
        if action == GOTO:
            self._goto(str(arguments.get("step")))
        else:
            self._hand_over(str(arguments.get("agent")), arguments.get("context"))

    def _goto(self, name: str) -> None:
        steps = [step.name for step in self._agent.steps]
        if name not in steps:
            there = f"there are {', '.join(steps)}" if steps else f"the agent {self._agent.name} has no [[steps]]"
            raise ToolError(f"there is no step {name[:64]!r}; {there}")
        self._agent = in_step(self._agent, name)
        self.events.append(StepEntered(step=name, via=self._via))

    def _hand_over(self, name: str, context: Any) -> None:
        most = self._agent.handover.most
        if name == self._agent.name:
            raise ToolError(f"{name} has the conversation already")
        if self._lately >= most:
            raise ToolError(
                f"not handed over to {name[:64]}: agents have handed the caller on {self._lately} times within a minute "
                f"(handover.most = {most}); answer them yourself"
            )
        try:
            spec = self._find(name)
        except AgentSpecError as error:
            raise ToolError(f"not handed over: {error.told or error}") from None
        told = self._agent.handover.context if context is None else bool(context)
        self._lately += 1
        self._agent = begun(spec)
        self.events.append(AgentChanged(agent=spec, context=told, via=self._via))


def stamped(
    events: Sequence[StepEntered | AgentChanged], turn: int | None, generation: int | None, cause: Cause
) -> list[StepEntered | AgentChanged]:
    """For who posts them."""
    return [
        event.model_copy(update={"turn": turn, "generation": generation, "cause": cause}) for event in events
    ]  # fmt: skip


# ── the LLM's own way ────────────────────────────────────────────────────────────────────────────────────────────────


def in_its_step(agent: AgentSpec, tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """Those of an agent's tools that count in the step it is in, that by which it notes fields, and those that lead elsewhere."""
    step = step_of(agent)
    named = None if step is None or step.tools is None else {*step.tools, NOTE_FIELD}
    kept = {name: tool for name, tool in tools.items() if named is None or name in named}
    for tool in moving(agent):
        kept.setdefault(tool.name, tool)
    return kept


def moving(agent: AgentSpec) -> list[Tool]:
    """`goto`, where there is another step within reach; `hand_over`, where there is somebody to hand over to."""
    found = []
    if steps := within_reach(agent):
        told = "Go on to another step of the conversation, once this one is done."
        found.append(_tool(GOTO, told, "step", steps, lambda context, name: context.goto(name)))
    if others := [name for name in agent.handover.to if name != agent.name]:
        told = "Hand the user over to another agent, who goes on with the conversation from here."
        found.append(_tool(HAND_OVER, told, "agent", others, lambda context, name: context.hand_over(name)))
    return found


def _tool(name: str, told: str, argument: str, allowed: Sequence[str], move: Callable[[Context, str], Any]) -> Tool:
    def fit(given: Mapping[str, Any]) -> dict[str, Any]:
        if given.get(argument) not in allowed:
            raise ArgumentsError(f"{argument}: one of {', '.join(allowed)} was expected")
        return {argument: given[argument]}

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        await asyncio.to_thread(move, context, arguments[argument])  # which may read another agent's file
        return f"You are now in the step {arguments[argument]}." if name == GOTO else (
            f"You are {arguments[argument]} now. Go on with the conversation."
        )  # fmt: skip

    parameters = {
        "type": "object",
        "properties": {argument: {"type": "string", "enum": list(allowed)}},
        "required": [argument],
    }
    return Tool(name, told, parameters, fit, run, repeat=True, pool=False)
