"""The fold, how the conversation goes: hooks, steps, another agent."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.config.steps import begun, in_step
from schemas.events import AgentChanged, HookBegan, HookCalled, StepEntered
from schemas.session._draft import Draft, of_event, remember, standing_reply
from schemas.session.altered import altered
from schemas.session.state import HANDOVER_SPAN, Hooked

_KEPT = 64
"""Calls of hooks, for who makes one again."""
_VALUES = 64


def _hook_began(draft: Draft, event: HookBegan) -> None:
    if event.call not in draft.hooks:
        _keep(draft, event.call, Hooked(event.hook, over=False))


def _keep(draft: Draft, call: str, hooked: Hooked) -> None:
    draft.hooks = dict([*{**draft.hooks, call: hooked}.items()][-_KEPT:])


def _hook_called(draft: Draft, event: HookCalled) -> None:
    """Once: who posts what came of a void reply may do it twice."""
    if event.call in draft.hooks and draft.hooks[event.call].over:
        return
    _keep(draft, event.call, Hooked(event.hook, event.decision, event.text, event.arguments, event.error))
    remember(draft, event.state)
    if event.values:
        draft.values = dict([*{**draft.values, **event.values}.items()][-_VALUES:])
    if event.hook == "on_enter":
        draft.entered = True
    turn = of_event(draft, event)
    if turn is not None and event.hook == "on_user_turn" and event.decision in ("changed", "vetoed"):
        reply = standing_reply(draft, turn, event)
        if reply is not None:
            told = event.text if event.decision == "changed" else ""
            draft.turns[turn.id] = altered(turn, reply=altered(reply, told=told))


def _step_entered(draft: Draft, event: StepEntered) -> None:
    before, draft.agent = draft.agent, in_step(draft.agent, event.step)
    if draft.agent.voice != before.voice:
        draft.phrases = {}


def _agent_changed(draft: Draft, event: AgentChanged) -> None:
    """Its instructions, and a hook of its own to enter by; what was made in the other's voice, or found in the other's files, is
    not its."""
    draft.agent = begun(event.agent)
    draft.instructions = event.agent.instructions
    draft.phrases = {}
    turn = of_event(draft, event)
    if turn is not None and turn.known is not None:
        draft.turns[turn.id] = altered(turn, known=None)
    draft.entered = False
    since = event.at - HANDOVER_SPAN
    draft.handovers = (*(at for at in draft.handovers if at > since), event.at)
    draft.agents += 1
    if not event.context:
        draft.chat_from = event.turn if event.turn is not None else max(draft.turns, default=0) + 1
        draft.earlier = None


HANDLERS: Mapping[type, Callable[[Draft, Any], None]] = {
    HookBegan: _hook_began,
    HookCalled: _hook_called,
    StepEntered: _step_entered,
    AgentChanged: _agent_changed,
}
