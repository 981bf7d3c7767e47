"""What of a stream is text to be said: without reasoning, without what was said before; however it was chopped."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.llm._chunks import chunk
from workers.llm._reasoning import Hidden
from workers.llm._resume import Overlap
from workers.llm._sse import EventStream, NotAStream

SAID = ["Paris is it.", "It lies on the Seine."]


def shown(text: str, size: int, held: bool = False) -> str:
    """What is left of `text`, had nothing of it been said yet when the end of a reasoning came."""
    hidden, left = Hidden(held), ""
    for piece in [*(text[at : at + size] for at in range(0, len(text), size)), None]:
        found = hidden.flush() if piece is None else hidden.feed(piece)
        left = found.text if found.forget else left + found.text
    return left


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>Hm.</think>Paris is it.", "Paris is it."),
        ("<THINKING a='b'>x</Thinking >\n\nYes.", "\n\nYes."),
        ("I guess so.\n</think>\nParis.", "\nParis."),
        ("a < b and <b>c</b> x", "a < b and <b>c</b> x"),
        ("Hello <thin air> [see this] <thinker> x", "Hello <thin air> [see this] <thinker> x"),
        ("[THINK]foo[/THINK]bar", "bar"),
        ("◁think▷foo◁/think▷bar", "bar"),
        ("<seed:think>a</seed:think>b", "b"),
        ("<|begin_of_thought|>x<|end_of_thought|>y", "y"),
        ("<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>Paris.<|return|>", "Paris."),
        ("<|channel>thought\nhm\n<channel|>Paris.", "Paris."),
        ("Hi<|im_end|>", "Hi"),
        ("Bye.</s>", "Bye."),
        ('<tool_call>{"name": "f"}</tool_call>', ""),
        ("<think>never closed", ""),
        ("<think></think>Empty.", "Empty."),
        ("One.<think>a</think> Two.<think>b</think> Three.", "One. Two. Three."),
        ("It ends in <", "It ends in <"),
    ],
)
def test_reasoning_is_not_shown(text: str, left: str, size: int) -> None:
    """Marks of all kinds, split anywhere, hide what they hold; what only looks like one is said."""
    assert shown(text, size) == left


@given(text=st.text(alphabet="ab <>/|[]think.\n", max_size=60), size=st.integers(1, 9))
def test_how_it_was_chopped_never_shows(text: str, size: int) -> None:
    """The same text in other pieces leaves the same."""
    assert shown(text, size) == shown(text, 1000)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("streamed", "new"),
    [
        (" Go see it.", " Go see it."),
        ("Paris is it. It lies on the Seine. Go see it.", "Go see it."),
        ("It lies on the Seine. Go.", "Go."),
        ("It lies in France. Go.", "It lies in France. Go."),
        ("**Paris** is it! It lies on the Seine.", ""),
        ("Paris is it.", ""),
        ("", ""),
    ],
)
def test_a_repeated_beginning_is_dropped(streamed: str, new: str, size: int) -> None:
    """A continuation that begins anew, or with a later sentence, loses what was said; another one is whole."""
    overlap = Overlap(SAID)
    pieces = [streamed[at : at + size] for at in range(0, len(streamed), size)]
    assert "".join(overlap.feed(piece) for piece in pieces) + overlap.flush() == new


@given(st.binary(max_size=300), st.integers(1, 40))
@example(b"data:", 8)
def test_bytes_of_any_kind_are_events_or_none(body: bytes, size: int) -> None:
    """Whatever is sent is read as events, or told to be none; nothing else is ever raised."""
    stream = EventStream()
    found: list[str] = []
    with contextlib.suppress(NotAStream):
        for at in range(0, len(body), size):
            found += stream.feed(body[at : at + size])
        found += stream.end()
    assert all(found), "an event without data is none"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "text", "type", "usage", "index", "finish_reason", "prompt_tokens"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_json_of_any_shape_is_a_chunk(value: Any) -> None:
    """Whatever JSON an event holds is a chunk: with text that is text, and counts that are counts."""
    found = chunk(json.loads(json.dumps(value)))
    assert isinstance(found.text, str)
    assert found.usage is None or 0 <= found.usage.prompt_tokens <= 1 << 31
