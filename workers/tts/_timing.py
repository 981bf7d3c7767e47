"""From phonemes and their lengths to words and mouth shapes. Pure: no model, no I/O.

A voice is given a string of IPA characters in which blanks part the spoken words, and tells how long each character
sounds. Spoken words are not the written ones: "42" is two, and espeak says "of the" as one. So every phoneme is given
the written word it belongs to, by counting where the counts agree and by alignment where they don't.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from schemas.events import Viseme, Word

MARKS = frozenset(" .,;:!?\"'()-¿¡#^$_")
"""Phoneme characters that are no sound of a word: blanks, punctuation, the sentence's edges."""
_MODIFIERS = frozenset("ˈˌːˑ˞ʰʲˤʷ̧̩̯̪̺̻̝̃̊")


@dataclass(frozen=True, slots=True)
class Timed:
    """A phoneme and when it sounds: samples from the start of its section. `word`: the written word, -1 for none."""

    phoneme: str
    start: int
    end: int
    word: int = -1


# ── which written word a phoneme belongs to ──────────────────────────────────────────────────────────────────────────


def assign_words(phonemes: Sequence[str], alone: Sequence[str]) -> list[int]:
    """For each of `phonemes`, the index of its written word, or -1 for marks.

    `alone`: each written word's phonemes when spoken alone, blanks between its spoken words, "" for a silent one.
    """
    spoken = "".join(one if one not in MARKS else " " for one in phonemes).split()
    counts = [len(_letters(one).split()) for one in alone]
    if len(spoken) == sum(counts):
        owners = [index for index, count in enumerate(counts) for _ in range(count)]
        return _by_group(phonemes, owners)
    return _by_alignment(phonemes, alone)


def _letters(phonemes: str) -> str:
    return "".join(char if char not in MARKS else " " for char in phonemes)


def _by_group(phonemes: Sequence[str], owners: Sequence[int]) -> list[int]:
    """The n-th run of sounds between marks belongs to `owners[n]`."""
    words: list[int] = []
    group, inside = -1, False
    for phoneme in phonemes:
        sounds = phoneme not in MARKS
        if sounds and not inside:
            group += 1
        inside = sounds
        words.append(owners[group] if sounds else -1)
    return words


_GAP = 1.0
_BLANK_GAP = 0.6
_BAND = 24


def _by_alignment(phonemes: Sequence[str], alone: Sequence[str]) -> list[int]:
    """Align the sentence with its words spoken alone (banded edit distance, blanks included); a sound without a
    counterpart joins the word it stands in."""
    heard = _joined_marks(enumerate(phonemes))
    expected = _joined_marks(pair for word, one in enumerate(alone) if one for pair in [(word, " "), *_each(word, one)])
    words = [-1] * len(phonemes)
    if not heard or not expected:
        return words
    partner = _align([one for _, one in heard], [one for _, one in expected])
    word = expected[0][0]
    for (index, one), place in zip(heard, partner, strict=True):
        if place >= 0:
            word = expected[place][0]
        if one != " ":
            words[index] = word
    return words


def _each(word: int, phonemes: str) -> list[tuple[int, str]]:
    return [(word, one) for one in phonemes]


def _joined_marks(sounds: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """`sounds` with every run of marks as one blank, numbered like the sound after it; none at the edges."""
    joined: list[tuple[int, str]] = []
    blank = False
    for number, one in sounds:
        if one in MARKS:
            blank = True
            continue
        if blank and joined:
            joined.append((number, " "))
        joined.append((number, one))
        blank = False
    return joined


def _align(heard: Sequence[str], expected: Sequence[str]) -> list[int]:
    """For each of `heard`, the index in `expected` it is matched with, or -1."""
    rows, columns = len(heard), len(expected)
    slope = columns / rows
    infinite = float("inf")
    previous = {j: j * _GAP for j in range(min(columns, _BAND) + 1)}
    came: list[dict[int, int]] = [dict.fromkeys(previous, 2)]
    for i in range(1, rows + 1):
        middle = round(i * slope)
        current: dict[int, float] = {}
        steps: dict[int, int] = {}
        for j in range(max(0, middle - _BAND), min(columns, middle + _BAND) + 1):
            match = previous.get(j - 1, infinite) + (_distance(heard[i - 1], expected[j - 1]) if j else infinite)
            drop = previous.get(j, infinite) + _gap(heard[i - 1])
            skip = current.get(j - 1, infinite) + (_gap(expected[j - 1]) if j else infinite)
            best = min(match, drop, skip)
            current[j], steps[j] = best, 0 if best == match else 1 if best == drop else 2
        previous = current
        came.append(steps)
    partner = [-1] * rows
    i, j = rows, columns
    while i > 0:
        step = came[i].get(j, 1)
        if step == 0:
            i, j = i - 1, j - 1
            partner[i] = j
        elif step == 1:
            i -= 1
        else:
            j -= 1
    return partner


def _gap(one: str) -> float:
    return _BLANK_GAP if one == " " or one in _MODIFIERS else _GAP


def _distance(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if " " in (one, other) or one in _MODIFIERS or other in _MODIFIERS:
        return 2.5
    return 0.8 if (one in _VOWELS) == (other in _VOWELS) else 1.6


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def word_spans(timed: Sequence[Timed], count: int) -> list[tuple[int, int]]:
    """Start and end of each of `count` written words in samples, never going back. A silent word has no length and
    stands where the word before it ends."""
    spans: list[tuple[int, int] | None] = [None] * count
    for one in timed:
        if one.word >= 0:
            known = spans[one.word]
            spans[one.word] = (known[0], one.end) if known else (one.start, one.end)
    result: list[tuple[int, int]] = []
    reached = 0
    for span in spans:
        start, end = span or (reached, reached)
        start = max(start, reached)
        reached = max(start, end)
        result.append((start, reached))
    return result


def proportional_spans(texts: Sequence[str], start: int, end: int) -> list[tuple[int, int]]:
    """An estimate for voices that tell no lengths: `start` to `end` shared out by letters."""
    weights = [len(text) + 1 for text in texts]
    total = sum(weights) or 1
    edges = [start + (end - start) * reached // total for reached in accumulate(weights, initial=0)]
    return list(pairwise(edges))


def words_between(
    texts: Sequence[str], spans: Sequence[tuple[int, int]], start: int, end: int, rate: int, *, last: bool
) -> list[Word]:
    """The words that begin in samples [start, end), timed in seconds from `start`; the `last` stretch takes all that
    begin later. A word may end in the stretch after its own."""
    return [
        Word(text=text, start=(begin - start) / rate, end=(finish - start) / rate)
        for text, (begin, finish) in zip(texts, spans, strict=True)
        if begin >= start and (last or begin < end)
    ]


# ── mouth shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────

_SHAPES = {
    "PP": "pbmɓʘ", "FF": "fvɸβⱱɱʋ", "TH": "θð", "DD": "tdɾɖʈɗǀǂ", "kk": "kgɡŋqxɣɢɠχħʕɴcɟʄʛ",
    "CH": "ʃʒɕʑçʝ", "SS": "szʂʐʦ", "nn": "nlɲɫɬɭɳʎʟɮɺ", "RR": "ɹrɚɝɜʁʀɻɽ˞",
    "aa": "aɑæʌɐɒɶ", "E": "eɛəɘɞε", "I": "iɪᵻyjɨʏ", "O": "oɔøœɵɤ", "U": "uʊwʉɯɥʍɰ",
}  # fmt: skip
_SHAPE = {char: shape for shape, chars in _SHAPES.items() for char in chars}
_VOWELS = frozenset("aɑæʌɐɒɶeɛəɘɞεiɪᵻyɨʏoɔøœɵɤuʊʉɯɚɝɜ")
_SHORT_PAUSE = 0.06
"""Seconds below which the mouth doesn't close between two words."""


def visemes(timed: Sequence[Timed], length: int, rate: int) -> list[tuple[str, int, int]]:
    """Shapes that cover samples [0, length) without a gap, neighbours differing."""
    shapes: list[tuple[str, int, int]] = []
    for place, one in enumerate(timed):
        shape = _shape(timed, place, rate)
        if shape == "" and shapes:
            shape = shapes[-1][0]
        _extend(shapes, shape or "sil", one.start, one.end)
    covered = shapes[-1][2] if shapes else 0
    if covered < length:
        _extend(shapes, "sil", covered, length)
    return [(shape, start, min(end, length)) for shape, start, end in shapes if start < length]


def _shape(timed: Sequence[Timed], place: int, rate: int) -> str:
    """The shape of one phoneme; "" goes on with the one before."""
    phoneme = timed[place].phoneme
    following = timed[place + 1].phoneme if place + 1 < len(timed) else ""
    if phoneme in MARKS:
        pause = phoneme != " " or (timed[place].end - timed[place].start) / rate >= _SHORT_PAUSE
        return "sil" if pause else ""
    if phoneme in "ˈˌhɦʔ":  # they take the shape of the vowel that follows
        return next((_SHAPE[one.phoneme] for one in timed[place + 1 :] if one.phoneme in _SHAPE), "")
    if phoneme in "td" and following in ("ʃ", "ʒ"):
        return "CH"
    return next((_SHAPE[char] for char in phoneme if char in _SHAPE), "")


def _extend(shapes: list[tuple[str, int, int]], shape: str, start: int, end: int) -> None:
    if shapes and shapes[-1][0] == shape:
        shapes[-1] = (shape, shapes[-1][1], end)
    elif end > start:
        shapes.append((shape, start, end))


def visemes_between(shapes: Sequence[tuple[str, int, int]], start: int, end: int, rate: int) -> list[Viseme]:
    """What of `shapes` lies in samples [start, end), cut at its edges, in seconds from `start`."""
    return [
        Viseme(shape=shape, start=(max(begin, start) - start) / rate, end=(min(finish, end) - start) / rate)
        for shape, begin, finish in shapes
        if begin < end and finish > start
    ]
