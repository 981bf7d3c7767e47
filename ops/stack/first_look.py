"""What a start would fail of once everything has been loaded, found before anything is started: agents, models, doors."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from ops.stack.doors import look_at_doors
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.explain import line_of
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError, Permanent, SettingsError
from schemas.events import STAGES, Stage
from schemas.languages import unread
from schemas.process.connections import proxies_of
from workers import registry


def look_at_the_edge(settings: Settings, agents: Path | None, stages: Collection[Stage], api: bool) -> None:
    """Whom gateways serve with which agents, and whom the `api` does. `stages`: whose workers have these settings, too.
    AgentSpecError names of every wrong file the line and what is allowed; SettingsError."""
    found = Agents(agents, strict=False)
    if wrong := wrong_agents(found, settings, stages):
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


def look_at_workers(settings: Settings, stages: Collection[Stage]) -> None:
    """Whether workers of these stages have a provider, and a model there can be. Permanent: which setting names none."""
    for stage in stages:
        found = registry.provider_class(stage, registry.own_name(stage, settings)).locate(settings)
        if found is not None:
            found[1]()


def wrong_agents(agents: Agents, settings: Settings, stages: Collection[Stage] = STAGES) -> dict[str, str]:
    """What is wrong with their files, by name, a line for each complaint: what can be no agent, what no provider here is, and
    what workers of `stages` with these settings don't do."""
    found = agents.problems()
    for name, path in agents.files.items():
        if name not in found and (lines := _complaints(agents.find(name), path, settings, stages)):
            found[name] = "\n".join(lines)
    return found


def doubtful(agents: Agents) -> dict[str, list[str]]:
    """What of their files changes little or nothing in the agent's language, by name; of files that are no agents nothing."""
    found = {}
    for name, path in agents.files.items():
        with contextlib.suppress(AgentSpecError):
            if unheard := unread(agents.find(name)):
                found[name] = [f"{_place(path, keys)}: {sentence}" for keys, sentence in unheard.items()]
    return found


def _place(path: Path, keys: tuple[str, ...]) -> str:
    line = line_of(path.read_text("utf-8"), keys)
    return f"{path}, line {line}" if line else str(path)


def _complaints(agent: AgentSpec, path: Path, settings: Settings, stages: Collection[Stage]) -> list[str]:
    return list(_missing_providers(agent, path)) or [
        *_unheeded_options(agent, path, settings, stages),
        *_missing_voice(agent, path, settings, stages),
    ]


def _missing_providers(agent: AgentSpec, path: Path) -> Iterator[str]:
    for stage in STAGES:
        wanted, there = getattr(agent, stage).provider, registry.provider_names(stage)
        if wanted and wanted not in there:
            where = _place(path, (stage, "provider"))
            yield f'{where}: {stage}.provider = "{wanted}"; expected one that is installed: {", ".join(there)}'


def _unheeded_options(agent: AgentSpec, path: Path, settings: Settings, stages: Collection[Stage]) -> Iterator[str]:
    for stage in stages:
        spec = getattr(agent, stage)
        name = spec.provider or registry.own_name(stage, settings)
        why = registry.unheeded(registry.provider_class(stage, name), stage, name, spec.model, spec.options)
        if why and stage != "llm":
            yield f"{_place(path, (stage, 'model' if spec.model else 'options'))}: {why}"


def _missing_voice(agent: AgentSpec, path: Path, settings: Settings, stages: Collection[Stage]) -> Iterator[str]:
    own = settings.model_copy(update={"tts_voice": agent.voice.name})
    name = agent.tts.provider or registry.own_name("tts", settings)
    found = registry.provider_class("tts", name).locate(own) if agent.voice.name and "tts" in stages else None
    if found is None or found[0] != "TTS_VOICE":  # its voices are known far away, or to nobody
        return
    try:
        found[1]()
    except Permanent as error:
        yield f"{_place(path, ('voice', 'name'))}: {str(error).replace('TTS_VOICE=', 'voice.name = ')}"
