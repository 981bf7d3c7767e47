"""What a start would fail of once everything has been loaded, found before anything is started: agents, models, doors."""

from collections.abc import Iterator
from pathlib import Path

from ops.stack.doors import look_at_doors
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.explain import line_of
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError, Permanent, SettingsError
from schemas.events import STAGES, Stage
from schemas.process.connections import proxies_of
from workers import registry


def look_at_the_edge(settings: Settings, agents: Path | None, api: bool) -> None:
    """Whom gateways serve with which agents, and whom the `api` does. AgentSpecError names of every wrong file the line and what
    is allowed; SettingsError."""
    found = Agents(agents, strict=False)
    if wrong := wrong_agents(found):
        raise AgentSpecError("\n".join(wrong.values()))
    look_at_doors(settings)
    if not api:
        return
    proxies_of(settings.api_proxies, "API_PROXIES")
    for part in settings.api_agents.split(","):
        if (name := part.strip()) and name not in found.names:
            raise SettingsError(
                f"API_AGENTS={settings.api_agents}: there is no agent {name!r}; there is {', '.join(found.names)} "
                f"(AGENTS={agents or ''})"
            )


def look_at_workers(settings: Settings, stages: list[Stage], agents: Path | None) -> None:
    """Whether workers of these stages have a provider, and a model there can be, and obey what the agents ask of them. Permanent:
    which setting names none; AgentSpecError names file and line."""
    for stage in stages:
        found = registry.provider_class(stage, registry.own_name(stage, settings)).locate(settings)
        if found is not None:
            found[1]()
    asking = Agents(agents)
    if lines := [
        line
        for name, path in asking.files.items()
        for line in (
            *_unheeded_options(asking.find(name), path, settings, stages),
            *_missing_voice(asking.find(name), path, settings, stages),
        )
    ]:
        raise AgentSpecError("\n".join(lines))


def wrong_agents(agents: Agents) -> dict[str, str]:
    """What is wrong with their files, by name: what can be no agent, and what no provider here is. A line for each complaint."""
    found = agents.problems()
    for name, path in agents.files.items():
        lines = [] if name in found else list(_missing_providers(agents.find(name), path))
        if lines:
            found[name] = "\n".join(lines)
    return found


def _missing_providers(agent: AgentSpec, path: Path) -> Iterator[str]:
    for stage in STAGES:
        wanted, there = getattr(agent, stage).provider, registry.provider_names(stage)
        if wanted and wanted not in there:
            line = line_of(path.read_text("utf-8"), (stage, "provider"))
            where = f"{path}, line {line}" if line else str(path)
            yield f'{where}: {stage}.provider = "{wanted}"; expected one that is installed: {", ".join(there)}'


def _unheeded_options(agent: AgentSpec, path: Path, settings: Settings, stages: list[Stage]) -> Iterator[str]:
    for stage in stages:
        spec = getattr(agent, stage)
        name = spec.provider or registry.own_name(stage, settings)
        why = registry.unheeded(registry.provider_class(stage, name), stage, name, spec.model, spec.options)
        if why and stage != "llm":
            line = line_of(path.read_text("utf-8"), (stage, "model" if spec.model else "options"))
            yield f"{path}, line {line}: {why}" if line else f"{path}: {why}"


def _missing_voice(agent: AgentSpec, path: Path, settings: Settings, stages: list[Stage]) -> Iterator[str]:
    own = settings.model_copy(update={"tts_voice": agent.voice.name})
    name = agent.tts.provider or registry.own_name("tts", settings)
    found = registry.provider_class("tts", name).locate(own) if agent.voice.name and "tts" in stages else None
    if found is None or found[0] != "TTS_VOICE":  # its voices are known far away, or to nobody
        return
    try:
        found[1]()
    except Permanent as error:
        line = line_of(path.read_text("utf-8"), ("voice", "name"))
        where = f"{path}, line {line}" if line else str(path)
        yield f"{where}: {str(error).replace('TTS_VOICE=', 'voice.name = ')}"
