"""`agent.py` read: in a module of its own for each text it has had, so that a change counts for sessions that begin after it."""

import asyncio
import hashlib
import logging
import sys
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from schemas.config.agent import code_version
from schemas.config.conversation import CODE_FILE, HookName
from workers.agents._schema import WrongFunction
from workers.agents._threads import Busy, in_thread
from workers.agents._tool import MARK, Tool, marked
from workers.agents.hooks import NO_HOOKS, Hook, hooks_of

__all__ = ["NO_CODE", "AgentCode", "Codes", "load"]

log = logging.getLogger("antiphon.agents")

LONGEST = 500_000
"""Bytes of an agent.py."""
MOST_TOOLS = 64
WITHIN = 10.0
"""Seconds that reading one may take."""
KEPT = 64
"""Texts that are kept: what sessions that go on began with."""


@dataclass(frozen=True, slots=True)
class AgentCode:
    """What an `agent.py` says. `version`: of its text and of what lies beside it, "" where there is none; `tools`: by name, in
    the order of the file; `problem`: why it can't be had, in one sentence with file and line ("": it can); `module`: its
    names; `hooks`: by name."""

    version: str = ""
    tools: Mapping[str, Tool] = field(default_factory=lambda: MappingProxyType({}))
    problem: str = ""
    module: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    hooks: Mapping[HookName, Hook] = field(default_factory=lambda: NO_HOOKS)


NO_CODE = AgentCode()


def load(folder: Path) -> AgentCode:
    """The code of the agent in `folder`. Runs it: only code of whoever runs the worker."""
    path = folder / CODE_FILE
    version = code_version(folder)
    if not version:
        return NO_CODE
    try:
        size = path.stat().st_size
        if size > LONGEST:
            return AgentCode(version, problem=f"{path}: {size:,} bytes; expected at most {LONGEST:,}")
        source = path.read_bytes()
    except OSError as error:
        return AgentCode(version, problem=f"{path}: cannot be read ({error.strerror})")
    name = f"antiphon_agent_{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}_{version}"
    module = ModuleType(name)
    module.__file__, module.__package__, module.__path__ = str(path), name, [str(folder)]  # `from . import menu` works
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
        tools, hooks = _found(module), _hooks(module)
        return AgentCode(version, MappingProxyType(tools), "", MappingProxyType(module.__dict__), hooks)
    except BaseException as error:  # SystemExit among them: it is the session's, not ours, to end
        for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[each]
        if isinstance(error, KeyboardInterrupt):
            raise
        return AgentCode(version, problem=_told(path, error))


def _found(module: ModuleType) -> dict[str, Tool]:
    """Its tools, whether they were written there or imported."""
    tools: dict[str, Tool] = {}
    for value in tuple(module.__dict__.values()):
        if not marked(value):
            continue
        called = getattr(value, MARK).name
        if called in tools:
            raise _At(value, f"two tools are called {called}; give one of them another name")
        try:
            tools[called] = Tool.of(value)
        except WrongFunction as error:
            raise _At(value, str(error)) from None
    if len(tools) > MOST_TOOLS:
        raise _At(None, f"{len(tools)} tools; a model is told of at most {MOST_TOOLS}")
    return tools


def _hooks(module: ModuleType) -> Mapping[HookName, Hook]:
    try:
        return MappingProxyType(hooks_of(module))
    except WrongFunction as error:
        raise _At(module.__dict__.get(str(error).partition(":")[0]), str(error)) from None


class _At(Exception):
    """A mistake in a function."""

    def __init__(self, function: Any, what: str):
        super().__init__(what)
        code = getattr(function, "__code__", None)
        self.line: int | None = code.co_firstlineno if code is not None else None
        self.file: str = code.co_filename if code is not None else ""


def _told(path: Path, error: BaseException) -> str:
    """One sentence, with the file and the line."""
    if isinstance(error, _At):
        return f"{error.file or path}{f', line {error.line}' if error.line else ''}: {error}"
    if isinstance(error, SyntaxError):
        where = f"{error.filename or path}{f', line {error.lineno}' if error.lineno else ''}"
        return f"{where}: {error.msg}; expected Python"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == path.parent
    ]
    where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else str(path)
    said = " ".join(str(error).split())[:300]
    return f"{where}: {type(error).__name__}{f': {said}' if said else ''}"


class Codes:
    """The code of agents, read when it is first wanted and kept: a session goes on with what it began with, as long as this
    process has it; after a restart it gets what there is now."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, str], AgentCode] = OrderedDict()
        self._said: set[str] = set()

    async def of(self, folder: Path, version: str = "") -> AgentCode:
        """`version`: with which the session began ("": the present one). Never raises: what is wrong is its `problem`."""
        if version and (known := self._kept.get((folder, version))) is not None:
            self._kept.move_to_end((folder, version))
            return known
        present = await asyncio.to_thread(lambda: code_version(folder))
        known = self._kept.get((folder, present)) if present else NO_CODE
        if known is None:
            known = await self._read(folder, present)
            self._keep((folder, present), known)
        if known.problem and known.problem not in self._said:
            self._said = {*list(self._said)[-KEPT:], known.problem}
            log.error("%s; sessions of this agent go on without its tools and hooks", known.problem)
        elif version and version != present:
            self._keep((folder, version), known)
            log.info("%s: sessions go on with version %s, they began with %s", folder, present, version)
        return known

    def _keep(self, key: tuple[Path, str], code: AgentCode) -> None:
        self._kept[key] = code
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def _read(self, folder: Path, version: str) -> AgentCode:
        path = folder / CODE_FILE
        try:
            async with asyncio.timeout(WITHIN):
                return await in_thread(lambda: load(folder), str(path))
        except TimeoutError:
            return AgentCode(
                version, problem=f"{path}: not read within {WITHIN:g} s; what takes long belongs into a tool"
            )
        except (Busy, RuntimeError) as error:
            return AgentCode(version, problem=f"{path}: can't be read now ({error})")
