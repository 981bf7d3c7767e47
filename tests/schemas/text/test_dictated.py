"""What callers dictate, as transcripts have it, and what is kept of it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.text.dictated import Kind, Unfit, aloud, fit

TODAY = date(2026, 11, 28)  # a Saturday
CHOICES = ["small", "medium", "large", "extra large"]


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("digits", "double five, oh, triple 7", "550777"),
        ("digits", "555-1234", "5551234"),
        ("digits", "five five five twenty one", "55521"),
        ("digits", "plus four nine one seven two", "+49172"),
        ("digits", "it's eight hundred five five five", "800555"),
        ("digits", "five for two", "542"),
        ("digits", "one two three, uh, four", "1234"),
        ("email", "anna dot berg at example dot com", "anna.berg@example.com"),
        ("email", "It's anna.berg@Example.com.", "anna.berg@example.com"),
        ("email", "A N N A at gmail dot com", "anna@gmail.com"),
        ("email", "my email is look at me at example dot co dot uk", "lookatme@example.co.uk"),
        ("email", "a double n a underscore b as in bravo at mail minus house dot org", "anna_b@mail-house.org"),
        ("email", "jon twenty one at example.com", "jon21@example.com"),
        ("email", "anna at sign example dot com", "anna@example.com"),
        ("date", "the third of May nineteen ninety", "1990-05-03"),
        ("date", "May 3rd, 1990", "1990-05-03"),
        ("date", "3/15/90", "1990-03-15"),
        ("date", "3.5.2026", "2026-05-03"),
        ("date", "next friday", "2026-12-04"),
        ("date", "tomorrow", "2026-11-29"),
        ("date", "the day after tomorrow", "2026-11-30"),
        ("date", "in three days", "2026-12-01"),
        ("date", "twenty first of december", "2026-12-21"),
        ("date", "December the twenty-first two thousand and five", "2005-12-21"),
        ("date", "february 29", "2028-02-29"),
        ("date", "Friday, December 4", "2026-12-04"),
        ("name", "My name is anna berg", "Anna Berg"),
        ("name", "Anna Berg, that's B E R G", "Anna Berg"),
        ("name", "Smith, S M Y T H", "Smyth"),
        ("name", "A as in Anna, N as in Nora, N, A", "Anna"),
        ("name", "alpha november november alpha", "Anna"),
        ("name", "it's Müller, M Ü double L E R", "Müller"),
        ("name", "B-E-R-G", "Berg"),
        ("name", "Jean-Luc Picard", "Jean-Luc Picard"),
        ("name", "J. R. Tolkien", "J. R. Tolkien"),
        ("number", "twenty five thousand three hundred", 25_300),
        ("number", "2,500 euros", 2_500),
        ("number", "three point five", 3.5),
        ("number", "a dozen", 12),
        ("number", "one and a half", 1.5),
        ("number", "two hundred and six", 206),
        ("number", "minus four", -4),
        ("number", 4, 4),
        ("yes_no", "yes please", True),
        ("yes_no", "no, that's wrong", False),
        ("yes_no", "that's not right", False),
        ("yes_no", False, False),
        ("choice", "the large one", "large"),
        ("choice", "extra large please", "extra large"),
        ("choice", "the second", "medium"),
        ("choice", "lage", "large"),
        ("text", "  no   onions ", "no onions"),
    ],
)
def test_what_was_said_becomes_a_value(kind: Kind, said: object, value: object) -> None:
    """Spelled, doubled, in words or written: it is kept as it is meant."""
    found = fit(kind, said, today=TODAY, choices=CHOICES)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "said", "says"),
    [
        ("digits", "banana", '"banana" is no digit'),
        ("email", "nothing", 'there is no "at" in it'),
        ("email", "anna at example", "is no e-mail address"),
        ("date", "3/5/1990", "may be March 5 or May 3; ask for the month by its name"),
        ("date", "2026-02-30", "there is no such day"),
        ("date", "june nineteen oh five", "the year is not clear"),
        ("date", "sometime in june", "the day in June is missing"),
        ("date", "whenever", "there is no date in it"),
        ("name", "12345", "is no name"),
        ("number", "two or three", "several numbers in it (2, 3)"),
        ("yes_no", "I don't know", "no decision"),
        ("yes_no", "maybe", "no decision"),
        (
            "choice",
            "small or large",
            "more than one of them was named; ask which it is: small, medium, large, extra large",
        ),
        ("choice", "purple", "it is none of them"),
        ("text", " ", "nothing was said"),
        ("text", "x" * 501, "more than 500 characters"),
        ("text", {"a": 1}, "nothing was said"),
    ],
)
def test_what_is_no_value_says_what_to_ask(kind: Kind, said: object, says: str) -> None:
    """One sentence, for whoever asks the caller."""
    with pytest.raises(Unfit) as caught:
        fit(kind, said, today=TODAY, choices=CHOICES)
    assert says in str(caught.value)


def test_length_and_pattern_are_of_the_value() -> None:
    """Four digits are four, however they were said."""
    assert fit("digits", "double five one two", today=TODAY, length=4, pattern="55.*") == "5512"
    with pytest.raises(Unfit, match="5512 has 4 characters; expected 6"):
        fit("digits", "double five one two", today=TODAY, length=6)
    with pytest.raises(Unfit, match="does not look as it has to"):
        fit("digits", "one", today=TODAY, pattern="[2-9]+")


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("digits", "+49172123", "plus 4 9 1, 7 2 1, 2 3"),
        ("digits", "1234567", "1 2 3, 4 5 6 7"),
        ("email", "anna.berg_2@mail-house.org", "anna dot berg underscore 2 at mail dash house dot org"),
        ("date", "1990-05-03", "Thursday, 3 May 1990"),
        ("name", "Anna Berg", "Anna Berg, B E R G"),
        ("yes_no", True, "yes"),
        ("number", 3.5, "3.5"),
    ],
)
def test_a_value_is_read_back(kind: Kind, value: str | bool | float, read: str) -> None:
    """So that whoever hears it can tell whether it is right."""
    assert aloud(kind, value) == read


_WORDS = st.sampled_from((
    "double", "triple", "five", "oh", "twenty", "hundred", "thousand", "and", "point", "at", "dot", "dash", "a", "b", "as", "in",
    "anna", "the", "of", "may", "3rd", "next", "friday", "yes", "no", "not", "first", "large", "12", "3/4", "@", ".", "-", "+",
    "half", "dozen", "minus",
))  # fmt: skip


@given(
    st.sampled_from(["text", "email", "digits", "date", "name", "choice", "number", "yes_no"]),
    st.lists(_WORDS, max_size=12).map(" ".join) | st.text(max_size=600) | st.integers() | st.none() | st.floats(),
)
def test_anything_is_a_value_or_a_sentence(kind: Kind, said: object) -> None:
    """Whatever a model passes on, it is kept, or it is said why not; and what is kept can be read back, and kept again."""
    try:
        value = fit(kind, said, today=TODAY, choices=CHOICES)
    except Unfit:
        return
    assert len(str(value)) <= 500
    assert aloud(kind, value)
    if kind in ("email", "date", "choice", "digits"):
        assert fit(kind, value, today=TODAY, choices=CHOICES) == value
