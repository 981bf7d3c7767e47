"""Signs in English: arithmetic, comparison, dashes, slashes, Greek letters, punctuation. Pure."""

import re

from workers.tts.english.amounts import across
from workers.tts.english.numbers import cardinal, number, ordinal
from workers.tts.english.scan import (
    Match,
    N,
    Rule,
    after,
    before,
    glued,
    listed,
    operands,
    rule,
    word_after,
    word_before,
)

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma",
    "τ": "tau",
    "υ": "upsilon", "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "gamma", "Δ": "delta",
    "Θ": "theta", "Λ": "lambda",
    "Ξ": "xi", "Π": "pi", "Σ": "sigma", "Φ": "phi", "Ψ": "psi", "Ω": "omega", "µ": "micro",
}  # fmt: skip
_POWERS = {
    "⁰": "0",
    "¹": "1",
    "²": "2",
    "³": "3",
    "⁴": "4",
    "⁵": "5",
    "⁶": "6",
    "⁷": "7",
    "⁸": "8",
    "⁹": "9",
    "⁻": "-",
    "ⁿ": "n",
}
_NAMES = {
    "≈": "is about", "≠": "is not equal to", "≤": "is less than or equal to", "≥": "is greater than or equal to",
    "≡": "is equivalent to",
    "∞": "infinity", "√": "the square root of", "∑": "the sum of", "∏": "the product of", "∫": "the integral of",
    "∂": "partial", "∇": "nabla",
    "∈": "is in", "∉": "is not in", "⊂": "is a subset of", "⊆": "is a subset of", "∪": "union", "∩": "intersection",
    "∅": "the empty set",
    "∀": "for all", "∃": "there is", "∧": "and", "∨": "or", "¬": "not", "∴": "therefore", "∝": "is proportional to",
    "⊥": "is perpendicular to",
    "→": "to", "⇒": "implies", "⟹": "implies", "↔": "to and from", "⇔": "if and only if", "←": "from", "↑": "up",
    "↓": "down", "±": "plus or minus",
    "×": "times", "÷": "divided by", "⋅": "times", "·": "times", "−": "minus", "©": "copyright", "§": "section",
    "№": "number", "°": "degrees",
    "‰": "per mille", "℃": "degrees Celsius", "℉": "degrees Fahrenheit", "¢": "cents", "€": "euros", "£": "pounds",
    "¥": "yen", "%": "percent",
    "$": "dollars",
}  # fmt: skip
_COMPARED = {
    "<=": "is less than or equal to", ">=": "is greater than or equal to", "!=": "is not equal to", "==": "equals",
    "===": "equals",
    "!==": "is not equal to", "<>": "is not equal to", "->": "to", "-->": "to", "=>": "gives", "<-": "from",
    "<->": "to and from", ":=": "becomes", "&&": "and", "||": "or",
    "++": "plus plus", "+=": "plus equals", "-=": "minus equals", "**": "to the power of", "~=": "is about",
    "<<": "is much less than", ">>": "is much greater than",
}  # fmt: skip


def _spaced(said: str, match: Match) -> str:
    """`said`, parted from what is glued to it."""
    left, right = glued(match)
    return f"{' ' if left else ''}{said}{' ' if right else ''}"


def _compared(match: Match) -> str | None:
    sign = match.group()
    if sign in ("==", "===") and not operands(match):
        return ""
    if sign in ("<=", ">=") and not operands(match):
        return "at most" if sign == "<=" else "at least"
    if sign == "**" and (not operands(match) or len("".join(glued(match))) == 1):
        return ""
    if sign in ("<<", ">>", "->", "=>", "-->", "<-", "||", "&&", "++") and not operands(match):
        return "" if sign in ("<<", ">>") else None
    if sign == "++":
        return None
    if sign in ("->", "-->", "=>") and _menu(match):
        return ","
    said = _COMPARED[sign]
    return _spaced(said.removeprefix("is ") if _asked(match) else said, match)


def _asked(match: Match) -> bool:
    """Whether the verb has been said: "Is 5 < 10?"."""
    verb = re.search(r"\b(?:is|are|was|were)\b(?![^<>]*\bthat\b)[^.?!<>=]{1,24}$", before(match), re.IGNORECASE)
    return verb is not None


def _menu(match: Match) -> bool:
    """Whether the sign parts the steps of a path through menus: "Settings > Privacy"."""
    return bool(re.search(r"[A-Z][a-z]+\"?\s?$", before(match)) and re.match(r"\s?\"?[A-Z][a-z]+", after(match)))


def _less(match: Match) -> str:
    sign = match.group()
    left, _ = glued(match)
    if sign == "<" and left.isalnum() and re.match(r"[A-Za-z][\w, <>\[\]]{0,60}>", after(match)):
        return " of "  # a type's parameter
    if sign == "<" and re.match(r"/?[A-Za-z][\w-]{0,30}(?:\s[\w-]{1,30}=[^<>]{0,100})?\s?/?>", after(match)):
        return ""  # a tag that is talked about
    if sign == ">" and re.search(r"</?[A-Za-z][\w,-]*(?:\s[^<>]*)?/?$", before(match)):
        return ""
    bare = not left and re.match(r"[0-9$€£]", after(match)) and not operands(match)
    if sign == ">" and _menu(match):
        return ","
    if operands(match) or bare:
        asked = _asked(match)
        between = re.search(r"[<>=]\s?[^<>=,;.?!]{1,20}$", before(match)) is not None
        words = "less than" if sign == "<" else "greater than"
        text = words if bare or asked or (between and sign == "<") else f"is {words}"
        return _spaced(text, match)
    return ""


def _equals(match: Match) -> str:
    if operands(match):
        return _spaced("equals", match)
    return (
        _spaced("equals", match)
        if before(match).strip() and glued(match)[1] != "=" and re.search(r"[\w)]\s?$", before(match))
        else ""
    )


def _plus(match: Match) -> str:
    left, right = glued(match)
    if operands(match):
        return _spaced("plus", match)
    if right.isdecimal() or right in ("$", "€", "£", "."):
        return _spaced("plus", match)
    return _spaced("plus", match) if left.isdecimal() or (left.isalnum() and not right.isalnum()) else ""


def _star(match: Match) -> str:
    left, right = glued(match)
    if left == "" and right == "" and operands(match):
        capitals = re.search(r"[A-Z]{3,} $", before(match)) or re.match(r" [A-Z]{3,}", after(match))
        return "star" if capitals else "times"
    glued_numbers = left and right and (left.isdecimal() or right.isdecimal() or (left in ")" and right.isalnum()))
    if glued_numbers or (left.isalnum() and right.isalnum() and len(left + right) == 2 and _single_letters(match)):
        return " times "
    return ""


def _single_letters(match: Match) -> bool:
    return bool(re.search(r"(?<![\w])\w$", before(match)) and re.match(r"\w(?!\w)", after(match)))


_NUMERIC_END = re.compile(r"(?:[0-9%°)²³]|[0-9]\s?[a-zA-Z]{1,4}|\b[aApP]\.?[mM]\.?)$")
_PERIOD = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day$|\b(?:january|february|march|april|may|june|july|august|september|october|november|"
    r"december|noon|midnight|now|today)$|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? [0-9]{1,2}"
    r"(?:st|nd|rd|th)?(?:,? [0-9]{4})?$|[0-9]\s?[ap]\.?m\.?$|[0-9]:[0-9]{2}$",
    re.IGNORECASE,
)
_FULL_NUMBER = re.compile(rf"(?:^|[\s(])[$€£]?({N})%?\s?$")


def _dash(match: Match) -> str:
    sign = match.group()
    left, right = glued(match)
    left = "" if left and left in "([{=<>*/^" else left
    behind = after(match)
    if left and right:
        return _glued_dash(match, sign, left, right, behind)
    if (
        not left
        and right
        and (re.match(r"[.]?[0-9]|[$€£√(]", behind) or (re.match(r"[a-z](?![\w'])", behind) and _reckons(match)))
    ):
        return "minus "
    if not left and right and sign == "-" and not before(match).strip():
        return ""
    if not left and not right and before(match).strip() and behind.strip():
        return _spaced_dash(match, sign)
    return "," if sign != "-" or left or not right else ""


def _reckons(match: Match) -> bool:
    return bool(re.search(r"[=<>+*/(^]\s?$", before(match)))


def _glued_dash(match: Match, sign: str, left: str, right: str, behind: str) -> str:
    if right.isdecimal() or re.match(r"[$€£.][0-9]", behind):
        if re.match(rf"{N}\s?=", behind) or sign == "−":
            return " minus "
        if _NUMERIC_END.search(before(match)):
            return " to "
    if right.isdecimal() and re.search(r"\b(?:noon|midnight|[a-z]+day)$", before(match), re.IGNORECASE):
        return " to "
    if right.isdecimal() and sign in "-–" and re.search(r"(?<![\w-])[a-z]$", before(match)):
        return " minus "
    if left.isalnum() and right.isalnum() and sign == "-":
        if _single_letters(match) and re.search(r"[=<>+*/^]", before(match) + behind):
            return " minus "
        return "-" if not left.isdecimal() and not right.isdecimal() else " "
    if sign in "–‐‑" and left.isalpha() and right.isalpha():
        return "-"
    if left in ")" and right.isalnum() and sign in "-−":
        return " minus "
    return ", " if sign in "—–" else " " if left.isalnum() and right.isalnum() else ""


def _spaced_dash(match: Match, sign: str) -> str:
    lead, behind = before(match), after(match)
    if sign == "−":
        return "minus"
    if _PERIOD.search(lead.rstrip()) and re.match(
        r"\s(?:[0-9]|[A-Z][a-z]+day\b|[A-Z][a-z]{2,8}\b|noon|midnight)", behind
    ):
        return "to"
    unit = re.search(r"[0-9] ?(°?[A-Za-z%]{0,4}|°) $", lead)
    if unit and unit.group(1) and re.match(rf" [0-9.,]{{1,12}} ?{re.escape(unit.group(1))}(?!\w)", behind):
        return "to"
    first, second = _FULL_NUMBER.search(lead), re.match(rf"\s[$€£]?({N})(.*)", behind)
    if first and second:
        ascending = float(first.group(1).replace(",", "")) < float(second.group(1).replace(",", ""))
        rest = second.group(2)
        reckoned = re.match(r"\s?[-+*/×÷=^)]", rest) or re.search(r"[-+*/×÷=^(]\s?[0-9.,]+\s$", lead)
        if not reckoned and ascending and (sign in "–—" or re.match(r"\s?[A-Za-z%°]", rest)):
            return "to"
        return "minus" if sign in "-–" else ","
    reckons = re.search(r"[=^²³√×÷]", lead + behind) is not None
    if sign in "-–" and operands(match):
        left = re.search(r"([^\s(]+)\s$", lead)
        right = re.match(r"\s\(?([^\s)]+)", behind)
        if left and right and all(_is_term(one, reckons) for one in (left.group(1), right.group(1).rstrip(".,?!"))):
            return "minus"
    return ","


def _is_term(text: str, reckons: bool) -> bool:
    """A number or a variable, with what belongs to it: 3x², (y), 2πr."""
    if reckons and re.fullmatch(r"[(]*[A-Za-z](?:\^\w|[²³])?[)]*[²³]?", text):
        return True
    return bool(
        re.fullmatch(r"[(]*-?(?:[0-9.,]*[b-hj-zB-HJ-Zπθ]?|[0-9.,]+[a-zπ]{0,2})(?:\^[\w]+|[²³])?[)!]*[²³]?", text)
    ) and any(c.isalnum() for c in text)


def _slash(match: Match) -> str:
    left, right = glued(match)
    if not left and not right:
        numeric = re.search(r"[0-9)²³a-zA-Z]\s$", before(match)) and re.match(r"\s[(]?[0-9a-zA-Z√]", after(match))
        words = re.search(r"[A-Za-z]{2,}\s$", before(match)) or re.match(r"\s[A-Za-z]{2,}", after(match))
        return "divided by" if numeric and not words else ","
    if left and right:
        if left == ")" or right == "(" or (left.isdecimal() and right.isdecimal()):
            return " over "
        lead, follow = word_before(match).lower(), word_after(match).lower()
        if lead in ("he", "him", "his", "she", "her", "they", "yes", "am", "himself", "s") and follow:
            return " or "
        if _single_letters(match) and re.search(r"[=<>+*^(]", before(match) + after(match)):
            return " over "
        return " "
    return ""


def _power(match: Match) -> str:
    exponent = match["exponent"]
    return _spaced_power(exponent.strip("(){}"))


def _spaced_power(exponent: str) -> str:
    if exponent == "2":
        return " squared"
    if exponent == "3":
        return " cubed"
    sign = "minus " if exponent[:1] in "-−" else ""
    bare = exponent.lstrip("-−+")
    parts = re.findall(rf"{N}|[^\W\d_]+|[-+*/]", bare)
    names = {"-": "minus", "+": "plus", "*": "times", "/": "over"}
    said = [names.get(one) or (number(one) if one[0] in "0123456789" else one) for one in parts]
    return f" to the power of {sign}{' '.join(said)}"


def _superscript(match: Match) -> str | None:
    left, _ = glued(match)
    if not (left.isalnum() or left in ")]"):
        return ""
    exponent = "".join(_POWERS[char] for char in match.group())
    word = re.search(r"[A-Za-z]{3,}$", before(match))
    if word and word.group().lower() not in ("sin", "cos", "tan"):
        return ""  # a note's number
    return _spaced_power(exponent) + " "


def _scientific(match: Match) -> str:
    exponent = match["exponent"]
    sign = "minus " if exponent.startswith("-") else ""
    return f"{number(match['amount'])} times ten to the power of {sign}{cardinal(int(exponent.lstrip('+-')))}"


def _factorial(match: Match) -> str | None:
    rest = after(match)
    if re.match(r"\s?[=/*+)-]", rest):
        return f"{number(match['amount'])} factorial"
    return None


def _term(match: Match) -> str | None:
    """3x, 2ab, 4πr: a number and its variable."""
    return f"{number(match['amount'])} {' '.join(GREEK.get(char, char) for char in match['letters'])}"


def _greek(match: Match) -> str | None:
    left, right = glued(match)
    if left in GREEK or right in GREEK:
        return None
    return _spaced(GREEK[match.group()], match)


def _decimal(match: Match) -> str:
    return number(match.group())


def _about(match: Match) -> str:
    return "" if glued(match)[0].isalnum() else "about "


def _ampersand(match: Match) -> str:
    return _spaced("and", match)


def _percent_sign(match: Match) -> str:
    if operands(match) and not any(glued(match)):
        return "modulo"
    return _spaced("percent", match)


def _dots(match: Match) -> str:
    return "," if after(match).strip(" \"')") else "."


def _marks(match: Match) -> str:
    signs = match.group()
    return "?" if "?" in signs else "!"


def _at(match: Match) -> str:
    left, right = glued(match)
    return "at" if not left and not right else _spaced("at", match) if right else ""


def _named(match: Match) -> str:
    sign = match.group()
    if sign in "→⇒" and _menu(match):
        return ","
    if sign in "≤≥" and not operands(match):
        return ("at most" if sign == "≤" else "at least") + (" " if glued(match)[1] else "")
    if sign == "×" and (by := across(match)):
        return by
    if (
        sign == "·"
        and not (glued(match)[0].isalnum() and glued(match)[1].isalnum())
        and not (operands(match) and re.search(r"[0-9]\s?$", before(match)))
    ):
        return ","
    if sign in "←↑↓→↔⇒" and not operands(match) and not glued(match)[1].isdecimal():
        return ""
    return _spaced(_NAMES[sign], match)


def _hash(match: Match) -> str:
    return ""


def _bar(match: Match) -> str:
    if re.match(r"[^|\s]{1,12}\|(?!\|)", after(match)):
        return "the absolute value of "
    if re.search(r"\|[^|\s]{1,12}$", before(match)):
        return ""
    return "," if after(match).strip() else ""


def _bracket(match: Match) -> str:
    """Round brackets are a pause for the voice; within a word and in formulas they are nothing."""
    if match.group() == "(":
        return " " if glued(match)[0] else "("
    if re.search(r"(?:^|\s)\([^()]*$", before(match)):
        return ")"
    return "," if re.search(r"(?:^|[\s,;.])(?:[0-9]{1,2}|[a-z])$", before(match)) and "(" not in before(match) else ""


DIGITS: list[Rule] = [
    rule(rf"(?P<amount>{N})[eE](?P<exponent>[+-]?[0-9]{{1,3}})(?!\w)", _scientific),
    rule(rf"(?P<amount>{N})!", _factorial),
    rule(
        rf"(?P<amount>{N})(?P<letters>[a-z]{{1,2}}|[a-z]?[πθ][a-z]?)(?=[²³^]|\s?[-+*/=^<>)≤≥]|[\s.,;!?]|$)",
        lambda m: _term(m) if _is_variable(m) else None,
    ),
]


_NO_VARIABLES = listed("st nd rd th am pm k")
_UNIT_LETTERS = listed("m g l s h d c t b cm mm km kg mg lb oz ft in mi yd ml dl ms nm hr wk mo yr gb mb px pt kw hz")


def _is_variable(match: Match) -> bool:
    text = match["letters"]
    if any(char in GREEK for char in text):
        return True
    reckoned = re.match(r"[²³^]|\s?[-−+*/×÷=^<>≤≥≠]\s?[\w(√]|\)", after(match)) or re.search(
        r"[-+*/=^<>(]\s?$", before(match)
    )
    about = before(match) + after(match)
    return bool(reckoned) and text not in _NO_VARIABLES and (text not in _UNIT_LETTERS or "=" in about)


LETTERS: list[Rule] = [
    rule(r"(?P<amount>[a-z])!(?=(?!=)\s?[=<>+*/^-])", lambda m: f"{m['amount']} factorial"),
    rule("[" + "".join(GREEK) + "]", _greek),
]
RULES: list[Rule] = [
    rule(r"\+/[-−]", lambda m: "plus or minus" + (" " if glued(m)[1] else "")),
    rule(r"'(?=[0-9]{2}(?!\w))", lambda m: "" if not glued(m)[0] else "'"),
    rule(r"===|!==|<->|-->|<=|>=|!=|==|<>|->|=>|<-|:=|&&|\|\||\+\+|\+=|-=|\*\*(?!\*)|~=|<<|>>", _compared),
    rule(r"[<>]", _less),
    rule(r"=", _equals),
    rule(r"\+", _plus),
    rule(r"\*", _star),
    rule(r"-{2,}|[-‐‑–—−]", _dash),
    rule(r"/", _slash),
    rule(
        r"\^(?P<exponent>\{[^{}]{1,12}\}|\([^()]{1,12}\)|[-−+]?(?:[0-9]{1,6}|[A-Za-z]))",
        lambda m: _power(m) + (" " if glued(m)[1].isalnum() else ""),
    ),
    rule(r"\*\*(?P<exponent>[0-9]{1,6})", _power),
    rule("[" + "".join(_POWERS) + "]{1,6}", _superscript),
    rule("[" + "".join(GREEK) + "]", _greek),
    rule(r"\.[0-9]{1,20}(?!\w)", lambda m: _decimal(m) if not glued(m)[0].isalnum() else None),
    rule(
        r"[~≈∼](?=\s?[$€£]?[0-9])", lambda m: _spaced("is about", m) if m.group() == "≈" and operands(m) else _about(m)
    ),
    rule(r"&", _ampersand),
    rule(r"%", _percent_sign),
    rule(r"\.{2,}|…+|\.(?: \.){2,}", _dots),
    rule(r"[!?]{2,}|[‽]", _marks),
    rule(r"@", _at),
    rule("[" + "".join(sign for sign in _NAMES if sign not in "%") + "]", _named),
    rule(r"\((?:e?s)\)(?!\w)", lambda m: "" if glued(m)[0].isalpha() else None),
    rule(r"[()]", _bracket),
    rule(r"[\[\]{}]", lambda m: " " if all(glued(m)) else ""),
    rule(r"\|", _bar),
    rule(r"!(?=[\w(])", lambda m: "!" if glued(m)[0].isalnum() else ""),
    rule(r"[.,;:!?']", lambda m: m.group()),
]

__all__ = ["DIGITS", "GREEK", "RULES", "ordinal"]
