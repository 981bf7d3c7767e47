"""What is mistyped on a command line, told in the voice of settings: `--count 0: expected a whole number from 1`."""

import sys
from typing import Any

_KINDS = {"int": "a whole number", "float": "a number", "bool": "yes or no"}
_LIMITS = {
    "greater_than_equal": ("from", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("to", "le"),
    "less_than": ("below", "lt"),
}


def told(error: Any) -> str:
    """`error`: of Typer."""
    parameter = getattr(error, "param", None)
    said = str(error.format_message()).rstrip(".")
    if parameter is None or type(error).__name__ != "BadParameter":
        return said[:1].lower() + said[1:] if said[:2].istitle() else said
    name = _as_typed(parameter)
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if found:
        from schemas.text.clean import printable  # a command is loaded by now, with all that it needs

        return f"{name} {printable(str(found[0]['input']))}: {_expected(found[0])}"
    message = str(error.message).rstrip(".")
    return f"{name} {message}" if ": expected " in message else f"{name}: {message[:1].lower()}{message[1:]}"


def _as_typed(parameter: Any) -> str:
    typed = [word.partition("=")[0] for word in sys.argv[1:]]
    return str(next((name for name in parameter.opts if name in typed), parameter.opts[0]))


def _expected(found: dict[str, Any]) -> str:
    """What would have been right. `found`: one error of pydantic's."""
    kind, context = str(found["type"]), found.get("ctx", {})
    if kind in _LIMITS:
        word, limit = _LIMITS[kind]
        kind = "int" if isinstance(context[limit], int) else "float"
        return f"expected {_KINDS[kind]} {word} {context[limit]:g}"
    if kind.partition("_")[0] in _KINDS:
        return f"expected {_KINDS[kind.partition('_')[0]]}"
    said = str(context.get("error", found["msg"])).rstrip(".")
    _, one_of, choices = said.partition(" is not one of ")
    return f"expected one of {choices.replace(chr(39), '')}" if one_of else said
