"""Abbreviations, initials, Roman numerals and the like in English. Pure."""

import re

from workers.tts.english.numbers import cardinal, ordinal
from workers.tts.english.scan import END, Match, Rule, after, before, listed, rule, word_after, word_before
from workers.tts.english.spelling import letters

_TITLES = {
    "dr": "doctor", "mr": "mister", "mrs": "missus", "ms": "miz", "prof": "professor", "gen": "general",
    "col": "colonel",
    "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "maj": "major", "cpl": "corporal", "rev": "reverend",
    "hon": "honorable",
    "gov": "governor", "sen": "senator", "rep": "representative", "pres": "president", "fr": "father", "mt": "mount",
    "ft": "fort",
    "messrs": "messieurs", "adm": "admiral", "cmdr": "commander", "supt": "superintendent", "atty": "attorney",
}  # fmt: skip
"""Before a name; the full stop belongs to them."""
_SHORT = {
    "vs.": "versus", "vs": "versus", "v.": "versus", "approx.": "approximately", "dept.": "department",
    "etc.": "et cetera", "etc": "et cetera",
    "jr.": "junior", "sr.": "senior", "jr": "junior", "sr": "senior", "inc.": "incorporated", "ltd.": "limited",
    "corp.": "corporation",
    "co.": "company", "bros.": "brothers", "est.": "established", "max.": "maximum", "min.": "minimum",
    "avg.": "average",
    "temp.": "temperature", "misc.": "miscellaneous", "govt.": "government", "intl.": "international",
    "natl.": "national",
    "assoc.": "association", "asst.": "assistant", "mgr.": "manager", "ext.": "extension", "tel.": "telephone",
    "ca.": "circa", "cf.": "compare",
    "al.": "alia", "esp.": "especially", "incl.": "including", "excl.": "excluding", "resp.": "respectively",
    "orig.": "originally",
    "ed.": "edition", "eds.": "editors", "vol.": "volume", "vols.": "volumes", "fig.": "figure", "figs.": "figures",
    "eq.": "equation", "ch.": "chapter",
    "pp.": "pages", "pg.": "page", "para.": "paragraph", "appt.": "appointment", "qty.": "quantity", "amt.": "amount",
    "acct.": "account",
    "addr.": "address", "attn.": "attention", "encl.": "enclosed", "univ.": "university", "hwy.": "highway",
    "rte.": "route", "sq.": "square",
    "apt.": "apartment", "ste.": "suite", "bldg.": "building", "blvd.": "boulevard", "ave.": "avenue", "rd.": "road",
    "ln.": "lane",
    "ct.": "court", "pl.": "place", "pkwy.": "parkway", "blvd": "boulevard", "ave": "avenue", "hwy": "highway",
    "pkwy": "parkway",
    "a.k.a.": "also known as", "aka": "also known as", "e.g.": "for example", "e.g": "for example", "i.e.": "that is",
    "i.e": "that is",
    "eg.": "for example", "ie.": "that is", "n.b.": "note well", "p.s.": "P S", "ph.d.": "P H D", "ph.d": "P H D",
    "phd": "P H D",
    "m.d.": "M D", "b.a.": "B A", "b.s.": "B S", "m.a.": "M-A", "m.s.": "M S", "d.c.": "D C", "b.c.": "B C",
    "a.d.": "A-D",
    "a.m.": "AM", "p.m.": "PM", "asap": "A-S-A-P", "btw": "by the way", "fyi": "F Y I", "wrt": "with respect to",
    "w.r.t.": "with respect to",
    "tbsp.": "tablespoons", "tsp.": "teaspoons", "oz.": "ounces", "lbs.": "pounds", "lb.": "pounds", "hrs.": "hours",
    "mins.": "minutes",
    "secs.": "seconds", "yrs.": "years", "hr.": "hour", "sec.": "seconds", "yr.": "year", "wks.": "weeks",
    "mph": "miles per hour",
    "cal.": "calories", "gal.": "gallons", "doz.": "dozen", "pkg.": "package", "nos.": "numbers", "dist.": "district",
    "div.": "division",
    "hq": "headquarters", "mfg.": "manufacturing", "mtg.": "meeting", "prev.": "previous", "req.": "required",
    "std.": "standard", "ref.": "reference",
    "tech.": "technical", "exec.": "executive", "dir.": "director", "sched.": "schedule", "et al.": "and others",
}  # fmt: skip
_CAPITAL_ONLY = listed("ct. pl. ln. rd. ave ave. sq. dist. div. est. co. corp. inc. ste.") - {"est."}
_WORD_WITHOUT_STOP = listed("vs etc jr sr blvd ave hwy pkwy aka phd asap btw fyi wrt mph hq e.g i.e ph.d")
_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut",
    "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois",
    "IN": "Indiana", "IA": "Iowa",
    "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts",
    "MI": "Michigan",
    "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio",
    "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina",
    "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia",
    "WI": "Wisconsin", "WY": "Wyoming", "DC": "D C",
}  # fmt: skip


def _ends(match: Match) -> bool:
    """Whether nothing more is said behind `match`: its full stop ends the sentence too."""
    return not after(match).strip(" \"')]*_”’")


def _stop(match: Match, text: str) -> str:
    return "." if text.endswith(".") and _ends(match) else ""


def _abbreviation(match: Match) -> str | None:
    text = match.group()
    lower = text.lower()
    if text.endswith(".") and lower not in _SHORT and lower[:-1] not in _TITLES:
        return None
    if lower[:-1] in _TITLES and text.endswith("."):
        return _title(match, lower[:-1])
    long = _SHORT.get(lower)
    if long is None or (lower in _CAPITAL_ONLY and text[0].islower()):
        return None
    if not text.endswith(".") and lower not in _WORD_WITHOUT_STOP:
        return None
    if lower in (
        "min.",
        "max.",
        "sec.",
        "temp.",
        "al.",
        "ed.",
        "ext.",
        "ref.",
        "cal.",
        "dir.",
        "req.",
        "std.",
        "div.",
    ) and _ends(match):
        return None  # as likely a word that ends the sentence
    if len(text) > 3 and text[:-1].isupper() and lower not in ("ave.", "blvd.", "inc.", "ltd."):
        return None  # letters of their own: EST, MIN
    if lower == "v." and not (word_before(match)[:1].isupper() and word_after(match)[:1].isupper()):
        return None
    if lower in ("inc.", "ltd.", "corp.", "co.") and text[0].islower():
        return None
    return long + _stop(match, text) + (" " if after(match)[:1].isalnum() else "")


def _title(match: Match, key: str) -> str | None:
    follows = word_after(match)
    if key == "dr" and not follows[:1].isupper() and word_before(match)[:1].isupper():
        return "Drive" + _stop(match, match.group())
    if match.group()[0].islower() and key not in ("dr", "mr", "mrs", "ms", "prof"):
        return None
    if not follows[:1].isupper() and key not in ("dr", "mr", "mrs", "ms", "prof"):
        return None
    return _TITLES[key] + _stop(match, match.group())


def _saint(match: Match) -> str | None:
    """St. before a name is a saint, behind one a street."""
    follows, leads = word_after(match), word_before(match)
    number = re.search(r"[0-9](?:st|nd|rd|th)? $", before(match))
    if follows[:1].isupper() and not (leads[:1].isupper() and re.match(r",|\s(?:[A-Z]{2}\b|and\b)", after(match))):
        if not (number and not follows) and not (
            leads[:1].isupper() and leads.lower() not in ("in", "at", "to", "the", "from", "of", "on")
        ):
            return "saint"
        if leads[:1].isupper() and re.search(r"[0-9]\w* (?:[NSEW]\. )?[\w]+ $", before(match)):
            return "Street"
        return "saint"
    if leads[:1].isupper() or number:
        return "Street" + _stop(match, match.group())
    return None


def _number_word(match: Match) -> str | None:
    """No. 5, p. 12, Ch. 3, Vol. 2, § 5"""
    plural = match["plural"] or ""
    names = {
        "no": "number", "nr": "number", "p": "page", "pp": "pages", "ch": "chapter", "vol": "volume", "fig": "figure",
        "sec": "section",
        "art": "article", "eq": "equation", "ex": "exercise", "bk": "book", "ver": "version", "apt": "apartment",
        "ste": "suite",
        "rm": "room", "fl": "floor", "tel": "telephone", "ext": "extension", "c": "circa", "ca": "circa",
        "hwy": "highway", "rte": "route",
        "pt": "part", "ep": "episode", "lvl": "level", "max": "maximum", "min": "minimum", "est": "established",
        "approx": "approximately",
        "avg": "average", "op": "opus", "para": "paragraph",
    }  # fmt: skip
    key = match["key"].lower()
    if key not in names:
        return None
    if key in ("no", "fig", "ex", "art", "c", "p", "max", "fl", "sec", "min", "op", "pt") and not match["dot"]:
        return None
    return names[key] + (plural and "s")


def _before_number(match: Match) -> str | None:
    said = _number_word(match)
    if said is None:
        return None
    return said + ("|" if match.group().endswith(" ") else " ")


def _state(match: Match) -> str | None:
    lead = before(match)
    if not re.search(r"[A-Z][a-z]+, ?$", lead) or not re.match(
        r"\s?[0-9]{5}|[\s]?$|[.,;:!?)]|\s(?:is|and|to|on|for|at|in|has|was|or|with|from)\b|\sUSA?\b", after(match)
    ):
        return None
    return _STATES[match.group()]


def _initials(match: Match) -> str:
    """U.S.A., J.R.R."""
    text = match.group()
    return letters(re.sub(r"[\W]", "", text).upper()) + ("." if text.endswith(".") and _ends(match) else "")


def _initial(match: Match) -> str | None:
    """The J. of a name."""
    if _ends(match) or (match["letter"] == "I" and not re.match(r"\s?[A-Z]\.", after(match))):
        return None
    return match["letter"] + ("," if match["letter"] == "A" else "") if word_after(match)[:1].isupper() else None


# ── Roman numerals ───────────────────────────────────────────────────────────────────────────────────────────────────

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_NO_NUMERALS = listed(
    "CD MD DM DC MC MM CC CM MIX DI LI MI CV DL ML MV DIV CIV XL XXL XXX VI CLI MDM DIM LCD MCI IC IM ID LIV"
)
_PARTS = listed("""chapter part act scene volume vol vol. book section article appendix phase type class level grade
    stage title page figure table
    episode season world war bowl olympiad apollo soyuz gemini division group tier round day step unit lesson module
    schedule annex
    amendment symphony sonata concerto movement corps fleet army legion saturn mark mk mk. version generation gen
    super no no. number
    fantasy rocky rambo saw halo civilization quest souls""")
"""Words that a numeral counts, however short."""
_RULERS = listed("""henry louis charles george edward william james john paul elizabeth mary richard philip phillip
    alexander catherine peter nicholas
    napoleon frederick francis ferdinand leopold carlos felipe juan pius benedict gregory leo clement innocent urban
    victor emmanuel
    wilhelm friedrich otto rudolf maximilian joseph francois franz haakon olav christian gustav gustaf carl albert
    baudouin umberto
    ramses ramesses thutmose amenhotep ptolemy cleopatra darius xerxes artaxerxes cyrus seleucus antiochus
    constantine theodosius
    justinian leonidas ivan boris vladimir selim suleiman mehmed murad abdul hassan mohammed muhammad hussein robert
    david
    alfonso sancho pedro manuel joao sigismund casimir wladyslaw stephen bela matthias harald harold margaret
    margrethe beatrix isabella
    anne jane rama akbar celestine boniface adrian alexius michael romanos basil sixtus julius eugene""")
_REIGNS = listed("king queen pope emperor empress tsar czar kaiser sultan prince pharaoh shah saint st st.")
_GIVEN = listed("""john james robert william david richard joseph thomas charles christopher daniel matthew anthony
    mark donald steven paul andrew
    joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric jonathan
    stephen larry justin
    scott brandon benjamin samuel gregory frank alexander raymond patrick jack dennis jerry tyler aaron henry walter
    peter harold arthur
    thurston cornelius theodore franklin martin sammy cal ken loudon harry fred albert ralph roy louis philip carl""")


def roman(text: str) -> int | None:
    """The value of a numeral in its usual form."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_VALUES[char] for char in text]
    return sum(-one if place + 1 < len(values) and one < values[place + 1] else one for place, one in enumerate(values))


_SENTENCE_GOES_ON = re.compile(
    r"\s(?:am|have|had|think|thought|was|will|would|can|could|should|do|did|know|knew|like|want|need|saw|see|say|said|don't|didn't|may|might|must|just|really|also|never|always|read|learned|found|got|went)\b"
)
_END_OF_NAME = re.compile(
    r"[.,;:!?)'\"–-]|\s?$|\s(?:of|was|is|and|the|in|to|ruled|reigned|died|became|who|had|explains|begins|ends|covers|ended|began|on|or|at|for|trials?|patients?|diabetes)\b"
)


_EARLIER_NUMERALS = re.compile(r"(?: [IVX]{1,5},){0,4} [IVX]{1,5},? (?:and|or|&|to) $|(?: [IVX]{1,5},){1,4} $")
_NAME_BEFORE = re.compile(r"([^\W\d_]+(?:'s)?\.?)\s?$")


_NUMBERED = listed(
    "chapter bowl louis henry edward part act section volume psalm george charles pope title article fantasy war class type "
    "grade rocky"
)
"""Before what reads as a word or an abbreviation elsewhere."""


def _numeral(match: Match) -> str | None:
    text = match["numeral"]
    value = roman(text)
    leads = _EARLIER_NUMERALS.sub("", before(match))
    found = _NAME_BEFORE.search(leads)
    lead = found.group(1) if found else ""
    if value is None or not lead or (text in _NO_NUMERALS and lead.lower() not in _NUMBERED):
        return None
    kind = lead.lower().removesuffix("'s")
    known = kind in _PARTS or kind.rstrip("s") in _PARTS
    two = re.search(r"([^\W\d_]+)\W+[^\W\d_]+\W*$", leads)
    earlier = two.group(1).lower() if two else ""
    regal = (kind in _RULERS and lead[0].isupper()) or (earlier in _REIGNS and lead[0].isupper() and not known)
    if len(text) == 1 and not (known or regal):
        return None
    if text == "I" and not _is_the_first(match, lead, earlier, known, regal):
        return None
    if any(char in "LCDM" for char in text) and not known and not regal:
        return None
    if not known and not lead[0].isupper():
        return None
    until = roman(match["until"]) if match["until"] else None
    if match["until"]:
        return f"{cardinal(value)} to {cardinal(until)}" if until else None
    if regal and kind not in _PARTS:
        return f"the {ordinal(value)}"
    if not known and value in (2, 3, 4, 5) and earlier in _GIVEN:
        return f"the {ordinal(value)}"
    return cardinal(value)


def _is_the_first(match: Match, lead: str, earlier: str, known: bool, regal: bool) -> bool:
    """Whether an I behind `lead` is a number, and nobody speaking."""
    was = re.match(r"\s(?:was|had|did)\b", after(match)) and (known or (regal and earlier in _REIGNS))
    if _SENTENCE_GOES_ON.match(after(match)) and not was:
        return False
    if not _END_OF_NAME.match(after(match)) or not lead[0].isupper():
        return False
    given = regal and lead.lower().removesuffix("'s") in _GIVEN and earlier not in _REIGNS
    return not given or bool(re.match(r"[,.;!?]|$|\s(?:of|ruled|reigned|was|became|died)\b", after(match)))


def _dotted_net(match: Match) -> str:
    tail = match["tail"]
    return f"{match['name']} {'dot net' if tail.lower() == 'net' else letters(tail.upper())}"


def _plain_word(match: Match) -> str:
    return match.group()


def _with(match: Match) -> str:
    return {
        "w/": "with",
        "w/o": "without",
        "w/out": "without",
        "b/c": "because",
        "n/a": "not applicable",
        "c/o": "care of",
        "s/he": "he or she",
        "i/o": "I O",
        "a/c": "A-C",
        "w/in": "within",
        "h/t": "hat tip",
    }[match.group().lower()]


_LETTER = r"[^\W\d_²³¹⁰ⁱ⁴-₉ₐ-ₜ¼-¾⅐-⅞Α-ω]"

RULES: list[Rule] = [
    rule(r"(?:w/o|w/out|w/in|b/c|n/a|c/o|s/he|i/o|a/c|h/t)(?!\w)", _with, re.IGNORECASE),
    rule(r"[wW]/(?! [0-9])", lambda m: "with" + (" " if after(m)[:1].strip() else "")),
    rule(
        r"(?P<name>[A-Z][A-Za-z]{0,20})\.(?P<tail>js|JS|NET|net|io)(?!\w)",
        lambda m: None if m["tail"] == "io" else _dotted_net(m),
    ),
    rule(
        r"(?P<key>[A-Za-z]{1,6})(?P<plural>(?<=[Nn]o)s)?(?P<dot>\.?) ?(?=#?[0-9])(?<![a-z]{2} )",
        _before_number,
    ),
    rule(r"St\.", _saint),
    rule(r"(?:Mr|Mrs|Ms|Dr|Prof)(?= [A-Z])", lambda m: _TITLES[m.group().lower()]),
    rule(r"WW(?P<war>II|I|1|2)(?!\w)", lambda m: f"World War {'two' if m['war'] in ('II', '2') else 'one'}"),
    rule(r"(?:et al\.)", lambda m: "and|others" + _stop(m, ".")),
    rule(
        r"(?:e\.g\.?|i\.e\.?|a\.k\.a\.|[Pp]h\.?[Dd]\.?|[apAP]\.[mM]\.|[A-Za-z]{1,7}\.)",
        lambda m: _abbreviation(m) if m.group() != "No." else None,
    ),
    rule(r"(?:[A-Za-z]\.){2,6}(?:[A-Z](?!\w))?|(?:[A-Z]\.){1,5}[A-Z](?!\w)", _initials),
    rule(r"(?P<letter>[A-Z])\.(?=\s?[A-Z])", _initial),
    rule(r"[A-Za-z]{2,5}(?!\w)(?!\.[a-z])", _abbreviation),
    rule(rf"(?P<numeral>[IVXLCDM]{{1,9}})(?:[-–](?P<until>[IVXLCDM]{{1,9}}))?{END}(?!'[mdlv])", _numeral),
    rule(f"(?:{'|'.join(_STATES)}){END}", lambda m: _state(m) if not after(m)[:1].isalnum() else None),
]


WORD = rule(rf"{_LETTER}+(?:['’]{_LETTER}+)*(?:-(?={_LETTER}{{2}}){_LETTER}+)*'?(?![^\W_])|{_LETTER}", _plain_word)
SIMPLE = re.compile(r"[A-Za-z][a-z']*(?=[ ,;?]|!(?! ?[=<>*/^+])|:(?: |$)|$)")
"""A word that is what it looks like, unless it is a short form or a name's beginning: most of any text."""
SPECIAL = frozenset(_WORD_WITHOUT_STOP) | listed(
    "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august september october "
    "november december et mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday "
    "sunday x i v"
)
