"""Hooks: functions of `agent.py` that are called as the conversation goes (docs/hooks.md), and what they may answer.

from workers.agents import Answer, Change, Context, UserTurn, Veto

def on_user_turn(context: Context, turn: UserTurn) -> Change | Veto | Answer | None: ...
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from schemas.config.conversation import HOOKS, HookName
from workers.agents._aside import aside, awaited
from workers.agents._context import Context
from workers.agents._schema import WrongFunction
from workers.agents._threads import in_thread, name_of

__all__ = [
    "NO_HOOKS",
    "AgentTurn",
    "Answer",
    "Change",
    "Ending",
    "Enter",
    "Hook",
    "Silence",
    "ToolCall",
    "UserTurn",
    "Veto",
    "hook",
    "hooks_of",
]

_MARK = "__antiphon_hook__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class UserTurn:
    """`text`: what the users said and typed in it; `typed`: some of it was written; `participant`: who said the last of it."""

    text: str
    typed: bool = False
    participant: str = ""


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """A reply that is over. `said`: all of it; `heard`: as far as it was heard; `interrupted`: the users spoke."""

    said: str
    heard: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that is about to be called, with the arguments as the model gave them."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silence:
    """`count`: how often in a row, from 1: somebody who speaks begins it anew; `last`: the agent has asked as often as it may
    ([idle] times): it says goodbye now, and hangs up."""

    count: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """`reason`: as in session.ended: hang_up, client_gone, end_requested, limit, …; `transcript`: ("user" or "agent", what was
    said and heard) of the latest turns, in order."""

    reason: str
    transcript: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Of on_user_turn: the LLM is told `text` instead of what was said. Of on_tool: it is called with `arguments`."""

    text: str = ""
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Veto:
    """Of on_user_turn: nothing is said to it, and no LLM ever sees it; `reason` stands in the log. Of on_tool: it is not called,
    and the model is told `reason`."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of on_user_turn: `text` is said, and no LLM is asked. Of on_tool: `text` is the result, and it is not called."""

    text: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Of on_enter. `greeting`: instead of the file's ("": none is said; None: the file's); `values`: for `{{values.NAME}}`."""

    greeting: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hook:
    """`function` is called with the context and what it is about, as many of the two as it takes."""

    name: HookName
    function: Callable[..., Any]
    pure: bool = False
    takes: int = 2

    async def run(self, context: Context, about: Any) -> Any:
        """What it answers or raises. Cancelled, it is left to itself where it can't be stopped."""
        given = (context, about)[: self.takes]
        if inspect.iscoroutinefunction(self.function):
            return await aside(self.function(*given), self.name)
        found = await in_thread(lambda: self.function(*given), self.name, name_of(self.function))
        return await aside(awaited(found), self.name) if inspect.isawaitable(found) else found


NO_HOOKS: Mapping[HookName, Hook] = MappingProxyType({})


def hook(name: str | _Function = "", *, pure: bool = False) -> Any:
    """Make a function a hook: by its own name (`@hook`), or of whatever name (`@hook("on_enter")`). A function that is called
    like a hook is one without it.

    `pure`: of on_user_turn only: it does nothing but look at what it is given, so that it may be asked before the turn is
    committed, and more than once; then its agent answers as soon as others. ValueError: there is no such hook.
    """

    def mark(function: _Function) -> _Function:
        called = name if isinstance(name, str) and name else function.__name__
        if called not in HOOKS:
            raise ValueError(f"@hook: there is no hook {called!r}; there are {', '.join(HOOKS)}")
        if pure and called != "on_user_turn":
            raise ValueError(f"@hook: pure=True is for on_user_turn; {called} is called once anyway")
        setattr(function, _MARK, (called, pure))
        return function

    return mark if isinstance(name, str) else mark(name)


def hooks_of(module: ModuleType) -> dict[HookName, Hook]:
    """What of it is a hook. WrongFunction: something is called like one that can't be, or two are the same."""
    found: dict[HookName, Hook] = {}
    for named, value in tuple(module.__dict__.items()):
        marked = getattr(value, _MARK, None) if callable(value) else None
        name, pure = marked if isinstance(marked, tuple) else (named, False)
        if name not in HOOKS or (marked is None and not callable(value)):
            continue
        if name in found and found[name].function is not value:
            raise WrongFunction(f"{name}: two functions are this hook; keep one of them")
        found[name] = Hook(name, value, pure, _takes(name, value))
    return found


def _takes(name: str, function: Callable[..., Any]) -> int:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return 2
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 2
    places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in places if one.default is one.empty]
    if len(needed) > 2 or any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
        raise WrongFunction(
            f"{name}: it takes {len(parameters)} parameters; a hook gets the context, and what it is about"
        )
    return min(2, len(places))
