"""Reading a text from left to right: at each place the first rule that knows what stands there says it. Pure.

A rule is a pattern and what says a match of it: words, "" for nothing, None where it is not the rule's kind after all. A `|`
in the words stands where the text has a blank: what is said before it belongs to the written words before the blank. Where
their numbers differ, the written words of a match are one.

Nothing is read twice, and patterns look a bounded way ahead and back: the cost is that of the text's length.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Match = re.Match[str]
Say = Callable[[Match], str | None]
SEAM = "|"

N = r"(?:[0-9]{1,2}(?:,[0-9]{2}){1,3},[0-9]{3}(?![0-9])|[0-9]{1,3}(?:,[0-9]{3}){1,5}(?![0-9])|[0-9]{1,30})(?:\.[0-9]{1,20})?"
"""A number as it is written."""
DASH = r"[-‐‑–—−]"
END = r"(?![\w])"
_BACK = 48
"""Characters a rule looks back."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    say: Say


def rule(pattern: str, say: Say, flags: int = 0) -> Rule:
    return Rule(re.compile(pattern, flags), say)


def before(match: Match) -> str:
    """The text that stands before `match`, as far as rules look."""
    return match.string[max(0, match.start() - _BACK) : match.start()]


def after(match: Match) -> str:
    """The text behind `match`, as far as rules look."""
    return match.string[match.end() : match.end() + _BACK]


_LAST_WORD = re.compile(r"([^\W\d_]+(?:[.'][^\W\d_]+)*\.?)[\s:]*$")
_NEXT_WORD = re.compile(r"\s?([^\W\d_]+(?:['-][^\W\d_]+)*)")


def word_before(match: Match) -> str:
    """The word right before `match`, its full stop included; "" for a sign or a number."""
    found = _LAST_WORD.search(before(match))
    return found.group(1) if found else ""


def word_after(match: Match) -> str:
    found = _NEXT_WORD.match(after(match))
    return found.group(1) if found else ""


def glued(match: Match) -> tuple[str, str]:
    """The characters right before and behind `match`, "" at the text's edges and for blanks."""
    text = match.string
    left = text[match.start() - 1] if match.start() else ""
    right = text[match.end()] if match.end() < len(text) else ""
    return left.strip(), right.strip()


def operands(match: Match) -> bool:
    """Whether something to reckon with stands on both sides."""
    left, right = before(match).rstrip(), after(match).lstrip()
    return bool(left and right and (left[-1].isalnum() or left[-1] in ")]%°'\"²³!|")) and bool(
        right[0].isalnum() or re.match(r"[(\[√$€£¥∞]|[-−+.?][0-9(?]?|\?", right)
    )


def listed(text: str) -> frozenset[str]:
    """The words of `text`."""
    return frozenset(text.split())
