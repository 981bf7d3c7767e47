"""The agent of a session, with some of its settings others: by `--set` and `--with`."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from schemas.config.agent import AgentSpec, load_agent
from schemas.config.changing import flat, validated, with_values
from schemas.errors import AgentSpecError
from schemas.events import Stage as AnewStage

Stage = Literal["turns", "stt", "llm", "tts", "all"]
_DECIDED_BY: Mapping[Stage, Sequence[str]] = {
    "turns": (
        "turn_taking", "idle", "phone", "limits", "stt.end_of_turn", "stt.complete", "stt.partials", "name", "greeting",
        "greeting_interruptible", "fallback", "filler", "patience", "repeat",
    ),
    "stt": ("stt", "language"),
    "llm": ("instructions", "llm", "prompt_attributes", "knowledge", "limits"),
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
        taken = {path: value for path, value in flat(theirs) if _decides(path, stage) and path != "name"}
        changed = validated(with_values(before, taken), "", _SET)
    for one in sets:
        path, text = _read(one)
        if not _decides(path, stage):
            raise AgentSpecError(
                f"{_SET} {one}: {path} is none of the settings by which --stage {stage} decides: "
                f"{', '.join(_DECIDED_BY[stage])}"
            )
        value = {path: tomllib.loads(f"x = {text}")["x"]}
        changed = validated(with_values(changed.model_dump(), value), f"{path} = {text}", _SET)
    was, now = dict(flat(before)), dict(flat(changed.model_dump()))
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


def values_of(sets: Iterable[str]) -> dict[str, Any]:
    """What `--set` says, each by its path. AgentSpecError: it is no setting of an agent, or has no such value."""
    found: dict[str, Any] = {}
    for one in sets:
        path, text = _read(one)
        found[path] = tomllib.loads(f"x = {text}")["x"]
        validated(with_values(AgentSpec().model_dump(), {path: found[path]}), f"{path} = {text}", _SET)
    return found


def agent_file(sets: Iterable[str]) -> str:
    """An agent's file that says just this. AgentSpecError: as `values_of`."""
    given = list(sets)
    values_of(given)
    return "".join(f"{path} = {text}\n" for path, text in map(_read, given))


_HEARD, _ANSWERED, _SPOKEN = (
    ("stt", "language"),
    ("instructions", "llm", "prompt_attributes", "knowledge"),
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
