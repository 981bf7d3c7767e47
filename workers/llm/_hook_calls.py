"""One call of a hook: within its time, whatever it does, and what it decided as an event. A hook that goes wrong decides
nothing."""

import asyncio
import copy
import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.config.conversation import HookName
from schemas.events import HookCalled
from schemas.session.state import SessionState
from schemas.text.clean import DEEPEST, too_deep, well_formed
from workers.agents import AgentCode, Answer, Change, Context, Enter, Hook, ToolError, Veto
from workers.tools import Unreadable, changed, hidden, in_short

__all__ = ["Looking", "called"]

log = logging.getLogger("antiphon.agents")

LONGEST = 8_000
"""Characters that a hook may have said, or the LLM told."""
_REASON, _ERROR = 1_000, 400
_VALUES, _VALUE = 64, 2_000
_ARGUMENTS = 16_000


class Looking:
    """What a hook that only looks may have done: nothing."""

    def say(self, text: str) -> None:
        raise ToolError("a hook with pure=True may be asked more than once, so it can't have anything said")

    def end(self, reason: str) -> None:
        raise ToolError("a hook with pure=True may be asked more than once, so it can't end the session")

    def act(self, action: str, arguments: Mapping[str, Any]) -> None:
        raise ToolError(f"a hook with pure=True may be asked more than once, so it can't do this ({action})")


class _Wrong(Exception):
    """An answer that is none: what was expected."""


@dataclass(slots=True)
class _Decided:
    decision: str = ""
    text: str = ""
    arguments: dict[str, Any] | None = None
    values: dict[str, str] = field(default_factory=dict)


async def called(
    name: HookName, call: str, code: AgentCode, context: Context, about: Any, state: SessionState
) -> HookCalled:
    """Never raises, but CancelledError where it is cancelled itself. `code`: of the agent's; `about`: what it is about."""
    clock = asyncio.get_running_loop().time
    agent, hook = state.agent, code.hooks.get(name)
    began, before = clock(), copy.deepcopy(dict(context.state))
    decided, error, kept = _Decided(), "", dict[str, Any]()
    if hook is None:
        error = code.problem or f"agent.py has no {name}"
    else:
        timeout = agent.hooks.exit if name == "on_exit" else agent.hooks.timeout
        try:
            async with asyncio.timeout(timeout):
                decided = _read(name, await hook.run(context, about))
            kept = _kept(hook, before, context)
        except TimeoutError:
            setting = "hooks.exit" if name == "on_exit" else "hooks.timeout"
            error = f"nothing came of it within {timeout:g} s ({setting})"
        except (_Wrong, Unreadable) as wrong:
            error = str(wrong)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            error = "it was cancelled"
        except Exception as unforeseen:
            error = _told(unforeseen, code)
    if error:
        decided, error = _Decided(), hidden(error)
        log.warning("%s of the agent %s: %s; the call goes on without it", name, agent.name, error[:_ERROR])
    made: dict[str, Any] = {"decision": decided.decision, "text": decided.text, "arguments": decided.arguments}
    return HookCalled(
        call=call, hook=name, values=decided.values, state=kept, error=well_formed(error[:_ERROR]),
        took=round(clock() - began, 4), **made,
    )  # fmt: skip


def _kept(hook: Hook, before: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Unreadable: it can't be."""
    changes = changed(before, context.state)
    if hook.pure and changes:
        raise _Wrong("a hook with pure=True can't change context.state; leave pure=True out")
    return changes


def _told(error: Exception, code: AgentCode) -> str:
    """With the line of agent.py, where it has one."""
    own = str(code.module.get("__file__", ""))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if own and frame.filename == own]
    said = in_short(error)
    where = f" (agent.py, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}{f': {said}' if said else ''}{where}"


# ── what it answered ─────────────────────────────────────────────────────────────────────────────────────────────────


def _read(name: HookName, answer: Any) -> _Decided:
    """_Wrong: it is nothing that this hook may answer."""
    match name, answer:
        case _, None:
            return _Decided()
        case "on_user_turn", Change(text=str(text), arguments=None):
            return _Decided("changed", _text(text))
        case "on_user_turn" | "on_tool", Veto(reason=str(reason)):
            return _Decided("vetoed", _text(reason)[:_REASON])
        case "on_user_turn", Answer(text=str(text)):
            if not text.strip():
                raise _Wrong("it returned an Answer without words; Veto() says nothing")
            return _Decided("answered", _text(text))
        case "on_tool", Change(arguments=Mapping() as arguments):
            return _Decided("changed", arguments=_arguments(arguments))
        case "on_tool", Answer(text=str(text)):
            return _Decided("answered", _text(text))
        case "on_enter", str(text):
            return _Decided("greeted", _text(text))
        case "on_enter", Enter(greeting=greeting, values=Mapping() as values) if greeting is None or isinstance(
            greeting, str
        ):
            said = _Decided() if greeting is None else _Decided("greeted", _text(greeting))
            said.values = _values(values)
            return said
        case "on_enter", Mapping():
            return _Decided(values=_values(answer))
        case "on_idle", str(text):
            return _Decided("said", _text(text))
    raise _Wrong(f"it returned a {type(answer).__name__}; {_EXPECTED[name]} was expected")


_EXPECTED: Mapping[HookName, str] = {
    "on_enter": "the greeting (str), values (dict), Enter(…) or None",
    "on_user_turn": "Change(text), Veto(reason), Answer(text) or None",
    "on_agent_turn": "None",
    "on_tool": "Change(arguments=…), Veto(reason), Answer(text) or None",
    "on_idle": "what to say (str) or None",
    "on_exit": "None",
}


def _text(text: str) -> str:
    if len(text) > LONGEST:
        raise _Wrong(f"it returned a text of {len(text):,} characters; expected at most {LONGEST:,}")
    return well_formed(text.strip())


def _values(values: Mapping[Any, Any]) -> dict[str, str]:
    if len(values) > _VALUES:
        raise _Wrong(f"it returned {len(values)} values; expected at most {_VALUES}")
    found = {}
    for name, value in values.items():
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 64:
            raise _Wrong(f"it returned a value called {str(name)[:64]!r}; expected a name of letters, digits and _")
        found[name] = well_formed(str("" if value is None else value))[:_VALUE]
    return found


def _arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(dict(arguments), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _Wrong(f"it returned arguments that are no JSON ({str(error)[:200]})") from None
    if len(text) > _ARGUMENTS:
        raise _Wrong(f"it returned arguments of {len(text):,} characters; expected at most {_ARGUMENTS:,}")
    kept: dict[str, Any] = json.loads(text)
    if too_deep(kept):
        raise _Wrong(f"it returned arguments that are nested more than {DEEPEST} deep")
    return kept
