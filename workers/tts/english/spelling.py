"""Letters, digits and the parts of names one by one, in English. Pure."""

import re

from workers.tts.english.numbers import pairs, spelled


def letters(text: str) -> str:
    """Letters one by one; joined by hyphens where a lone A would be an article."""
    return "-".join(text) if "A" in text.upper() and len(text) > 1 else " ".join(text)


def characters(text: str) -> str:
    """Letters and digits one by one."""
    parts = [letters(one.upper()) if one.isalpha() else spelled(one) for one in re.findall(r"[0-9]+|[^\W\d_]+", text)]
    said = ""
    for part in parts:
        said += ("-" if said.endswith("A") else " " if said else "") + part
    return said


def label(text: str) -> str:
    """A part of a name, in words: snake_case, camelCase and digits parted."""
    words = []
    for part in re.findall(r"[0-9]+|[^\W\d_]+", text):
        if part.isdecimal():
            words.append(pairs(part) if len(part) < 5 else spelled(part))
        else:
            words.append(camel(part))
    return " ".join(words)


def camel(text: str) -> str:
    """getUserName in words; "iPhone" as it is."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[a-z]{2})(?=[A-Z])", " ", text)
