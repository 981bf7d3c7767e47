"""Phonemes and their lengths become words and mouth shapes."""

from itertools import pairwise

import pytest

from workers.tts._sections import LONGEST, sections
from workers.tts._timing import MARKS, Timed, assign_words, visemes, visemes_between, word_spans, words_between
from workers.tts._voice import FIRST_CHUNK, LARGEST_CHUNK, chunks
from workers.tts.written import written_words


def split(phonemes: str, alone: list[str]) -> list[str]:
    owners = assign_words(list(phonemes), alone)
    return [
        "".join(p for p, owner in zip(phonemes, owners, strict=True) if owner == word) for word in range(len(alone))
    ]


@pytest.mark.parametrize(
    ("phonemes", "alone", "expected"),
    [
        ("həlˈoʊ wˈɜːld.", ["həlˈoʊ", "wˈɜːld"], ["həlˈoʊ", "wˈɜːld"]),
        ("fˈɔːɹɾi tˈuː kˈæts.", ["fˈɔːɹɾi tˈuː", "kˈæts"], ["fˈɔːɹɾitˈuː", "kˈæts"]),
        ("wˈʌn ʌvðə bˈɛst", ["wˈʌn", "ʌv", "ðə", "bˈɛst"], ["wˈʌn", "ʌv", "ðə", "bˈɛst"]),
        ("ɪnðɪʲ ˈɛnd", ["ɪn", "ðə", "ˈɛnd"], ["ɪn", "ðɪʲ", "ˈɛnd"]),
        ("tə ʌvðə fˈɔːɹɾi tˈuː", ["tˈuː", "ʌv", "ðə", "fˈɔːɹɾi tˈuː"], ["tə", "ʌv", "ðə", "fˈɔːɹɾitˈuː"]),
        ("ɐ kˈæt", ["ˈeɪ", "", "kˈæt"], ["ɐ", "", "kˈæt"]),
    ],
)
def test_phonemes_find_their_written_word(phonemes: str, alone: list[str], expected: list[str]) -> None:
    """Numbers that are two words, words that are said as one, weak forms and silent signs: each sound has its word."""
    assert split(phonemes, alone) == expected


def test_every_sound_has_a_word_and_no_mark_has() -> None:
    """Even where nothing matches, no sound is lost and the words stay in order."""
    phonemes = "kwˈʌ zˈɪ, tɹˈɑː mˈʊm."
    owners = assign_words(list(phonemes), ["bˈɛ", "dˈoʊ ɡˈaɪ", "lˈiː nˈɔː", "sˈuː", "ʃˈɜː"])

    assert [owner == -1 for owner in owners] == [one in MARKS for one in phonemes]
    sounding = [owner for owner in owners if owner >= 0]
    assert sounding == sorted(sounding)


def test_words_are_told_in_the_part_they_begin_in() -> None:
    """A word that crosses a part's end is told once, with an end beyond it; a silent one stands where the last ended."""
    timed = [Timed("a", 0, 40, 0), Timed(" ", 40, 50), Timed("b", 50, 120, 2), Timed("c", 120, 130, 3)]
    spans = word_spans(timed, 4)

    first = words_between("ABCD", spans, 0, 100, 100, last=False)
    second = words_between("ABCD", spans, 100, 130, 100, last=True)

    assert spans == [(0, 40), (40, 40), (50, 120), (120, 130)]
    assert [(w.text, w.start, w.end) for w in first] == [("A", 0.0, 0.4), ("B", 0.4, 0.4), ("C", 0.5, 1.2)]
    assert [(w.text, w.start, w.end) for w in second] == [("D", 0.2, 0.3)]


def test_mouth_shapes() -> None:
    """ "chat, mm": an affricate is one shape, h and stress take the vowel's, a long pause closes the mouth."""
    text = "^tʃˈæt, hˈʌm"
    timed = [Timed(one, at * 100, at * 100 + 100) for at, one in enumerate(text)]
    shapes = visemes(timed, 1400, 1000)

    assert [shape for shape, _, _ in shapes] == ["sil", "CH", "aa", "DD", "sil", "aa", "PP", "sil"]
    assert all(one[2] == two[1] for one, two in pairwise(shapes))
    cut = visemes_between(shapes, 250, 450, 1000)
    assert [(v.shape, v.start, v.end) for v in cut] == [("CH", 0.0, 0.05), ("aa", 0.05, 0.2)]


def test_long_sentences_are_cut_at_clauses() -> None:
    """A sentence too long to wait for is spoken in stretches that end at a clause, or else at a word; nothing is lost."""
    clause = "wˈʌn " * 20 + "wˈʌn, "
    for sentence in (clause * 5, "wˈʌn " * 120, "ə" * 500):
        words = len(sentence.split())
        pieces = sections([list(sentence)], ["wˈʌn"] * words)
        assert "".join("".join(piece.phonemes) for piece in pieces).strip() == sentence.strip()
        assert all(len(piece.phonemes) <= LONGEST for piece in pieces)
        assert [word for piece in pieces for word in piece.words] == list(range(words))
    assert all("".join(piece.phonemes).rstrip().endswith(",") for piece in sections([list(clause * 5)], ["wˈʌn"] * 105))


@pytest.mark.parametrize("frames", [1, 20, 36, 37, 60, 100, 264, 265, 500, 1_000, 3_000])
def test_the_decoders_stretches_fit(frames: int) -> None:
    """Stretches follow each other without gap; the first is small, and none is so large that the ear would wait."""
    plan = chunks(frames, FIRST_CHUNK)

    assert plan[0][0] == 0
    assert plan[-1][1] == frames
    assert all(one[1] == two[0] for one, two in pairwise(plan))
    assert plan[0][1] <= FIRST_CHUNK * 1.5
    assert all(0 < end - start <= LARGEST_CHUNK for start, end in plan)


@pytest.mark.parametrize(
    "text",
    [
        "That is $5.5 million on Nov 25, 2026.",
        "Call (555) 123-4567 at 3:30 PM.",
        "So 3 * 4 = 12, and 10 / 2 is 5.",
        "Henry VIII had 20 °C & 5 km of <break time='1s'/> road.",
        "See https://www.example.com/a or report_final.pdf — really.",
    ],
)
def test_written_out_words_are_timed_as_they_are_shown(text: str) -> None:
    """However many words a number, a date or a sign is when it is said, what is shown has its span, and none overlap."""
    words = written_words(text)
    sounds = list(" ".join(word.spoken for word in words))
    owners = assign_words(sounds, [word.spoken for word in words])
    spans = word_spans([Timed(one, at, at + 1, owners[at]) for at, one in enumerate(sounds)], len(words))

    assert " ".join(word.text for word in words) == text
    assert all(start < end for start, end in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert spans[-1][1] >= len(sounds) - 1
