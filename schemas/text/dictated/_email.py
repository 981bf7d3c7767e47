"""E-mail addresses."""

import re

from schemas.text.dictated._letters import letter_at, tokens
from schemas.text.dictated._numbers import TEENS, TENS, UNITS
from schemas.text.dictated._unfit import Unfit

_SIGNS = {
    "dot": ".",
    "point": ".",
    "period": ".",
    "underscore": "_",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
    "plus": "+",
}
_BEFORE = re.compile(
    r"^\W*(?:(?:it's|its|it is|that's|that is|that would be|yes|yeah|sure|okay|ok|well|so|uh|um|the|my|your|e-?mail|mail|address|"
    r"(?:e-?mail )?address is|is|would be)\b\W*)+",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?=[^@]{1,64}@)[a-z0-9](?:[a-z0-9._%+-]*[a-z0-9_%+-])?@(?=.{4,190}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}"
)
_WRITTEN = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def email(text: str) -> str:
    """In small letters. Unfit: it is no address."""
    written = _WRITTEN.findall(text)
    if len(written) == 1 and " " not in text.strip(" .,;!?"):
        return _checked(written[0].casefold())
    words = tokens(_BEFORE.sub("", text.replace("’", "'")))
    small = [word.casefold() for word in words]
    at = [place for place, word in enumerate(small) if word in ("at", "@")]
    if not at:
        raise Unfit('there is no "at" in it; ask for the address again, slowly')
    split = small.index("@") if "@" in small else at[-1]
    domain = split + 1
    if small[domain : domain + 1] == ["sign"]:
        domain += 1
    return _checked(f"{_joined(words[:split])}@{_joined(words[domain:]).strip('.-')}")


def _joined(words: list[str]) -> str:
    """Letters, words and signs without what is between them."""
    made, place = "", 0
    while place < len(words):
        letters, used = letter_at(words, place)
        if used:
            made, place = made + letters, place + used
            continue
        word = words[place].casefold()
        if word in TENS and place + 1 < len(words) and UNITS.get(words[place + 1].casefold(), 0) > 0:
            made, place = made + str(TENS[word] + UNITS[words[place + 1].casefold()]), place + 2
            continue
        figure = {**UNITS, **TEENS, **TENS}.get(word)
        made += _SIGNS.get(word, str(figure) if figure is not None else word)
        place += 1
    return made.replace("'", "")


def _checked(address: str) -> str:
    if not _ADDRESS.fullmatch(address) or ".." in address:
        raise Unfit(f"{address} is no e-mail address; ask for it again, letter by letter")
    return address


def spoken_email(value: str) -> str:
    signs = {sign: word for word, sign in reversed(_SIGNS.items())} | {"@": "at", "-": "dash", ".": "dot"}
    return re.sub(r"\s+", " ", re.sub(r"[@._+\-]", lambda found: f" {signs[found[0]]} ", value)).strip()
