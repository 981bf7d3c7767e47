"""Secrets of tools (variables that begin with TOOL_) in what others say: an API that quotes the key it refused, a library that
puts it into an error. None of it reaches a log or a model."""

import os
from urllib.parse import quote

__all__ = ["hidden"]

_SHORTEST = 6
"""Characters of what is taken for a secret: shorter ones would be found everywhere."""


def hidden(text: str) -> str:
    """`text` with the name of the variable instead of each."""
    for name, value in os.environ.items():
        if not name.startswith("TOOL_"):
            continue
        for part in (value, value.partition(" ")[2]):  # "Bearer abc…": whole, and what counts of it
            for form in (part, quote(part, safe="")):
                if len(form) >= _SHORTEST and form in text:
                    text = text.replace(form, f"({name})")
    return text
