"""An agent with some of its settings others, each named by its path in an agent file: `turn_taking.commit_max`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.config.agent import AgentSpec
from schemas.config.explain import explain
from schemas.errors import AgentSpecError

__all__ = ["flat", "validated", "with_settings", "with_values"]


def with_settings(
    agent: AgentSpec, sets: Mapping[str, Any], other: AgentSpec | None = None
) -> tuple[AgentSpec, dict[str, Any]]:
    """`agent`, or `other` in its place, with the values of `sets` by their names; and what is other than in `agent`.
    AgentSpecError."""
    made = validated(with_values((other or agent).model_dump(mode="json"), sets), "")
    was, now = dict(flat(agent.model_dump(mode="json"))), dict(flat(made.model_dump(mode="json")))
    return made, {path: value for path, value in now.items() if was.get(path) != value}


def flat(spec: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """Every setting by its dotted name; a table of somebody's own options is one."""
    for name, value in spec.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and name not in ("options", "schema"):
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def with_values(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as JSON values, with others at some of its paths."""
    made = dict(spec)
    for path, value in changes.items():
        name, dot, rest = path.partition(".")
        inner = made.get(name)
        made[name] = with_values(inner if isinstance(inner, dict) else {}, {rest: value}) if dot else value
    return made


def validated(spec: Mapping[str, Any], text: str, name: str = "settings") -> AgentSpec:
    """`text`: the setting as it was given, as TOML; `name`: what errors call that. AgentSpecError."""
    try:
        return AgentSpec.model_validate(spec)
    except ValidationError as error:
        raise AgentSpecError("\n".join(explain(AgentSpec, name, text, dict(item)) for item in error.errors())) from None
