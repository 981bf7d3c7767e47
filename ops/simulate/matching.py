"""Whether a scenario and an agent fit each other; and which variant of the agent its caller gets: that follows from a name,
theirs or the session's, so one is made that fits."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ops.simulate.scenario import Caller, Scenario, ScenarioError, ScenarioSpec, load
from schemas.config.agent import SCENARIOS, AgentSpec
from schemas.config.agents import Agents
from schemas.config.collecting import UNCHANGED
from schemas.config.explain import line_of, read_text, shown

__all__ = ["check", "name_for", "variant_for", "wrong_files"]

_TRIES = 100_000
_MOST = 200
"""Files that are looked at."""


def check(scenarios: Sequence[Scenario], agent: AgentSpec) -> None:
    """ScenarioError: what of them asks for something that this agent has not, a line each, with file and line."""
    if wrong := [line for one in scenarios for line in _wrong(one, agent)]:
        raise ScenarioError("\n".join(wrong))


def wrong_files(agents: Agents, name: str, told: Sequence[str] = ()) -> list[str]:
    """What is wrong with the scenarios of an agent whose own file is right, with file and line; not of those `told` already."""
    path = agents.files.get(name)
    if path is None:
        return []
    agent, found = agents.find(name), list[str]()
    folder = (agents.folder(name) or path.with_suffix("")) / SCENARIOS
    for file in sorted(folder.glob("*.toml"))[:_MOST]:
        if any(str(file) in line for line in told):
            continue
        try:
            check([load(file)], agent)
        except ScenarioError as error:
            found += str(error).splitlines()
    return found


def _wrong(scenario: Scenario, agent: AgentSpec) -> Iterator[str]:
    spec: ScenarioSpec = scenario.spec
    variants = [*(variant.name for variant in agent.variants), *([UNCHANGED] if agent.variants else [])]
    if (wanted := spec.caller.variant) and wanted not in variants:
        yield _told(scenario, agent, ("caller", "variant"), wanted, "[[variants]]", variants)
    fields = [one.name for one in agent.fields]
    for name in spec.expect.fields:
        if name not in fields:
            yield _told(scenario, agent, ("expect", "fields"), name, "[[fields]]", fields)
    schema = agent.result.schema
    known = list(schema.get("properties", {})) if isinstance(schema, dict) else []
    closed = not isinstance(schema, dict) or schema.get("additionalProperties") is False
    for name in spec.expect.result if closed else ():
        if name not in known:
            yield _told(scenario, agent, ("expect", "result"), name, "[result]", known)


def _told(
    scenario: Scenario, agent: AgentSpec, keys: tuple[str, ...], wanted: str, section: str, known: Sequence[str]
) -> str:
    text = read_text(scenario.file, ScenarioError, "a scenario") if scenario.file else ""
    line = line_of(text, keys) if text else None
    where = f"{scenario.file or scenario.name}{f', line {line}' if line else ''}"
    there = f"{section} of {agent.name} has {', '.join(known)}" if known else f"{agent.name} has no {section}"
    return f"{where}: {'.'.join(keys)}: {shown(wanted)}; {there}"


def variant_for(caller: Caller, agent: AgentSpec) -> str:
    """The one they ask for; else the one that falls to their identity; "": the agent has none."""
    if not agent.variants:
        return ""
    return caller.variant or _falls_to(agent, caller.identity)


def name_for(variant: str, agent: AgentSpec, first: str, make: Callable[[], str]) -> str:
    """`first`, if this variant falls to it, else a name of `make`. ScenarioError: it falls to (nearly) nobody."""
    if not agent.variants or _falls_to(agent, first) == variant:
        return first
    found = (name for name in islice(iter(make, ""), _TRIES) if _falls_to(agent, name) == variant)
    if (name := next(found, "")) == "":
        raise ScenarioError(f'no caller gets the variant "{variant}" of {agent.name}: too small a share falls to it')
    return name


def _falls_to(agent: AgentSpec, who: str) -> str:
    variant = agent.variant_of(who)
    return UNCHANGED if variant is None else variant.name
