"""Commit policy: the wait, from the model's probability, the words and the speaker's own pauses."""

import pytest

from gateway.turn_taking.commit import decide, ending
from schemas.agent import TurnTaking

SETTINGS = TurnTaking()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("What is the capital of France?", "question"),
        ("Yes.", "answer"),
        ("Thank you very much.", "answer"),
        ("Please tell me a long story about a dragon.", "command"),
        ("We laugh less heartily, so we have still that resource.", "statement"),
        ("No matter.", "statement"),
        ("My number is 555 1234", "number"),
        ("I would like to know.", "unfinished"),
        ("And then we went to the", "unfinished"),
        ("Well, first of all,", "unfinished"),
        ("I was thinking...", "unfinished"),
        ("I want a um", "hesitation"),
        ("", "hesitation"),
        ("東京の天気は？", "question"),
    ],
)
def test_the_words_say_how_they_end(text: str, kind: str) -> None:
    """Punctuation, the last word, and a few whole utterances tell what may follow."""
    assert ending(text) == kind


def test_a_question_is_over_whatever_the_model_thinks_of_its_melody() -> None:
    """smart-turn gives 0.01 to real questions: the words count."""
    assert decide(0.01, "Do you remember the day I fetched you from that ditch?", (), SETTINGS).wait <= 0.4
    assert decide(0.98, "What was my first question?", (), SETTINGS).wait == pytest.approx(
        SETTINGS.commit_min, abs=0.01
    )


def test_a_statement_outwaits_the_pauses_that_real_people_make_between_sentences() -> None:
    """The same words with the same probability end a turn or go on after up to 0.7 s."""
    assert 0.74 <= decide(0.97, "We had everything before us, we had nothing before us.", (), SETTINGS).wait <= 0.9


def test_what_wants_another_word_is_waited_for_longest() -> None:
    """And never beyond commit_max."""
    for text in ("I would like to know.", "and then", "um"):
        assert 1.1 <= decide(0.9, text, (), SETTINGS).wait <= SETTINGS.commit_max


def test_a_speaker_who_pauses_long_is_given_longer() -> None:
    """Two own pauses are enough to learn from; one is not."""
    usual = decide(0.97, "It was the age of wisdom.", (), SETTINGS).wait
    assert decide(0.97, "It was the age of wisdom.", (0.9,), SETTINGS).wait == usual
    assert decide(0.97, "It was the age of wisdom.", (0.9, 0.9), SETTINGS).wait == pytest.approx(1.035)
    assert decide(0.97, "Was it the age of wisdom?", (0.9, 0.9), SETTINGS).wait < 0.4


def test_without_a_model_plain_silence_decides() -> None:
    """commit_silence, as set."""
    wait = decide(None, "What is the capital of France?", (), SETTINGS)
    assert (wait.wait, wait.why) == (SETTINGS.commit_silence, "silence")


def test_the_settings_bound_every_wait() -> None:
    """From commit_min to commit_max, for any words and probability."""
    settings = TurnTaking(commit_min=0.5, commit_max=0.9)
    for text in ("What?", "Yes.", "It rains.", "and", "um", "12"):
        for probability in (0.0, 0.5, 1.0):
            assert 0.5 <= decide(probability, text, (2.0, 2.0), settings).wait <= 0.9
