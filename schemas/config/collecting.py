"""Sections of an agent file about what a conversation is to bring: fields, a result, a memory of the caller, variants."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "FIELDS_MOST", "UNCHANGED", "UNVOUCHED", "FieldSpec", "FieldType", "MemorySpec", "ResultSpec", "VariantSpec", "check_schema",
    "merged", "schema_from",
]  # fmt: skip

FIELDS_MOST = 40
"""Fields of an agent, and variants."""
_SCHEMA_MOST, _DEPTH_MOST = 16_000, 20
"""Characters of a result's schema, and tables within each other: it stands in each session's log, and in a prompt."""
UNVOUCHED = "antiphon.unvouched"
"""An attribute that a LiveKit token gives its participant: whoever made it took their word for who they are."""
UNCHANGED = "unchanged"
"""Who gets the agent as it is, where there are variants."""

FieldType = Literal["text", "email", "digits", "date", "name", "choice", "number", "yes_no"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldSpec(_Section):
    """Something the agent asks for (docs/collecting.md)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """What it is called in the log, the API and webhooks: small letters, digits and _, a letter first."""
    type: FieldType = "text"
    """What it is: decides what is understood, how it is read back, and how long a caller who dictates it may pause."""
    ask: str = Field("", max_length=300)
    """How the agent is to ask; "": by the name."""
    confirm: bool = True
    """Read it back, and take it only once the caller has said that it is right."""
    required: bool = True
    """Ask for it; else it is noted where the caller says it unasked."""
    pattern: str = Field("", max_length=300)
    """A regular expression that all of the value has to fit, as it is kept ("" : any)."""
    length: int = Field(0, ge=0, le=200)
    """Characters it has to have; 0: any number."""
    choices: list[str] = Field([], max_length=50)
    """Of a choice: what there is to choose from."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _has_choices(self) -> "FieldSpec":
        if self.type == "choice" and len(self.choices) < 2:
            raise ValueError(f'field "{self.name}" is a choice; expected choices = ["…", "…"], two at least')
        if self.type != "choice" and self.choices:
            raise ValueError(f'field "{self.name}" has choices; expected type = "choice" with them')
        return self


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", 'Field name "schema"')  # of pydantic's, which calls it by another name by now

    class ResultSpec(_Section):
        """What a model makes of a session once it is over."""

        schema: str | dict[str, Any] = Field("", validate_default=False)  # type: ignore[assignment]
        """A JSON schema: a file's name in the agent's folder, or a table; "": there is no result. In a log always the schema."""
        instructions: str = Field("", max_length=2_000)
        """What the model is told besides."""

        @field_validator("schema")
        @classmethod
        def _fits(cls, schema: str | dict[str, Any]) -> str | dict[str, Any]:
            if isinstance(schema, dict):
                check_schema(schema)
            return schema


def check_schema(schema: dict[str, Any]) -> None:
    """ValueError: it is not a schema of an object that can be filled, and why."""
    if len(str(schema)) > _SCHEMA_MOST:
        raise ValueError(f"a schema of {len(str(schema))} characters; expected {_SCHEMA_MOST} at most")
    for key, value, depth in _inside(schema, 0):
        if depth > _DEPTH_MOST:
            raise ValueError(f"a schema of tables within each other, deeper than {_DEPTH_MOST}")
        if key in ("$ref", "$dynamicRef") and not (isinstance(value, str) and value.startswith("#")):
            raise ValueError(f"{key} = {value!r}; expected one that begins with #: nothing is fetched from elsewhere")
    if schema.get("type") != "object":
        raise ValueError(f'type = {schema.get("type")!r}; expected "object" at the top of a schema')


def schema_from(folder: Path, name: str) -> dict[str, Any]:
    """The schema in a file of this folder. ValueError: there is none, and why."""
    if Path(name).name != name or not name.endswith(".json"):
        raise ValueError(
            f"{name!r}; expected the name of a .json file beside the agent's, without a folder, or a table"
        )
    path = folder / name
    try:
        if path.stat().st_size > 4 * _SCHEMA_MOST:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes; expected {_SCHEMA_MOST:,} characters at most")
        schema = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ValueError(f"{path} cannot be read ({problem.strerror}); expected a JSON schema there") from None
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is not JSON: {problem}") from None
    if not isinstance(schema, dict):
        raise ValueError(f"{path} is no JSON schema; expected an object")
    check_schema(schema)
    return schema


def _inside(value: Any, depth: int) -> Iterator[tuple[str, Any, int]]:
    if depth > _DEPTH_MOST + 1:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner, depth
            yield from _inside(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner, depth + 1)


class MemorySpec(_Section):
    """What the agent knows of a caller from earlier conversations. Callers are known by a phone number, or by the identity that a
    token vouches for; of all others nothing is kept."""

    on: bool = False
    max_characters: int = Field(1_000, ge=100, le=8_000)
    """All that is kept of one caller, and told to the LLM."""
    days: float = Field(365.0, ge=0.0, le=36_500.0)
    """How long it is kept after the last conversation; 0: until somebody has it forgotten."""
    instructions: str = Field("", max_length=2_000)
    """What is worth remembering, and what is not to be."""


class VariantSpec(BaseModel):
    """The agent with some of its settings others, for a share of the callers. All keys but these two are the agent's own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")
    share: float = Field(gt=0.0, le=1.0)
    """Of all callers, by hash of who they are; what is left over gets the agent unchanged."""

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`: tables are merged, all else is replaced."""
    made = dict(base)
    for key, value in over.items():
        inner = made.get(key)
        made[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return made
