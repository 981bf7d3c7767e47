"""Two texts, word by word: what is the same, what was put in, left out, or is another word. Case and marks are no difference."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import jiwer

Kind = Literal["same", "other", "gone", "new"]
_MOST = 20_000
"""Words that are compared with each other: of more, the first so many with the first, and so on. Memory grows with the square."""
_EDGES = re.compile(r"^[^\w]+|[^\w]+$")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words in a row. `before`, `after`: as they stand in each text."""

    kind: Kind
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`words`: of the first text, `words_after`: of the second; `errors`: words changed, put in or left out."""

    stretches: tuple[Stretch, ...]
    words: int
    words_after: int
    errors: int

    @property
    def same(self) -> bool:
        return self.errors == 0

    @property
    def rate(self) -> float:
        """Errors a word of the first text (WER: more than 1 where many are put in); where that has none, how many there are."""
        return self.errors / self.words if self.words else float(self.errors)

    @property
    def share(self) -> float:
        """Errors a word of the longer text: 0 to 1, and the same from either side."""
        return self.errors / max(self.words, self.words_after) if self.errors else 0.0


def compared(before: str, after: str) -> Compared:
    return compared_all([before], [after])


def compared_all(before: Iterable[str], after: Iterable[str]) -> Compared:
    """The same of two texts that come in pieces, wherever each is cut."""
    first, second = ([token for text in texts for token in _tokens(text)] for texts in (before, after))
    parts = [
        _compared(first[start : start + _MOST], second[start : start + _MOST])
        for start in range(0, max(len(first), len(second), 1), _MOST)
    ]
    stretches = tuple(stretch for part in parts for stretch in part.stretches)
    return Compared(stretches, len(first), len(second), sum(part.errors for part in parts))


def _compared(first: "Sequence[_Token]", second: "Sequence[_Token]") -> Compared:
    if not first or not second:
        return _only(first, second)
    found = jiwer.process_words(" ".join(bare for bare, _ in first), " ".join(bare for bare, _ in second))
    stretches = tuple(
        Stretch(
            _KINDS[chunk.type],
            _said(first[chunk.ref_start_idx : chunk.ref_end_idx]),
            _said(second[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in found.alignments[0]
    )
    return Compared(stretches, len(first), len(second), found.substitutions + found.insertions + found.deletions)


_KINDS: dict[str, Kind] = {"equal": "same", "substitute": "other", "delete": "gone", "insert": "new"}
_Token = tuple[str, str]
"""A word as it is compared, and as it stands."""


def _only(first: Sequence[_Token], second: Sequence[_Token]) -> Compared:
    stretches = []
    if first:
        stretches.append(Stretch("gone", _said(first), ""))
    if second:
        stretches.append(Stretch("new", "", _said(second)))
    return Compared(tuple(stretches), len(first), len(second), len(first) + len(second))


@lru_cache(4096)
def _tokens(text: str) -> tuple[_Token, ...]:
    """What is no word (a dash, say) stands with the word before it."""
    tokens: list[_Token] = []
    for word in text.split():
        bare = _EDGES.sub("", word).casefold().replace("’", "'")
        if bare:
            tokens.append((bare, word))
        elif tokens:
            tokens[-1] = (tokens[-1][0], f"{tokens[-1][1]} {word}")
    return tuple(tokens)


def _said(tokens: Sequence[_Token]) -> str:
    return " ".join(word for _, word in tokens)


def likeness(before: str, after: str) -> float:
    """0 to 1: how much of both texts the other has, too, by a look at their words; no order."""
    first, second = _counts(before), _counts(after)
    of = first.total() + second.total()
    if not of:
        return 1.0
    return 2 * sum(min(count, second[word]) for word, count in first.items()) / of


@lru_cache(4096)
def _counts(text: str) -> Counter[str]:
    return Counter(bare for bare, _ in _tokens(text))
