from hypothesis import given
from hypothesis import strategies as st

from schemas.text import one_line, printable, well_formed

ANYTHING = st.text(st.characters(categories=None, exclude_categories=()))


def test_two_halves_are_joined_and_a_lone_one_is_replaced() -> None:
    """Half an emoji is replaced; two halves that meet become the emoji."""
    assert well_formed("a\ud83d\ude00b") == "a😀b"
    assert well_formed("a\ud83d b") == "a\ufffd b"
    assert well_formed("\ude00\ud83d") == "\ufffd\ufffd"


@given(ANYTHING)
def test_whatever_comes_can_be_encoded(text: str) -> None:
    """Text that was made well-formed can be written as UTF-8, in every form."""
    well_formed(text).encode()
    one_line(text, 40).encode()
    printable(text).encode()


@given(ANYTHING)
def test_a_line_is_a_line(text: str) -> None:
    """One line is one line, no longer than was asked for."""
    line = one_line(text, 40)
    assert len(line) <= 40
    assert len(line.splitlines()) <= 1


def test_a_terminal_is_told_no_controls() -> None:
    """Escape sequences and marks that turn the text's direction are spelled out; newlines and tabs stay."""
    assert printable("a\x1b[2Jb\u202ec\n\td\u009b") == "a\\x1b[2Jb\\u202ec\n\td\\x9b"
