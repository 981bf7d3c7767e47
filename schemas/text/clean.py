"""Text that strangers send, made fit to be kept, shown and told. Pure: text in, text out."""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DEEPEST",
    "identity",
    "json_line",
    "mended",
    "one_line",
    "plain",
    "printable",
    "shortened",
    "too_deep",
    "well_formed",
]

_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff]"
)
"""Controls (but tab and newline), marks that turn the direction of what follows, and lone surrogates."""


def well_formed(text: str) -> str:
    """`text` as UTF-8 can hold it: two halves of one character are joined, a lone half becomes U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mended(value: Any) -> Any:
    """`value`, lists and dicts and what is in them, with text that UTF-8 can hold, and whole numbers of more than 64 bits as
    text."""
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {mended(key): mended(one) for key, one in value.items()}
        case list() | tuple():
            return [mended(one) for one in value]
        case int() if not -(1 << 63) <= value < 1 << 64:
            return str(value)
        case _:
            return value


def one_line(text: str, longest: int) -> str:
    """`text` on one line of at most `longest` characters: what it says can't pose as a line, or an instruction, of ours."""
    return _BLANKS.sub(" ", well_formed(text)).strip()[:longest].rstrip()


def shortened(text: str, longest: int) -> str:
    """`text`, of at most `longest` characters: its last is an ellipsis where some are left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def plain(text: str, longest: int) -> str:
    """`text` without controls but tab and newline, of at most `longest` characters."""
    return _UNSHOWN.sub("", well_formed(text))[:longest]


def identity(text: str, longest: int = 256) -> str:
    """Who somebody is, as one line of at most `longest` characters: what is fit stays as it is; what has to be changed gets a
    mark made of the original, so that nobody can be changed into somebody else."""
    if text.isascii() and text.isprintable() and "  " not in text and 0 < len(text.strip()) == len(text) <= longest:
        return text  # as nearly always, and asked for each frame of sound
    fit = one_line(text, longest)
    if fit == text and fit:
        return text
    mark = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{one_line(fit, longest - 9)}~{mark}"


def printable(text: str) -> str:
    """`text` as a terminal may show it: controls are spelled out (`\\x1b`), so that it can't move the cursor or the reader."""
    return _UNSHOWN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def json_line(value: Any) -> str:
    """`value` as JSON on one line, for a file, a pipe or a terminal: readable, but for what a terminal must not be shown; that is
    escaped, so that any reader of JSON finds it again. What JSON doesn't know becomes text."""
    written = json.dumps(value, ensure_ascii=False, default=str)
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found.group()):04x}", written)


DEEPEST = 32
"""Lists and objects within each other, of JSON from strangers. An event can't be read back from some two hundred on."""


def too_deep(value: Any) -> bool:
    """Whether JSON, as it was read, is nested deeper than that."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _within(one)]
        if not level:
            return False
    return True


def _within(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one
