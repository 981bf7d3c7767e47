"""`@tool`: what marks a function, and what the stages make of it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from workers.agents._aside import aside, awaited
from workers.agents._context import Context
from workers.agents._schema import Signature, WrongFunction, signature_of
from workers.agents._threads import in_thread, name_of

__all__ = ["MARK", "Tool", "ToolError", "marked", "tool"]

MARK = "__antiphon_tool__"
LONGEST = 600.0
"""Seconds that a tool may take at most."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class ToolError(Exception):
    """Raised by a tool: it could not be done, and the model is told this sentence, as it stands."""


@dataclass(frozen=True, slots=True)
class _Options:
    name: str
    repeat: bool
    timeout: float | None
    cancel: bool
    patience: float | None
    pool: bool | None


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the model may call, wherever it comes from.

    `parameters`: JSON schema of its arguments; `fit`: makes arguments of what the model gave, or raises ArgumentsError; `run`:
    does it, and may take its time; `repeat`: it may be called again where nobody knows whether it happened; `timeout`,
    `patience`: seconds, None: the agent's; `cancel`: it stops when the caller interrupts; `pool`: it is run by `antiphon worker
    tools`, None: as the agent says; `last`: the reply is over with it, if something was said before.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    fit: Callable[[Mapping[str, Any]], dict[str, Any]]
    run: Callable[[Context, dict[str, Any]], Awaitable[Any]]
    repeat: bool = False
    timeout: float | None = None
    cancel: bool = False
    patience: float | None = None
    pool: bool | None = None
    last: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "Tool":
        """Of a function marked by `@tool`. WrongFunction: none can be made of it."""
        options: _Options = getattr(function, MARK)
        about = signature_of(function)
        if not about.description:
            raise WrongFunction(f"{options.name}: it has no docstring; the model must be told what it is for")
        return cls(
            name=options.name,
            description=about.description,
            parameters=about.parameters,
            fit=about.fit,
            run=_runner(function, about),
            repeat=options.repeat,
            timeout=options.timeout,
            cancel=options.cancel,
            patience=options.patience,
            pool=options.pool,
        )

    def definition(self) -> dict[str, Any]:
        """As OpenAI's API takes it."""
        about = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": about}


def marked(value: Any) -> bool:
    return callable(value) and isinstance(getattr(value, MARK, None), _Options)


@overload
def tool(function: _Function) -> _Function: ...
@overload
def tool(
    *, name: str = "", repeat: bool = False, timeout: float | None = None, cancel: bool = False,
    patience: float | None = None, pool: bool | None = None,
) -> Callable[[_Function], _Function]: ...  # fmt: skip
def tool(
    function: Any = None, *, name: str = "", repeat: bool = False, timeout: float | None = None, cancel: bool = False,
    patience: float | None = None, pool: bool | None = None,
) -> Any:  # fmt: skip
    """Let the model call a function. It stays a function, to be called as ever.

    `repeat`: it may be called again when a worker died in it; `timeout`: seconds (the agent's `[tools] timeout`, at most 600);
    `cancel`: it is stopped when the caller interrupts, else it goes on and its result is kept; `patience`: seconds after which
    the caller hears the agent's `filler`, 0: never (the agent's); `pool`: run by workers of its own (the agent's `[tools] pool`).
    ValueError, TypeError: an option makes no sense.
    """

    def mark(marks: Any) -> Any:
        if not callable(marks) or inspect.isclass(marks):
            raise TypeError(f"@tool wants a function, found {marks!r}")
        called = name or marks.__name__
        if not called.replace("-", "_").isidentifier() or len(called) > 64:
            raise ValueError(f'@tool: name="{called}"; expected letters, digits, _ and -, at most 64')
        if timeout is not None and not 0 < timeout <= LONGEST:
            raise ValueError(f"@tool on {called}: timeout={timeout}; expected seconds above 0, at most {LONGEST:g}")
        if patience is not None and not 0 <= patience <= 60:
            raise ValueError(f"@tool on {called}: patience={patience}; expected seconds from 0 to 60")
        setattr(marks, MARK, _Options(called, repeat, timeout, cancel, patience, pool))
        return marks

    return mark if function is None else mark(function)


def _runner(function: Callable[..., Any], about: Signature) -> Callable[[Context, dict[str, Any]], Awaitable[Any]]:
    async def run(context: Context, arguments: dict[str, Any]) -> Any:
        first = (context,) if about.context else ()
        if inspect.iscoroutinefunction(function):
            return await aside(function(*first, **arguments), function.__name__)
        found = await in_thread(lambda: function(*first, **arguments), function.__name__, name_of(function))
        return await aside(awaited(found), function.__name__) if inspect.isawaitable(found) else found

    return run
