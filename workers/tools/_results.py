"""What a tool answered, as the model reads it: bounded, and a sentence where it can't be read. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from schemas.text.clean import DEEPEST, too_deep, well_formed

__all__ = ["Unreadable", "changed", "cut", "told"]

STATE_AT_MOST = 16_000
"""Characters, as JSON, of what one call may change in a session's state."""
WHOLE_STATE_AT_MOST = 64_000
"""The same of all of it."""


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
    try:
        return cut(json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False), most)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"it returned a {type(value).__name__}, which JSON can't tell ({_line(error)})") from None


def cut(text: str, most: int) -> str:
    if len(text) <= most:
        return well_formed(text)
    return f"{well_formed(text[:most])}\n(cut: {len(text):,} characters, of which these are the first {most:,})"


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be kept of a session's state, None for what was removed. Unreadable: it is too much, or no JSON."""
    changes = {name: value for name, value in after.items() if name not in before or before[name] != value}
    changes |= {name: None for name in before if name not in after}
    if not changes:
        return {}
    try:
        kept: dict[str, Any] = json.loads(json.dumps(changes))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"context.state holds what is no JSON ({_line(error)})") from None
    if len(json.dumps(kept)) > STATE_AT_MOST:
        raise Unreadable(f"context.state was given more than {STATE_AT_MOST:,} characters of JSON")
    if too_deep(kept):
        raise Unreadable(f"context.state was given what is nested more than {DEEPEST} deep")
    whole = {name: value for name, value in {**before, **kept}.items() if value is not None}
    if len(json.dumps(whole)) > max(WHOLE_STATE_AT_MOST, len(json.dumps(dict(before)))):  # what shrinks it is kept
        raise Unreadable(f"context.state would hold more than {WHOLE_STATE_AT_MOST:,} characters of JSON in all")
    return kept


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
