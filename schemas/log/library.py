"""The function library as text. Its name, in the first line, carries its version; so do its functions."""

import re
from functools import cache
from importlib.resources import files

_PARTS = ("antiphon.lua", "antiphon_workers.lua", "antiphon_outside.lua", "antiphon_gateways.lua")
_NAME = re.compile(r"\A#!lua name=(\w+)\n")


@cache
def source() -> str:
    """The library, its parts joined."""
    return "\n".join((files(__package__) / part).read_text("utf-8") for part in _PARTS)


def name_of(text: str) -> str:
    """The library's name, which its functions begin with."""
    found = _NAME.match(text)
    if not found:
        raise ValueError("a function library begins with `#!lua name=<name>`")
    return found[1]


def renamed(text: str, name: str) -> str:
    """The same library under another name, so that it lives beside the first."""
    return text.replace(name_of(text), name)


def without_ownership() -> str:
    """The `no-fence` mutant, `antiphon_nofence`: `commit` asks neither whose job it is nor whose step was done.

    The chaos check must catch it.
    """
    text = source()
    lines = [line for line in text.splitlines() if not line.endswith("-- FENCE")]
    if len(lines) == len(text.splitlines()):
        raise ValueError("no line of the library is marked `-- FENCE`: the mutant would be no mutant")
    return renamed("\n".join(lines), "antiphon_nofence")
