"""What of a written text is spoken."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.tts import english
from workers.tts.written import Written, written_words


def said(text: str, language: str = "en") -> str:
    return " ".join(word.spoken for word in written_words(text, language) if word.spoken)


def _table() -> dict[str, list[tuple[str, str]]]:
    """said.tsv by its headings: a text, a tab, what is said."""
    sections: dict[str, list[tuple[str, str]]] = {}
    heading = ""
    for line in Path(__file__).with_name("said.tsv").read_text("utf-8").splitlines():
        text, tab, spoken = line.partition("\t")
        if tab:
            sections[heading].append((text, spoken))
        else:
            heading = line.removeprefix("# ")
            sections[heading] = []
    return sections


TABLE = _table()


@pytest.mark.parametrize("heading", TABLE)
def test_texts_are_read_as_people_say_them(heading: str) -> None:
    """Every text of the table is said as it stands there."""
    assert {text: said(text) for text, _ in TABLE[heading]} == dict(TABLE[heading])


def test_the_table_is_large() -> None:
    """The table has the kinds, their meetings and everyday texts."""
    assert sum(map(len, TABLE.values())) >= 250


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("of $5.5 million now", [("of", "of"), ("$5.5", "five point five"), ("million", "million dollars"), ("now", "now")]),
        (
            "On Nov 25, 2026 we",
            [("On", "On"), ("Nov", "November"), ("25,", "twenty-fifth,"), ("2026", "twenty twenty-six"), ("we", "we")],
        ),
        ("is 3 * 4 = 12", [("is", "is"), ("3", "three"), ("*", "times"), ("4", "four"), ("=", "equals"), ("12", "twelve")]),
        ("(555) 123-4567", [("(555)", "five five five,"), ("123-4567", "one two three, four five six seven")]),
        ("at 3 p.m. <break time='1s'/> ok", [("at", "at"), ("3", "three"), ("p.m. <break time='1s'/>", "PM"), ("ok", "ok")]),
        ("a 5 km run", [("a", "a"), ("5", "five"), ("km", "kilometers"), ("run", "run")]),
        ("I agree — really 🎉", [("I", "I"), ("agree —", "agree,"), ("really 🎉", "really")]),
    ],
)  # fmt: skip
def test_each_written_word_keeps_its_own(text: str, words: list[tuple[str, str]]) -> None:
    """What is said lies with the written word it belongs to, so that each has its time."""
    assert written_words(text) == [Written(*word) for word in words]


@pytest.mark.parametrize(
    ("text", "language", "spoken"),
    [
        ("Dr. Müller zahlt 5€ am 25.11.2026 um 15:05", "de", "Dr. Müller zahlt 5€ am 25.11.2026 um 15:05"),
        ("नमस्ते दुनिया", "hi", "नमस्ते दुनिया"),
        ("<speak>Hallo <break time='1s'/> Welt &amp; mehr 🎉</speak>", "de", "Hallo Welt & mehr"),
        ("**fett** und `Code`, [hier](https://a.example/x)", "de", "fett und Code, hier"),
        ("St. Gallen, No. 5, vs. 3 / 4", "de", "St. Gallen, No. 5, vs. 3 / 4"),
        ("voir https://www.example.com/a?b=c.", "fr", "voir example.com."),
    ],
)
def test_other_languages_keep_their_letters(text: str, language: str, spoken: str) -> None:
    """Only what is written for machines goes: numbers, dates and abbreviations are the language's own, and its voice's."""
    assert said(text, language) == spoken


@pytest.mark.parametrize("text", ["", "   ", "?!", "… —", "🙂 🎉", "*** ---", "\u200b", "<break time='1s'/>", "```"])
def test_nothing_to_say(text: str) -> None:
    """Signs and tags alone are no words."""
    assert said(text) == ""


_SIGNS = """Hello the $5 5.5 million 3:30 PM a.m. 2026-11-25 Nov 25, 1/2 cup (555) 123-4567 +1 x < > >= != -> * / = ^
x^2 x² π 20°C 6'2" km/h https://a.example/b?c john.doe@example.com @me #tag #5 C# .NET v1.2.3 foo_bar() camelCase
/etc/hosts C:\\Users Henry VIII World War I II Dr. St. No. e.g. &amp; &lt;b&gt; <b> </b> <break time="1s"/> **bold**
`x` [a](http://b.c) ![i](j) — – - -- ... … ?! 🎉 ❤️ 漢字 é '90s 1990s 10-20 16:9 ½ 3½ 5% ~5 ±5 § © | || && ISBN
978-3-16-148410-0 A1B2 BA 2490 \\frac{1}{2} $x$ " ' ( ) [ ] { } _ \\ ²"""
_PIECES = st.sampled_from(_SIGNS.split())
_TEXTS = st.one_of(
    st.lists(_PIECES, max_size=25).map(" ".join), st.lists(_PIECES, max_size=25).map("".join), st.text(max_size=200)
)


@settings(max_examples=400, deadline=None)
@given(_TEXTS, st.sampled_from(["en", "de"]))
@example("$5 [x](http://y.z) **b**", "en")
def test_words_are_the_text(text: str, language: str) -> None:
    """Joined by blanks the words are the text again, so that what was heard can be quoted; whatever it is, it can be read."""
    words = written_words(text, language)
    assert " ".join(word.text for word in words) in (" ".join(text.split()), "")
    assert not set("|<>*`{}[]\\^\n") & set("".join(word.spoken for word in words))


_ADVERSE = """1- 1. 1, 1/ 1: a. a- a_ a@ a@b. A1 1e aA ( < << <a &a & * ** - -- / \\ \\a $ $1 ^ ^{ @ # #a ' " ://
http:// +1 [ ]( ![ | ``` 12: 5' ° M I ² ½ 1½ www. .. … 0 9, é 漢 🎉 a= = <!-- ~/ C:\\ a/ 3x ½½ &#1; 1h ≤ Dr. V. 1~ x~
I~ 1~1/ <a~b= "a~ Nov~ -~ 1~*~ a,~ +1~ 1~-~ (~ $a~ St.~ 9:00~ A~ U.S.~ x<y~ 5%~"""
"""What is repeated; ~ for a blank."""


@pytest.mark.parametrize("unit", [unit.replace("~", " ") for unit in _ADVERSE.split()])
def test_reading_ends_soon(unit: str) -> None:
    """Four thousand characters of anything are read in as many steps as they are long at most, and said in bounded length."""
    text = " ".join((unit * 4000)[:4000].split())
    steps = list(english.read(text))
    assert "".join(text[step.start : step.end] for step in steps) == text
    assert sum(len(step.words) for step in steps) <= 40 * len(text)
