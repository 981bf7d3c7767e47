"""What of a written text is spoken."""

import pytest

from workers.tts._text import written_words


def said(text: str, language: str = "en") -> str:
    return " ".join(word.spoken for word in written_words(text, language) if word.spoken)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Dr. Smith and Mrs. Jones", "doctor Smith and missus Jones"),
        ("St. Mary's on Main St. today", "saint Mary's on Main street. today"),
        ("No. 5, no.", "number 5, no."),
        ("i.e. at 5 p.m.", "that is at 5 PM"),
        ("$5.50, $1, £2.01 and €3.00.", "5 dollars and 50 cents, 1 dollar, 2 pounds and 1 penny and 3 euros."),
        ("$5 million", "5 million dollars"),
        ("call 555-1234", "call 5 5 5 1 2 3 4"),
        ("pages 3-4, 1990–1995", "pages 3 to 4, 1990 to 1995"),
        ("AT&T & co", "AT and T and co"),
        ("**bold** _it_ `code` ~~no~~ # Head", "bold it code no Head"),
        ("see [the docs](https://www.example.com/a?b=c), ok", "see the docs, ok"),
        ("go to https://www.example.com/a/b?c=d.", "go to example.com."),
        ("well... okay", "well, okay"),
        ("word—word", "word, word"),
        ("I agree — really", "I agree, really"),
        ("hi 🙂 there ❤️", "hi there"),
        ("don’t “go”", "don't go"),
        ("[[hələʊ]]", "hələʊ"),
        ("<b>hi</b>", "hi"),
        ("#tag snake_case", "tag snake case"),
        ("10% of 5°C", "10% of 5°C"),
        ("twenty-one", "twenty-one"),
        ("- item", "item"),
        ("1. item", "1. item"),
    ],
)
def test_english_is_written_out(text: str, spoken: str) -> None:
    """Abbreviations, money, ranges and markup become what a reader would say."""
    assert said(text) == spoken


def test_other_languages_keep_their_letters() -> None:
    """Only signs are removed elsewhere: abbreviations and combining letters are the language's own."""
    assert said("Dr. Müller zahlt 5€", "de") == "Dr. Müller zahlt 5€"
    assert said("नमस्ते दुनिया", "hi") == "नमस्ते दुनिया"


@pytest.mark.parametrize("text", ["", "   ", "?!", "… —", "🙂 🎉", "*** ---", "\u200b"])
def test_nothing_to_say(text: str) -> None:
    """Signs alone are no words."""
    assert said(text) == ""


@pytest.mark.parametrize(
    "text", ["Hello, world!", "🙂 ok then — really 🎉 yes", "- a  b\n- c", "$5 [x](http://y.z) **b**", "漢字 ok"]
)
def test_words_are_the_text(text: str) -> None:
    """Joined by blanks the words are the text again, so that what was heard can be quoted."""
    assert " ".join(word.text for word in written_words(text)) == " ".join(text.split())
