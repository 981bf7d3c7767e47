from hypothesis import given
from hypothesis import strategies as st

from schemas.text.clean import identity, one_line, plain, printable, well_formed

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


@given(ANYTHING)
def test_an_identity_is_fit_and_stays_what_it_is(text: str) -> None:
    """Made fit, an identity is one line of some length, and making it fit again changes nothing."""
    fit = identity(text, 60)
    assert fit == one_line(fit, 60) == identity(fit, 60)
    assert fit


@given(ANYTHING, ANYTHING)
def test_nobody_is_changed_into_somebody_else(one: str, other: str) -> None:
    """Two people have two identities, also where they differ in nothing but what had to go."""
    others = {other, f"{one} ", f"{one}\n", f"\0{one}", f"{one}\ud83d", one * 100} - {one}
    assert identity(one, 60) not in {identity(text, 60) for text in others}


def test_what_is_fit_stays() -> None:
    """Usual names stay as they are."""
    for name in ("caller", "+4930123", "Zoë Müller", "user_1/a b", "😀"):
        assert identity(name) == name


def test_plain_text_keeps_its_lines() -> None:
    """Controls and half characters go, newlines and tabs stay, and there is a bound."""
    assert plain("a\x00b\x1b[2J\n\tc\ud83d", 100) == "ab[2J\n\tc\ufffd"
    assert plain("x" * 50, 10) == "x" * 10
