"""What an answer that came too soon costs: talk-over, spoilt turns, restarts."""

import numpy as np
import pytest

from ops.bench import _harm
from ops.bench._harm import Harm, Span, Taken
from ops.replay.scripted import Says, held
from schemas.clock import Micros
from schemas.session.fold import fold_all
from schemas.session.state import Reply, Sentence, SessionState, Turn, TurnEnd, Utterance

SPEECH = [(0.0, 2.0), (2.8, 4.0)]
"""A caller who pauses for 0.8 s."""
WHOLE = [Taken(1, "I'd like a table for four.", 4.0, 4.5)]
HALVES = [Taken(1, "I'd like a table.", 2.0, 2.5), Taken(2, "For four.", 4.0, 4.6)]


@pytest.mark.parametrize(
    ("sound", "taken", "expected"),
    [
        ([(4.5, 7.0)], WHOLE, Harm()),
        ([(2.5, 2.9), (4.5, 7.0)], WHOLE, Harm(0.1, spoilt=False, restarts=1)),
        ([(2.5, 3.1), (4.6, 7.0)], HALVES, Harm(0.3, spoilt=True, restarts=1)),
        ([(2.5, 5.0)], HALVES[:1], Harm(1.2, spoilt=True)),
        ([(3.9, 6.0)], [Taken(1, "All but a last sound.", 3.8, 3.9)], Harm(0.1)),
        ([(4.5, 5.5), (6.2, 7.0)], WHOLE, Harm()),
        ([], [Taken(1, "Nobody answers.", 4.0)], Harm()),
    ],
    ids=[
        "answered whole", "a stutter", "half of it answered", "the other half never heard", "a last sound",
        "two sentences", "no answer",
    ],
)  # fmt: skip
def test_harm_is_told_from_its_kind(sound: list[Span], taken: list[Taken], expected: Harm) -> None:
    """A cut-in that is taken back and answered whole is a stutter; one that answers half of what was said spoils the turn."""
    found = _harm.harm(SPEECH, sound, taken)
    assert found.talk_over == pytest.approx(expected.talk_over)
    assert (found.spoilt, found.restarts) == (expected.spoilt, expected.restarts)


def test_noise_takes_no_words_away() -> None:
    """A turn without a word spoils no other."""
    assert not _harm.is_spoilt(SPEECH, [Taken(1, " … ", 2.0), *WHOLE])


def test_a_hundred_turns() -> None:
    """Talk-over is told of a hundred turns, the rest of those there were."""
    assert _harm.total([Harm(0.1, restarts=1), Harm(0.2, spoilt=True), Harm(), Harm()]) == {
        "talk_over_s": 7.5,
        "spoilt": 1,
        "restarts": 1,
    }
    assert _harm.total([])["talk_over_s"] == 0.0


def test_speech_is_what_is_loud() -> None:
    """Gaps between words belong to speech, pauses don't; what is 40 dB under the loudest is a pause."""
    rate = 16_000
    second = (np.sin(np.arange(rate) / 5) * 10_000).astype(np.int16)
    pcm = np.concatenate([second, second[: rate // 10] * 0, second, second[: rate // 2] // 100, second])
    found = _harm.speaks(pcm, rate, start=10.0)
    assert [(round(a, 2), round(b, 2)) for a, b in found] == [(10.0, 12.1), (12.6, 13.6)]


def test_sound_comes_in_chunks() -> None:
    """Chunks that follow each other are one sound; silence among them is none."""
    chunk = np.full(480, 2000, np.int16)
    chunks = [(1.0, chunk), (1.02, chunk), (1.04, chunk * 0), (2.0, chunk)]
    assert _harm.sounds(chunks, 24_000) == [(1.0, pytest.approx(1.04)), (2.0, pytest.approx(2.02))]


def test_the_log_says_what_was_taken_for_a_turn() -> None:
    """Of a call, the turns that hold the caller's words of these moments: which, until when, and since when they were answered;
    another turn's words are not among them."""
    events = held([Says(1.0, "What time do you open on Sunday?"), Says(9.0, "And on Monday?")], until=16.0)
    state, beginning = fold_all(events), events[0].at / 1e6

    first, second = (
        _harm.taken_in(state, [(beginning + start, beginning + end)]) for start, end in ((1.0, 3.1), (9.0, 9.9))
    )

    assert [one.text for one in first] == ["What time do you open on Sunday?"]
    assert first[0].until - beginning == pytest.approx(3.1, abs=0.1)
    assert first[0].heard is not None
    assert 3.1 < first[0].heard - beginning < 5.0
    assert [one.text for one in second] == ["And on Monday?"]
    assert not _harm.is_spoilt([(beginning + 1.0, beginning + 3.1)], first)


def _turn(number: int, text: str, spoken: float, heard: float, reason: str) -> Turn:
    utterance = Utterance(f"u{number}", "caller", Micros(round(spoken * 1e6)), Micros(0), 1.0, text=text)
    sentence = Sentence(0, "I see.", "", Micros(0), started_at=Micros(round(heard * 1e6)))
    end = TurnEnd("played", reason, "", (), Micros(0))
    return Turn(number, Micros(0), (utterance,), reply=Reply(1, {0: sentence}), end=end)


def test_a_turn_that_was_taken_back_is_in_the_one_that_went_on() -> None:
    """Its words are answered there, so it makes no spoilt turn: what was heard of its reply is a stutter."""
    first = _turn(1, "I'd like a table.", 2.0, 2.5, "taken_back")
    whole = _turn(2, "I'd like a table. For four.", 4.0, 4.5, "finished")
    taken = _harm.taken_in(SessionState(turns={1: first, 2: whole}), SPEECH)
    assert [one.number for one in taken] == [2]
    assert _harm.harm(SPEECH, [(2.5, 2.9), (4.5, 7.0)], taken) == Harm(pytest.approx(0.1), spoilt=False, restarts=1)
