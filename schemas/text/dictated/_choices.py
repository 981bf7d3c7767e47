"""One of several, and yes or no."""

import difflib
import re
from collections.abc import Sequence

from schemas.text.dictated._unfit import Unfit

_ORDINALS = (
    ("first", "1st"), ("second", "2nd"), ("third", "3rd"), ("fourth", "4th"), ("fifth", "5th"), ("sixth", "6th"),
    ("seventh", "7th"),
)  # fmt: skip
_NO = re.compile(
    r"\b(no|nope|nah|not|never|don't|doesn't|isn't|wasn't|won't|can't|wrong|incorrect|false|negative|nein|non)\b"
)
_YES = re.compile(
    r"\b(yes|yeah|yep|yup|sure|correct|right|true|exactly|absolutely|definitely|of course|please do|okay|ok|fine|affirmative|"
    r"indeed|certainly|ja|oui|si)\b"
)
_NOT = re.compile(rf"\b(not|isn't|wasn't|doesn't|don't)\b.*{_YES.pattern}")
_UNSURE = re.compile(r"\b(don't know|do not know|not sure|no idea|maybe|perhaps|not certain|which one)\b")


def choice(text: str, choices: Sequence[str]) -> str:
    """The one that was meant, as it is written. Unfit: none, or more than one."""
    small = _bare(text)
    for one in choices:
        if _bare(one) == small:
            return one
    named = [one for one in choices if re.search(rf"(?<!\w){re.escape(_bare(one))}(?!\w)", small)]
    longest = [one for one in named if not any(one != other and _bare(one) in _bare(other) for other in named)]
    if len(longest) == 1:
        return longest[0]
    if not named:
        places = [n for n, words in enumerate(_ORDINALS) if any(re.search(rf"\b{word}\b", small) for word in words)]
        if "last" in small.split() and not places:
            places = [len(choices) - 1]
        if len(places) == 1 and places[0] < len(choices):
            return choices[places[0]]
        near = difflib.get_close_matches(small, [_bare(one) for one in choices], n=1, cutoff=0.75)
        if near:
            return next(one for one in choices if _bare(one) == near[0])
    what = "more than one of them was named" if named else "it is none of them"
    raise Unfit(f"{what}; ask which it is: {', '.join(choices)}")


def _bare(text: str) -> str:
    return " ".join(re.findall(r"[\w'&+-]+", text.casefold().replace("’", "'")))


def yes_no(text: str) -> bool:
    """Unfit: it is neither, or both."""
    small = text.casefold().replace("’", "'")
    if _UNSURE.search(small):
        raise Unfit("that is no decision; ask again")
    no, yes = bool(_NO.search(small)), bool(_YES.search(small))
    if re.match(r"\W*(no|nope|nah)\b", small) or (no and not yes) or _NOT.search(small):
        return False
    if yes and not no:
        return True
    if re.match(r"\W*(yes|yeah|yep)\b", small):
        return True
    raise Unfit("it is neither a yes nor a no; ask again")
