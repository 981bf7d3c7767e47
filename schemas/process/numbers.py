"""Phone numbers as they may stand in a process' log: enough to know a call again, too little to call back. Pure."""

import re

__all__ = ["numbers_shortened", "shortened"]

_NUMBER = re.compile(r"\+?[\d().\-/ ]{5,}[*#]?")
_RUN = re.compile(r"(?:\+|%2[bB])?\d(?:[ -]?\d){4,}")
_LONG_RUN = re.compile(r"(?<![\w.:-])\d(?:[ -]?\d){6,14}(?![\w:-]|\.\d)")
_TOLD = re.compile(
    r"(?:\+|%2[bB])\d(?:[ .()/-]{0,2}\d){4,}"  # with a plus, in every writing
    r"|(?<=sip:)\d(?:[-.]?\d){4,}(?![\d.]*:)|(?<=sips:)\d(?:[-.]?\d){4,}(?![\d.]*:)"  # users of SIP addresses, not bare hosts
    r"|(?<=tel:)\d(?:[-.]?\d){4,}"
    r"|(?<=sip_)\d{5,}|(?<=phone-)\d{5,}|(?<=_)\d{7,15}(?=_)",  # identities and rooms of LiveKit's bridge
    re.IGNORECASE,
)


def shortened(number: str) -> str:
    """A caller's (or called) number or name. Of a number with five digits or more the last two stay, and of one with eight or
    more the first two: `+4930555123` is `+49…23`. A name stays as it is."""
    if _NUMBER.fullmatch(number):
        return _short(number)
    return _RUN.sub(lambda found: _short(found.group()), number)


def numbers_shortened(text: str, *, bare: bool = False) -> str:
    """`text` with each phone number in it shortened: what has a plus, the user of a SIP or tel address, identities and rooms of
    phones in LiveKit. `bare`: seven digits or more in a row too, where nothing else can be meant."""
    text = _TOLD.sub(lambda found: _short(found.group()), text)
    return _LONG_RUN.sub(lambda found: _short(found.group()), text) if bare else text


def _short(number: str) -> str:
    plus = "+" if number.startswith("+") else ""
    digits = re.sub(r"\D", "", re.sub("%2[bB]", "", number))
    if len(digits) < 5:
        return number
    return f"{plus}{digits[:2] if len(digits) >= 8 else ''}…{digits[-2:]}"
