"""A frozen value with some of its fields others, many times faster than `dataclasses.replace`: a log's fold does little else."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def altered(value: T, /, **changes: Any) -> T:
    """`value`, a dataclass with slots and without `__post_init__`, but for `changes`. AttributeError: it has no such field."""
    kind: Any = type(value)
    made: T = _maker(kind, tuple(changes))(value, *changes.values())
    return made


def changer(kind: type[T], *names: str) -> Callable[..., T]:
    """`altered` for a place that is passed often: of a value of this kind and its fields called so, in this order, makes the
    altered one. AttributeError: it has no such field."""
    any_kind: Any = kind
    made: Callable[..., T] = _maker(any_kind, names)
    return made


@cache
def _maker(kind: Any, names: tuple[str, ...]) -> Callable[..., Any]:
    """Makes such a value of another one and the fields called so: as its like that is not frozen yet, a class of the same slots,
    which Python lets become the other. Past a frozen class' own `__setattr__` a field costs ten times as much."""
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in names if name not in known]:
        raise AttributeError(f"{kind.__name__} has no field {', '.join(unknown)}; it has {', '.join(known)}")
    like = type(kind.__name__, (), {"__slots__": tuple(known)})
    lines = [
        f"def made({', '.join(('old', *(f'new_{name}' for name in names)))}):",
        " one = make(like)",
        *(f" one.{name} = {f'new_{name}' if name in names else f'old.{name}'}" for name in known),
        " one.__class__ = kind",
        " return one",
    ]
    scope: dict[str, Any] = {"make": object.__new__, "like": like, "kind": kind}
    exec("\n".join(lines), scope)
    made: Callable[..., Any] = scope["made"]
    return made
