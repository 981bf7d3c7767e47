"""Agents that are tried before they are saved: kept beside the log, for an hour, under a name nobody guesses."""

import secrets

from schemas.bus import Drafting
from schemas.config.agent import AgentSpec, parse_agent
from schemas.errors import AgentSpecError

PREFIX = "draft-"
"""No agent file's name begins so."""
KEPT = 3600.0
"""Seconds."""
LARGEST = 65_536
"""Characters of an agent file that comes from outside."""


def is_draft(name: str) -> bool:
    return name.startswith(PREFIX)


async def keep_draft(bus: Drafting, toml: str) -> str:
    """The name to ask for it by. AgentSpecError: it is no agent."""
    parse_agent(toml, "the draft")
    name = PREFIX + secrets.token_urlsafe(16)
    await bus.put_draft(name, toml, KEPT)
    return name


async def find_draft(bus: Drafting, name: str) -> AgentSpec:
    """AgentSpecError: there is none, or no more."""
    toml = await bus.draft(name)
    if toml is None:
        gone = "this draft of an agent is no longer kept; make it anew"
        raise AgentSpecError(gone, told=gone)
    return parse_agent(toml, "the draft", "draft")
