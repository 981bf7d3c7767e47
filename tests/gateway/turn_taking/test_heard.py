"""What was heard of a reply, to the word."""

from gateway.turn_taking.heard import heard, heard_until
from gateway.turn_taking.state import Clip, Sentence
from schemas.audio import AudioRef
from schemas.events import Word


def clip(*words: tuple[str, float, float], duration: float = 1.0) -> Clip:
    timed = tuple(Word(text=text, start=start, end=end) for text, start, end in words)
    return Clip(AudioRef(key="k", rate=100, samples=int(duration * 100)), duration, timed)


HELLO = clip(("hello", 0.0, 0.4), ("big", 0.4, 0.6), ("world", 0.6, 1.0))


def test_a_word_counts_when_its_middle_was_heard() -> None:
    """And the text's own punctuation stays."""
    assert heard_until("Hello, big world!", [HELLO], 0.19) == ""
    assert heard_until("Hello, big world!", [HELLO], 0.21) == "Hello,"
    assert heard_until("Hello, big world!", [HELLO], 0.55) == "Hello, big"
    assert heard_until("Hello, big world!", [HELLO], 1.0) == "Hello, big world!"


def test_parts_are_counted_together() -> None:
    """Timings are from the start of each part."""
    parts = [HELLO, clip(("out", 0.0, 0.5), ("there", 0.5, 1.0))]
    assert heard_until("Hello, big world out there.", parts, 1.3) == "Hello, big world out"


def test_where_spoken_and_written_words_differ_the_spoken_stand() -> None:
    """ "1984" is spoken in two words."""
    spoken = clip(("nineteen", 0.0, 0.4), ("eighty-four", 0.4, 0.9), ("it", 0.9, 0.95), ("was", 0.95, 1.0))
    assert heard_until("1984 it was.", [spoken], 0.8) == "nineteen eighty-four"


def test_without_timings_the_cut_is_in_proportion_at_a_words_end() -> None:
    """Half the sound is about half the words."""
    assert heard_until("one two three four", [clip(duration=2.0)], 1.0) == "one two"
    assert heard_until("one two three four", [clip(duration=2.0)], 2.0) == "one two three four"


def test_sentences_join_and_what_had_no_sound_was_not_heard() -> None:
    """Whole sentences, none of the failed, the last to the word."""
    whole = Sentence("First.", 0.0, (clip(("first", 0.0, 1.0)),), complete=True, heard=1.0, ended=True)
    failed = Sentence("Second.", 0.0, failed=True, ended=True)
    partly = Sentence("Hello, big world!", 0.0, (HELLO,), complete=True, heard=0.6)
    unplayed = Sentence("Never.", 0.0, (HELLO,), complete=True)
    assert heard([whole, failed, partly, unplayed]) == "First. Hello, big"
