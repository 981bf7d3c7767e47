"""Dates: "the third of May nineteen ninety", "next Friday", "2026-05-03"."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

from schemas.text.dictated._numbers import TEENS, TENS, UNITS, number_at, words_of
from schemas.text.dictated._unfit import Unfit

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
    "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_PER = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_SPAN = 3650
"""Days ahead that are counted."""


def date_of(text: str, today: date) -> date:
    """The date that was said. Without a year: the next such day, today among them. Unfit: none, or it may be two."""
    found = _written(text, today) or _relative(words_of(text), today) or _named(words_of(text), today)
    if found is None:
        raise Unfit("there is no date in it; ask for the day, the month by its name, and the year")
    return found


def _written(text: str, today: date) -> date | None:
    if iso := re.search(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", text):
        return _made(int(iso[1]), int(iso[2]), int(iso[3]), text)
    parts = re.search(r"\b(\d{1,2})([./-])\s?(\d{1,2})(?:\2\s?(\d{4}|\d{2}))?(?!\d)", text)
    if parts is None:
        return None
    first, second = int(parts[1]), int(parts[3])
    if parts[2] == "." or first > 12 >= second:
        day, month = first, second
    elif second > 12 >= first or first == second:
        day, month = second, first
    elif not (1 <= first <= 12 and 1 <= second <= 12):
        raise Unfit(f"{parts[0]}: there is no such day; ask for it again")
    else:
        months = (
            f"{MONTHS[first - 1].capitalize()} {second} or {MONTHS[second - 1].capitalize()} {first}"
            if first and second
            else text
        )
        raise Unfit(f"{parts[0]} may be {months}; ask for the month by its name")
    return _year_found(day, month, _century(int(parts[4]), today) if parts[4] else None, today, text)


def _relative(words: Sequence[str], today: date) -> date | None:
    said = " ".join(words)
    if "day after tomorrow" in said:
        return today + timedelta(2)
    for word, days in (("today", 0), ("tonight", 0), ("tomorrow", 1), ("yesterday", -1)):
        if word in words:
            return today + timedelta(days)
    if "in" in words or "from" in words:
        place = words.index("in") + 1 if "in" in words else 0
        amount, used = _count(words, place)
        unit = words[place + used] if place + used < len(words) else ""
        if used and unit in _PER and 0 < amount * _PER[unit] <= _SPAN:
            return today + timedelta(days=amount * _PER[unit])
    if any(word in MONTHS for word in words):  # the weekday is said besides
        return None
    days_named = [WEEKDAYS.index(word) for word in words if word in WEEKDAYS]
    if len(days_named) != 1:
        return None
    ahead = (days_named[0] - today.weekday()) % 7
    if "next" in words and "week" in words:
        return today - timedelta(today.weekday()) + timedelta(7 + days_named[0])
    if "last" in words:
        return today - timedelta((today.weekday() - days_named[0]) % 7 or 7)
    return today + timedelta(ahead or (7 if "next" in words else 0))


def _count(words: Sequence[str], place: int) -> tuple[int, int]:
    if place < len(words) and words[place] in ("a", "an"):
        return 1, 1
    if place >= len(words):
        return 0, 0
    amount, used = number_at(words, place)
    return int(amount), used


def _named(words: Sequence[str], today: date) -> date | None:
    """A month by its name, a day beside it, and perhaps a year behind."""
    months = [(place, _month(word)) for place, word in enumerate(words) if _month(word)]
    if len(months) != 1:
        return None
    place, month = months[0]
    before = [word for word in words[:place] if word not in ("the", "of", "on", "in", "a")]
    day, rest = _last_day(before), list(words[place + 1 :])
    if day is None:
        rest = rest[1:] if rest[:1] == ["the"] else rest
        day, used = _day(rest)
        rest = rest[used:]
    if day is None:
        raise Unfit(f"the day in {MONTHS[month - 1].capitalize()} is missing; ask for it")
    return _year_found(day, month, _year(rest, today), today, " ".join(words))


def _month(word: str) -> int:
    """1 to 12; 0: it is none."""
    short = len(word) >= 3 and word != "mar" and word not in ("sec",)
    return next(
        (n for n, month in enumerate(MONTHS, 1) if word == month or (short and word in (month[:3], month[:4]))), 0
    )


def _day(words: Sequence[str]) -> tuple[int | None, int]:
    """The day that these words begin with, and how many of them it is."""
    if not words:
        return None, 0
    first = words[0]
    second = words[1] if len(words) > 1 else ""
    if figures := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", first):
        return int(figures[1]), 1
    if first in ("twenty", "thirty"):
        if second in _ORDINALS and _ORDINALS[second] < 10:
            return TENS[first] + _ORDINALS[second], 2
        if UNITS.get(second):
            return TENS[first] + UNITS[second], 2
        return TENS[first], 1
    if first in _ORDINALS:
        return _ORDINALS[first], 1
    if first in UNITS or first in TEENS:
        return UNITS.get(first) or TEENS.get(first), 1
    return None, 0


def _last_day(words: Sequence[str]) -> int | None:
    """The day that these words end with."""
    for begin in range(max(0, len(words) - 2), len(words)):
        day, used = _day(words[begin:])
        if day is not None and begin + used == len(words):
            return day
    return None


def _year(words: Sequence[str], today: date) -> int | None:
    rest = [word for word in words if word not in ("in", "of", "the", "and", "year", "o'clock")]
    if not rest:
        return None
    if re.fullmatch(r"\d{4}|\d{2}", rest[0]):
        return _century(int(rest[0]), today) if len(rest[0]) == 2 else int(rest[0])
    amount, used = number_at(rest, 0)  # "two thousand five"
    if used and 1000 <= amount < 3000:
        return int(amount)
    century = TEENS.get(rest[0]) or TENS.get(rest[0])  # "nineteen ninety four", "twenty twenty six", "nineteen oh five"
    if century in (18, 19, 20) and len(rest) > 1:
        if rest[1] in ("oh", "o", "zero") and len(rest) > 2 and rest[2] in UNITS:
            return century * 100 + UNITS[rest[2]]
        if rest[1] == "hundred":
            return century * 100 + (int(number_at(rest, 2)[0]) if len(rest) > 2 else 0)
        small, used = number_at(rest, 1)
        return century * 100 + int(small) if used and small < 100 else None
    if used and 10 <= amount < 100:
        return _century(int(amount), today)
    if used or rest[0] == "o":
        raise Unfit("the year is not clear; ask for it")
    return None


def _century(year: int, today: date) -> int:
    """Of two figures: at most ten years ahead."""
    if year >= 100:
        return year
    whole = today.year // 100 * 100 + year
    return whole if whole <= today.year + 10 else whole - 100


def _year_found(day: int, month: int, year: int | None, today: date, said: str) -> date:
    if year is not None:
        return _made(year, month, day, said)
    for ahead in range(9):  # the 29th of February may be years away
        try:
            found = date(today.year + ahead, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return _made(today.year, month, day, said)


def _made(year: int, month: int, day: int, said: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise Unfit(f"{said}: there is no such day; ask for it again") from None


def spoken_date(day: date) -> str:
    """In words, but for the figures: Sunday, 3 May 2026."""
    return f"{WEEKDAYS[day.weekday()].capitalize()}, {day.day} {MONTHS[day.month - 1].capitalize()} {day.year}"
