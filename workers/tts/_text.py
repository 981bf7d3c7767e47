"""What is written, and what of it can be spoken. Pure: text in, words out.

A clip's words are the written ones, so that a consumer can say what was heard in the text's own letters: joined by
blanks they are the text again. Each carries the form handed to the voice, which may be longer ("$5" → "5 dollars"),
shorter ("**bold**" → "bold", a URL → its host) or empty.
"""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """`text`: as it stands in the sentence (with its punctuation); `spoken`: what the voice is given, "" for nothing."""

    text: str
    spoken: str


def written_words(text: str, language: str = "en") -> list[Written]:
    """The words of `text`, split at blanks. A token without a letter or digit ("—", an emoji) joins the word before it.

    `language`: of the voice, ISO 639-1; abbreviations, money and number ranges are written out for English only.
    """
    tokens = text.split()
    words: list[Written] = []
    signs = ""  # unspeakable tokens before the first word
    for token, spoken in zip(tokens, _spoken_forms(tokens, language), strict=True):
        if spoken or _has_letters(token):
            words.append(Written(f"{signs} {token}".lstrip(), spoken))
            signs = ""
        elif words:
            words[-1] = Written(f"{words[-1].text} {token}", _close(words[-1].spoken, token))
        else:
            signs = f"{signs} {token}".lstrip()
    return words


def _spoken_forms(tokens: list[str], language: str) -> list[str]:
    forms = [_clean(token) for token in tokens]
    if language == "en":
        neighbours = zip(["", *forms], forms, [*forms[1:], ""], strict=False)
        forms = [_english(before, form, after) for before, form, after in neighbours]
    return [form if _has_letters(form) or _sounds(form) else "" for form in forms]


def _has_letters(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in text)


def _sounds(text: str) -> bool:
    """Signs that are read out although they are no letters."""
    return any(char in "%&+=€$£" for char in text)


def _close(spoken: str, token: str) -> str:
    """`spoken`, with the pause that a stray sign after it asks for ("I agree — really")."""
    if not spoken or spoken[-1] in ".,;:!?":
        return spoken
    mark = next((char for char in token if char in ".,;:!?"), "")
    return spoken + (mark or ("," if set(token) & set("-–—") else ""))


# ── what every language needs ────────────────────────────────────────────────────────────────────────────────────────

_URL = re.compile(r"(?:https?|ftp)://(?:www\.)?([^/\s?#)\]>]+)\S*", re.IGNORECASE)
_LINK = re.compile(r"\]\([^)\s]*\)?")  # the second half of [text](address)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "—", "\u00a0": " ", "\u00ad": "", "…": "...", "\ufe0f": ""}
)
_DROPPED = {"So", "Sk", "Cc", "Cf", "Cn", "Co", "Cs", "Me"}


def _clean(token: str) -> str:
    """Without markdown, tags, addresses and emoji; a URL becomes its host."""
    token = _LINK.sub("", unicodedata.normalize("NFC", token.translate(_PLAIN)))
    token, address, rest = _split_url(token)
    token = _TAG.sub("", token)
    token = "".join(char for char in token if char == "°" or unicodedata.category(char) not in _DROPPED)
    token = re.sub(r"[*`~#<>|\\{}\[\]^\"]+", "", token).replace("_", " ")
    token = re.sub(r"\.{2,}", ",", token)
    token = re.sub(r"\s*—+\s*|(?<=\w)--+(?=\w)", ", ", token)
    return (token + address + rest).strip(" ,") + ("," if token.rstrip().endswith(",") and not address else "")


def _split_url(token: str) -> tuple[str, str, str]:
    """What stands before a URL, its host, and the punctuation behind it."""
    match = _URL.search(token)
    if match is None:
        return token, "", ""
    rest = re.search(r"[.,;:!?]*$", match.group(0))
    return token[: match.start()], match.group(1).rstrip(".,;:!?"), rest.group(0) if rest else ""


# ── English ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_ABBREVIATIONS = {
    "dr.": "doctor", "mr.": "mister", "mrs.": "missus", "ms.": "miz", "prof.": "professor", "sr.": "senior",
    "jr.": "junior", "vs.": "versus", "approx.": "approximately", "dept.": "department", "e.g.": "for example",
    "i.e.": "that is", "w/": "with", "w/o": "without", "a.m.": "AM", "p.m.": "PM",
}  # fmt: skip
_MONEY = re.compile(r"([$€£])(\d[\d,]*)(?:\.(\d\d))?(?![\d.])")
_COINS = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_PHONE = re.compile(r"(?<!\d)(?:\+?\d[\d().-]*)?\d{3}[-.]\d{4}(?!\d)")
_SCALES = ("hundred", "thousand", "million", "billion", "trillion")


def _english(before: str, form: str, after: str) -> str:
    """`form` written out as an English speaker reads it; `before` and `after` are its neighbours."""
    head, core, tail = _punctuation(form)
    lower = core.lower()
    if lower in _SCALES and (money := _MONEY.fullmatch(before)):
        return f"{head}{core} {_COINS[money.group(1)][0]}s{tail}"
    if lower in _ABBREVIATIONS or (lower + "." in _ABBREVIATIONS and tail.startswith(".")):
        long = _ABBREVIATIONS.get(lower) or _ABBREVIATIONS[lower + "."]
        return head + long + tail.removeprefix(".")
    if lower == "st" and tail == ".":
        return head + ("saint" if after[:1].isupper() else "street.")
    if lower == "no" and tail == "." and after[:1].isdigit():
        return head + "number"
    core = _MONEY.sub(lambda match: _money(match, after), core)
    core = _PHONE.sub(lambda match: " ".join(re.sub(r"\D", "", match.group(0))), core)
    core = re.sub(r"(?<=\d)[-—](?=\d)|(?<=\d), (?=\d)", " to ", core)
    return head + core.replace("&", " and ").strip() + tail


def _punctuation(form: str) -> tuple[str, str, str]:
    """Opening signs, the word, closing signs."""
    match = re.fullmatch(r"([('\-]*)(.*?)([.,;:!?)']*)", form, re.DOTALL)
    return (match.group(1), match.group(2), match.group(3)) if match else ("", form, "")


def _money(match: re.Match[str], after: str) -> str:
    sign, whole, part = match.groups()
    unit, coin = _COINS[sign]
    if after.lower().strip(".,;:!?") in _SCALES:
        return whole  # "$5 million": the unit follows the scale
    amount = f"{whole} {unit}" + ("" if whole == "1" else "s")
    if part is None or part == "00":
        return amount
    return f"{amount} and {int(part)} {coin if int(part) == 1 else 'pence' if coin == 'penny' else coin + 's'}"
