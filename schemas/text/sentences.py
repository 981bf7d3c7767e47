"""Text, as it streams in or as it stands, cut into pieces worth speaking. Pure: text in, pieces out.

A cut is decided from the text around it and nothing else: how the stream was chopped never shows, so a reply asked for
again (same seed) falls into the same pieces. The raw pieces joined are the reply, to the character.
"""

import re
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["ENDS", "QUESTION_MARKS", "Piece", "SentenceSplitter", "ends_sentence", "sentences", "speakable"]

FIRST_CLAUSE = 12
"""Characters from which the first piece may end at a comma: the first sound is early."""
FIRST_JOINT = 18
"""Characters from which the first piece may end before "and", "but", …"""
FIRST_PHRASE = 22
"""Characters from which the first piece may end before "about", "to", "will", …: better than waiting on."""
LONGEST = 260
"""Characters after which a piece is cut even without punctuation; one of Chinese or Japanese, a syllable, counts as three."""
_AHEAD = 64  # characters a decision may wait for
_CLAUSE_AHEAD = 4  # letters that must follow a clause where no blanks part the words

_CLOSING = "\"'”’»)]}*_`」』）】》〉〕］｝"
QUESTION_MARKS = "?？؟\u037e፧⁇⁈⸮"
"""Of any script; the fourth looks like a semicolon and is Greek."""
_SURE = "。！？｡．।॥؟\u037e۔։።፧။\u17d4\u17d5།‼⁇⁈⁉⸮"
"""Ends of sentences in any place: signs of scripts that may put no blank behind them, and have no other use for them."""
ENDS = ".!?…" + _SURE
"""Ends of sentences, though a full stop is one of other things, too."""
_WIDE_CLAUSE = "，、；：،؛၊፣"
_CLAUSE = ",;:—–" + _WIDE_CLAUSE
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Letters of scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese."""
_SYLLABLES = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
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
_INITIALS = re.compile(r"[a-z](?:\.[a-z])+")
_GLUED = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?(?=[\s,;:!?—–]|\.(?:\s|$)|$)")
"""A word that begins a sentence, though no blank stands before it."""
_GLUED_SO_FAR = re.compile(r"[^\W\d_]*(?:['’][^\W\d_]*)?\.?")
_OPENERS = frozenset(
    """a after all also an and any are as at both but by can could did do does each every first for from have he here his how
    however i if in instead is it it's its i'm just let let's like maybe most my next no not now of on once one only or our
    perhaps please remember second she should since so some sometimes sure thanks that that's the their then there there's
    these they this those thus to today tomorrow unfortunately until was we we're what when where which while who why will
    with without would yes yesterday yet you you're your""".split()  # noqa: SIM905
)
_NAMES = frozenset(
    "com org net edu gov mil int info biz io ai app dev de fr uk us eu js ts py md txt pdf csv xml html json doc docx".split()  # noqa: SIM905
)  # ends of addresses and file names


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

    def whole(self) -> list[Piece]:
        """What of the rest is whole sentences for sure: the stream has broken off."""
        text = self._buffer.rstrip().rstrip(_CLOSING)
        marked = bool(text) and (text[-1] in "!?…" + _SURE or (text[-1] == "." and _full_stop(text[:-1], "A")))
        pieces = []
        while (end := _boundary(self._buffer, final=True, clause=False)) is not None:
            pieces.append(self._take(end))
        if marked and _stands_alone(self._buffer):
            pieces.append(self._take(len(self._buffer)))
        return pieces

    def _take(self, end: int) -> Piece:
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        return Piece(raw, speakable(raw))

    def _cut(self, final: bool) -> list[Piece]:
        pieces = []
        while (end := _boundary(self._buffer, final, clause=not self._begun)) is not None:
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            pieces.append(Piece(raw, speakable(raw)))
            self._begun = True
        return pieces


def sentences(text: str) -> list[str]:
    """`text`, complete, in sentences; as it is when there is nothing in it to say."""
    splitter = SentenceSplitter(begun=True)
    return [piece.text for piece in [*splitter.feed(text), *splitter.flush()] if piece.text] or [text]


def ends_sentence(text: str) -> bool:
    """Whether `text` is the end of a sentence."""
    return text.rstrip().rstrip(_CLOSING).endswith(tuple(ENDS))


def _boundary(text: str, final: bool, clause: bool) -> int | None:
    """Where the first piece of `text` ends (its trailing blanks included); None: not yet, or only with the stream."""
    longest = _longest(text)
    for place in range(min(len(text), longest)):
        character = text[place]
        if character in ENDS or character == "\n":
            end = _sentence_end(text, place, final)
        elif clause and (character in _CLAUSE or character.isspace()):
            end = _clause_end(text, place, final)
        else:
            continue
        if end and _within_markup(text, place):
            continue
        if end == _UNKNOWN:
            return None
        if end and not _stands_alone(text[:end]):
            end = 0
        if end:
            return end
    if len(text) >= longest + _AHEAD or (final and len(text) > longest):
        return _forced(text[:longest], text)
    return None


_OPEN_TAG = re.compile(r"<[A-Za-z/][\w:-]{0,40}\s[^<>]{0,200}=\s?(?:\"[^\"<>]{0,200}|'[^'<>]{0,200})$")
_ENTITY = re.compile(r"&#?\w{1,12}$")


def _within_markup(text: str, place: int) -> bool:
    """Whether the mark at `place` stands in a tag's attribute or closes an entity (`&amp;`)."""
    if text[place] == ";" and _ENTITY.search(text[max(0, place - 14) : place]):
        return True
    start = text.rfind("<", max(0, place - 240), place)
    return start >= 0 and _OPEN_TAG.match(text[start:place]) is not None


def _longest(text: str) -> int:
    """The most characters of `text` that make one piece."""
    if text.isascii():
        return LONGEST
    weights = accumulate(3 if _SYLLABLES.match(character) else 1 for character in text[:LONGEST])
    return next((place for place, weight in enumerate(weights) if weight > LONGEST), LONGEST)


_UNKNOWN = -1


def _sentence_end(text: str, place: int, final: bool) -> int:
    """Does the mark at `place` end a sentence? The end with what closes and the blanks behind, 0 for no, _UNKNOWN."""
    character = text[place]
    after = place + 1
    while character != "\n" and after < len(text) and text[after] in _CLOSING + ENDS:
        after += 1
    rest = _next_word(text, after)
    if rest == len(text) and not final and rest - after < _AHEAD:
        return _UNKNOWN
    if final and rest == len(text):
        return 0  # the end of the stream ends it anyway
    if character in _SURE:
        return 0 if text[after - 1] in "」』" and text[rest] == "と" else rest  # 「…。」と says who said it
    if character != "\n" and rest == after:
        return _glued_end(text, place, after, final)
    if character != "." or text[place : place + 3] == "...":
        ellipsis = character in ".…"
        return 0 if ellipsis and rest < len(text) and text[rest].islower() else rest
    return rest if _full_stop(text[:place], text[rest : rest + 1]) else 0


def _glued_end(text: str, place: int, after: int, final: bool) -> int:
    """Like `_sentence_end`, for a mark with no blank behind it: "done.The second" is two sentences, "Node.js" is none."""
    before = text[: place + 1].split()[-1][:-1].strip("\"'“”‘’«»()*_`")
    following = text[after]
    if _NO_BLANKS.match(following):
        return after if before and (text[place] in "!?" or _NO_BLANKS.match(before[-1])) else 0
    if not following.isupper() or not before or any(sign in before for sign in "./\\@_:=&#<>[](){}"):
        return 0
    if not final and len(text) - after < _AHEAD and _GLUED_SO_FAR.fullmatch(text, after):
        return _UNKNOWN
    found = _GLUED.match(text, after)
    word = found.group().lower().replace("’", "'") if found else ""
    if found is None or not found.group()[0].isupper() or found.group()[1:] != word[1:] or word in _NAMES:
        return 0
    if before[-1].islower() and before[0].islower() and len(before) > 1:
        return after if text[place] != "." or word in _OPENERS or len(before) > 2 else 0
    return (
        after if word in _OPENERS and (len(before) > 1 or before.isdigit()) else 0
    )  # else a class, a name, an initial


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
    if _INITIALS.fullmatch(last):
        return False
    initial = len(last) == 1 and last.isalpha() and last not in "aio" and before[-1:].isupper()
    return not initial


def _clause_end(text: str, place: int, final: bool) -> int:
    """May the first piece end here? Like `_sentence_end`. A whole word must follow, or one word would be left to say."""
    character = text[place]
    if character in _WIDE_CLAUSE and _NO_BLANKS.search(text, 0, place):
        return _wide_clause_end(text, place, final)
    if character in _CLAUSE:
        after, least = place + 1, FIRST_CLAUSE
        if after < len(text) and not text[after].isspace() and character not in _WIDE_CLAUSE + "—":
            return 0
    else:
        after, least = place, FIRST_JOINT
    if len(speakable(text[:after])) < least:
        return 0
    rest = _next_word(text, after)
    following = re.match(r"\S+(?=\s)", text[rest:])
    if following is None or (character.isspace() and not following.group().isalpha()):
        known = final or len(text) - rest >= _AHEAD or following is not None
        return 0 if known else _UNKNOWN
    if following.group()[-1] in ENDS or following.group()[-1] in ",;:":
        return 0
    if not character.isspace() or _JOINTS.match(text, place):
        return rest
    return rest if len(speakable(text[:after])) >= FIRST_PHRASE and _PHRASES.match(text, place) else 0


def _wide_clause_end(text: str, place: int, final: bool) -> int:
    """Like `_clause_end` where no blanks part the words: some letters must follow before the sentence ends."""
    letters = 0
    for ahead in range(place + 1, min(len(text), place + 1 + _AHEAD)):
        if text[ahead] in ENDS or text[ahead] == "\n":
            return 0
        letters += text[ahead].isalnum()
        if letters == _CLAUSE_AHEAD:
            return _next_word(text, place + 1)
    return 0 if final or len(text) - place > _AHEAD else _UNKNOWN


def _next_word(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _stands_alone(raw: str) -> bool:
    """A clip of one word sounds chopped, unless it is all there is to say."""
    text = speakable(raw)
    if _NO_BLANKS.search(text):
        return sum(character.isalnum() for character in text) >= 4
    if text.isascii():
        return len(_WORD.findall(text)) >= 2 and len(text) >= 6
    words = sum(any(character.isalnum() for character in word) for word in re.split(r"[\s—–]+", text))
    return words >= 2 and len(text) >= 6


def _forced(window: str, text: str) -> int:
    """A cut within `window`, the beginning of `text`: behind a comma, a blank, or just there."""
    for marks in (_CLAUSE, " \t\n\u00a0"):
        place = max(window.rfind(mark) for mark in marks)
        if place >= len(window) // 3:
            return _next_word(text, place + 1)
    return len(window)


_FENCE = re.compile(r"(?m)^[ \t]*(?:```|~~~)[\w+#.-]*[ \t]*$")
_TABLE_RULE = re.compile(r"(?m)^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t]*:?-{3,}:?[ \t]*)*\|?[ \t]*$")
_TABLE_ROW = re.compile(r"(?m)^[ \t]*\|(.+)\|[ \t]*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_BULLET = re.compile(r"(?m)^\s*(?:[-*•+]|#{1,6}|>)\s+")
_EMPHASIS = re.compile(r"(?<!\w)[*_~`]+(?=\w|[\"'“‘(])|(?<=[\w.,!?;:…\"'”’)])[*_~`]+(?!\w)|\*{2,}|`+|~~|^#{1,6}\s*")
_PICTURES = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)


def speakable(raw: str) -> str:
    """What a voice can say of `raw`: without markdown and emoji, blanks collapsed; "" when no letter or digit is left."""
    text = _TABLE_RULE.sub("", _FENCE.sub("", raw)) if "```" in raw or "~~~" in raw or "---" in raw else raw
    if "|" in text:
        text = _TABLE_ROW.sub(
            lambda row: ", ".join(cell for one in row[1].split("|") if (cell := one.strip())) + ".", text
        )
    text = _LINK.sub(r"\1", text)
    text = _BULLET.sub("", text)
    text = _EMPHASIS.sub("", text)
    text = _PICTURES.sub(" ", text)
    text = " ".join(text.split())
    return text if any(character.isalnum() for character in text) else ""
