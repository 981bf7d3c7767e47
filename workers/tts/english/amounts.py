"""Money, percent, measures, fractions and plain numbers in English. Pure."""

import re

from workers.tts.english.dates import counted
from workers.tts.english.numbers import cardinal, fraction, number, ordinal, pairs, spelled
from workers.tts.english.scan import END, Match, N, Rule, after, before, glued, listed, rule, word_after, word_before
from workers.tts.english.units import GLUED_ONLY, LONG, SPACED_ONLY, SPACED_TOO, UNIT, UNITS

# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"), "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""), "₽": ("ruble", "rubles", "kopek", "kopeks"), "₺": ("lira", "lira", "kuruş", "kuruş"),
    "₪": ("shekel", "shekels", "agora", "agorot"), "₫": ("dong", "dong", "", ""),
    "₱": ("peso", "pesos", "centavo", "centavos"),
    "₴": ("hryvnia", "hryvnias", "kopek", "kopeks"), "฿": ("baht", "baht", "satang", "satang"),
    "₿": ("bitcoin", "bitcoins", "", ""),
    "₦": ("naira", "naira", "kobo", "kobo"), "¢": ("cent", "cents", "", ""),
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "NZD": ("New Zealand dollar", "New Zealand dollars", "cent", "cents"),
    "HKD": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "SGD": ("Singapore dollar", "Singapore dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"), "GBP": ("pound", "pounds", "penny", "pence"),
    "JPY": ("yen", "yen", "", ""),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"), "CNY": ("yuan", "yuan", "", ""),
    "RMB": ("yuan", "yuan", "", ""),
    "INR": ("rupee", "rupees", "paisa", "paise"), "KRW": ("won", "won", "", ""),
    "MXN": ("Mexican peso", "Mexican pesos", "centavo", "centavos"),
    "BRL": ("real", "reals", "centavo", "centavos"), "R$": ("real", "reals", "centavo", "centavos"),
    "SEK": ("Swedish krona", "Swedish kronor", "öre", "öre"),
    "NOK": ("Norwegian krone", "Norwegian kroner", "øre", "øre"),
    "DKK": ("Danish krone", "Danish kroner", "øre", "øre"), "PLN": ("zloty", "zlotys", "grosz", "groszy"),
    "BTC": ("bitcoin", "bitcoins", "", ""),
    "ETH": ("ether", "ether", "", ""), "ZAR": ("rand", "rand", "cent", "cents"),
    "TRY": ("lira", "lira", "kuruş", "kuruş"),
}  # fmt: skip
"""One and many of each currency and of its hundredth."""
_LANDS = {
    "US": "USD",
    "U.S.": "USD",
    "CA": "CAD",
    "C": "CAD",
    "AU": "AUD",
    "A": "AUD",
    "NZ": "NZD",
    "HK": "HKD",
    "S": "SGD",
    "R": "R$",
}
_SIGNS = "[$€£¥₹₩₽₺₪₫₱₴฿₿₦]"
_CODES = "(?:" + "|".join(code for code in _MONEY if len(code) == 3) + ")"
_SCALES = {
    "k": "thousand", "m": "million", "mm": "million", "mn": "million", "mil": "million", "b": "billion",
    "bn": "billion",
    "t": "trillion", "tn": "trillion",
}  # fmt: skip
_SCALE = r"(?:(?P<gap> ?)(?P<scale>thousand|million|billion|trillion|mil|mn|bn|tn|[kKmMbBtT])(?![\w]))?"
_NOUNS = (
    listed("""bill note coin fee tip deposit gift discount coupon voucher credit ticket budget deal limit minimum
    maximum option plan
    charge fine copay card loan prize bonus mark item range investment grant fund donation rebate refund question
    lawsuit
    contract company industry market project house car subscription meal""")
)  # what a price may stand before: "a $20 bill"


def _price(match: Match) -> str:
    sign = match["sign"]
    land = match["land"]
    names = _MONEY[_LANDS.get(land, sign) if land and (sign == "$") else sign]
    return _money(match, names)


def _money(match: Match, names: tuple[str, str, str, str]) -> str:
    """An amount, or two ("$5-10"), of what `names` says."""
    amount, until = match["amount"], match["until"]
    scale = _SCALES.get((match["scale"] or "").lower(), match["scale"] or "")
    adjective = word_after(match).split("-")[0] in _NOUNS
    per = _per(match["per"]) if match["per"] else ""
    if until:
        said = f"{number(amount)} to {number(until)}"
    elif not scale and re.search(r"\.[0-9]{2}$", amount) and names[2]:
        return _with_coins(amount, names) + per
    else:
        said = number(amount)
    if scale:
        said += f"{'|' if match['gap'] else ' '}{scale}"
    one = adjective or (not scale and not until and amount == "1")
    return f"{said} {names[0 if one else 1]}{per}"


def _with_coins(amount: str, names: tuple[str, str, str, str]) -> str:
    whole, _, part = amount.partition(".")
    coins = f"{cardinal(int(part))} {names[2 if int(part) == 1 else 3]}"
    if whole in ("", "0") and int(part):
        return coins
    said = f"{number(whole)} {names[0 if whole == '1' else 1]}"
    return f"{said} and {coins}" if int(part) else said


_PERIODS = {
    "mo": "month", "yr": "year", "hr": "hour", "h": "hour", "wk": "week", "min": "minute", "sec": "second",
    "s": "second",
    "d": "day", "ea": "each", "pp": "person", "y": "year",
}  # fmt: skip


def _per(text: str) -> str:
    """What stands behind a slash: "/month", "/kg"."""
    words = []
    for part in text.strip("/").split("/"):
        if part in UNITS and part not in _PERIODS:
            words.append(UNITS[part][0])
        else:
            words.append(_PERIODS.get(part.lower(), part))
    return "".join(f" {word}" if word == "each" else f" per {word}" for word in words)


def _price_behind(match: Match) -> str:
    """5 €, 50¢, 100 USD"""
    said = _money(match, _MONEY[match["sign"]])
    return said.replace("|", " ") if not match["blank"] else _seam(said, match)


def _seam(said: str, match: Match) -> str:
    """`said` with the seam where the blank before the currency stood."""
    head, _, tail = said.partition(" " + _MONEY[match["sign"]][0][:3])
    return f"{head}|{_MONEY[match['sign']][0][:3]}{tail}" if tail else said


def _price_code(match: Match) -> str:
    """USD 100"""
    said = _money(match, _MONEY[match["sign"]])
    return said if not match["blank"] else said.replace(" ", "|", 1) if " " in said and "|" not in said else said


# ── measures ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_INSTEAD = r"(?![\w²³^]|/[A-Za-z]|'[A-Za-z])"


def _measure(match: Match) -> str | None:
    unit, amount = match["unit"], match["amount"] or ""
    if match["gap"] and unit in GLUED_ONLY and unit not in SPACED_TOO:
        return None
    if not match["gap"] and unit in SPACED_ONLY:
        return None
    if unit in ("in.", "min.", "sec.", "gal.") and not match["gap"] and after(match)[:1].isalnum():
        return None
    if unit == "m" and re.search(r"[0-9] ?(?:h|hr|hrs|hours?) ?$", before(match)):
        unit = "min"
    one, many = LONG.get(unit) or UNITS[unit]
    if unit == "m" and re.search(r"[$€£]", before(match)[-3:]):
        return None
    joint = "|" if match["gap"] == " " else " "
    said = _amount(amount)
    single = amount in ("1", "½", "¼", "¾") or bool(re.fullmatch(r"[0-9]+/[0-9]+", amount) and said.startswith("one "))
    if _FRACTION_ALONE.fullmatch(amount) and not said.endswith((" over", "zero")) and " over " not in said:
        said, single = _part_of(said, one), True
    stop = "." if unit.endswith(".") and not after(match).strip(" \"')") else ""
    shaped = unit == "°" and word_after(match) in _SHAPES
    parts = (one if single or shaped or match["gap"] == "-" else many).split(" ")
    seams = unit.count(" ")
    name = "|".join([*parts[:seams], " ".join(parts[seams:])]) if seams else " ".join(parts)
    per = _per(match["per"]) if match["per"] else ""
    return f"{said}{joint}{name}{per}{stop}"


_SHAPES = listed("angle turn rotation view camera bend slope corner heat weather day tilt arc swing spin wedge")
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5),
    "⅘": (4, 5),
    "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8), "⅐": (1, 7), "⅑": (1, 9),
    "⅒": (1, 10),
}  # fmt: skip
_FRACTION_SIGNS = "".join(_VULGAR)
_FRACTION_ALONE = re.compile(rf"[0-9]{{1,3}}/[0-9]{{1,3}}|[{_FRACTION_SIGNS}]")
_AMOUNT = (
    rf"(?:{N}[{_FRACTION_SIGNS}]|{N}[ -][0-9]{{1,2}}/[0-9]{{1,2}}|[0-9]{{1,3}}/[0-9]{{1,3}}|[{_FRACTION_SIGNS}]|{N})"
)


def _amount(text: str) -> str:
    """A number, a fraction or both; seams where it has blanks."""
    if text[-1:] in _VULGAR:
        part = fraction(*_VULGAR[text[-1]])
        return f"{number(text[:-1])} and {_article(part)}" if text[:-1] else part
    joint = "|" if " " in text else " "
    whole, _, part = text.replace("-", " ").rpartition(" ")
    if "/" in part:
        above, below = (int(one) for one in part.split("/"))
        return f"{number(whole)}{joint}and {_article(fraction(above, below))}" if whole else fraction(above, below)
    return number(text)


def _article(part: str) -> str:
    return "a half" if part == "one half" else part


_COUNTED_PARTS = listed(
    "cup mile hour inch pound teaspoon tablespoon pint quart gallon ounce acre day bottle glass stick lemon onion"
)


def _fraction(match: Match) -> str | None:
    text = match["amount"]
    above, _, below = text.replace("-", " ").rpartition(" ")[2].partition("/")
    if "/" in text:
        if int(below) == 0:
            return None
        lead = before(match).lower()
        if re.search(r"\b(?:bp|pressure|reading)\b[^.]{0,20}$", lead) or (int(above) > 60 and int(below) > 30):
            return f"{cardinal(int(above))} over {cardinal(int(below))}"
        alone = not re.search(r"[-+*/=×÷] ?$", before(match)) and not re.match(r" ?= ?[0-9]+/", after(match))
        if not re.search("[ -]", text) and alone and re.match(r" ?=", after(match)):
            return f"{cardinal(int(above))} divided by {cardinal(int(below))}"
        rated = re.search(
            r"\b(?:rat\w+|scor\w+|got|give \w+ an?|gave \w+ an?|a solid|pain|stars?|grade)\W{1,3}(?:\w+ )?$", lead
        )
        if not re.search("[ -]", text) and below in ("5", "10", "20", "100") and rated:
            return f"{cardinal(int(above))} out of {cardinal(int(below))}"
        if "-" in text and int(above) >= int(below):
            return None
        if not re.search("[ -]", text) and int(above) > int(below):
            return f"{cardinal(int(above))} over {cardinal(int(below))}"
    said = _amount(text)
    noun = word_after(match)
    return _part_of(said, noun) if "|" not in said and noun in _COUNTED_PARTS and " and " not in said else said


def _part_of(part: str, noun: str) -> str:
    """ "three quarters of a" mile, "half an" hour."""
    article = "an" if noun[:1] in "aeio" or noun.startswith("hour") else "a"
    return f"half {article}" if part == "one half" else f"{part} of {article}"


def _percent(match: Match) -> str:
    return f"{_amount(match['amount'])}{'|' if match['gap'] else ' '}percent"


def _feet(match: Match) -> str | None:
    feet, inches, mark = int(match["feet"]), match["inches"], match["mark"]
    if inches is None:
        return None if glued(match)[1].isalpha() else f"{cardinal(feet)} {'foot' if feet == 1 else 'feet'}"
    if not mark and int(inches) > 11:
        return None
    return f"{cardinal(feet)} foot{'|' if match['gap'] else ' '}{number(inches)}"


def _inches(match: Match) -> str | None:
    if match.string.count('"', 0, match.start()) % 2:
        return None  # it closes a quotation
    return f"{_amount(match['amount'])} {'inches' if match['amount'] != '1' and _stretches(match) else 'inch'}"


def _stretches(match: Match) -> bool:
    """Whether what follows is no thing of that many inches: "12" wide", but "a 12" pizza"."""
    follows = word_after(match)
    if word_before(match).lower() in ("a", "an") and re.match(r" ?\w", after(match)):
        return False
    return not follows.isalpha() or follows in _STRETCHES


_STRETCHES = listed("wide long tall deep thick high in of and or by from to apart is x below above")


_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}


def _angle(match: Match) -> str:
    """40°42'46"N, 40.7° N"""
    said = f"{number(match['degrees'])} degrees"
    if match["minutes"]:
        said += f" {number(match['minutes'])} minutes"
    if match["seconds"]:
        said += f" {number(match['seconds'])} seconds"
    return f"{said}{'|' if match['gap'] else ' '}{_COMPASS[match['point']]}"


def _first_side(match: Match) -> str:
    """5x7, 1920x1080: what stands before the x; the rest is a number or a measure of its own."""
    return f"{_side(match['amount'])} by "


_SIDE = re.compile(rf"(?:[0-9]|[0-9]['\"′″]| ?(?:{UNIT})) ?$")
_MEASURED = re.compile(rf" ?{N}(?: ?[x×] ?{N})? ?(?:{UNIT}|inch|inches|feet|foot|meters?|pixels)(?!\w)")
_RECKONED = re.compile(r"[^.,;]{0,24}=")


def across(match: Match) -> str | None:
    """What an x or × between two lengths says: "12 ft x 10 ft", "30 × 20 cm"; None where it multiplies or is a letter."""
    lead, rest = before(match), after(match)
    if not re.match(r" ?[0-9]", rest) or not _SIDE.search(lead) or not lead.strip()[-1:] or _RECKONED.match(rest):
        return None
    if match.group() == "×" and not _MEASURED.match(rest) and re.search(r"[0-9] ?$", lead):
        return None
    left, right = glued(match)
    return f"{' ' if left else ''}by{' ' if right else ''}"


def _side(text: str) -> str:
    return pairs(text) if len(text) == 4 and text.isdecimal() else number(text)


def _times(match: Match) -> str | None:
    """2x, 10×; a variable where it is reckoned with"""
    rest = after(match)
    if match["x"] in "xX" and (
        re.match(r"\s?[-−+*/×÷=^<>≤≥≠²³)]", rest)
        or re.search(r"[-−+*/×÷=^(<>≤≥≠]\s?$", before(match))
        or re.match(r"\d", rest)
    ):
        return None
    if glued(match)[1].isalnum() or (match["gap"] and match["x"] != "x"):
        return None
    return f"{number(match['amount'])} {'time' if match['amount'] == '1' else 'times'}"


_LETTER_K = listed("run race walk jog resolution video videos monitor display screen TV TVs footage")


def _many(match: Match) -> str | None:
    """20k, 3.5M, 2bn"""
    scale = match["scale"]
    amount = match["amount"]
    if scale.isupper() and re.search(
        r"(?:apartment|apt|seat|gate|row|section|grade|building|unit|room|suite|block|exhibit|flat"
        r"|exit|route|platform|door|bus|line|level|lot|figure|table|appendix|chapter|bay)\.? $",
        before(match),
        re.IGNORECASE,
    ):
        return None
    if scale in ("B", "T") and len(amount) > 2 and amount.isdecimal() and amount[-1] != "0":
        return None  # the number of a house
    if scale in "kK" and word_after(match) in _LETTER_K:
        return f"{number(amount)} K"
    if scale == "K" and len(amount) <= 2 and "." not in amount:
        return f"{number(amount)} K"
    if scale == "m" or (scale == "M" and amount in ("1",) and not word_after(match)):
        return None
    return f"{number(amount)} {_SCALES[scale.lower()]}"


def _scaled(match: Match) -> str:
    return f"{_amount(match['amount'])}|{match['scale']}"


def _ordinal(match: Match) -> str:
    return ordinal(int(match["number"].replace(",", "")))


# ── plain numbers ────────────────────────────────────────────────────────────────────────────────────────────────────

_SPELLED = re.compile(
    r"\b(?:code|codes|pin|pass(?:word|code)|zip(?: code)?|postcode|postal|account|acct|id|order|confirmation|booking"
    r"|ticket|tracking"
    r"|otp|invoice|reference|ref|case|policy|serial|member(?:ship)?|flight|dial|text|call|phone|number|fax|routing|extension|ext|area"
    r"|digits|license|licence|passport|sku|combination|ending in|hotline|policy)\b\.?"
    r"(?: (?:code|number|no\.?|id|is|was|in|#)){0,3}[:#]?\s?#?$",
    re.IGNORECASE,
)
_PAIRED = re.compile(
    r"\b(?:room|suite|apartment|apt|gate|bus|route|highway|hwy|channel|unit|interstate|exit"
    r"|boeing|airbus|porsche|model|rtx|gtx|radeon|bmw|line|port)\b\.?\s?#?$",
    re.IGNORECASE,
)
_COUNTED_PEOPLE = listed(
    "people men women children feet miles meters dollars euros pages pounds points times votes passengers"
)
_EMERGENCY = {"911", "112", "999", "411", "311", "211", "511", "611", "711", "811", "988"}
_CALLS = re.compile(
    r"\b(?:call(?:s|ed|ing)?|dial(?:s|ed|ing)?|text|phone|ring|number|emergency)(?: to| at| is)?:?\s?$", re.IGNORECASE
)


def _plain(match: Match) -> str | None:
    text = match["number"]
    lead = before(match)
    whole = text.replace(",", "").partition(".")[0]
    many = counted(word_after(match))
    if (
        text in _EMERGENCY
        and (not many or (text == "911" and word_after(match) not in _COUNTED_PEOPLE))
        and (text == "911" or _CALLS.search(lead))
        and not re.search(r"Porsche\s?$", lead)
    ):
        return spelled(text)
    if "," not in text and "." not in text:
        if len(text) >= 3 and not many and _SPELLED.search(lead):
            return spelled(text)
        if 3 <= len(text) <= 4 and (_PAIRED.search(lead) or (len(text) == 4 and re.search(r"[0-9][x×]$", lead))):
            return pairs(text)
        if len(text) == 5 and re.search(r", ?(?:[A-Z]{2}|[A-Z][a-z]+(?: [A-Z][a-z]+)?) $", lead):
            return spelled(text)  # a zip code
        if len(text) > 9 or (len(text) > 6 and not text.endswith("000")):
            return spelled(text)
    if len(whole) > 1 and whole[0] == "0":
        return number(text)
    return number(text)


_AFTER_POWER = re.compile(r"(?:\^[-−]?[0-9]{1,3}|[0-9][⁰¹²³⁴-⁹⁻]{1,4}|[0-9.] (?:thousand|million|billion|trillion)) $")
_PER = r"(?P<per>(?:/[A-Za-z]{1,12}){1,2}(?![\w/]))?"

DIGITS: list[Rule] = [
    rule(r"(?P<number>[0-9]{1,3}(?:,[0-9]{3})*|[0-9]{1,9})(?:st|nd|rd|th)(?![\w])", _ordinal),
    rule(
        r"(?P<degrees>[0-9]{1,3}(?:\.[0-9]{1,12})?)°(?:\s?(?P<minutes>[0-9]{1,2}(?:\.[0-9]{1,8})?)['′])?"
        r"(?:\s?(?P<seconds>[0-9]{1,2}(?:\.[0-9]{1,8})?)[\"″])?(?P<gap> ?)(?P<point>[NSEW])(?!\w)",
        _angle,
    ),
    rule(r"(?P<feet>[0-9]{1,3})['′](?P<gap> ?)(?P<inches>[0-9]{1,2}(?:\.[0-9])?)(?P<mark>[\"″]|'')?(?![\w])", _feet),
    rule(
        r"(?P<feet>[0-9]{1,5})(?P<inches>)(?P<mark>)(?P<gap>)′",
        lambda m: f"{number(m['feet'])} {'foot' if m['feet'] == '1' else 'feet'}",
    ),
    rule(r"(?P<feet>[0-9]{1,3})'(?P<inches>(?!))?(?P<mark>(?!))?(?P<gap>(?!))?(?![\w'])", _feet),
    rule(rf"(?P<amount>{_AMOUNT})[\"″](?!\w)", _inches),
    rule(rf"(?P<amount>{N})[xX×](?=[0-9]+(?:[^\w]|$|[x×]|(?:{UNIT})\b))(?!0x)", _first_side),
    rule(rf"(?P<amount>{_AMOUNT})(?P<gap> ?)%(?!\w)", _percent),
    rule(
        rf"(?P<amount>{N})(?P<until>)(?P<gap>)(?P<scale>)(?P<blank> ?)"
        rf"(?P<sign>[€£¥₹₩₽₺₪₫₱₴฿₿₦¢]|{_CODES}(?!\w)|\$(?![\w])){_PER}",
        _price_behind,
    ),
    rule(rf"(?P<amount>{_AMOUNT}) (?P<scale>thousand|million|billion|trillion|hundred|dozen){END}", _scaled),
    rule(rf"(?P<amount>{_AMOUNT})(?P<gap>[ -]?)(?P<unit>{UNIT}){_INSTEAD}(?P<per>)", _measure),
    rule(rf"(?P<amount>{_AMOUNT})(?P<gap> ?)(?P<unit>{UNIT})(?P<per>/[A-Za-z]{{1,12}})(?![\w/])", _measure),
    rule(
        rf"(?P<amount>{N})(?P<unit>h|m|min|hr|d)(?=[0-9]{{1,2}}(?:m|min|s|sec|h)\b)(?P<gap>)(?P<per>)",
        lambda m: f"{number(m['amount'])} {UNITS['min' if m['unit'] == 'm' else m['unit']][m['amount'] != '1']} ",
    ),
    rule(rf"(?P<amount>{N})(?P<gap> ?)(?P<x>[x×])(?!\w)", _times),
    rule(rf"(?P<amount>{N})(?P<scale>bn|mn|tn|mm|[kKMmBT])(?!\w)", _many),
    rule(rf"(?P<amount>{N}[{_FRACTION_SIGNS}])", _fraction),
    rule(r"(?P<amount>(?:[0-9]{1,3}[ -])?[0-9]{1,3}/[0-9]{1,4})(?![\w/]|\.[0-9])", _fraction),
]
PLAIN: list[Rule] = [rule(rf"(?P<number>{N})(?![^\W⁰¹²³⁴-⁹])", _plain)]
LETTERS: list[Rule] = [
    rule(
        r"(?P<unit>[km]?Wh|mAh|[kMG]Hz|mmHg|Mbps|Gbps|kbps)(?!\w)",
        lambda m: UNITS[m["unit"]][1] if m["unit"] in UNITS else None,
    ),
    rule(
        r"[xX](?= [0-9])",
        lambda m: (across(m) or ("times" if _SIDE.search(before(m)) else None)) if before(m).endswith(" ") else None,
    ),
    rule(
        rf"(?P<unit>{UNIT}){_INSTEAD}",
        lambda m: UNITS[m["unit"]][1] if m["unit"] in UNITS and _AFTER_POWER.search(before(m)) else None,
    ),
    rule(rf"(?P<sign>{_CODES})(?P<blank> ?)(?P<amount>{N})(?P<until>){_SCALE}{_PER}(?!\w)", _price_code),
    rule(rf"(?P<land>US|CA|AU|NZ|HK|[CASR])(?P<sign>\$)(?P<amount>{N})(?:[-–](?P<until>{N}))?{_SCALE}{_PER}", _price),
]
SIGNS: list[Rule] = [
    rule(
        rf"(?P<land>)(?P<sign>{_SIGNS})\s?(?P<amount>{N}|\.[0-9]{{1,4}})(?:[-–](?P<until>{N}))?{_SCALE}{_PER}", _price
    ),
    rule(rf"(?P<amount>[{_FRACTION_SIGNS}])(?P<gap> ?)(?P<unit>{UNIT}){_INSTEAD}(?P<per>)", _measure),
    rule(rf"(?P<amount>[{_FRACTION_SIGNS}])", _fraction),
]
