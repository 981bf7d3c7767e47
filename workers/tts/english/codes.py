"""Phone numbers, groups of digits, codes and names of things in programs, in English. Pure."""

import re

from workers.tts.english.numbers import cardinal, number, pairs, spelled
from workers.tts.english.scan import Match, Rule, after, before, glued, listed, rule
from workers.tts.english.spelling import camel, characters, label, letters

# ── digits in groups ─────────────────────────────────────────────────────────────────────────────────────────────────

_GROUP = re.compile(r"[0-9]+|[A-Za-z]+")


def _groups(text: str) -> str:
    """Digits one by one, a comma between groups, seams where blanks stood."""
    said = ""
    for part in re.split(r"( )", text):
        if part == " ":
            said += ",|"
            continue
        said += ", ".join(_group(one) for one in _GROUP.findall(part))
    return said


def _group(text: str) -> str:
    if text.isdecimal():
        return {"800": "eight hundred", "900": "nine hundred"}.get(text) or spelled(text)
    return letters(text) if text.isupper() and len(text) < 4 and not re.search("[AEIOU].", text[1:]) else text.lower()


def _phone(match: Match) -> str:
    plus = "plus " if match.group().startswith("+") else ""
    return plus + _groups(match.group())


def _extended(match: Match) -> str:
    """555-123-4567 ext. 12"""
    if not match["ext"]:
        return _groups(match.group())
    head = _groups(match.group()[: match.start("gap") - match.start()])
    return (
        f"{head},{'|' if ' ' in match['gap'] else ' '}extension{'|' if match['blank'] else ' '}{spelled(match['ext'])}"
    )


def _digits(match: Match) -> str | None:
    groups = _GROUP.findall(match.group())
    if all(len(group) == 1 for group in groups):
        return " ".join(_group(group) if group.isdecimal() else group.upper() for group in groups)
    if all(group.isdecimal() and len(group) <= 2 and group[0] != "0" for group in groups):
        return ", ".join(cardinal(int(group)) for group in groups)
    return _groups(match.group())


def _vanity(match: Match) -> str:
    """1-800-FLOWERS"""
    words = _GROUP.findall(match["word"])
    head = ", ".join(_group(one) for one in _GROUP.findall(match["head"]))
    said = " ".join(
        spelled(one)
        if one.isdecimal()
        else one.lower()
        if len(one) > 3 or re.search("[AEIOU]", one[1:])
        else letters(one)
        for one in words
    )
    return f"{head}, {said}"


def _address(match: Match) -> str:
    """192.168.1.1, with a port or a mask"""
    said = " dot ".join(spelled(part) if len(part) == 3 else number(part) for part in match["ip"].split("."))
    if match["mask"]:
        said += f" slash {cardinal(int(match['mask']))}"
    if match["port"]:
        said += f" port {pairs(match['port'])}"
    return said


def _version(match: Match) -> str:
    word = "version " if match["v"] else ""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", match["parts"])
    said = " point ".join(number(part) if part.isdecimal() else part for part in parts)
    tail = match["tail"]
    if tail:
        said += " " + " ".join(number(one) if one.isdecimal() else one for one in re.findall(r"[0-9]+|[A-Za-z]+", tail))
    return word + said


def _iban(match: Match) -> str | None:
    if sum(char.isdecimal() for char in match.group()) < 10:
        return None
    return "|".join(characters(part) + "," for part in match.group().split(" ")).rstrip(",")


def _isbn(match: Match) -> str:
    return f"I S B N{match['colon']}|{_groups(match['digits'])}"


# ── codes of letters and digits ──────────────────────────────────────────────────────────────────────────────────────


def _alnum(match: Match) -> str | None:
    """A380, B12, MP3, 221B, GPT-4o, H2O, ORD-2024-00123, a1b2c3d"""
    text = match.group()
    if not any(char.isdecimal() for char in text) or not any(char.isalpha() for char in text):
        return None
    chunks = re.findall(r"[0-9]+(?:\.[0-9]+)?|[^\W\d_]+", text)
    changes = len(chunks)
    long = len(re.sub(r"\W", "", text)) >= 6
    if (changes >= 5 and long) or ("-" not in text and len(text) >= 7 and re.fullmatch(r"[0-9a-f]+", text)):
        return characters(text)
    if "-" in text and changes >= 3 and long and text.upper() == text:
        return ", ".join(
            characters(part) if not part.isalpha() or len(part) < 4 else part.lower() for part in text.split("-")
        )
    said = ""
    for place, chunk in enumerate(chunks):
        piece = _chunk(chunk, place, len(chunks))
        said += ("-" if said.endswith("A") else " " if said else "") + piece
    return said


def _chunk(chunk: str, place: int, count: int) -> str:
    if chunk[0].isdecimal():
        return pairs(chunk) if "." not in chunk else number(chunk)
    if len(chunk) == 1 and (chunk.isupper() or count > 1):
        return (
            chunk.upper()
            if count > 1 and not chunk.isupper() and place == 0
            else chunk
            if chunk.isupper()
            else chunk.upper()
        )
    if chunk.isupper() and len(chunk) <= 3:
        return letters(chunk)
    return chunk


def _flight(match: Match) -> str | None:
    """BA 2490, RTX 4090, NW1 6XE"""
    name, digits = match["name"], match["digits"]
    if len(digits) < 3 or (name in _WORDS_IN_CAPITALS):
        return None
    lead = before(match).lower()
    paired = len(name) > 2 and "flight" not in lead
    name = letters(name) if len(name) < 4 else name
    return f"{name}|{pairs(digits) if paired else spelled(digits)}"


_WORDS_IN_CAPITALS = listed(
    "I A AM PM BC AD CE AND OR THE IN OF TO BY AT ON FOR IS IT NO UP US PIN ZIP SSN OTP ID PAGE YEAR OVER ABOUT WITH FROM"
)


def _postcode(match: Match) -> str:
    return f"{characters(match['out'])}|{characters(match['home'])}"


def _hex_colour(match: Match) -> str | None:
    text = match["code"]
    if (text.isdecimal() and len(text) < 6) or (not any(char.isdecimal() for char in text) and text.islower()):
        return None
    return "hash " + characters(text)


def _hashtag(match: Match) -> str:
    return f"hashtag {label(match['name'])}"


def _number_sign(match: Match) -> str:
    text = match["number"]
    return f"number {number(text) if len(text) < 4 and text[0] != '0' else spelled(text)}"


# ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _call(match: Match) -> str:
    """foo_bar(), os.path.join(), obj.method"""
    return " dot ".join(label(part) for part in match["name"].split("."))


def _identifier(match: Match) -> str | None:
    text = match.group()
    if "_" not in text.strip("_"):
        return None
    return label(text)


def _camel(match: Match) -> str | None:
    if len(match.group()) < 5:
        return None
    said = camel(match.group())
    return said if said != match.group() else None


def _flag(match: Match) -> str | None:
    if not before(match).strip() or not before(match).endswith((" ", "[", "(", "'", '"')):
        return None
    if len(match["name"]) == 1 and (before(match).endswith("(") or re.match(r" ?[-+*/=^±×÷)]", after(match))):
        return None  # minus b
    dashes = match["dashes"].count("-") + 2 * match["dashes"].count("—")
    name = match["name"]
    said = " ".join(label(one) for one in re.split(r"[-=]", name))
    return f"{'dash ' * dashes}{said}"


def _languages(match: Match) -> str:
    return (
        match["name"].upper()
        + (" sharp" if match["sign"] == "#" else " plus plus")
        + (" minor" if match["minor"] else "")
    )


def _grade(match: Match) -> str | None:
    if not re.match(r"[\s.,;:!?)'\"]|$", after(match)):
        return None
    return f"{match['letter']}-{'plus' if match['sign'] == '+' else 'minus'}"


def _function(match: Match) -> str | None:
    """f(x)"""
    name = match["name"].replace("'", " prime")
    return f"{name} of {number(match['of']) if match['of'].isdecimal() else match['of']}"


_FUNCTIONS = {
    "sin": "sine", "cos": "cosine", "tan": "tangent", "log": "log", "ln": "natural log", "exp": "E to the", "sqrt": "square root",
    "abs": "absolute value", "max": "maximum", "min": "minimum", "lim": "limit", "det": "determinant", "gcd": "G C D",
}  # fmt: skip


def _named_function(match: Match) -> str:
    """sin(x), sqrt(16)"""
    name = _FUNCTIONS[match["name"]]
    return name if name.endswith("the") else f"{name} of"


_PIECES = {"K": "king", "Q": "queen", "R": "rook", "B": "bishop", "N": "knight"}


def _chess(match: Match) -> str:
    said = (
        _PIECES[match["piece"]] + (f" {match['from']}" if match["from"] else "") + (" takes" if match["takes"] else "")
    )
    said += f" {match['file'].upper()}-{cardinal(int(match['rank']))}"
    return said + {"+": " check", "#": " checkmate", "": ""}[match["check"]]


DIGITS: list[Rule] = [
    rule(
        r"(?P<ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?:/(?P<mask>[0-9]{1,2}))?(?::(?P<port>[0-9]{2,5}))?(?![\w.]*[0-9])",
        _address,
    ),
    rule(r"(?P<head>1[-. ]?\(?8[0-9]{2}\)?)[-. ](?P<word>[A-Z0-9]{0,8}[A-Z]{3}[A-Z0-9-]{0,10})(?!\w)", _vanity),
    rule(
        r"(?:1[-. ])?[0-9]{3}(?P<sep>[-. ])[0-9]{3}(?P=sep)[0-9]{4}"
        r"(?:(?P<gap>,? |,)(?:ext\.?|x)(?P<blank> ?)(?P<ext>[0-9]{1,6}))?(?!\w)",
        _extended,
    ),
    rule(r"1[-. ]?\([0-9]{3}\)[-. ]?[0-9]{3}[-. ][0-9]{4}(?!\w)", _phone),
    rule(
        r"[0-9]{3}[-‑][0-9]{4}(?:(?P<gap>,? |,)(?:ext\.?|x)(?P<blank> ?)(?P<ext>[0-9]{1,6}))?(?![\w]|-[0-9])", _extended
    ),
    rule(r"0[0-9]{1,4}[ /-][0-9]{3,8}(?:[ -][0-9]{2,4}){0,3}(?!\w|[,.:%/-]\w)", _phone),
    rule(r"[0-9]{4}(?P<sep>[ -])[0-9]{4}(?P=sep)[0-9]{4}(?P=sep)[0-9]{1,4}(?!\w)", _phone),
    rule(r"[0-9]{4}[ -][0-9]{6}[ -][0-9]{5}(?!\w)", _phone),
    rule(r"[0-9]{5}[-–][0-9]{4}(?![\w-])", _phone),
    rule(r"[0-9]{1,13}(?:[-‑][0-9]{1,12}){2,8}(?:-[xX])?(?![\w]|-\w)(?!\s?=)", _digits),
    rule(r"(?P<v>)(?P<parts>[0-9]{1,6}(?:\.[0-9]{1,6}){2,6})(?P<tail>[-+]?[a-z]{1,6}\.?[0-9]{0,4})?(?![\w])", _version),
    rule(
        r"[0-9][\w]*(?:-[A-Za-z0-9]{1,16}){1,6}(?!\w)",
        lambda m: _alnum(m) if len(m.group()) > 4 and re.search(r"[A-Z]", m.group()) else None,
    ),
]
CODES: list[Rule] = [rule(r"[0-9]{1,20}(?:\.[0-9]{1,6})?[A-Za-z][A-Za-z0-9]{0,40}(?!\w)", _alnum)]
"""Digits with letters behind them, once no unit is among them."""


LETTERS: list[Rule] = [
    rule(r"ISBN(?:-1[03])?(?P<colon>:?) (?P<digits>[0-9][0-9 -]{8,18}[0-9Xx])(?!\w)", _isbn),
    rule(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,8}(?: ?[A-Z0-9]{1,4})?(?!\w)", _iban),
    rule(r"(?P<out>[A-Z]{1,2}[0-9][0-9A-Z]?)(?: )(?P<home>[0-9][A-Z]{2})(?!\w)", _postcode),
    rule(
        r"(?P<v>[vV])(?P<parts>[0-9]{1,6}(?:\.(?:[0-9]{1,6}|[A-Za-z]{1,10})){0,6})(?P<tail>[-+][A-Za-z0-9]{1,10}(?:\.[A-Za-z0-9]{1,10}){0,3})?(?!\w)",
        _version,
    ),
    rule(
        r"(?P<name>[CcFGADEB])(?P<sign>#|\+\+)(?P<minor>m?)(?![\w#+])",
        lambda m: _languages(m) if m["sign"] == "#" or m["name"] in "Cc" else None,
    ),
    rule(r"(?P<letter>[A-F])(?P<sign>[+−-])(?!\w)", _grade),
    rule(
        r"(?P<piece>[KQRBN])(?P<from>[a-h1-8]?)(?P<takes>x?)(?P<file>[a-h])(?P<rank>[1-8])(?P<check>[+#]?)(?!\w)",
        _chess,
    ),
    rule(rf"(?P<name>{'|'.join(_FUNCTIONS)})(?=\([^()]{{1,20}}\))", _named_function),
    rule(r"(?P<name>[fghFGPp]'{0,2})\((?P<of>[a-zA-Z]|[0-9]{1,3})\)", _function),
    rule(r"(?P<name>[A-Za-z_]\w{0,60}(?:\.[A-Za-z_]\w{0,40}){0,6})\(\)", _call),
    rule(r"(?P<name>[a-z_]\w{0,60}(?:\.[A-Za-z_]\w{1,40}){1,6})(?=\()", _call),
    rule(
        r"(?P<name>[A-Za-z]{1,3}) (?P<digits>[0-9]{3,4})(?![\w%°:,/]|\.[0-9]|-[0-9])",
        lambda m: _flight(m) if m["name"].isupper() else None,
    ),
    rule(
        r"[A-Za-z_]\w{0,80}(?:[-–][A-Za-z0-9]{1,16}){0,6}(?![\w])",
        lambda m: (
            _alnum(m)
            if "_" not in m.group() and not re.search(r"-[a-z]{3}|^(?:[a-z]|[a-z]{3,})-[0-9]", m.group())
            else None
        ),
    ),
    rule(r"(?P<name>[a-z_]\w{1,40}(?:\.[a-z_]\w{1,40}){1,6})(?![\w.])", _call),
    rule(r"[A-Za-z_][\w]{0,120}", _identifier),
    rule(r"[A-Za-z]{0,30}[a-z][A-Z][A-Za-z]{0,60}(?!\w)", _camel),
]
SIGNS: list[Rule] = [
    rule(
        r"\+[0-9]{1,3}(?:[-. /]?\(?[0-9]{1,5}\)?){2,7}(?!\w)",
        lambda m: _phone(m) if sum(c.isdecimal() for c in m.group()) > 6 else None,
    ),
    rule(r"\+?\([0-9]{2,5}\)[-. ]?[0-9]{3,4}[-. ][0-9]{3,4}(?!\w)", _phone),
    rule(r"#(?P<code>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})(?!\w)", _hex_colour),
    rule(r"#(?P<number>[0-9]{1,20})(?!\w)", _number_sign),
    rule(r"#(?P<name>[0-9]{0,6}[A-Za-z]\w{1,60})(?!\w)", lambda m: _hashtag(m) if not glued(m)[0] else None),
    rule(
        r"(?P<dashes>--|—|-)(?P<name>[A-Za-z][\w]{0,30}(?:[-=][A-Za-z0-9]\w{0,30}){0,5})(?!\w)",
        lambda m: _flag(m) if m["dashes"] != "—" or (len(m["name"]) > 2 and "-" in m["name"]) else None,
    ),
]
