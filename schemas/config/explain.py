"""What is wrong with an agent file or a setting, said to whoever wrote it: where, what was found, what is allowed."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import AntiphonError

Keys = tuple[str, ...]
_Spec = TypeVar("_Spec", bound=BaseModel)
_MOST = 20
"""Complaints about one text."""
_PARSED = 2_000_000
"""Characters that are parsed to find one line: texts that people write need a fraction of it."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """`line`: from 1, None where it can't be told."""

    line: int | None
    message: str


def read_text(path: Path, error: type[AntiphonError], wanted: str, setting: str = "") -> str:
    """`wanted`, a file that somebody wrote. Raises `error`, which names the file and the `setting` it stands in ("": none)."""
    name = f"{setting}={path}" if setting else str(path)
    try:
        return path.read_text("utf-8")
    except OSError as problem:
        raise error(f"{name}: cannot be read ({problem.strerror}); give {wanted} in TOML") from None
    except UnicodeDecodeError as problem:
        raise error(f"{name}: byte {problem.start} is not UTF-8; save it as UTF-8 text") from None


def read_toml(
    spec: type[_Spec], text: str, name: str, error: type[AntiphonError], *,
    sentence: Callable[[type[BaseModel], str, str, dict[str, Any]], str] | None = None, defaults: Mapping[str, str] = {},
) -> _Spec:  # fmt: skip
    """A `spec` from TOML text; `name`: of the file; `sentence`: says what is wrong (None: `explain`); `defaults`: for what the
    text leaves out, or leaves empty. Raises `error`, a line for everything that is wrong."""
    say = sentence or explain
    try:
        return spec.model_validate(_loaded(text, defaults))
    except _NotToml as problem:
        raise error(f"{name}: not TOML: {problem}") from None
    except ValidationError as problem:
        raise error("\n".join(say(spec, name, text, dict(item)) for item in problem.errors())) from None


def complaints(spec: type[BaseModel], text: str) -> list[Complaint]:
    """What is wrong with this TOML text, in the order of its lines; nothing: it is a `spec`. May take seconds for a text that was
    made to."""
    try:
        spec.model_validate(_loaded(text))
    except _NotToml as problem:
        line = re.search(r"at line (\d+)", str(problem))
        last = text.count("\n") + 1 if "at end of document" in str(problem) else None
        return [Complaint(int(line[1]) if line else last, f"not TOML: {problem}")]
    except ValidationError as problem:
        found = [_complaint(spec, text, dict(item)) for item in problem.errors()[:_MOST]]
        return sorted(found, key=lambda complaint: complaint.line or 0)
    return []


class _NotToml(Exception): ...


def _loaded(text: str, defaults: Mapping[str, str] = {}) -> dict[str, Any]:
    """_NotToml, for texts, too, that are deeper or hold longer numbers than anybody means."""
    import tomllib  # who only looks reads none

    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise _NotToml("lists and tables within each other, deeper than can be read") from None
    except tomllib.TOMLDecodeError as problem:
        raise _NotToml(str(problem)) from None
    except ValueError:
        raise _NotToml("a number, or a time, that can't be read") from None
    return found | {key: value for key, value in defaults.items() if found.get(key, "") == ""}


def explain(spec: type[BaseModel], name: str, text: str, item: dict[str, Any]) -> str:
    """One sentence for one error of pydantic. `spec`: the file's class; `name`: of the file; `text`: all of it."""
    complaint = _complaint(spec, text, item)
    where = f"{name}, line {complaint.line}: " if complaint.line else f"{name}: "
    return where + complaint.message


def _complaint(spec: type[BaseModel], text: str, item: dict[str, Any]) -> Complaint:
    keys = tuple(key for key in _until_index(item["loc"]))
    line = line_of(text, keys) if keys else None
    if item["type"] == "value_error":  # of ours, and a sentence
        return Complaint(line, ": ".join(part for part in (_path(item["loc"]), str(item["ctx"]["error"])) if part))
    if (inner := _in_list(spec, item["loc"])) is not None:
        return Complaint(line, inner(item))
    section, field = _find(spec, keys)
    if item["type"] == "extra_forbidden":
        return Complaint(line, _unknown(spec, section, keys))
    found = f"{'.'.join(keys)} = {shown(item['input'])}"
    if field is None:
        return Complaint(line, f"{found}: {item['msg']}")
    return Complaint(line, f"{found}; expected {expected(field)}{when_left_out(field)}")


def line_of(text: str, keys: Keys) -> int | None:
    """The line, from 1, at which `keys` is first set in this TOML text (by key, dotted key, table or inline table). None: by
    none, or it takes too long to tell."""
    lines = text.splitlines(keepends=True)
    lengths = list(accumulate(map(len, lines), initial=0))
    parsed = 0
    for number, line in enumerate(lines):
        if keys[-1] not in line:
            continue
        parsed += lengths[number]
        if parsed > _PARSED:
            return None
        before = _parsed(lines[:number])
        if before is None:  # inside a text or list that goes over several lines
            continue
        if _contains(before, keys):
            return None
        for end in range(number + 1, len(lines) + 1):
            parsed += lengths[end]
            if parsed > _PARSED:
                return None
            after = _parsed(lines[:end])
            if after is not None:
                if _contains(after, keys):
                    return number + 1
                break
    return line_of(text, keys[:-1]) if len(keys) > 1 else None


def _parsed(lines: Sequence[str]) -> dict[str, Any] | None:
    import tomllib

    try:
        return tomllib.loads("".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _contains(table: Any, keys: Keys) -> bool:
    for key in keys:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True


def _until_index(loc: Sequence[str | int]) -> list[str]:
    keys: list[str] = []
    for part in loc:
        if isinstance(part, int):
            break
        keys.append(part)
    return keys


def _path(loc: Sequence[str | int]) -> str:
    """As it would be written in a program: `fields[2].type`, from 0."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _in_list(spec: type[BaseModel], loc: Sequence[str | int]) -> Callable[[dict[str, Any]], str] | None:
    """What to say of something inside of a list of tables; None: it is not inside of one."""
    place = next((place for place, part in enumerate(loc) if isinstance(part, int)), len(loc))
    _, field = _find(spec, tuple(str(part) for part in loc[:place]))
    kind = next((one for one in get_args(field.annotation) if _is_section(one)), None) if field is not None else None
    if kind is None or place + 1 >= len(loc):
        return None
    section, inner = _find(kind, tuple(str(part) for part in loc[place + 1 :] if isinstance(part, str)))
    path = _path(loc)

    def said(item: dict[str, Any]) -> str:
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(loc[-1]), section.model_fields, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            return f"unknown key {path}; {hint}Allowed: {', '.join(section.model_fields)}"
        if item["type"] == "missing":
            return f"{path} is missing; expected {expected(inner)}" if inner is not None else f"{path} is missing"
        allowed = f"expected {expected(inner)}{when_left_out(inner)}" if inner is not None else item["msg"]
        return f"{path} = {shown(item['input'])}; {_pattern(item) or allowed}"

    return said


def _pattern(item: dict[str, Any]) -> str:
    """What a text has to look like, where that is what is wrong."""
    if item["type"] != "string_pattern_mismatch":
        return ""
    letters = "letters" if "A-Z" in item["ctx"]["pattern"] else "small letters"
    return f"expected a name of {letters}, digits and _ ({item['ctx']['pattern']})"


def _find(spec: type[BaseModel], keys: Keys) -> tuple[type[BaseModel], FieldInfo | None]:
    """The section `keys` lies in, and its field, if the spec knows it."""
    section, field = spec, None
    for depth, key in enumerate(keys):
        field = section.model_fields.get(key)
        if field is None:
            return section, None
        if depth < len(keys) - 1:
            kinds = (field.annotation, *get_args(field.annotation))  # a section, or one that may be left out
            section = next((kind for kind in kinds if _is_section(kind)), section)
    return section, field


_ELSEWHERE_CALLED = {
    "prompt": "instructions", "system": "instructions", "system_prompt": "instructions", "first_message": "greeting",
    "welcome_message": "greeting",
}  # fmt: skip
"""What other voice platforms call the same, and what it is called here."""


def _unknown(spec: type[BaseModel], section: type[BaseModel], keys: Keys) -> str:
    table = f"[{'.'.join(keys[:-1])}]" if len(keys) > 1 else "the top of the file"
    key = keys[-1]
    meant = _ELSEWHERE_CALLED.get(key)
    near = [meant] if meant in section.model_fields else difflib.get_close_matches(key, section.model_fields, n=1)
    elsewhere = [name for name, cls in _sections(spec) if key in cls.model_fields]
    if near:
        hint = f'did you mean "{near[0]}"? '
    elif elsewhere:
        hint = f"it belongs in {' or '.join(f'[{name}]' for name in elsewhere)}. "
    elif key in spec.model_fields:
        hint = "it belongs at the top of the file, before the first [table]. "
    else:
        hint = ""
    return f'unknown key "{key}" in {table}; {hint}Allowed: {", ".join(section.model_fields)}'


def _sections(spec: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    return [
        (name, field.annotation)  # type: ignore[misc]
        for name, field in spec.model_fields.items()
        if _is_section(field.annotation)
    ]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def expected(field: FieldInfo) -> str:
    """What a field takes, in words: kind, range or choices."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(shown(value) for value in get_args(annotation))
    if _is_section(annotation):
        return f"a table with the keys {', '.join(annotation.model_fields)}"  # type: ignore[union-attr]
    if get_origin(annotation) is list:
        return 'a list of texts, such as ["one", "two"]'
    if get_origin(annotation) is dict:
        return "a table"
    kinds = [kind for kind in (annotation, *get_args(annotation)) if kind in _KINDS]
    return (_KINDS[kinds[0]] if kinds else str(annotation)) + _range(field)


_KINDS: dict[Any, str] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _range(field: FieldInfo) -> str:
    words = {"ge": "from {:g}", "gt": "above {:g}", "le": "to {:g}", "lt": "below {:g}"}
    limits = [
        text.format(getattr(rule, attribute))
        for attribute, text in words.items()
        for rule in field.metadata
        if getattr(rule, attribute, None) is not None
    ]
    return " " + " ".join(limits) if limits else ""


def when_left_out(field: FieldInfo) -> str:
    """Its default, in brackets; "" where there is nothing to show."""
    if isinstance(field.default, str | int | float) and field.default != "":
        return f" (left out: {shown(field.default)})"
    return ""


def shown(value: Any) -> str:
    """A value as it is written in a TOML file, cut to one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'
    return repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "…"
