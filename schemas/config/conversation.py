"""How a conversation goes: its steps, the hooks in `agent.py`, and the agents it may be handed over to (docs/hooks.md)."""

import ast
import contextlib
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

CODE_FILE = "agent.py"
MOST_STEPS = 64
_PARSED = 10
HookName = Literal["on_enter", "on_user_turn", "on_agent_turn", "on_tool", "on_idle", "on_exit"]
HOOKS: tuple[HookName, ...] = get_args(HookName)
Expects = Literal["free", "yes_no", "amount", "number", "spelling"]
"""What a caller is asked for."""
Kind = Literal["once", "pure"]
"""`pure`: it only says something of what it is given, and may be asked before a turn is committed, and again."""


class Section(BaseModel):
    """A part of an agent file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ToolName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]


class VoiceSpec(Section):
    """`name`: a voice of the TTS provider ("" is the worker's TTS_VOICE); `speed`: 1.0 is the voice's own."""

    name: str = ""
    speed: float = Field(1.0, ge=0.5, le=2.0)


class StepSpec(Section):
    """A part of a conversation, with instructions and tools of its own. What it leaves out is the agent's."""

    name: ToolName
    instructions: str = Field("", max_length=50_000)
    """Told to the LLM behind the agent's own, while the conversation is in this step."""
    tools: list[str] | None = None
    """Of the agent's tools, those that the LLM is told of in this step; left out: all."""
    to: list[str] | None = None
    """Steps that the LLM may go to from here, by the tool `goto`; left out: all others, []: none. Hooks and tools of agent.py may
    go anywhere."""
    voice: VoiceSpec | None = None
    model: str | None = None
    """The LLM's, of the agent's provider."""
    temperature: float | None = Field(None, ge=0.0, le=2.0)
    expects: Expects | None = None
    """What callers are asked for in this step, by which their pauses are read."""


class Hooks(Section):
    """What of `agent.py` is called as the conversation goes. Seconds."""

    timeout: float = Field(2.0, gt=0, le=30)
    """How long a hook may take; the call goes on without it then."""
    exit: float = Field(10.0, gt=0, le=120)
    """The same of on_exit, for which nobody waits but the session's end."""


class Handover(Section):
    """To which agents the LLM may hand the conversation over."""

    to: list[str] = Field([], max_length=32)
    """Names of agents. Hooks and tools of agent.py may hand over to any."""
    context: bool = True
    """Whether the other agent is told what was said so far."""
    most: int = Field(4, ge=1, le=60)
    """Hand-overs within a minute, beyond which agents are handing a caller round in circles: further ones are refused."""


def hooks_in(folder: Path) -> dict[str, Kind]:
    """The hooks that `agent.py` has, by name, as far as its text tells: a function of that name (written there, or imported), or
    one under `@hook`. None of its code runs; what can't be read has none (whoever loads it says why)."""
    try:
        tree = _parsed((folder / CODE_FILE).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, Kind] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found |= _of_function(node)
            case ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name: "once" for alias in names}
            case ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = "once"
    return {name: found[name] for name in HOOKS if name in found}


def _parsed(text: bytes) -> ast.Module:
    """Again, where Python 3.11 confuses what it counts with another thread's (gh-106905)."""
    for _ in range(_PARSED):
        with contextlib.suppress(SystemError):
            return ast.parse(text)
    return ast.parse(text)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Kind]:
    for mark in node.decorator_list:
        match mark:
            case ast.Name(id="hook") | ast.Attribute(attr="hook"):
                return {node.name: "once"}
            case ast.Call(func=ast.Name(id="hook") | ast.Attribute(attr="hook"), args=args, keywords=keywords):
                named = next((one.value for one in args if isinstance(one, ast.Constant)), node.name)
                pure = any(
                    one.arg == "pure" and isinstance(one.value, ast.Constant) and one.value.value for one in keywords
                )
                return {str(named): "pure" if pure else "once"}
    return {node.name: "once"}
