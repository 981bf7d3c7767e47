"""One value of what was said, by its kind."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Literal

from schemas.text.clean import one_line
from schemas.text.dictated._choices import choice, yes_no
from schemas.text.dictated._dates import date_of, spoken_date
from schemas.text.dictated._email import email, spoken_email
from schemas.text.dictated._names import name, spoken_name
from schemas.text.dictated._numbers import digits, number, spoken_digits
from schemas.text.dictated._unfit import Unfit

Kind = Literal["text", "email", "digits", "date", "name", "choice", "number", "yes_no"]
Value = str | int | float | bool
LONGEST = 500
"""Characters of what was said that are looked at, and of a value."""


def fit(
    kind: Kind, said: object, *, today: date, pattern: str = "", length: int = 0, choices: Sequence[str] = ()
) -> Value:
    """What was said as a value of this kind: a date as 2026-05-03, digits without spaces, a `choice` as it is written in
    `choices`, a `number` as a number, a `yes_no` as a truth value. `today`: what "tomorrow" is counted from; `pattern`: all of
    the value has to fit it; `length`: characters it has to have, 0: any. Unfit, with a sentence for whoever asks: it is none."""
    text = unicodedata.normalize("NFC", one_line(_plain(said), LONGEST + 1))
    if len(text) > LONGEST:
        raise Unfit(f"that is more than {LONGEST} characters; ask for it alone")
    if not text:
        raise Unfit("nothing was said; ask for it")
    value: Value
    match kind:
        case "choice":
            value = choice(text, choices)
        case "date":
            value = date_of(text, today).isoformat()
        case _:
            value = _BY_KIND[kind](text)
    shown = str(value)
    if length and len(shown) != length:
        raise Unfit(f"{shown} has {len(shown)} characters; expected {length}: ask for it again, piece by piece")
    if pattern and not re.fullmatch(pattern, shown):
        raise Unfit(f"{shown} does not look as it has to; ask for it again")
    return value


def aloud(kind: Kind, value: Value) -> str:
    """How a value is read back, so that whoever hears it can tell whether it is right."""
    match kind:
        case "email":
            return spoken_email(str(value))
        case "digits":
            return spoken_digits(str(value))
        case "date":
            return spoken_date(date.fromisoformat(str(value)))
        case "name":
            return spoken_name(str(value))
        case "yes_no":
            return "yes" if value is True else "no"
        case _:
            return str(value)


def _plain(said: object) -> str:
    """Models write numbers and truth values where a text is asked for."""
    if isinstance(said, bool):
        return "yes" if said else "no"
    return said if isinstance(said, str) else str(said) if isinstance(said, int | float) else ""


_BY_KIND: Mapping[Kind, Callable[[str], Value]] = {
    "text": str,
    "email": email,
    "digits": digits,
    "name": name,
    "number": number,
    "yes_no": yes_no,
}
