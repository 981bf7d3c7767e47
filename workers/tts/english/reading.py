"""English as it is read aloud: what stands on the page, and what is said of it. Pure: text in, words out.

`addresses`, `particular`, `codes`, `dates`, `amounts`, `words` and `signs` hold the rules, each for its kinds; here they are put
in order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from workers.tts.english import addresses, amounts, codes, dates, particular, signs, words
from workers.tts.english.numbers import spelled
from workers.tts.english.scan import Rule

_DIGITS: list[Rule] = [
    *addresses.ANY,
    *particular.DIGITS,
    *dates.DIGITS[:2],
    *codes.DIGITS,
    *dates.DIGITS[2:],
    *signs.DIGITS,
    *amounts.DIGITS,
    *dates.YEARS,
    *codes.CODES,
    *amounts.PLAIN,
]
_LETTERS: list[Rule] = [
    *addresses.ANY,
    *particular.LETTERS,
    *dates.LETTERS,
    *amounts.LETTERS,
    *words.RULES,
    *codes.LETTERS,
    *signs.LETTERS,
    words.WORD,
]
_SIGNS: list[Rule] = [*particular.SIGNS, *amounts.SIGNS, *dates.SIGNS, *codes.SIGNS, *addresses.SIGNS, *signs.RULES]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of `text[start:end]`: words, with a SEAM where the text has a blank."""

    start: int
    end: int
    words: str


def read(text: str) -> Iterator[Said]:
    """`text` from left to right without a gap; its blanks are single ones and said as such."""
    text = _EUROPEAN.sub(_english_number, text) if "," in text else text
    place = 0
    while place < len(text):
        said = _at(text, place)
        yield said
        place = said.end


_EUROPEAN = re.compile(
    r"(?<![\w.,])(?:[0-9]{1,3}(?:\.[0-9]{3}){1,4},[0-9]{1,2}|[0-9]{1,9},[0-9]{1,2})(?![\w,]|\.[0-9])"
)


def _english_number(match: re.Match[str]) -> str:
    """1.234,56 with the marks changed; as long as it was."""
    return match.group().translate({ord("."): ",", ord(","): "."})


_MONSTER = re.compile(r"[^ ]{101,}")
"""What no person reads out: a key, a line of data. Its letters are left to the voice."""


def _monster(text: str, start: int, end: int) -> Said:
    match = addresses.URL.pattern.match(text, start)
    if match is not None:  # it has a host
        return Said(start, match.end(), addresses.URL.say(match) or "")
    said = re.sub(r"[^\w.,;:!?']|_", " ", text[start:end])
    return Said(start, end, re.sub(r"[0-9]{16,}", lambda digits: spelled(digits.group()), said))


def _at(text: str, place: int) -> Said:
    char = text[place]
    if char == " ":
        return Said(place, place + 1, " ")
    if not place or text[place - 1] == " ":
        monster = _MONSTER.match(text, place)
        if monster is not None:
            return _monster(text, place, monster.end())
    if char.isalpha():
        simple = words.SIMPLE.match(text, place)
        if (
            simple is not None
            and simple.group().lower() not in words.SPECIAL
            and not (place and text[place - 1] not in " (\"'")
        ):
            return Said(place, simple.end(), simple.group())
        rules = _LETTERS
    else:
        rules = _DIGITS if char in "0123456789" else _SIGNS
    for one in rules:
        match = one.pattern.match(text, place)
        if match is not None and match.end() > place:
            said = one.say(match)
            if said is not None:
                return Said(place, match.end(), said)
    return Said(place, place + 1, char if char.isalnum() else " " if char in "_\u00a0" else "")
