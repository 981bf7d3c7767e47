"""Names, said and spelled: "Anna Berg, that's B E R G", "A as in Anna"."""

import difflib
import re

from schemas.text.dictated._letters import letter_at, nato, tokens
from schemas.text.dictated._unfit import Unfit

_BEFORE = re.compile(
    r"^\W*(?:(?:my (?:first |last |full )?name is|the name is|name is|my name's|i am|i'm|it's|it is|this is|that's|that is|yes|"
    r"yeah|sure|okay|ok|uh|um|so|well)\b\W*)+",
    re.IGNORECASE,
)
_BETWEEN = frozenset(
    ("that's", "thats", "spelled", "spelt", "spelling", "it's", "its", "so", "which", "is", "i", "spell", "comma", ".")
)
_NEW_WORD = frozenset(("space", "newword"))
_LONGEST = 100


def name(text: str) -> str:
    """As it is written. What is spelled replaces the word before it that it spells. Unfit: it is no name."""
    words = tokens(_BEFORE.sub("", text.replace("’", "'")))
    if letters := nato([word for word in words if word.isalpha()]):
        return letters.capitalize()
    made, place, joint = list[str](), 0, False
    while place < len(words):
        spelled, used = _spelled(words, place)
        word = words[place]
        if used:
            if made and not joint and _same(made[-1], spelled):
                made[-1] = spelled.capitalize()
            else:
                made = _with(made, spelled.capitalize(), joint)
            place, joint = place + used, False
        elif word.casefold() in ("-", "dash", "hyphen"):
            place, joint = place + 1, bool(made)
        elif word.casefold() in _NEW_WORD or (word.casefold() in _BETWEEN and _spells_ahead(words, place)):
            place += 1
        else:
            made = _with(made, word if word == "." or word != word.lower() else word[:1].upper() + word[1:], joint)
            place, joint = place + 1, False
    found = " ".join(made).replace(" .", ".").strip(" .,-")
    if not found or any(character.isdigit() or character in "@+" for character in found):
        raise Unfit(f"{text} is no name; ask for it again, letter by letter")
    if len(found) > _LONGEST:
        raise Unfit(f"a name of {len(found)} characters; expected {_LONGEST} at most: ask for it alone")
    return found


def _with(made: list[str], word: str, joint: bool) -> list[str]:
    return [*made[:-1], f"{made[-1]}-{word}"] if joint else [*made, word]


def _spelled(words: list[str], place: int) -> tuple[str, int]:
    """Two letters at least, three where dots are between them: initials are none."""
    began, letters, dots = place, "", False
    while place < len(words):
        some, used = letter_at(words, place)
        if not used:
            if words[place] == "." and letters and place + 1 < len(words) and letter_at(words, place + 1)[1]:
                place, dots = place + 1, True
                continue
            break
        letters, place = letters + some, place + used
    return (letters, place - began) if len(letters) > (2 if dots else 1) else ("", 0)


def _spells_ahead(words: list[str], place: int) -> bool:
    """Whether nothing but such words is between here and something spelled."""
    while place < len(words) and words[place].casefold() in _BETWEEN and not _spelled(words, place)[1]:
        place += 1
    return place < len(words) and _spelled(words, place)[1] > 0


def _same(said: str, spelled: str) -> bool:
    said = said.casefold()
    return said[:1] == spelled[:1] or difflib.SequenceMatcher(None, said, spelled).ratio() >= 0.6


def spoken_name(value: str) -> str:
    """The name, and its last word letter by letter: that is where mistakes are."""
    last = value.split()[-1]
    letters = " ".join(character.upper() if character.isalpha() else character for character in last)
    return f"{value}, {letters}" if 1 < len(last) <= 20 else value
