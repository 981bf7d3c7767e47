"""Dates, days and clock times in English. Pure."""

import re

from workers.tts.english.numbers import cardinal, decade, minutes, ordinal, year
from workers.tts.english.scan import DASH, END, Match, Rule, after, before, glued, listed, rule, word_after, word_before

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SHORT_MONTHS = {month[:3].lower(): month for month in MONTHS} | {"sept": "September"}
_DAYS = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday",
    "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
_MONTH = r"(?:" + "|".join([*MONTHS, *(short.capitalize() for short in _SHORT_MONTHS)]) + r")"
_ANY_DAY = r"(?:Mon|Tues|Tue|Wednes|Wed|Thurs|Thur|Thu|Fri|Satur|Sat|Sun)(?:day)?"
_TO = rf"\s?{DASH}\s?"
_NTH = r"(?:st|nd|rd|th)?"


def _month(text: str) -> str:
    return _SHORT_MONTHS.get(text.lower().rstrip("."), text)


def _day(text: str) -> str:
    return _DAYS.get(text.lower().rstrip("."), text)


def _full_date(month: int, day: int, year_number: int) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(year_number)}"


def _iso(match: Match) -> str | None:
    date = _full_date(int(match["month"]), int(match["day"]), int(match["year"]))
    if date is None:
        return None
    if match["hour"] is None:
        return date
    time = clock(int(match["hour"]), int(match["minute"]), None)
    zone = {"Z": " U T C", None: ""}.get(match["zone"], "")
    return f"{date}{' at' if match['gap'] == 'T' else '|at'} {time}{zone}"


def _numeric(match: Match) -> str | None:
    """11/25/2026 in America, 25.11.2026 elsewhere; whichever is possible."""
    first, second, sign = int(match["first"]), int(match["second"]), match["sign"]
    number = int(match["year"])
    if len(match["year"]) == 2:
        if sign != "/":
            return None
        number += 2000 if number < 70 else 1900
    month, day = (second, first) if first > 12 or (sign == "." and second <= 12) else (first, second)
    return _full_date(month, day, number)


def _month_day(match: Match) -> str | None:
    """Nov 25, 2026; November 25-28; Dec. 2nd"""
    day, until = int(match["day"]), match["until"]
    if not 1 <= day <= 31:
        return None
    said = f"{_month(match['month'])}{'|' if match['gap'] else ' '}{ordinal(day)}"
    if until:
        if not day < int(until) <= 31:
            return None
        seams = "|" * match["to"].count(" ")
        said += f" {seams[:1]}to {seams[1:]}{ordinal(int(until))}"
    return said + _tail_year(match)


def _day_month(match: Match) -> str | None:
    """25 Nov 2026; 25-28 November"""
    day, until = int(match["day"]), match["until"]
    if not 1 <= day <= 31 or (match["month"] == "May" and word_after(match) in ("be", "have", "not")):
        return None
    article = "" if word_before(match).lower() == "the" else "the "
    said = article + ordinal(day)
    if until:
        if not day < int(until) <= 31:
            return None
        seams = "|" * match["to"].count(" ")
        said += f" {seams[:1]}to {seams[1:]}{'the ' if article else ''}{ordinal(int(until))}"
    said += "|of " if not match["of"] else "|of|"
    return said + _month(match["month"]) + _tail_year(match)


def _tail_year(match: Match) -> str:
    return f",|{year(int(match['year']))}" if match["year"] else ""


def _month_year(match: Match) -> str:
    return f"{_month(match['month'])}{match['comma'] or ''}|{year(int(match['year']))}"


_LEADS = listed("in since by until till from of early late mid last next this every before after during to through")


def _lone_month(match: Match) -> str | None:
    """A shortened month that no day goes with: "in Nov", "Jan-Mar", "Dec."."""
    if match["until"]:
        seams = "|" * match["to"].count(" ")
        return f"{_month(match['month'])} {seams[:1]}to {seams[1:]}{_month(match['until'])}"
    name = match["month"]
    leads = match["dot"] or re.match(r" '[0-9]{2}\b", after(match))
    if name in MONTHS or (not leads and word_before(match).lower() not in _LEADS):
        return None
    ends = match["dot"] and not after(match).strip(" \"')")
    return _month(name) + ("." if ends else "")


def _days(match: Match) -> str:
    seams = "|" * match["to"].count(" ")
    return f"{_day(match['day'])} {seams[:1]}to {seams[1:]}{_day(match['until'])}"


def _lone_day(match: Match) -> str | None:
    name, rest = match["day"], after(match)
    if name in ("Sun", "Sat") and not match["dot"] and not re.match(rf",|\s(?:[0-9]|{_MONTH}\b)|$|\)|/", rest):
        return None
    return _day(name) + ("." if match["dot"] and not rest.strip(" \"')") else "")


_HALF = r"(?P<half>[aA]\.?\s?[mM](?:\.(?!\w)|(?![\w.]\w)(?!\w))|[pP]\.?\s?[mM](?:\.(?!\w)|(?!\w))|[ap](?![\w]))"


def half_of_day(match: Match) -> str:
    """AM or PM, with the full stop that its own ends the sentence with."""
    half = match["half"]
    stops = half.endswith(".") and not after(match).strip(" \"')")
    return ("AM" if half[0] in "aA" else "PM") + ("." if stops else "")


def clock(hour: int, minute: int, half: str | None) -> str:
    if minute:
        return f"{cardinal(hour)} {minutes(minute)}"
    if half:
        return cardinal(hour)
    if 1 <= hour <= 12:
        return f"{cardinal(hour)} o'clock"
    return f"{cardinal(hour)} hundred" if hour else "midnight"


_BOOKS = listed("""genesis exodus leviticus numbers deuteronomy joshua judges ruth samuel kings chronicles ezra
    nehemiah esther job psalm
    psalms proverbs ecclesiastes isaiah jeremiah lamentations ezekiel daniel hosea joel amos obadiah jonah micah nahum
    habakkuk zephaniah haggai zechariah malachi matthew mark luke john acts romans corinthians galatians ephesians
    philippians colossians thessalonians timothy titus philemon hebrews james peter jude revelation""")
_RATIO = re.compile(
    r"\b(?:ratio|scale|odds|aspect|diluted|mix|mixture|proportion|split)\b(?:\s\w+)?[\s:]*$", re.IGNORECASE
)


def _time(match: Match) -> str | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), match["second"]
    if match["verse"] or word_before(match).lower() in _BOOKS:
        if match["half"] or second:
            return None
        verse = (
            f" to {cardinal(int(match['verse']))}" if match["verse"] and word_before(match).lower() in _BOOKS else None
        )
        if match["verse"] and verse is None:
            return None
        return f"{cardinal(hour)} {cardinal(minute)}{verse or ''}"
    if len(match["minute"]) == 1 or _RATIO.search(before(match)):
        return None if second or match["half"] else f"{cardinal(hour)} to {cardinal(minute)}"
    if minute > 59 or hour > 99:
        return None if second else f"{cardinal(hour)} to {cardinal(minute)}"
    half = match["half"]
    if second:
        said = f"{cardinal(hour)} {minutes(minute)} {'and ' if int(second) else ''}"
        said += f"{cardinal(int(second))} seconds" if int(second) else ""
    elif hour > 24:
        said = f"{cardinal(hour)} {minutes(minute)}"
    else:
        said = clock(hour, minute, half)
        if re.match(r"\s?o'?clock", after(match)):
            said = cardinal(hour)
    return said.strip() + (f"{'|' if match['gap'] else ' '}{half_of_day(match)}" if half else "")


def _hour(match: Match) -> str | None:
    hour = int(match["hour"])
    if not 0 <= hour <= 12 or (match["half"] in ("a", "p") and (match["gap"] or hour == 0)):
        return None
    ranged = re.match(r"\s?[-–]\s?[0-9]", after(match)) or re.search(r"[0-9]a?\s?[-–]\s?$", before(match))
    if len(match["half"]) == 1 and not ranged:
        return None  # 2a, 3p: a term, a code
    return f"{cardinal(hour)}{'|' if match['gap'] else ' '}{half_of_day(match)}"


def _european_hour(match: Match) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    return clock(hour, minute, None) if hour < 24 and minute < 60 else None


def _slashed(match: Match) -> str | None:
    """24/7, 9/11, and a day where the words before say so."""
    first, second = int(match["first"]), int(match["second"])
    if (first, second) in ((24, 7), (9, 11), (50, 50), (20, 20), (60, 40), (80, 20), (70, 30)):
        return f"{cardinal(first)} {cardinal(second)}" if (first, second) != (24, 7) else "twenty-four seven"
    lead = word_before(match).lower()
    if lead in (
        "on",
        "by",
        "before",
        "until",
        "since",
        "due",
        "from",
        "starting",
        "through",
        "till",
        "after",
        "date",
    ) and (1 <= first <= 12 and 1 <= second <= 31):
        return f"{MONTHS[first - 1]} {ordinal(second)}"
    return None


def _decade(match: Match) -> str | None:
    """1990s, '90s, the 80s; 30s alone are seconds."""
    number, mark = int(match["number"]), match["mark"] or match["inner"]
    if number % 10 or (len(match["number"]) == 2 and number < 20):
        return None
    lead = word_before(match).lower()
    if len(match["number"]) == 2 and not mark and lead not in (
        "the", "mid", "late", "early", "their", "his", "her", "my", "your", "our", "in",
    ):  # fmt: skip
        return None
    if len(match["number"]) not in (2, 4):
        return None
    return decade(number)


_ERA = r"(?:BC|AD|BCE|CE)\b"
_YEAR_LEADS = listed("""in since by until till before after from of year circa ca. ca c. around during spring summer
    fall autumn winter early
    late mid and to born died class""")
_SURE_LEADS = listed("spring summer fall autumn winter year circa ca. born")
_NOT_COUNTED = listed("was is has its as this us does yes perhaps always besides whereas")
_COUNTED = listed("people men women children feet fish sheep percent degrees watts mice units calories")


def counted(word: str) -> bool:
    """Whether `word` names many of something."""
    return word in _COUNTED or (
        len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word not in _NOT_COUNTED
    )


def _year(match: Match) -> str | None:
    number = int(match["number"])
    rest = after(match)
    if glued(match)[0] in tuple("$€£¥.,") or re.match(r"[.,][0-9]", rest):
        return None
    lead = word_before(match).lower()
    if lead in _SURE_LEADS:
        return year(number)
    if not 1100 <= number < 2100 and lead not in ("in", "since", "until", "by", "before", "after", "ad"):
        return None
    if re.match(rf"\s?{_ERA}", rest) or (lead in _YEAR_LEADS and not counted(word_after(match))):
        return year(number)
    if re.match(r"\s?[-+*/=×÷^<>≤≥]\s?[0-9(]", rest) and not re.match(r"[-–/][0-9]{2,4}(?!\s?=)", rest):
        return None
    if re.search(r"[=+*×÷^<>≤≥~≈]\s?$", before(match)) or lead in (
        "about",
        "approximately",
        "over",
        "under",
        "exactly",
    ):
        return None
    return None if counted(word_after(match)) else year(number)


def _month_of_year(match: Match) -> str:
    """11/2026, 2026-11"""
    return f"{MONTHS[int(match['month']) - 1]} {year(int(match['year']))}"


def _large_ratio(match: Match) -> str:
    """1:50000"""
    return f"{cardinal(int(match['first']))} to {cardinal(int(match['second']))}"


_YEAR = r"(?P<year>[12][0-9]{3})(?![0-9])"

DIGITS: list[Rule] = [
    rule(
        r"(?P<year>[12][0-9]{3})(?P<sign>[-/.])(?P<month>[0-9]{1,2})(?P=sign)(?P<day>[0-9]{1,2})(?![0-9])"
        r"(?:(?P<gap>[T ])(?P<hour>[0-2]?[0-9]):(?P<minute>[0-5][0-9])(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
        r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?(?![\w:])(?! ?[AaPp]\.?[Mm]))?",
        _iso,
    ),
    rule(
        r"(?P<first>[0-9]{1,2})(?P<sign>[-/.])(?P<second>[0-9]{1,2})(?P=sign)(?P<year>[12][0-9]{3}|[0-9]{2})(?![\w]|[-/.][0-9])",
        _numeric,
    ),
    rule(
        rf"(?P<day>[0-9]{{1,2}}){_NTH}(?:(?P<to>{_TO})(?P<until>[0-9]{{1,2}}){_NTH})? (?P<of>of )?"
        rf"(?P<month>{_MONTH})\b\.?(?:,? {_YEAR})?",
        _day_month,
    ),
    rule(
        rf"(?P<hour>[0-9]{{1,3}}):(?P<minute>[0-9]{{1,3}})(?::(?P<second>[0-9]{{2}}))?(?![0-9]|:[0-9])"
        rf"(?:[-–](?P<verse>[0-9]{{1,3}})(?![0-9:]))?(?:(?P<gap> ?){_HALF})?",
        _time,
    ),
    rule(rf"(?P<hour>[0-9]{{1,2}})(?P<gap> ?){_HALF}", _hour),
    rule(r"(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)[0-9]{2})(?![\w/])", _month_of_year),
    rule(r"(?P<year>(?:19|20)[0-9]{2})-(?P<month>0[1-9]|1[0-2])(?![\w-])", _month_of_year),
    rule(r"(?P<first>[0-9]{1,3}):(?P<second>[0-9]{4,9})(?![\w:])", _large_ratio),
    rule(r"(?P<hour>[0-9]{1,2})h(?P<minute>[0-9]{2})(?![\w])", _european_hour),
    rule(r"(?P<mark>)(?P<number>[0-9]{2,4})(?P<inner>')?s(?!\w)", _decade),
    rule(r"(?P<first>[0-9]{1,2})/(?P<second>[0-9]{1,2})(?![\w/]|\.[0-9])", _slashed),
]
"""Rules for places that begin with a digit."""
YEARS: list[Rule] = [
    rule(r"(?P<number>[12][0-9]{3})(?![\w,%°]|,[0-9]|\.[0-9])", _year),
    rule(r"(?P<number>[12][0-9]{3})(?=,(?![0-9]))", _year),
]
LETTERS: list[Rule] = [
    rule(
        rf"(?P<month>{_MONTH})\.?(?P<gap> )(?P<day>[0-9]{{1,2}}){_NTH}(?![\w:%]|[.,/][0-9]|\s?[ap]\.?m\b)"
        rf"(?:(?P<to>{_TO})(?P<until>[0-9]{{1,2}}){_NTH}(?![\w:]|\.[0-9]))?"
        rf"(?:,? {_YEAR})?",
        _month_day,
    ),
    rule(rf"(?P<month>{_MONTH})\.?(?P<comma>,)? {_YEAR}{END}", _month_year),
    rule(rf"(?P<month>{_MONTH})\.?(?P<to>{_TO})(?P<until>{_MONTH})\b", _lone_month),
    rule(rf"(?P<month>{_MONTH})(?P<dot>\.)?(?P<until>)(?!\w)", _lone_month),
    rule(rf"(?P<day>{_ANY_DAY})\.?(?P<to>{_TO})(?P<until>{_ANY_DAY})\b", _days),
    rule(r"(?P<day>Mon|Tues|Tue|Wed|Thurs|Thur|Thu|Fri|Sat|Sun)(?P<dot>\.)?(?![\w'])", _lone_day),
]
SIGNS: list[Rule] = [rule(r"(?P<mark>')(?P<number>[0-9]0)(?P<inner>)s(?!\w)", _decade)]
