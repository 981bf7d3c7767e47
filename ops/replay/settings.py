"""The agent of a session, with some of its settings others: by `--set` and `--with`."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from schemas.config.agent import AgentSpec, load_agent
from schemas.config.explain import explain
from schemas.errors import AgentSpecError
from schemas.events import Stage as AnewStage

Stage = Literal["turns", "stt", "llm", "tts", "all"]
_DECIDED_BY: Mapping[Stage, Sequence[str]] = {
    "turns": (
        "turn_taking", "limits", "stt.end_of_turn", "stt.partials", "name", "greeting", "fallback", "filler", "patience",
        "repeat",
    ),
    "stt": ("stt", "language"),
    "llm": ("instructions", "llm", "prompt_attributes", "limits"),
    "tts": ("voice", "tts"),
    "all": tuple(AgentSpec.model_fields),
}  # fmt: skip
"""Stage → what of an agent it decides by: sections, and fields."""
_SET = "--set"


def changed_agent(
    agent: AgentSpec, sets: Sequence[str], file: Path | None, stage: Stage
) -> tuple[AgentSpec, dict[str, Any]]:
    """The agent with what `sets` (`turn_taking.commit_max=0.9`) and `file` say, and the settings that differ by their names. Of a
    file only what the stage decides by is taken. AgentSpecError names what is wrong, or decides nothing there."""
    before = agent.model_dump()
    changed = agent
    if file is not None:
        theirs = load_agent(file).model_dump()
        taken = {path: value for path, value in _flat(theirs) if _decides(path, stage) and path != "name"}
        changed = _validated(_with(before, taken), "")
    for one in sets:
        path, text = _read(one)
        if not _decides(path, stage):
            raise AgentSpecError(
                f"{_SET} {one}: {path} is none of the settings by which --stage {stage} decides: "
                f"{', '.join(_DECIDED_BY[stage])}"
            )
        changed = _validated(_with(changed.model_dump(), {path: tomllib.loads(f"x = {text}")["x"]}), f"{path} = {text}")
    was, now = dict(_flat(before)), dict(_flat(changed.model_dump()))
    return changed, {path: value for path, value in now.items() if was.get(path) != value}


def _read(given: str) -> tuple[str, str]:
    """A name, and its value as TOML: what is none is a text."""
    path, equals, value = (part.strip() for part in given.partition("="))
    if not equals or not path:
        raise AgentSpecError(f"{_SET} {given}: expected NAME=VALUE, such as turn_taking.commit_max=0.9")
    try:
        tomllib.loads(f"x = {value}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        value = f'"{escaped}"'
        try:
            tomllib.loads(f"x = {value}")
        except tomllib.TOMLDecodeError:
            raise AgentSpecError(f"{_SET} {given}: expected a value on one line") from None
    return path, value


def _decides(path: str, stage: Stage) -> bool:
    return any(path == known or path.startswith(f"{known}.") for known in _DECIDED_BY[stage])


def _flat(spec: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    """Every setting by its dotted name; a table of somebody's own options is one."""
    for name, value in spec.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and name != "options":
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _with(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(spec)
    for path, value in changes.items():
        name, dot, rest = path.partition(".")
        inner = made.get(name)
        made[name] = _with(inner if isinstance(inner, dict) else {}, {rest: value}) if dot else value
    return made


def _validated(spec: Mapping[str, Any], text: str) -> AgentSpec:
    """`text`: the setting as it was given, as TOML."""
    try:
        return AgentSpec.model_validate(spec)
    except ValidationError as error:
        raise AgentSpecError("\n".join(explain(AgentSpec, _SET, text, dict(item)) for item in error.errors())) from None


def values_of(sets: Iterable[str]) -> dict[str, Any]:
    """What `--set` says, each by its path. AgentSpecError: it is no setting of an agent, or has no such value."""
    found: dict[str, Any] = {}
    for one in sets:
        path, text = _read(one)
        found[path] = tomllib.loads(f"x = {text}")["x"]
        _validated(_with(AgentSpec().model_dump(), {path: found[path]}), f"{path} = {text}")
    return found


_HEARD, _ANSWERED, _SPOKEN = (
    ("stt", "language"),
    ("instructions", "llm", "prompt_attributes"),
    ("voice", "tts", "language"),
)
_SENT = ("limits.history_turns", "limits.history_characters")


def anew_for(changed: Iterable[str]) -> tuple[AnewStage, ...]:
    """The stages of which all depends on these settings; none: turn-taking alone does."""
    paths = [path for path in changed if path != "stt.partials"]
    by: dict[AnewStage, Sequence[str]] = {"stt": _HEARD, "llm": (*_ANSWERED, *_SENT), "tts": _SPOKEN}
    return tuple(
        stage
        for stage, known in by.items()
        if any(path == one or path.startswith(f"{one}.") for path in paths for one in known)
    )
