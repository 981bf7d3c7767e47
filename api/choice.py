"""Which agents callers may choose: API_AGENTS, or all there are. Whatever way into a call they take, they ask here."""

from api.problems import Problem
from schemas.bus import Drafting
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.drafts import is_draft

_TOLD = 20
"""Names that a refusal lists."""


def choosable(settings: Settings, agents: Agents) -> list[str]:
    """Their names; where there is an allow-list, the first is who answers when none is named."""
    return _listed(settings) or agents.names


def chosen(settings: Settings, agents: Agents, wanted: str) -> str:
    """The agent for somebody who asks for `wanted`; "": the gateway's default, where no allow-list says otherwise.
    Problem 403: not to be chosen, whether there is one or not."""
    names = choosable(settings, agents)
    if not wanted:
        return names[0] if _listed(settings) else ""
    if wanted not in names:
        told = ", ".join(names[:_TOLD]) + (", …" if len(names) > _TOLD else "")
        raise Problem(
            403,
            "agent",
            f"no agent {wanted[:80]!r} can be chosen here; choose one of: {told}",
            told=f"no agent {wanted[:80]!r} can be chosen here",
        )
    return wanted


async def chosen_or_draft(drafts: Drafting, settings: Settings, agents: Agents, wanted: str) -> str:
    """The same for who may try a draft: whoever knows its name. Problem 404: it is no longer kept."""
    if not is_draft(wanted):
        return chosen(settings, agents, wanted)
    if await drafts.draft(wanted) is None:
        raise Problem(404, "missing", "this draft of an agent is no longer kept; make it anew (POST /v1/agents/drafts)")
    return wanted


def _listed(settings: Settings) -> list[str]:
    return [name for part in settings.api_agents.split(",") if (name := part.strip())]
