"""Numbers and digits in words: "double five", "twenty five", "three point five", "two hundred and six"."""

import re
from collections.abc import Sequence

from schemas.text.dictated._unfit import Unfit

UNITS = {
    "zero": 0, "oh": 0, "o": 0, "nought": 0, "naught": 0, "nil": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9,
}  # fmt: skip
TEENS = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_LIKE_DIGITS = {"to": 2, "too": 2, "for": 4, "ate": 8, "won": 1}
"""What is written for digits by who does not know that these were dictated."""
_BETWEEN = frozenset((
    "a", "and", "dash", "hyphen", "minus", "space", "then", "comma", "dot", "point", "slash", "uh", "um", "er", "hm", "it", "its",
    "it's", "is", "my", "the", "number", "that", "thats", "that's", "so", "okay", "ok", "well", "yes", "code", "pin", "phone",
    "zip", "area",
))  # fmt: skip
_MOST = 60
"""Digits that are anybody's number."""


def words_of(text: str) -> list[str]:
    """Small, without punctuation but what is inside of numbers: 2,500 and 3.5, -4."""
    text = text.casefold().replace("’", "'")
    return re.findall(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*|\+", text)


def digits(text: str) -> str:
    """Digits one by one, a + before them where that was said. Unfit: something else is among them."""
    found, plus = "", False
    words = re.findall(r"\d|[^\W\d_]+(?:'[^\W\d_]+)*|\+", text.casefold().replace("’", "'"))
    place, times = 0, 1
    while place < len(words):
        word = words[place]
        if word in ("+", "plus") and not found:
            plus, place = True, place + 1
            continue
        if word in TIMES:
            times, place = TIMES[word], place + 1
            continue
        some, used = _digits_at(words, place, among=bool(found) or times > 1)
        if not used:
            if word not in _BETWEEN or times > 1:
                raise Unfit(f'"{word}" is no digit; ask for the digits one by one')
            place += 1
            continue
        found += some[:1] * (times - 1) + some if len(some) == 1 else some
        place, times = place + used, 1
    if not found:
        raise Unfit("there are no digits in it; ask for the digits one by one")
    if len(found) > _MOST:
        raise Unfit(f"{len(found)} digits; expected {_MOST} at most: ask for it again")
    return f"+{found}" if plus else found


def _digits_at(words: Sequence[str], place: int, *, among: bool) -> tuple[str, int]:
    """The digits that begin with this word, and how many words they are; 0: it is none. `among`: there are digits before it."""
    word = words[place]
    if word.isdigit():
        return word, 1
    following = words[place + 1] if place + 1 < len(words) else ""
    if word in UNITS or (among and word in _LIKE_DIGITS):
        digit = UNITS.get(word, _LIKE_DIGITS.get(word, 0))
        if following == "hundred" and digit:
            rest = words[place + 2 : place + 5]
            if rest[:1] == ["and"] and (more := _below_hundred(rest[1:])) is not None:
                return str(digit * 100 + more[0]), 3 + more[1]
            return f"{digit}00", 2
        return (f"{digit}000", 2) if following == "thousand" and digit else (str(digit), 1)
    below = _below_hundred(words[place:])
    return (str(below[0]), below[1]) if below is not None else ("", 0)


def _below_hundred(words: Sequence[str]) -> tuple[int, int] | None:
    if not words:
        return None
    if words[0] in TENS:
        unit = UNITS.get(words[1], 0) if len(words) > 1 else 0
        return TENS[words[0]] + unit, 1 + bool(unit)
    if words[0] in TEENS:
        return TEENS[words[0]], 1
    return (UNITS[words[0]], 1) if words[0] in UNITS and words[0] != "o" else None


def number(text: str) -> int | float:
    """The one number in it: whatever it is counted in, it is left out. Unfit: there is none, or more than one."""
    words, found, place = words_of(text), list[int | float](), 0
    while place < len(words):
        amount, used = number_at(words, place)
        if used:
            found.append(amount)
        place += used or 1
    if not found:
        raise Unfit("there is no number in it; ask for it again")
    if len(found) > 1:
        raise Unfit(f"there are several numbers in it ({', '.join(map(str, found[:5]))}); ask which one is meant")
    return found[0]


def number_at(words: Sequence[str], place: int) -> tuple[int | float, int]:
    """The number that begins with this word, and how many words it has; 0: none does."""
    began, total, part, any_yet = place, 0.0, 0.0, False
    sign = 1
    if words[place] in ("minus", "negative") and place + 1 < len(words):
        sign, place = -1, place + 1
    last = ""  # what came before: tens take a unit, nothing else goes on with a small number
    while place < len(words):
        word = words[place]
        plain = re.fullmatch(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?", word)
        if plain and not any_yet:
            part, last = float(word.replace(",", "")), "figures"
        elif word in ("a", "an") and not any_yet and place + 1 < len(words) and words[place + 1] in (*_SCALES, "dozen"):
            part, last = 1.0, "unit"
        elif word in UNITS and word != "o" and last in ("", "tens", "scale", "and"):
            part, last = part + UNITS[word], "unit"
        elif word in TEENS and last in ("", "scale", "and"):
            part, last = part + TEENS[word], "unit"
        elif word in TENS and last in ("", "scale", "and"):
            part, last = part + TENS[word], "tens"
        elif word == "hundred" and any_yet and last != "scale":
            part, last = part * 100, "scale"
        elif word in _SCALES and any_yet and last in ("unit", "tens", "figures", "scale"):
            total, part, last = total + part * _SCALES[word], 0.0, "scale"
        elif word == "dozen" and last in ("", "unit", "figures", "tens"):
            part, last = (part or 1.0) * 12, "done"
        elif word == "half" and last in ("", "and"):
            part, last = part + 0.5, "done"
        elif word == "and" and any_yet and place + 1 < len(words) and _goes_on(words, place + 1, last):
            last = "and"
            place += 1
            if words[place] in ("a", "an"):
                place += 1
            continue
        elif word == "point" and any_yet and place + 1 < len(words):
            decimals, place = _decimals(words, place + 1)
            if decimals:
                part += float(f"0.{decimals}")
            break
        else:
            break
        any_yet, place = True, place + 1
    if not any_yet:
        return 0, 0
    value = sign * (total + part)
    return (int(value) if value.is_integer() else value), place - began


def _goes_on(words: Sequence[str], place: int, last: str) -> bool:
    """Whether "and" belongs to the number: two hundred and six, one and a half."""
    word = words[place]
    if word in ("a", "an"):
        return place + 1 < len(words) and words[place + 1] == "half"
    return word == "half" or (last == "scale" and (word in UNITS or word in TEENS or word in TENS))


def _decimals(words: Sequence[str], place: int) -> tuple[str, int]:
    found = ""
    while place < len(words) and (words[place] in UNITS or words[place].isdigit()):
        found += words[place] if words[place].isdigit() else str(UNITS[words[place]])
        place += 1
    if not found and place < len(words) and (below := _below_hundred(words[place:])) is not None:
        return str(below[0]), place + below[1]
    return found, place


def spoken_digits(value: str) -> str:
    """One by one, in groups that can be remembered."""
    plus, bare = ("plus ", value[1:]) if value.startswith("+") else ("", value)
    size = 4 if len(bare) > 9 and len(bare) % 4 == 0 else 3
    groups = [bare[place : place + size] for place in range(0, len(bare), size)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return plus + ", ".join(" ".join(group) for group in groups)
