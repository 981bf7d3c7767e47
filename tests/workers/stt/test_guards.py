"""What a transcript must look like to be believed."""

import numpy as np
import pytest

from workers.stt._guards import Attempt, Doubt, collapsed, confidence, doubt, silent, token_budget, unspoken
from workers.stt._windows import FULL, LADDER, window

LOUD = (np.sin(np.arange(16_000) / 20) * 8000).astype(np.int16)
FAINT = (LOUD / 200).astype(np.int16)


def attempt(text: str, logprob: float = -0.3, no_speech: float = 0.1, tokens: int | None = None) -> Attempt:
    return Attempt(text, len(text.split()) + 1 if tokens is None else tokens, logprob, no_speech, "en")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("It was the best of times, it was the worst of times.", 3.6),
        ("No, no.", 0.9),
        ("Yes. Yes.", 1.0),
        ("Do you hear me? Do you hear me?", 2.4),
        ("Bye bye.", 0.6),
        ("", 1.0),
    ],
)
def test_people_may_repeat_themselves(text: str, seconds: float) -> None:
    """Plain speech, and what people say twice in the time it takes, is believed at once."""
    assert doubt(attempt(text), seconds) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 of close. 10 of close. 10 of close.", 0.9),
        ("Do you hear me? Do you hear me", 1.0),
        ("Yes. Yes. Yes. Yes", 0.6),
        ("play play play play play play", 2.0),
        ("ha" * 200, 10.0),
    ],
)
def test_loops_are_seen(text: str, seconds: float) -> None:
    """A phrase three times in a row, or twice faster than anyone speaks, is a loop until a wider window says the same."""
    assert doubt(attempt(text), seconds) is Doubt.LOOP


def test_a_sentence_again_at_the_end_is_looked_at_again() -> None:
    """A transcript that ends by saying five words or more twice is doubted, at whatever speed; in its middle it is not."""
    twice = "It was the best of times. Hello. What is the capital of France? Hello. What is the capital of France?"
    assert doubt(attempt(twice), 9.0) is Doubt.ECHO
    assert doubt(attempt(f"{twice} I wonder."), 9.0) is None


def test_the_budget_is_a_loop() -> None:
    """More tokens than the time allows are a loop, whatever they say; the fastest speech fits."""
    assert doubt(attempt("fine words", tokens=token_budget(1.0)), 1.0) is Doubt.LOOP
    assert token_budget(30.0) > 224, "thirty seconds may fill Whisper's whole context"
    assert token_budget(0.5) < 25


def test_low_scores_are_looked_at_again() -> None:
    """Words the model doubts itself are doubted."""
    assert doubt(attempt("Coleman", logprob=-1.4), 0.6) is Doubt.UNSURE


@pytest.mark.parametrize("text", ["you", "Thank you.", "Thanks for watching!", "Bye-bye."])
def test_stock_phrases_need_speech(text: str) -> None:
    """What Whisper writes for noise is dropped where it hears no speech, kept where it does."""
    assert unspoken(attempt(text, no_speech=0.85), LOUD)
    assert unspoken(attempt(text, no_speech=0.4), FAINT)
    assert not unspoken(attempt(text, no_speech=0.4), LOUD)
    assert not unspoken(attempt(text, no_speech=0.1), FAINT)


def test_real_words_are_kept_in_doubt() -> None:
    """Other words go only where the model both hears no speech and doubts them."""
    assert not unspoken(attempt("Cancel", logprob=-1.3, no_speech=0.2), FAINT)
    assert not unspoken(attempt("Cancel", logprob=-0.5, no_speech=0.9), FAINT)
    assert unspoken(attempt("Cancel", logprob=-1.3, no_speech=0.9), LOUD)


@pytest.mark.parametrize("text", ["", ".", ". . . .", "♪♪", "..."])
def test_marks_are_no_words(text: str) -> None:
    """A text without a letter or digit is no text."""
    assert unspoken(attempt(text), LOUD)


def test_letters_of_all_scripts_are_words() -> None:
    """Words in any script count as words."""
    assert not unspoken(attempt("你好"), LOUD)
    assert not unspoken(attempt("नमस्ते"), LOUD)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Stop! Stop! Stop! Stop", "Stop!"),
        ("go on go on go on go on please", "go on please"),
        ("say that no no then", "say that no no then"),
        ("", ""),
    ],
)
def test_a_loop_is_said_once(text: str, left: str) -> None:
    """The last resort keeps one round of a loop and touches nothing that is said but twice."""
    assert collapsed(text) == left


def test_confidence_is_a_probability() -> None:
    """The mean log probability of a token, as a probability."""
    assert confidence(attempt("a", logprob=0.0)) == 1.0
    assert confidence(attempt("a", logprob=-0.6931)) == 0.5
    assert confidence(attempt("a", logprob=-50.0)) == 0.0


def test_silence_is_not_computed() -> None:
    """Digital silence and less than 30 ms are not worth a model."""
    assert silent(np.zeros(16_000, np.int16))
    assert silent(LOUD[:400])
    assert not silent(LOUD)
    assert not silent(np.full(16_000, -20, np.int16))


@pytest.mark.parametrize("frames", [0, 1, 3, 50, 199, 200, 251, 700, 1499, 2200, 2950, 2999, 3000])
def test_windows_hold_the_speech(frames: int) -> None:
    """Every window is even, holds the whole utterance, is no longer than what is remembered, and each is no smaller than
    the one before; the last is Whisper's own."""
    cuts = [window(frames, rung) for rung in range(LADDER)]
    for cut in cuts:
        assert cut.encoded % 2 == cut.remembered % 2 == 0
        assert min(frames, FULL) <= cut.encoded <= cut.remembered <= FULL
    assert [cut.encoded for cut in cuts] == sorted(cut.encoded for cut in cuts)
    assert cuts[-1].encoded == FULL


def test_only_the_speech_is_encoded() -> None:
    """Two seconds cost three of encoding, not thirty; on a GPU the whole window, where it costs nothing."""
    assert window(200, 0).encoded == 300
    assert window(200, 0, fit=False).encoded == FULL
