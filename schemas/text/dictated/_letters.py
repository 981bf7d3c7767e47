"""Letters as they are spelled: "B as in Berta", "N for November", "double L", "alpha bravo"."""

import re
from collections.abc import Sequence

from schemas.text.dictated._numbers import TIMES

_NATO = {
    "alpha": "a", "alfa": "a", "bravo": "b", "charlie": "c", "delta": "d", "echo": "e", "foxtrot": "f", "golf": "g",
    "hotel": "h",
    "india": "i", "juliet": "j", "juliett": "j", "kilo": "k", "lima": "l", "mike": "m", "november": "n", "oscar": "o",
    "papa": "p",
    "quebec": "q", "romeo": "r", "sierra": "s", "tango": "t", "uniform": "u", "victor": "v", "whiskey": "w", "whisky": "w",
    "xray": "x", "yankee": "y", "zulu": "z",
}  # fmt: skip


def tokens(text: str) -> list[str]:
    """Words and single signs, case as it is. Letters that a transcript joins by dashes or dots (A-N-N-A) are apart."""
    text = re.sub(r"\b(?:[^\W\d_][-.]){2,}[^\W\d_]\b\.?", lambda found: " ".join(re.findall(r"[^\W_]", found[0])), text)
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*|[@._+\-]", text)


def letter_at(words: Sequence[str], place: int) -> tuple[str, int]:
    """The letters that are spelled from this word on, and how many words that takes; 0: none is."""
    word = words[place].casefold()
    if word in TIMES and place + 1 < len(words):
        inner, used = letter_at(words, place + 1)
        return (inner * TIMES[word], 1 + used) if len(inner) == 1 else ("", 0)
    rest = [one.casefold() for one in words[place + 1 : place + 4]]
    if len(word) != 1 or not word.isalpha():
        return "", 0
    for joint in (["as", "in"], ["like", "in"], ["for"], ["like"]):
        example = rest[len(joint)] if len(rest) > len(joint) else ""
        if rest[: len(joint)] == joint and example.startswith(word) and len(example) > 1:
            return word, 2 + len(joint)
    return word, 1


def nato(words: Sequence[str]) -> str:
    """The letters of words that all stand for one; "": some don't."""
    letters = [_NATO.get(word.casefold().replace("-", "")) for word in words]
    return "".join(filter(None, letters)) if len(letters) > 1 and all(letters) else ""
