"""What a tool answered, as the model reads it: bounded, and a sentence where it can't be read."""

import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from schemas.text.clean import DEEPEST, too_deep, well_formed
from workers.tools._secrets import hidden

__all__ = ["Unreadable", "changed", "cut", "in_short", "told"]

STATE_AT_MOST = 16_000
"""Characters, as JSON, of what one call may change in a session's state."""
WHOLE_STATE_AT_MOST = 64_000
"""The same of all of it."""
_LOOKED_AT = 10_000
"""Values in a result that are looked at for one without an end."""
_SAID, _SECRET = 4_000, 1_000
"""Characters of what an exception says; of a secret that begins in them, or in a result that is cut."""


class Unreadable(Exception):
    """A result that is nothing for a model: why, in a sentence."""


def told(value: Any, most: int) -> str:
    """Unreadable: it can't be."""
    if value is None:
        return "done"
    if isinstance(value, str):
        return cut(value, most)
    if isinstance(value, bytes | bytearray | memoryview):
        raise Unreadable(
            f"it returned {len(value):,} bytes of binary data, which can't be read; a tool returns text or JSON"
        )
    if _endless(value):
        raise Unreadable(f"it returned a {type(value).__name__}, which may have no end; a tool returns a list")
    try:
        return cut(json.dumps(to_jsonable_python(value, fallback=_named), ensure_ascii=False), most)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"it returned a {type(value).__name__}, which JSON can't tell ({in_short(error)})") from None


def _named(value: Any) -> str:
    """What JSON has nothing for, by the text that its class has made for it; TypeError: it has made none."""
    kind: Any = type(value)
    if isinstance(value, AsyncIterator) or (kind.__str__, kind.__repr__) == (object.__str__, object.__repr__):
        raise TypeError(f"{kind.__name__} has no text of its own")
    return str(value)


def _endless(value: Any) -> bool:
    """Whether something in it is read to an end that may not come."""
    within, looked = [value], 0
    while within and looked < _LOOKED_AT:
        one = within.pop()
        looked += 1
        if isinstance(one, Iterator):
            return True
        if isinstance(one, Mapping):
            within += itertools.islice(one.values(), _LOOKED_AT)
        elif isinstance(one, list | tuple | set | frozenset | deque):
            within += itertools.islice(one, _LOOKED_AT)
    return False


def cut(text: str, most: int) -> str:
    """Without secrets, also where one would be cut."""
    if len(text) <= most:
        return hidden(well_formed(text))
    return (
        f"{hidden(well_formed(text[: most + _SECRET]))[:most]}\n"
        f"(cut: {len(text):,} characters, of which these are the first {most:,})"
    )


def in_short(error: BaseException, most: int = 300) -> str:
    """What an exception says, on one line of at most `most` characters, without secrets: whatever it is that was raised."""
    try:
        said = str(error)
    except BaseException as another:
        said = f"it can't be told: {type(another).__name__}"
    return well_formed(" ".join(hidden(said[: _SAID + _SECRET])[:_SAID].split()))[:most]


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be kept of a session's state, None for what was removed. Unreadable: it is too much, or no JSON."""
    changes = {name: value for name, value in after.items() if name not in before or before[name] != value}
    changes |= {name: None for name in before if name not in after}
    if not changes:
        return {}
    try:
        kept: dict[str, Any] = json.loads(json.dumps(changes, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"context.state holds what is no JSON ({in_short(error, 200)})") from None
    if len(json.dumps(kept)) > STATE_AT_MOST:
        raise Unreadable(f"context.state was given more than {STATE_AT_MOST:,} characters of JSON")
    if too_deep(kept):
        raise Unreadable(f"context.state was given what is nested more than {DEEPEST} deep")
    whole = {name: value for name, value in {**before, **kept}.items() if value is not None}
    if len(json.dumps(whole)) > max(WHOLE_STATE_AT_MOST, len(json.dumps(dict(before)))):  # what shrinks it is kept
        raise Unreadable(f"context.state would hold more than {WHOLE_STATE_AT_MOST:,} characters of JSON in all")
    return kept
