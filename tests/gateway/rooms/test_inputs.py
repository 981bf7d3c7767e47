"""What rooms say of strangers is fit as it is said, whatever the room."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inputs import Digits, Heard, Joined, Left, PushToTalk, RoomInput, Typed

ANYTHING = st.text(st.characters(categories=None, exclude_categories=()))


@given(st.data())
@pytest.mark.parametrize("kind", [Joined, Left, Typed, PushToTalk, Digits])
def test_everything_a_room_says_can_be_kept(kind: type[RoomInput], data: st.DataObject) -> None:
    """No input holds half a character, a NUL, or an identity of several lines."""
    fields = {
        field.name: data.draw(
            {
                "pressed": st.booleans(),
                "cancel": st.booleans(),
                "note": st.booleans(),
                "head": st.none() | st.integers(0),
                "attributes": st.dictionaries(ANYTHING, ANYTHING),
                "kind": st.just("sip"),
            }.get(field.name, ANYTHING)
        )
        for field in dataclasses.fields(kind)
    }
    item = kind(**fields)
    told = repr([getattr(item, field.name) for field in dataclasses.fields(kind)])
    assert not any(0xD800 <= ord(letter) < 0xE000 for letter in told)
    assert "\\x00" not in told
    assert "\\ud8" not in told
    assert "\n" not in item.participant  # type: ignore[union-attr]


def test_somebody_is_the_same_in_every_input() -> None:
    """Whoever joins with an unfit identity is who speaks, types and leaves."""
    who = "Ann\ud83d\n"
    items = [Joined(who), Heard(who, np.zeros(1, np.int16)), Typed(who, "Hi."), Digits(who, "1"), Left(who)]
    assert len({item.participant for item in items}) == 1


def test_there_are_bounds() -> None:
    """A name, a message and what is known of somebody are bounded."""
    ann = Joined("a" * 5000, name="n" * 5000, attributes={f"k{n}": "v" * 900 for n in range(200)})
    assert (len(ann.participant), len(ann.name)) == (256, 120)
    assert sum(len(name) + len(value) for name, value in ann.attributes.items()) <= 16_384
    assert len(Joined("a", attributes={f"k{n}": "v" for n in range(200)}).attributes) == 64
    assert len(Typed("a", "x" * 50_000).text) == 4000
