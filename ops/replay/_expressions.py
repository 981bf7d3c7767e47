"""Conditions and parts of a state, as somebody types them: `event.type == "turn.ended" and event.reason != "finished"`.

A small language that only looks: names, fields, places in lists and tables, comparisons, `and or not in`, `len`. It is walked
here, never handed to Python's own `eval`: whatever a file or a stranger's script says, nothing is called.
"""

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from schemas.errors import AntiphonError

LONGEST = 500
"""Characters of one expression."""


class ExpressionError(AntiphonError):
    """What is wrong with an expression, in a sentence."""


class Expression:
    """`text`, parsed. ExpressionError."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        if len(self.text) > LONGEST:
            raise ExpressionError(f"an expression of {len(self.text)} characters; at most {LONGEST} are read")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of how strangers write numbers
                self._tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ExpressionError(
                f'"{self.text}": expected something like event.type == "turn.ended" or state.turns[2].text'
            ) from None
        _check(self._tree, self.text)

    def value(self, names: Mapping[str, Any]) -> Any:
        """With these names. ExpressionError: there is no such part, or it can't be compared."""
        try:
            return _value(self._tree, names)
        except (LookupError, TypeError, RecursionError) as error:
            raise ExpressionError(f'"{self.text}": {_said(error)}') from None

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Whether it is so; where a part is not there, it is not."""
        try:
            return bool(_value(self._tree, names))
        except (LookupError, TypeError, RecursionError):
            return False


def _said(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)


_COMPARES: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_NODES = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Call, ast.Tuple, ast.List,
)  # fmt: skip


def _check(node: ast.expr, text: str) -> None:
    """Before anything is looked up: only what is understood."""
    for part in ast.walk(node):
        if not isinstance(part, ast.expr):
            continue
        if not isinstance(part, _NODES):
            raise ExpressionError(
                f'"{text}": {type(part).__name__} is not understood here; names, fields and comparisons are'
            )
        if isinstance(part, ast.Call) and not (_is_len(part) and len(part.args) == 1 and not part.keywords):
            raise ExpressionError(f'"{text}": nothing is called here but len(…)')
        if isinstance(part, ast.UnaryOp) and not isinstance(part.op, ast.Not | ast.USub):
            raise ExpressionError(f'"{text}": of signs only `not` and `-` are understood')
        if isinstance(part, ast.Attribute) and part.attr.startswith("_"):
            raise ExpressionError(f'"{text}": {part.attr} is nobody\'s to look at')


def _is_len(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "len"


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name not in names:
                raise LookupError(f"there is no {name}; there are {', '.join(names)}")
            return names[name]
        case ast.Attribute(value=inner, attr=name):
            return _field(_value(inner, names), name)
        case ast.Subscript(value=inner, slice=place):
            return _item(_value(inner, names), _value(place, names))
        case ast.Call(args=[inner]):
            return len(_value(inner, names))
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [_value(part, names) for part in parts]
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _value(inner, names)
        case ast.UnaryOp(operand=inner):
            return operator.neg(_value(inner, names))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_value(part, names) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_value(part, names) for part in parts)
        case ast.Compare(left=left, ops=signs, comparators=rest):
            values = [_value(part, names) for part in (left, *rest)]
            pairs = zip(signs, values, values[1:], strict=False)
            return all(_COMPARES[type(sign)](one, other) for sign, one, other in pairs)
        case _:
            raise TypeError("it is not understood")


def _field(value: Any, name: str) -> Any:
    """A field of one of our values, or what a table has under that name."""
    if isinstance(value, Mapping):
        return _item(value, name)
    if name in parts_of(value):
        return getattr(value, name)
    if value is None:
        raise LookupError(f"there is nothing here just now that could have {name}")
    raise LookupError(f"there is no {name} in it; there are {', '.join(parts_of(value)) or 'no parts'}")


def _item(value: Any, place: Any) -> Any:
    if not isinstance(value, Mapping | list | tuple | str):
        raise TypeError(f"{type(value).__name__} has no places")
    try:
        return value[place]
    except LookupError:
        known = ", ".join(map(str, value)) if isinstance(value, Mapping) else f"{len(value)} of them"
        raise LookupError(f"there is no {place!r} in it; there are {known}") from None


def parts_of(value: Any) -> list[str]:
    """Names of what can be looked at in one of our values: its fields, and what is read off them."""
    if isinstance(value, BaseModel):
        names = list(type(value).model_fields)
    elif is_dataclass(value):
        names = [field.name for field in fields(value)]
    else:
        return []
    ours = [kind for kind in type(value).__mro__ if kind.__module__.partition(".")[0] == "schemas"]
    read_off = [name for kind in ours for name, found in vars(kind).items() if isinstance(found, property)]
    return [name for name in (*names, *read_off) if not name.startswith("_")]


def plain(value: Any) -> Any:
    """As JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value
