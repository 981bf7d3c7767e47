"""Scenario files: who calls, what they want, and what must come of it (docs/testing-agents.md)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas.client import LONGEST_MESSAGE, LONGEST_NAME
from schemas.config.explain import explain, line_of, read_text, read_toml, shown
from schemas.errors import AntiphonError

__all__ = [
    "Call",
    "Caller",
    "Expect",
    "Judge",
    "Scenario",
    "ScenarioError",
    "ScenarioSpec",
    "Temper",
    "load",
    "scenarios",
]

Temper = Literal["patient", "impatient", "interrupting", "mumbling", "bad line"]
TEMPERS: tuple[Temper, ...] = get_args(Temper)
MOST_LINES = 200
MOST_SCENARIOS = 1_000
MOST_FIELDS = 100
_LONGEST_FILE = 200_000
"""Bytes."""
_LONGEST_REGEX = 500


class ScenarioError(AntiphonError):
    """A scenario that is none, or isn't there: file, line, and what is allowed."""

    exit_code = 2


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _pattern(said: str) -> str:
    if not said.strip():
        raise ValueError('a text that says something, or "/a regular expression/"')
    if (inner := regex_in(said)) is not None:
        if len(inner) > _LONGEST_REGEX:
            raise ValueError(f"a regular expression of at most {_LONGEST_REGEX} characters")
        try:
            re.compile(inner)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"a regular expression between the slashes that can be read ({error})") from None
    return said


def regex_in(said: str) -> str | None:
    """What stands between the slashes of "/…/"; None: it is a plain text."""
    return said[1:-1] if len(said) > 2 and said[0] == said[-1] == "/" else None


def _tempers(given: Any) -> Any:
    """One, or several; however somebody writes them."""
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list):
        return found
    names = [re.sub(r"^on a ", "", re.sub(r"[\s_-]+", " ", str(name)).strip().lower()) for name in found]
    for name in (name for name in names if name):
        if name not in TEMPERS:
            raise ValueError(f"one or a list of {', '.join(shown(temper) for temper in TEMPERS)}")
    return [name for name in names if name]


def _facts(given: Any) -> Any:
    """A list, one text, or a table."""
    if isinstance(given, str):
        return [line.strip(" -") for line in given.splitlines() if line.strip(" -")]
    return [f"{name}: {value}" for name, value in given.items()] if isinstance(given, dict) else given


def _line(said: str) -> str:
    if not said.strip() or len(said) > LONGEST_MESSAGE:
        raise ValueError(f"lines of 1 to {LONGEST_MESSAGE} characters")
    return said.strip()


Pattern = Annotated[str, AfterValidator(_pattern)]
Line = Annotated[str, AfterValidator(_line)]


class Caller(_Section):
    """Who calls. With `lines` they say these, one after another; without, a model plays them until the `goal` is reached."""

    persona: str = Field("", max_length=4_000)
    goal: str = Field("", max_length=4_000)
    facts: Annotated[list[str], BeforeValidator(_facts)] = []
    """What they know: told when they are asked."""
    temper: Annotated[list[Temper], BeforeValidator(_tempers)] = []
    lines: list[Line] = Field([], max_length=MOST_LINES)
    name: str = Field("", max_length=LONGEST_NAME)
    """What the agent is told that they are called; "": nothing."""
    identity: str = Field("caller", min_length=1, max_length=LONGEST_NAME)
    attributes: dict[str, str] = {}
    """Of the participant, as a client would set them."""
    variant: str = Field("", max_length=LONGEST_NAME)
    """Which of the agent's variants they get; "": the one that falls to their identity, the same each time."""
    voice: str = ""
    """In sound: a voice of the TTS provider; "": the usual one at another pitch."""
    turns: int = Field(20, ge=1, le=MOST_LINES)
    """A caller played by a model hangs up after so many lines, and has failed."""
    seconds: float = Field(300.0, gt=0, le=3_600)
    """However it goes, it is over after so long."""


class Call(_Section):
    """A tool that must be called. `arguments`: those that matter, each as it must be; a text is compared without regard to case
    and may be a "/regular expression/"; `times`: exactly so often; left out: at least once."""

    name: str = Field(min_length=1, max_length=200)
    arguments: dict[str, Any] = {}
    times: int | None = Field(None, ge=0)


class Expect(_Section):
    """What is looked for in the log: no model is asked."""

    said: list[Pattern] = []
    """By the agent, at some time: a part of a text, whatever the case, or a "/regular expression/"."""
    never: list[Pattern] = []
    """By the agent."""
    called: list[Call] = []
    """Tools, in any order."""
    not_called: list[str] = []
    """Names of tools."""
    fields: dict[str, Any] = Field({}, max_length=MOST_FIELDS)
    """What the agent has collected at the end, and had confirmed, by the names of its [[fields]]: compared as arguments are."""
    result: dict[str, Any] = Field({}, max_length=MOST_FIELDS)
    """What of the structured result matters, compared alike; a model fills it from the conversation, as after a call."""
    ended: bool | None = None
    """Whether the agent ends the conversation by itself."""
    latency_p95: float | None = Field(None, gt=0)
    """Seconds from the end of what the caller says until the agent is heard (text: is read), of 95 of 100 turns."""
    turns: int | None = Field(None, ge=1)
    """At most so many lines of the caller."""
    interruptions: bool | None = None
    """Whether the caller spoke over the agent, which then fell silent and answered that."""


class Judge(_Section):
    """What a model is asked about the conversation, a sentence each: each must be true."""

    criteria: list[Line] = Field([], max_length=20)


class ScenarioSpec(_Section):
    """A scenario file."""

    description: str = ""
    caller: Caller
    expect: Expect = Expect()
    judge: Judge = Judge()

    @model_validator(mode="after")
    def _somebody_says_something(self) -> "ScenarioSpec":
        if not self.caller.lines and not self.caller.goal.strip():
            raise ValueError("a caller has a goal (a model plays them), or lines (they say these)")
        return self


@dataclass(frozen=True, slots=True)
class Scenario:
    """`name`: the file's, without `.toml`."""

    name: str
    spec: ScenarioSpec
    file: Path | None = None


def load(file: Path) -> Scenario:
    """ScenarioError names the file, the line, what was found and what is allowed."""
    with_limit(file)
    text = read_text(file, ScenarioError, "a scenario")
    spec = read_toml(ScenarioSpec, text, str(file), ScenarioError, sentence=_sentence)
    return Scenario(file.stem, spec, file)


def with_limit(file: Path) -> None:
    try:
        size = file.stat().st_size
    except OSError:
        return  # reading says why
    if size > _LONGEST_FILE:
        raise ScenarioError(f"{file}: {size:,} bytes; a scenario has at most {_LONGEST_FILE:,}")


def scenarios(folder: Path, wanted: Sequence[str] = ()) -> list[Scenario]:
    """Those of `folder`, by name; or `wanted`: names of them, files, or folders of files. ScenarioError: with all that is
    wrong in any of them, or that there are none."""
    files = list(dict.fromkeys(_files(folder, wanted)))
    if len(files) > MOST_SCENARIOS:
        raise ScenarioError(f"{len(files)} scenarios; at most {MOST_SCENARIOS} are run at a time")
    found, wrong = [], []
    for file in files:
        try:
            found.append(load(file))
        except ScenarioError as error:
            wrong.append(str(error))
    if wrong:
        raise ScenarioError("\n".join(wrong))
    return found


def _files(folder: Path, wanted: Sequence[str]) -> Iterable[Path]:
    here = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    if not wanted and not here:
        raise ScenarioError(
            f"{folder}: no scenarios there; expected NAME.toml files, or the path of one behind the agent"
        )
    if not wanted:
        yield from here
    names = {file.stem: file for file in here}
    for one in wanted:
        path = Path(one)
        if one in names:
            yield names[one]
        elif path.is_dir():
            inside = sorted(path.glob("*.toml"))
            if not inside:
                raise ScenarioError(f"{path}: no scenarios there; expected NAME.toml files")
            yield from inside
        elif path.is_file():
            yield path
        else:
            known = f"there is {', '.join(names)} in {folder}" if names else f"{folder} has none"
            raise ScenarioError(f"no scenario {one!r}, and no such file or folder; {known}")


def _sentence(spec: type[BaseModel], name: str, text: str, item: dict[str, Any]) -> str:
    """As of an agent file; what only we know to be allowed is said in our words."""
    custom = item.get("ctx", {}).get("error")
    keys = tuple(str(key) for key in item["loc"] if not isinstance(key, int))
    if isinstance(custom, ValueError):
        line = line_of(text, keys) if keys else None
        where = f"{name}, line {line}: " if line else f"{name}: "
        found = f"{'.'.join(keys)} = {shown(item['input'])}; " if keys else ""
        return f"{where}{found}expected {custom}"
    if item["type"] == "extra_forbidden" and keys[:-1] == ("expect", "called"):
        line = line_of(text, keys[:-1])
        where = f"{name}, line {line}: " if line else f"{name}: "
        return f'{where}unknown key "{keys[-1]}" in expect.called; Allowed: {", ".join(Call.model_fields)}'
    if item["type"] == "missing":
        return f"{name}: {'.'.join(keys)} is missing; expected {_WANTED.get(keys[-1], 'a value')}"
    return explain(spec, name, text, item)


_WANTED = {
    "caller": "a table [caller] with a goal, or with lines",
    "name": 'the name of a tool, such as called = [{ name = "book", arguments = { guests = 4 } }]',
}


def inline(text: str, name: str = "scenario") -> Scenario:
    """A scenario from TOML text. ScenarioError."""
    return Scenario(name, read_toml(ScenarioSpec, text, name, ScenarioError, sentence=_sentence))


def made(name: str, **sections: Any) -> Scenario:
    """A scenario from values: `caller`, `expect`, `judge`. ScenarioError."""
    try:
        return Scenario(name, ScenarioSpec.model_validate(sections))
    except ValidationError as error:
        raise ScenarioError(
            "\n".join(_sentence(ScenarioSpec, name, "", dict(item)) for item in error.errors())
        ) from None
