"""The waterfall of a turn: parts on the critical path that sum to the whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Event, PlaybackStarted, StageFailed
from schemas.session.fold import SessionState, fold_all
from schemas.session.waterfall import PARTS, Waterfall, waterfall
from tests.golden import scenarios
from tests.golden.scenarios import AGENT, Log


def shape_of(log: list[Event], turn: int) -> Waterfall:
    found = waterfall(fold_all(log), turn)
    assert found is not None
    return found


def milliseconds(shape: Waterfall) -> dict[str, float]:
    return {part: round(shape.parts[part] * 1e3, 3) for part in PARTS}


def test_a_plain_turn_in_parts() -> None:
    """Each part is the time between two moments of the log, the speech's end back-dated by `ago`."""
    shape = shape_of(scenarios.plain(), 1)
    assert milliseconds(shape) == {"soft_end": 200, "stt": 100, "llm": 130, "tts": 130, "commit_wait": 0, "playout": 5}
    assert shape.voice_to_voice == pytest.approx(0.565)
    assert shape.queued == {"stt": 0.01, "llm": 0.01, "tts": 0.02}


def test_a_commit_that_comes_after_the_sound_is_waited_for() -> None:
    """What the user waits for then is not the voice but the certainty."""
    shape = shape_of(scenarios.barge_in(), 1)
    assert milliseconds(shape)["commit_wait"] == 50
    assert shape.total == pytest.approx(0.605)


def test_a_commit_that_comes_before_the_sound_costs_nothing() -> None:
    """A commit that was over before the clip is not on the critical path."""
    assert milliseconds(shape_of(scenarios.reopened(), 1))["commit_wait"] == 0


def test_a_reopened_turn_counts_from_its_last_word() -> None:
    """The clock starts at the end of the utterance that stands, not of the one it replaced."""
    shape = shape_of(scenarios.reopened(), 1)
    assert shape.began_at == scenarios.BEGAN + 3_750_000
    assert shape.total == pytest.approx(0.58)


def test_a_reply_asked_for_at_the_commit_waited_for_it() -> None:
    """Without speculation the time from the transcript to the commit is the commit's, not the LLM's."""
    shape = shape_of(scenarios.two_humans(), 1)
    assert milliseconds(shape)["commit_wait"] == 90
    assert milliseconds(shape)["llm"] == 130


def test_a_job_that_lay_in_the_queue_shows_its_waiting_inside_its_stage() -> None:
    """Queueing is part of the stage it happened in, told apart from the work."""
    log = Log()
    captured = log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(captured + 900, 1, "u1", "Hello?", took=0.1, queued=0.8)
    log.reply(captured + 1030, 1, 0, ["Hi."])
    log.clip(captured + 1100, 1, 0, 0, "Hi.", 0.5)
    log.commit(captured + 1100, 1)
    log.play(captured + 1105, 1, 0, 0, 0.5)
    shape = shape_of(log.events, 1)
    assert milliseconds(shape)["stt"] == 900
    assert shape.queued["stt"] == 0.8


def test_what_was_typed_counts_from_the_message() -> None:
    """A typed question has no speech: soft end and STT are nothing."""
    shape = shape_of(scenarios.tools(), 1)
    assert (shape.kind, shape.voice_to_voice) == ("text", None)
    assert milliseconds(shape) == {"soft_end": 0, "stt": 0, "llm": 150, "tts": 140, "commit_wait": 0, "playout": 10}


def test_the_agents_own_words_count_from_the_decision() -> None:
    """A greeting waits for its voice only."""
    shape = shape_of(scenarios.greeting(), 1)
    assert shape.kind == "own"
    assert milliseconds(shape) == {"soft_end": 0, "stt": 0, "llm": 0, "tts": 150, "commit_wait": 0, "playout": 5}


def test_a_turn_nobody_heard_an_answer_to_has_none() -> None:
    """No sound, no waterfall; nor for a turn that is not known."""
    assert waterfall(fold_all(scenarios.fallback()), 1) is None
    assert waterfall(fold_all(scenarios.backchannel()), 2) is None
    assert waterfall(SessionState(), 1) is None
    assert waterfall(SessionState(), None) is None


def test_a_failed_first_sentence_is_not_waited_for_twice() -> None:
    """The path leads over the sentence that was the first to sound."""
    log = Log()
    captured = log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(captured + 100, 1, "u1", "Hello?")
    log.reply(captured + 230, 1, 0, ["Hi.", "How are you?"])
    log.add(captured + 300, StageFailed, turn=1, generation=0, stage="tts", code="x", message="m", index=0)
    log.clip(captured + 400, 1, 0, 1, "How are you?", 0.5)
    log.commit(captured + 310, 1)
    log.events.sort(key=lambda event: event.at)
    log.play(captured + 405, 1, 0, 1, 0.5)
    shape = shape_of(log.events, 1)
    assert milliseconds(shape) == {"soft_end": 200, "stt": 100, "llm": 190, "tts": 110, "commit_wait": 0, "playout": 5}


@settings(max_examples=300, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 3000), min_size=6, max_size=6),
    took=st.floats(0, 5),
    queued=st.floats(0, 5),
    order=st.permutations(range(4)),
)
def test_the_parts_always_sum_to_the_whole(gaps: list[float], took: float, queued: float, order: list[int]) -> None:
    """Whatever the order in which transcript, reply, clip and commit came, and whatever they say of themselves."""
    log = Log(AGENT)
    moment = log.speak(1000, 1, "u1", 0.5, generation=0) + gaps[0]
    steps = [
        lambda at: log.transcribe(at, 1, "u1", "Hello?", took=took, queued=queued),
        lambda at: log.reply(at, 1, 0, ["Hi."]),
        lambda at: log.clip(at, 1, 0, 0, "Hi.", 0.5, took=took, queued=queued),
        lambda at: log.commit(at, 1),
    ]
    for step, gap in zip(order, gaps[1:], strict=False):
        steps[step](moment)
        moment += gap + 60
    log.add(moment, PlaybackStarted, turn=1, generation=0, index=0)
    shape = waterfall(fold_all(log.events), 1)
    assert shape is not None
    assert sum(shape.parts.values()) == pytest.approx(shape.total, abs=1e-9)
    assert shape.total == pytest.approx((moment - 1500) / 1e3, abs=1e-5)
    assert all(seconds >= 0 for seconds in shape.parts.values())
    assert all(0 <= shape.queued[stage] <= shape.parts[stage] + 1e-6 for stage in shape.queued)
