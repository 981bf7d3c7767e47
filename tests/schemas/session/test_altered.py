"""Copies of frozen values: the same as `dataclasses.replace` makes."""

from dataclasses import replace

import pytest

from schemas.clock import Micros
from schemas.session.altered import altered
from schemas.session.state import Sentence, SessionState, Turn

BEFORE = [
    (SessionState(seq=3, room="r"), {"seq": 4, "says": ()}),
    (Turn(1, Micros(5)), {"partials": {"ann": "he"}}),
    (Sentence(0, "Yes.", "llm/1", Micros(7)), {}),
]


@pytest.mark.parametrize(("value", "changes"), BEFORE)
def test_as_replaced(value: SessionState | Turn | Sentence, changes: dict[str, object]) -> None:
    """A value with some fields altered is what `replace` makes of it, and what it was made of stays as it was."""
    kept = replace(value)
    made = altered(value, **changes)
    assert made == replace(value, **changes)  # type: ignore[arg-type]
    assert type(made) is type(value)
    assert value == kept


def test_unknown_field() -> None:
    """A field that a value doesn't have can't be set."""
    with pytest.raises(AttributeError, match="rooms"):
        altered(SessionState(), rooms=1)
