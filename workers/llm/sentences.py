"""A reply, as it streams in, cut into pieces worth speaking. Pure: text in, pieces out.

A cut is decided from the text around it and nothing else: how the stream was chopped never shows, so a reply asked for
again (same seed) falls into the same pieces. The raw pieces joined are the reply, to the character.
"""

import re
from dataclasses import dataclass

__all__ = ["Piece", "SentenceSplitter", "speakable"]

FIRST_CLAUSE = 12
"""Characters from which the first piece may end at a comma: the first sound is early."""
FIRST_JOINT = 18
"""Characters from which the first piece may end before "and", "but", …"""
FIRST_PHRASE = 22
"""Characters from which the first piece may end before "about", "to", "will", …: better than waiting on."""
LONGEST = 260
"""Characters after which a piece is cut even without punctuation."""
_AHEAD = 64  # characters a decision may wait for

_CLOSING = "\"'”’»)]}*_`"
_WIDE = "。！？｡"
_CLAUSE = ",;:—–，、；："
_TITLES = frozenset(
    "mr mrs ms dr prof rev hon col sgt capt lt st sr jr mt vs nos vol fig e.g i.e cf approx dept bzw z.b d.h nr".split()  # noqa: SIM905
)  # what follows belongs to them
_SHORT = frozenset(
    "etc inc ltd corp co a.m p.m u.s u.k u.s.a e.u ph.d b.a m.a usw al ave blvd rd".split()  # noqa: SIM905
)  # may end a sentence
_JOINTS = re.compile(r"\s(?=(?:and|but|so|because|or|which|while|then|if|when|although)\s)")
_PHRASES = re.compile(
    r"\s(?=(?:about|with|for|to|who|where|than|as|from|at|in|on|into|during|after|before|until|through"
    r"|will|would|is|are|was|were|has|have|had|can|could|should|may|might|must)\s)"
)
_WORD = re.compile(r"\w+(?:['’.\-]\w+)*")
_LAST_WORD = re.compile(r"[\w.]*$")
_NUMBERED = re.compile(r"\s*\(?(?:\d{1,3}|[a-zA-Z])$")


@dataclass(frozen=True, slots=True)
class Piece:
    """`raw`: exactly what was streamed; `text`: what is to be spoken and shown ("" when nothing of it can be)."""

    raw: str
    text: str


class SentenceSplitter:
    """`feed` what comes, speak what it answers, `flush` at the end. The first piece may be a clause.

    `begun`: the reply was resumed, its first piece has been said.
    """

    def __init__(self, begun: bool = False):
        self._buffer = ""
        self._begun = begun

    def feed(self, text: str) -> list[Piece]:
        self._buffer += text
        return self._cut(final=False)

    def flush(self) -> list[Piece]:
        """The rest: the stream has ended."""
        pieces = self._cut(final=True)
        if self._buffer:
            pieces.append(Piece(self._buffer, speakable(self._buffer)))
            self._buffer = ""
        return pieces

    def _cut(self, final: bool) -> list[Piece]:
        pieces = []
        while (end := _boundary(self._buffer, final, clause=not self._begun)) is not None:
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            pieces.append(Piece(raw, speakable(raw)))
            self._begun = True
        return pieces


def _boundary(text: str, final: bool, clause: bool) -> int | None:
    """Where the first piece of `text` ends (its trailing blanks included); None: not yet, or only with the stream."""
    for place in range(min(len(text), LONGEST)):
        character = text[place]
        if character in ".!?…\n" or character in _WIDE:
            end = _sentence_end(text, place, final)
        elif clause and (character in _CLAUSE or character.isspace()):
            end = _clause_end(text, place, final)
        else:
            continue
        if end == _UNKNOWN:
            return None
        if end and not _stands_alone(text[:end]):
            end = 0
        if end:
            return end
    if len(text) >= LONGEST + _AHEAD or (final and len(text) > LONGEST):
        return _forced(text)
    return None


_UNKNOWN = -1


def _sentence_end(text: str, place: int, final: bool) -> int:
    """Does the mark at `place` end a sentence? The end with what closes and the blanks behind, 0 for no, _UNKNOWN."""
    character = text[place]
    after = place + 1
    while after < len(text) and text[after] in _CLOSING + ".!?…" + _WIDE:
        after += 1
    if after < len(text) and text[after] not in " \t\n\r\u00a0\u3000" and character not in _WIDE + "\n":
        return 0
    rest = _next_word(text, after)
    if rest == len(text) and not final and rest - after < _AHEAD:
        return _UNKNOWN
    if final and rest == len(text):
        return 0  # the end of the stream ends it anyway
    if character != "." or text[place : place + 3] == "...":
        ellipsis = character in ".…"
        return 0 if ellipsis and rest < len(text) and text[rest].islower() else rest
    return rest if _full_stop(text[:place], text[rest : rest + 1]) else 0


def _full_stop(before: str, following: str) -> bool:
    """Is the full stop behind `before` one, with `following` the next visible character?"""
    word = _LAST_WORD.search(before)
    last = word.group().lower() if word else ""
    line = before[before.rfind("\n") + 1 :]
    if last == "no":
        return not following.isdigit()
    if last in _TITLES or _NUMBERED.fullmatch(line):
        return False
    if last in _SHORT:
        return following.isupper()
    initial = len(last) == 1 and last.isalpha() and last not in "aio" and before[-1:].isupper()
    return not initial


def _clause_end(text: str, place: int, final: bool) -> int:
    """May the first piece end here? Like `_sentence_end`. A whole word must follow, or one word would be left to say."""
    character = text[place]
    if character in _CLAUSE:
        after, least = place + 1, FIRST_CLAUSE
        if after < len(text) and not text[after].isspace() and character not in "，、；：—":
            return 0
    else:
        after, least = place, FIRST_JOINT
    if len(speakable(text[:after])) < least and character not in "，、；：":
        return 0
    rest = _next_word(text, after)
    following = re.match(r"\S+(?=\s)", text[rest:])
    if following is None or (character.isspace() and not following.group().isalpha()):
        known = final or len(text) - rest >= _AHEAD or following is not None
        return 0 if known else _UNKNOWN
    if following.group()[-1] in ".!?…,;:" or following.group()[-1] in _WIDE:
        return 0
    if not character.isspace() or _JOINTS.match(text, place):
        return rest
    return rest if len(speakable(text[:after])) >= FIRST_PHRASE and _PHRASES.match(text, place) else 0


def _next_word(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _stands_alone(raw: str) -> bool:
    """A clip of one word sounds chopped, unless it is all there is to say."""
    text = speakable(raw)
    if any(ord(character) > 0x2E7F for character in text):  # no blanks between words
        return sum(character.isalnum() for character in text) >= 4
    return len(_WORD.findall(text)) >= 2 and len(text) >= 6


def _forced(text: str) -> int:
    """A cut within the first LONGEST characters: behind a comma, a blank, or just there."""
    window = text[:LONGEST]
    for marks in (_CLAUSE, " \t\n\u00a0"):
        place = max(window.rfind(mark) for mark in marks)
        if place >= LONGEST // 3:
            return _next_word(text, place + 1)
    return LONGEST


_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_BULLET = re.compile(r"(?m)^\s*(?:[-*•+]|#{1,6}|>)\s+")
_EMPHASIS = re.compile(r"(?<!\w)[*_~`]+(?=\w|[\"'“‘(])|(?<=[\w.,!?;:…\"'”’)])[*_~`]+(?!\w)|\*{2,}|`+|~~|^#{1,6}\s*")
_PICTURES = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)


def speakable(raw: str) -> str:
    """What a voice can say of `raw`: without markdown and emoji, blanks collapsed; "" when no letter or digit is left."""
    text = _LINK.sub(r"\1", raw)
    text = _BULLET.sub("", text)
    text = _EMPHASIS.sub("", text)
    text = _PICTURES.sub(" ", text)
    text = " ".join(text.split())
    return text if any(character.isalnum() for character in text) else ""
