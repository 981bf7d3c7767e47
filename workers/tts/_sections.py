"""A text's phonemes in stretches that are spoken in one go: its sentences, long ones cut at a clause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.tts._timing import MARKS, assign_words

LONGEST = 150
"""Phonemes of one section: about eight seconds. The encoder reads a section whole before anything sounds."""
_SHORTEST = 40
_CLAUSE = frozenset(",;:")


@dataclass(frozen=True, slots=True)
class Section:
    """`owners`: for each phoneme its written word, counted from `words.start`, -1 for none; `words`: the text's words that
    begin here (silent ones join the section before)."""

    phonemes: list[str]
    owners: list[int]
    words: range


def sections(sentences: Sequence[Sequence[str]], alone: Sequence[str]) -> list[Section]:
    """`sentences`: phonemes with marks; `alone`: each written word's phonemes when spoken alone."""
    sentences = [sentence for sentence in sentences if any(one not in MARKS for one in sentence)]
    owners = assign_words([one for sentence in sentences for one in [*sentence, " "]], alone)
    pieces: list[tuple[list[str], list[int]]] = []
    at = 0
    for sentence in sentences:
        for low, high in _cuts(sentence):
            pieces.append((list(sentence[low:high]), owners[at + low : at + high]))
        at += len(sentence) + 1
    return _with_words(pieces, len(alone))


def _cuts(sentence: Sequence[str]) -> list[tuple[int, int]]:
    """Where to cut a sentence: at the last clause mark that fits, else between words, else anywhere."""
    cuts: list[tuple[int, int]] = []
    low = 0
    while len(sentence) - low > LONGEST:
        window = range(low + LONGEST, low + _SHORTEST, -1)
        high = next((place for place in window if sentence[place - 1] in _CLAUSE), 0)
        high = high or next((place for place in window if sentence[place - 1] == " "), low + LONGEST)
        cuts.append((low, high))
        low = high
    return [*cuts, (low, len(sentence))]


def _with_words(pieces: Sequence[tuple[list[str], list[int]]], count: int) -> list[Section]:
    pieces = [piece for piece in pieces if any(one not in MARKS for one in piece[0])]
    if not pieces:
        return []
    starts: list[int] = []
    for _, owners in pieces:
        begun = [owner for owner in owners if owner >= (starts[-1] if starts else 0)]
        starts.append(min(begun, default=starts[-1] if starts else 0))
    edges = [0, *starts[1:], count]
    return [
        Section(phonemes, [o - low if low <= o < high else -1 for o in owners], range(low, high))
        for (phonemes, owners), low, high in zip(pieces, edges[:-1], edges[1:], strict=True)
    ]
