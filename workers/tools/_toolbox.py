"""All tools of an agent, wherever they come from."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError
from workers.agents import NO_CODE, AgentCode, Codes, Tool
from workers.knowledge import Libraries
from workers.tools._builtin import builtin, search_knowledge
from workers.tools._http import operations
from workers.tools._mcp import McpServers
from workers.tools._moving import FindAgent, in_its_step, no_agents

__all__ = ["NO_TOOLS", "Toolbox", "Toolboxes"]

log = logging.getLogger("antiphon.tools")

_KEPT = 64
_MOST = 128
"""Tools that a model is told of."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """`tools`: by name; `problems`: what of the agent's can't be had, a sentence each; `find`: other agents."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    find: FindAgent = no_agents

    def __bool__(self) -> bool:
        return bool(self.tools)

    def definitions(self) -> list[dict[str, Any]]:
        return [tool.definition() for tool in self.tools.values()]


NO_TOOLS = Toolbox()


class Toolboxes:
    """One a process. Agents' folders are looked for where AGENTS says."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._codes = Codes()
        self._agents: Agents | None = None
        self._kept: OrderedDict[str, tuple[dict[str, Tool], tuple[str, ...]]] = OrderedDict()
        self._folders: dict[tuple[str, str], Path] = {}
        self._servers = McpServers(settings.mcp_commands)
        self.libraries = Libraries(self._folder)

    async def of(self, agent: AgentSpec) -> Toolbox:
        """What there is now: a server that is away is left out, and said once."""
        if not agent.has_tools:
            return NO_TOOLS
        known_by = agent.tools.model_dump_json(), agent.knowledge.model_dump_json(exclude={"text"}), agent.language
        key = f"{agent.name} {agent.code} {hash((*known_by, *(one.name for one in agent.fields)))}"
        known = self._kept.get(key)
        if known is None:
            known = self._kept[key] = await self._read(agent)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        tools, problems = dict(known[0]), list(known[1])
        if agent.tools.mcp:
            await self._servers.add(agent.tools.mcp, tools, problems)
        return Toolbox(dict(list(in_its_step(agent, tools).items())[:_MOST]), tuple(problems), self.agent)

    def agent(self, name: str) -> AgentSpec:
        """As its file says now. AgentSpecError."""
        self._agents = self._agents or Agents(self._settings.agents, strict=False)
        return self._agents.find(name)

    async def code(self, agent: AgentSpec) -> AgentCode:
        """Its `agent.py`, or why that can't be had."""
        key = (agent.name, agent.code)
        if (folder := self._folders.get(key)) is None and agent.code:
            folder = await asyncio.to_thread(self._folder, agent.name)
        if folder is not None:
            self._folders[key] = folder
            if len(self._folders) > _KEPT:
                del self._folders[next(iter(self._folders))]
            return await self._codes.of(folder, agent.code)
        return AgentCode(problem=self._away(agent)) if agent.code else NO_CODE

    def _away(self, agent: AgentSpec) -> str:
        return (
            f"the folder of the agent {agent.name} is not among AGENTS={self._settings.agents} of this worker: its agent.py "
            "is left out; give workers the agents that gateways have"
        )

    async def aclose(self) -> None:
        await self._servers.aclose()

    async def _read(self, agent: AgentSpec) -> tuple[dict[str, Tool], tuple[str, ...]]:
        folder = await asyncio.to_thread(self._folder, agent.name)
        code = await self.code(agent)
        told = code.problem if folder is not None else ""  # by who read it
        problems = [code.problem] if code.problem else []
        tools: dict[str, Tool] = {}
        _add(tools, code.tools.values())
        _add(tools, builtin(agent).values())
        looks_up = search_knowledge(agent, self.libraries)
        _add(tools, [looks_up] if looks_up is not None else [])
        for spec in agent.tools.http:
            found, problem = await asyncio.to_thread(operations, spec, folder)
            _add(tools, found)
            problems += [problem] if problem else []
        for problem in problems:
            if problem != told:
                log.error("%s", problem)
        return tools, tuple(problems)

    def _folder(self, name: str) -> Path | None:
        if self._settings.agents is None:
            return None
        try:
            self._agents = self._agents or Agents(self._settings.agents, strict=False)
            return self._agents.folder(name)
        except AgentSpecError as error:
            log.error("%s", error)
            return None


def _add(tools: dict[str, Tool], more: Iterable[Tool]) -> None:
    """Who comes first keeps the name."""
    for tool in more:
        tools.setdefault(tool.name, tool)
