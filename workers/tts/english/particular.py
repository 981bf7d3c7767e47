"""What looks like a date, a fraction or a range and is the name of something: aircraft, releases, seasons, addresses; in English.

Pure. These come first: each asks for more of its surroundings than the general rules do.
"""

import re

from workers.tts.english.dates import clock, half_of_day
from workers.tts.english.numbers import cardinal, number, pairs, spelled
from workers.tts.english.scan import Match, Rule, after, before, glued, listed, rule, word_after, word_before
from workers.tts.english.spelling import characters


def _ipv6(match: Match) -> str | None:
    """2001:db8::1, group by group"""
    text = match["ip"]
    if not any(char.isdecimal() for char in text) or glued(match)[0]:
        return None
    said = [" colon" if part == ":" else f" {characters(part)}" for part in re.findall(r":|[0-9A-Fa-f]+", text)]
    zone = f" percent {characters(match['zone'])}" if match["zone"] else ""
    mask = f" slash {cardinal(int(match['mask']))}" if match["mask"] else ""
    return "".join(said).strip() + zone + mask


def _aircraft(match: Match) -> str | None:
    """Boeing 747-8, the 737-800"""
    if word_before(match).lower() not in _OF_AIRCRAFT:
        return None
    return f"{pairs(match['make'])} {number(match['kind'])}"


_OF_AIRCRAFT = listed("boeing the a our its new older freighter aboard airbus")


def _either(match: Match) -> str | None:
    """odds of 10/11; Windows 10/11"""
    first, second = number(match["first"]), number(match["second"])
    if _ODDS.search(before(match)):
        return f"{first} to {second}"
    return f"{first} or {second}" if word_before(match) in _RELEASES else None


_ODDS = re.compile(r"\bodds?(?: (?:are|is|were|of|at|now|on))*:? ?$", re.IGNORECASE)
_RELEASES = listed(
    "Windows iOS iPadOS macOS Android PlayStation iPhone Pixel Galaxy Python Java Office Ubuntu Debian Fedora versions"
)


def _season(match: Match) -> str | None:
    """2024/25"""
    year, until = match["year"], match["until"]
    if int(until) != (int(year) + 1) % 100:
        return None
    return f"{pairs(year)} to {pairs(until)}"


def _dotted(match: Match) -> str | None:
    """1.000.000, with points for commas"""
    return number(match.group().replace(".", "")) if ".000" in match.group() else None


def _blanks(match: Match) -> str:
    """10 000, with blanks for commas"""
    said = number(match.group().replace(" ", ""))
    return said.replace(" thousand", "|thousand") if match.group().count(" ") == 1 else said


def _dotted_hour(match: Match) -> str | None:
    """6.30 pm"""
    hour, minute = int(match["hour"]), int(match["minute"])
    if not 1 <= hour <= 12:
        return None
    return f"{clock(hour, minute, match['half'])}{'|' if match['gap'] else ' '}{half_of_day(match)}"


def _three_m(match: Match) -> str | None:
    """The company; three million of anything are counted."""
    following = word_after(match)
    if glued(match)[0]:
        return None
    named = (
        following in _OF_COMPANIES
        or after(match).startswith(("'s", "’s"))
        or (not following and _AT.search(before(match)))
    )
    return "three M" if named else None


_OF_COMPANIES = listed(
    "makes sells tape tapes masks stock shares products says said company adhesive hooks is was has and Company"
)
_AT = re.compile(r"\b(?:at|by|from|for|with) $")


def _local_phone(match: Match) -> str | None:
    """555 0123"""
    if not match.group().startswith("555") and word_before(match).lower() not in _CALLING:
        return None
    return f"{spelled(match['first'])},|{spelled(match['second'])}"


_CALLING = listed("call dial ring phone telephone tel text number")


def _code(match: Match) -> str | None:
    """#A7-99-XK: a number that has letters in it"""
    text = match["code"]
    if glued(match)[0] or not any(char.isdecimal() for char in text):
        return None
    if "-" not in text and word_before(match).lower() not in _NUMBERED:
        return None
    return "number " + ", ".join(characters(part) for part in text.split("-"))


_NUMBERED = listed(
    "order ticket invoice booking case confirmation reservation room gate unit apt apartment suite seat flight code reference "
    "ref claim policy account tracking issue item part serial batch lot"
)


def _priced_per(match: Match) -> str | None:
    """$0.005/1K tokens"""
    if not _PRICE.search(before(match)):
        return None
    scale = {"k": " thousand", "m": " million", "b": " billion"}.get(match["scale"].lower(), "")
    return f" per {number(match['count'])}{scale}"


_PRICE = re.compile(r"(?:[$€£¥] ?[0-9][0-9.,]*|[0-9][0-9.,]* ?[¢€£])$")


def _short_unit(match: Match) -> str | None:
    """The full stop of "3 ft. 6 in. long", which ends nothing"""
    return "" if _UNIT.search(before(match)) else None


_UNIT = re.compile(r"[0-9½¼¾] ?(?:ft|in|lb|lbs|oz|yd|mi|hr|hrs|min|mins|sec|secs|gal|pt|qt|tsp|tbsp)$")


def _plan(match: Match) -> str:
    """401(k)"""
    return f"four oh {cardinal(int(match['last']))} {match['letter'].upper()}"


def _crowd(match: Match) -> str:
    """the 49ers, the 76ers"""
    said = cardinal(int(match["digits"]))
    return said + ("rs" if said.endswith("e") else "ers")


_IPV6 = (
    r"(?P<ip>(?=[0-9A-Fa-f:]{0,34}::|(?:[0-9A-Fa-f]{1,4}:){7})[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8})"
    r"(?:%(?P<zone>\w{1,16}))?(?:/(?P<mask>[0-9]{1,3}))?(?![\w:])"
)
LETTERS: list[Rule] = [rule(_IPV6, _ipv6)]
DIGITS: list[Rule] = [
    rule(_IPV6, _ipv6),
    rule(r"(?P<make>7[0-9]7)[-‑](?P<kind>[0-9]{1,3})(?![\w-])", _aircraft),
    rule(r"(?P<first>[0-9]{1,3})/(?P<second>[0-9]{1,3})(?![\w/])", _either),
    rule(r"(?P<year>(?:19|20)[0-9]{2})/(?P<until>[0-9]{2})(?![\w/])", _season),
    rule(r"[0-9]{1,3}(?:\.[0-9]{3}){2,4}(?![\w]|\.[0-9])", _dotted),
    rule(r"[0-9]{1,3}(?: [0-9]{3}){0,2} 000(?![\w,]|\.[0-9]| [0-9])", _blanks),
    rule(
        r"(?P<hour>[0-9]{1,2})\.(?P<minute>[0-5][0-9])(?P<gap> ?)(?P<half>[aApP]\.?[mM]\.?)(?!\w)",
        _dotted_hour,
    ),
    rule(r"3M(?!\w)", _three_m),
    rule(r"(?P<first>[2-9][0-9]{2}) (?P<second>[0-9]{4})(?![\w,]|[-.:/][0-9])", _local_phone),
    rule(r"40(?P<last>[13])\((?P<letter>[kKbB])\)", _plan),
    rule(r"(?P<digits>[0-9]{2})ers(?!\w)", _crowd),
]
SIGNS: list[Rule] = [
    rule(_IPV6, _ipv6),
    rule(r"#(?P<code>[A-Za-z0-9]{1,12}(?:-[A-Za-z0-9]{1,12}){0,5})(?!\w|-\w)", _code),
    rule(r"/(?P<count>[0-9]{1,4})(?P<scale>[KkMmBb]?)(?!\w)", _priced_per),
    rule(r"\.(?= [a-z0-9(½¼¾])", _short_unit),
]
