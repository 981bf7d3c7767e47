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


@pytest.mark.parametrize("text", ["What?", "It was the age of wisdom.", "and then", ""])
@pytest.mark.parametrize("probability", [None, 0.0, 0.9])
def test_all_waits_are_scaled_at_once(text: str, probability: float | None) -> None:
    """`[turn_taking] waits`: half of them, or none, by the same reasons."""
    whole = decide(probability, text, (0.9,), SETTINGS)
    half = decide(probability, text, (0.9,), TurnTaking(waits=0.5))
    assert (half.wait, half.why) == (pytest.approx(whole.wait / 2), whole.why)
    assert decide(probability, text, (), TurnTaking(waits=0.0)).wait == 0.0


def test_the_settings_bound_every_wait() -> None:
    """From commit_min to commit_max, for any words and probability."""
    settings = TurnTaking(commit_min=0.5, commit_max=0.9)
    for text in ("What?", "Yes.", "It rains.", "and", "um", "12"):
        for probability in (0.0, 0.5, 1.0):
            assert 0.5 <= decide(probability, text, (2.0, 2.0), settings).wait <= 0.9


# ── how complete the words are ───────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_sentence_is_waited_for_less_and_the_inside_of_one_longer() -> None:
    """The same words with the same melody, by what a language model makes of them; between the two the wait goes steadily."""
    text = "My order hasn't arrived yet."
    unread = decide(0.95, text, (), SETTINGS).wait
    waits = [decide(0.95, text, (), SETTINGS, complete=each).wait for each in (0.9, 0.3, 0.2, 0.1, 0.05, 0.03, 0.0)]
    assert waits == sorted(waits)
    assert waits[0] == waits[1] < unread - 0.1
    assert waits[-1] == waits[-2] > unread + 0.2


def test_who_has_said_little_goes_on_more_often() -> None:
    """Two words may be whole, and still not all; whoever has said a sentence or two is believed sooner. Both within bounds."""
    story = "I am calling you, since my order hasn't arrived yet."
    said = ("Well then.", "Not here, my dear Foster.", story, " ".join([story] * 8))
    waits = [decide(None, text, (), SETTINGS, complete=0.15).wait for text in said]
    assert waits[0] > waits[1] > waits[2] == waits[3] == decide(None, said[1], (), SETTINGS, complete=0.3).wait
    assert decide(None, "Well then.", (), SETTINGS, complete=1.0).wait == waits[2]


def test_a_full_stop_inside_a_sentence_is_not_believed() -> None:
    """Three cut-ins on strangers were of this kind: Whisper put a full stop, and the melody was sure."""
    for text, complete in (
        ("And so my fellow Americans.", 0.024),
        ("Go somewhere.", 0.028),
        ("Can you send it to?", 0.0),
    ):
        assert decide(0.97, text, (), SETTINGS, complete=complete).wait >= 1.2


def test_where_the_words_were_read_the_melody_tells_nothing_more() -> None:
    """Whoever asked both goes by the words."""
    for text in ("It's about my invoice.", "I'd like to change my appointment.", "My number is 447", "I want it."):
        waits = {decide(melody, text, (), SETTINGS, complete=0.32).wait for melody in (None, 0.02, 0.98)}
        assert len(waits) == 1


def test_words_that_are_over_are_not_held_up() -> None:
    """A question, an answer and a command are as they were, whatever a language model says."""
    for text in ("What is the capital of France?", "Yes.", "Please tell me a story."):
        usual = decide(0.9, text, (), SETTINGS)
        assert decide(0.9, text, (), SETTINGS, complete=0.01) == usual


def test_after_a_whole_sentence_a_speaker_s_pauses_count_less() -> None:
    """Most pauses lie inside of one: there they count whole."""
    text, pauses = "It was the age of wisdom.", (0.9, 0.9)
    assert decide(0.9, text, pauses, SETTINGS, complete=0.5).wait == pytest.approx(0.6 * 1.035)
    assert decide(0.9, text, pauses, SETTINGS, complete=0.02).wait >= 1.035


def test_completeness_alone_is_evidence() -> None:
    """Without a model of the melody the words decide, not plain silence."""
    found = decide(None, "It's about my invoice.", (), SETTINGS, complete=0.32)
    assert found.why == "text"
    assert found.wait < SETTINGS.commit_silence


# ── what was asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_digits_that_were_asked_for_are_waited_for() -> None:
    """A number comes in pieces, with pauses as long as any; what isn't one is as ever."""
    for text in ("It's 555", "My number is five five five.", "555-12", "oh seven"):
        assert decide(0.97, text, (), SETTINGS, complete=0.1, expects="number").wait == SETTINGS.commit_max
    plain = "I don't have it with me."
    assert decide(0.9, plain, (), SETTINGS, complete=0.5, expects="number") == decide(
        0.9, plain, (), SETTINGS, complete=0.5
    )


def test_letters_that_were_asked_for_are_waited_for_until_an_address_is_whole() -> None:
    """Spelled names go on; an address ends with its domain."""
    assert decide(0.97, "S M I", (), SETTINGS, expects="spelling").wait == SETTINGS.commit_max
    assert decide(0.97, "john dot smith at", (), SETTINGS, expects="spelling").wait == SETTINGS.commit_max
    assert decide(0.5, "john.smith@example.com.", (), SETTINGS, expects="spelling").wait <= 0.4


def test_an_amount_that_was_asked_for_ends_the_turn() -> None:
    """For how many? For 4: nothing more comes, where a bare number else may be one of several."""
    assert decide(0.5, "For 4", (), SETTINGS, expects="amount").wait <= 0.4 < decide(0.5, "For 4", (), SETTINGS).wait


def test_a_yes_that_was_asked_for_ends_the_turn() -> None:
    """With a few words behind it, too; not in the middle of a sentence."""
    assert decide(0.9, "Yes, that one.", (), SETTINGS, complete=0.1, expects="yes_no").wait <= 0.4
    assert decide(0.9, "Yes I would.", (), SETTINGS, complete=0.01, expects="yes_no").wait >= 1.0
    assert decide(0.9, "It was the age of wisdom.", (), SETTINGS, expects="yes_no").wait >= 0.7
