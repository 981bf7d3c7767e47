"""Agents one talks to by a button: a turn is what was said while it was held, and nothing is waited for."""

import pytest

from gateway.inputs import Joined, PushToTalk
from gateway.turn_taking import Capture, Publish, SpeechEdge
from schemas.audio import HEARING_RATE
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import SpeechStarted, TurnCommitted, UtteranceCaptured
from schemas.jobs import SttJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages


def by_button(people: tuple[str, ...] = ("alice",), **rules: object) -> Call:
    settings = TurnTaking(mode="push_to_talk", **rules)  # type: ignore[arg-type]
    return Call(AgentSpec(turn_taking=settings), Stages(replies=[["All right, one it is then."]]), people=people)


def holds(
    call: Call, moment: float, length: float, text: str = "", *, cancel: bool = False, who: str = "alice"
) -> None:
    """The button is held, and something said meanwhile."""
    call.gives(moment, PushToTalk(who, True, head=round(moment * HEARING_RATE)))
    if text:
        call.says(moment + 0.1, length - 0.2, text, who=who, end_of_turn=0.01, complete=0.01)
    end = moment + length
    call.gives(end, PushToTalk(who, False, cancel=cancel, head=round(end * HEARING_RATE)))


def cuts(call: Call) -> list[Capture]:
    return [cut for _, publish in call.did(Publish) for cut in publish.captures if not cut.partial]


def test_a_turn_is_what_was_said_while_it_was_held() -> None:
    """From the press to the release, whatever the detector thinks: committed at once, pauses and all."""
    call = by_button()
    holds(call, 1.0, 2.0, "I would like and")
    call.run(8.0)
    (captured,), (commit,) = call.of(UtteranceCaptured), call.of(TurnCommitted)
    (cut,) = cuts(call)
    assert cut.start == pytest.approx(0.6 * HEARING_RATE, abs=2)  # a little before, for who is quicker than their thumb
    assert cut.end == pytest.approx(3.0 * HEARING_RATE, abs=2)
    assert captured.duration == pytest.approx(2.4, abs=0.01)
    assert (commit.why, round(commit.at / 1e6 - call.began, 2)) == ("push_to_talk", 3.0)
    assert call.ended() == [(1, "played", "finished")]
    assert not violations(call.log)


def test_without_the_button_nothing_is_heard() -> None:
    """Nor transcribed."""
    call = by_button()
    call.says(1.0, 2.0, "I am only thinking aloud here.")
    call.run(6.0)
    assert not call.of(SpeechStarted)
    assert not [job for job in call.jobs if isinstance(job, SttJob)]


def test_a_pause_with_the_button_held_ends_nothing() -> None:
    """However long it is."""
    call = by_button()
    call.gives(1.0, PushToTalk("alice", True))
    call.says(1.2, 0.5, "Two", end_of_turn=0.99)
    call.says(5.0, 0.5, "pizzas please.", end_of_turn=0.99)
    call.gives(6.0, PushToTalk("alice", False))
    call.run(10.0)
    (captured,) = call.of(UtteranceCaptured)
    assert captured.duration == pytest.approx(5.4, abs=0.05)
    assert call.ended() == [(1, "played", "finished")]


def test_what_is_cancelled_was_never_said() -> None:
    """Not transcribed, not answered, not told to the LLM."""
    call = by_button()
    holds(call, 1.0, 2.0, "No, that was wrong.", cancel=True)
    holds(call, 5.0, 1.0, "One pizza.")
    call.run(12.0)
    assert call.ended() == [(1, "dropped", "cancelled"), (2, "played", "finished")]
    assert "wrong" not in str(messages(fold_all(call.log), 3))
    assert len(cuts(call)) == 1
    assert not violations(call.log)


def test_what_was_captured_of_a_long_turn_is_cancelled_with_it() -> None:
    """It was cut at `max_utterance`, and transcribed: all the same nobody answers it."""
    call = by_button(max_utterance=5.0)
    holds(call, 1.0, 12.0, " ".join(f"word{n}" for n in range(40)), cancel=True)
    call.run(20.0)
    assert call.of(UtteranceCaptured)
    assert call.ended() == [(1, "dropped", "cancelled")]
    assert "word" not in str(messages(fold_all(call.log), 3))


def test_a_tap_is_no_turn() -> None:
    """Too short for a word."""
    call = by_button()
    holds(call, 1.0, 0.1)
    call.run(4.0)
    assert call.ended() == [(1, "dropped", "noise")]


def test_the_button_interrupts() -> None:
    """The agent is silent while it is held, and what was said is answered."""
    call = by_button()
    holds(call, 1.0, 1.0, "One pizza.")
    call.run(3.2)
    assert call.sounding
    holds(call, 3.3, 1.5, "No, two of them.")
    call.run(10.0)
    assert call.ended()[0][1] in ("interrupted", "dropped")
    assert call.ended()[-1] == (2, "played", "finished")


def test_phones_have_no_button() -> None:
    """There it goes by voice, with all its waits."""
    call = by_button(people=())
    call.feed(Joined("+491", kind="sip"))
    call.says(1.0, 1.0, "One pizza, please.", who="+491")
    call.run(6.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.of(TurnCommitted)[0].why != "push_to_talk"


def test_edges_still_tell_where_the_samples_are() -> None:
    """A clock that is not ours may run otherwise: the press says how many samples there were."""
    call = by_button()
    call.gives(1.0, SpeechEdge("alice", "onset", 16000, 16000))
    call.gives(2.0, PushToTalk("alice", True, head=40_000))
    call.gives(3.0, PushToTalk("alice", False, head=56_500))
    call.run(5.0)
    (cut,) = cuts(call)
    assert (cut.start, cut.end) == (40_000 - 6_400, 56_500)
