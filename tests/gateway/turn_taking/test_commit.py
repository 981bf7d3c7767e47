"""Commit policy: the wait, from the model's probability, the words and the speaker's own pauses."""

import pytest

from gateway.turn_taking.commit import decide
from schemas.config.agent import TurnTaking

SETTINGS = TurnTaking()


def test_a_question_is_over_whatever_the_model_thinks_of_its_melody() -> None:
    """smart-turn gives 0.01 to real questions: the words count."""
    assert decide(0.01, "Do you remember the day I fetched you from that ditch?", (), SETTINGS).wait <= 0.4
    assert decide(0.98, "What was my first question?", (), SETTINGS).wait == pytest.approx(
        SETTINGS.commit_min, abs=0.01
    )


def test_a_statement_waits_longer_where_the_model_is_unsure() -> None:
    """Sure or not, it outwaits the 0.64 s that real people pause between sentences."""
    text = "We had everything before us, we had nothing before us."
    sure, unsure = (decide(probability, text, (), SETTINGS).wait for probability in (0.97, 0.1))
    assert 0.7 <= sure < unsure <= 0.85


def test_a_request_is_over_when_it_sounds_so() -> None:
    """Whoever asks for something without a question mark is answered at once, unless the voice stays up."""
    text = "I'd like to change my appointment."
    assert decide(0.98, text, (), SETTINGS).wait <= 0.35
    assert decide(0.02, text, (), SETTINGS).wait >= 1.0


def test_what_wants_another_word_is_waited_for_longest() -> None:
    """And never beyond commit_max."""
    for text in ("I would like to know.", "and then", "um"):
        assert 1.1 <= decide(0.9, text, (), SETTINGS).wait <= SETTINGS.commit_max


def test_a_speaker_who_pauses_long_is_given_longer() -> None:
    """From the first pause on that is one; what is over by its words is not held up."""
    usual = decide(0.97, "It was the age of wisdom.", (), SETTINGS).wait
    assert decide(0.97, "It was the age of wisdom.", (0.2,), SETTINGS).wait == usual
    assert decide(0.97, "It was the age of wisdom.", (0.9, 0.2), SETTINGS).wait == pytest.approx(1.035)
    assert decide(0.97, "Was it the age of wisdom?", (0.9, 0.9), SETTINGS).wait < 0.4


def test_without_a_model_plain_silence_decides_what_the_words_leave_open() -> None:
    """commit_silence, as set, for all but what is over by its words."""
    wait = decide(None, "It was the age of wisdom.", (), SETTINGS)
    assert (wait.wait, wait.why) == (SETTINGS.commit_silence, "silence")
    assert decide(None, "What is the capital of France?", (), SETTINGS).wait < SETTINGS.commit_silence


def test_the_settings_bound_every_wait() -> None:
    """From commit_min to commit_max, for any words and probability."""
    settings = TurnTaking(commit_min=0.5, commit_max=0.9)
    for text in ("What?", "Yes.", "It rains.", "and", "um", "12"):
        for probability in (0.0, 0.5, 1.0):
            assert 0.5 <= decide(probability, text, (2.0, 2.0), settings).wait <= 0.9
