"""From a function's signature and docstring to what the model is told, and from what it answers back to arguments."""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, get_args, get_origin

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from typing_extensions import TypedDict

from workers.agents._context import Context

__all__ = ["ArgumentsError", "Signature", "WrongFunction", "signature_of"]

LONGEST_DESCRIPTION = 4_000
"""Characters that the model is told of a tool: it reads them at each turn."""
_PARAMETERS = 32
_PARAMETER = re.compile(r"^\s{0,8}(?::param\s+)?(?P<name>\w+)(?:\s*\([^)]*\))?\s*:\s+(?P<text>\S.*)$")
_HEADING = re.compile(r"^\s*(?:Args|Arguments|Parameters)\s*:\s*$")
_BEHIND = re.compile(r"^\s*(?:Returns?|Raises|Yields?|Examples?)\s*:\s*$")


class WrongFunction(Exception):
    """No tool can be made of a function: what was expected of it, in one sentence."""


class ArgumentsError(Exception):
    """Arguments do not fit: a sentence for the model, which may try again."""


@dataclass(frozen=True, slots=True)
class Signature:
    """`parameters`: JSON schema of an object; `context`: whether the function wants one first; `fit`: arguments as the function
    takes them, or ArgumentsError."""

    description: str
    parameters: dict[str, Any]
    context: bool
    fit: Callable[[Mapping[str, Any]], dict[str, Any]]


def signature_of(function: Callable[..., Any]) -> Signature:
    """WrongFunction: it can't be a tool, and why."""
    name = getattr(function, "__name__", "?")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise WrongFunction(f"{name}: an annotation can't be read ({type(error).__name__}: {error})") from None
    parameters = list(inspect.signature(function).parameters.values())
    wants_context = bool(parameters) and hints.get(parameters[0].name) is Context
    described, about = _told(inspect.getdoc(function) or "", {one.name for one in parameters})
    fields: dict[str, Any] = {}
    for parameter in parameters[1:] if wants_context else parameters:
        fields[parameter.name] = _field(name, parameter, hints, about)
    if len(fields) > _PARAMETERS:
        raise WrongFunction(f"{name}: {len(fields)} parameters; a tool has at most {_PARAMETERS}")
    made: Any = TypedDict  # of names that are known only now
    shape = made("Arguments", fields)
    # models add what nobody asked for
    shape.__pydantic_config__ = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    try:
        adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(shape)
        schema = adapter.json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, NameError) as error:
        said = str(error).split("\n")[0]
        raise WrongFunction(f"{name}: a parameter has a type that JSON has none for ({said})") from None
    schema.setdefault("properties", {})
    return Signature(described, _slim(schema), wants_context, lambda given: _fit(adapter, given))


def _field(function: str, parameter: inspect.Parameter, hints: Mapping[str, Any], about: Mapping[str, str]) -> Any:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise WrongFunction(f"{function}: the parameter {parameter} can't be given by name; a tool's can")
    hint = hints.get(parameter.name)
    if hint is None:
        raise WrongFunction(
            f'{function}: the parameter "{parameter.name}" has no type; write {parameter.name}: str, or so'
        )
    if hint is Context:
        raise WrongFunction(f"{function}: the context must be its first parameter")
    if parameter.name in about and not _described(hint):
        hint = Annotated[hint, Field(description=about[parameter.name])]
    return hint if parameter.default is parameter.empty else NotRequired[hint]


def _described(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(getattr(one, "description", None) for one in get_args(hint)[1:])


def _told(doc: str, names: set[str]) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each parameter: `guests: how many`, below `Args:` or not."""
    told: list[str] = []
    about: dict[str, str] = {}
    current = ""
    for line in doc.splitlines():
        if _BEHIND.match(line):
            break
        found = _PARAMETER.match(line)
        if found and found["name"] in names:
            current = found["name"]
            about[current] = found["text"].strip()
        elif _HEADING.match(line):
            current = ""
        elif current and line.strip():
            about[current] += f" {line.strip()}"
        else:
            current = ""
            told.append(line)
    return "\n".join(told).strip()[:LONGEST_DESCRIPTION], {name: text[:500] for name, text in about.items()}


def _slim(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles pydantic gives: they are nothing but the names again."""

    def slim(value: Any, *, names: bool = False) -> Any:
        if isinstance(value, list):
            return [slim(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: slim(one, names=key in ("properties", "$defs"))
            for key, one in value.items()
            if names or key != "title" or not isinstance(one, str)
        }

    slimmed: dict[str, Any] = slim(schema)
    return slimmed


def _fit(adapter: TypeAdapter[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return adapter.validate_python(dict(given))
    except ValidationError as error:
        raise ArgumentsError(explained(error)) from None


def explained(error: ValidationError) -> str:
    """What is wrong with arguments, for the model."""
    wrong = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:5]]
    return "; ".join(wrong)
