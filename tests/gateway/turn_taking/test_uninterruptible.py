"""What nobody interrupts: it is said to its end; what was said or written meanwhile is heard, and answered after it."""

import pytest

from gateway.inputs import Typed
from gateway.turn_taking import Pause, Play, Publish
from schemas.config.agent import AgentSpec
from schemas.events import MessageReceived, PlaybackPaused, SayRequested, TurnCommitted, UtteranceCaptured
from schemas.jobs import LlmJob
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

NOTICE = "This call is recorded for the quality of our service and for nothing else."


def notice(**more: object) -> Call:
    agent = AgentSpec(greeting=NOTICE, greeting_interruptible=False, **more)  # type: ignore[arg-type]
    return Call(agent, Stages(replies=[["All right."]]))


def test_who_speaks_over_it_is_answered_after_it() -> None:
    """No pause, no interruption; the words are captured, and answered when it is done."""
    call = notice()
    call.says(1.5, 0.8, "I want a pizza please.")
    call.run(12.0)
    assert not call.did(Pause)
    assert not call.of(PlaybackPaused)
    assert call.of(UtteranceCaptured)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]
    assert [turn for turn, _, _ in call.ear] == [1, 2]
    assert not violations(call.log)


def test_long_speech_does_not_take_the_floor() -> None:
    """However long it is."""
    call = notice()
    call.says(1.0, 2.5, "But I want a pizza now and I will not wait for it")
    call.run(12.0)
    assert call.ended()[0] == (1, "played", "finished")


def test_a_backchannel_over_it_needs_no_answer() -> None:
    """As over anything else."""
    call = notice()
    call.says(1.5, 0.3, "Mhm.")
    call.run(12.0)
    assert (2, "dropped", "backchannel") in call.ended()


def test_who_speaks_before_it_began_does_not_keep_it_from_being_said() -> None:
    """It comes first; what was said is answered after it."""
    call = Call(AgentSpec(greeting=NOTICE, greeting_interruptible=False), Stages(tts=1.5, replies=[["All right."]]))
    call.says(0.3, 0.8, "Hello, a pizza please.")
    call.run(20.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]
    assert [turn for turn, _, _ in call.ear] == [1, 2]


def test_what_is_written_meanwhile_waits() -> None:
    """By somebody in the room, or by the API."""
    call = notice()
    call.gives(1.0, Typed("alice", "In writing, then?"))
    call.at(1.5, lambda: call.append(MessageReceived(participant="api", text="And by the API.")))
    call.run(12.0)
    assert call.ended()[0] == (1, "played", "finished")
    assert all(how == "played" for _, how, _ in call.ended())
    assert [event.why for event in call.of(TurnCommitted)][1:].count("text") >= 1
    assert not call.state.letters
    assert len([job for job in call.jobs if isinstance(job, LlmJob)]) >= 1
    assert not violations(call.log)


@pytest.mark.parametrize("interruptible", [True, False])
def test_a_request_says_whether_it_may_be_interrupted(interruptible: bool) -> None:
    """`say` with `interruptible: false` is said by heart to its end."""
    call = Call(stages=Stages(replies=[["All right."]]))
    call.at(1.0, lambda: call.append(SayRequested(text=NOTICE, interruptible=interruptible)))
    call.says(2.5, 1.2, "Stop that, please.")
    call.run(12.0)
    assert call.ended()[0] == ((1, "played", "finished") if interruptible is False else (1, "interrupted", "barge_in"))


def test_an_operator_is_more_urgent() -> None:
    """What is to be said at once is, even then."""
    call = notice()
    call.at(2.0, lambda: call.append(SayRequested(text="There is a fire.", interrupt=True)))
    call.run(6.0)
    assert call.ended()[0] == (1, "interrupted", "say")


def test_even_before_it_has_begun() -> None:
    """Two never speak at once: it gives way as it begins."""
    call = Call(AgentSpec(greeting=NOTICE, greeting_interruptible=False), Stages(tts=1.0))
    call.at(0.3, lambda: call.append(SayRequested(text="There is a fire.", interrupt=True)))
    call.run(12.0)
    assert [turn for turn, _, _ in call.ear] == [2]
    assert call.ended() == [(1, "interrupted", "say"), (2, "played", "finished")]
    assert not violations(call.log)


def test_who_takes_over_in_the_midst_of_it_goes_on_uninterrupted() -> None:
    """A sentence further it is the same passage: the log says what it was."""
    call = Call(stages=Stages(replies=[["All right."]]))
    text = "The first of it is this one here. The second of it is that one there, and longer."
    call.at(1.0, lambda: call.append(SayRequested(text=text, interruptible=False)))
    call.at(2.0, call.take_over)
    call.says(3.5, 0.8, "Stop it now please.")
    call.run(14.0)
    assert call.ended()[0] == (1, "played", "finished")
    assert not call.did(Pause)


def test_words_that_end_the_call() -> None:
    """`ends`: once they are said the session is over, for that reason."""
    call = Call()
    call.at(1.0, lambda: call.append(SayRequested(text="Goodbye.", ends="end_requested")))
    call.run(6.0)
    assert call.log[-1].type == "session.ended"
    assert call.log[-1].reason == "end_requested"  # type: ignore[union-attr]
    assert call.did(Play)
    assert call.did(Publish)
