"""The fixed phrases are made ahead, behind all that somebody waits to hear."""

from gateway.inputs import Attached
from schemas.bus import Outcome
from schemas.config.agent import AgentSpec
from schemas.events import ClipReady
from schemas.jobs import TtsJob
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

GREETER = AgentSpec(greeting="Good morning. How can I help you?")


def asked(call: Call) -> list[tuple[str, int]]:
    """What was to be spoken, in order, and how many clips there were before it was asked for."""
    found = []
    for job, length in call.enqueued:
        if isinstance(job, TtsJob):
            clips = sum(isinstance(event, ClipReady) for event in call.log[:length])
            found.append((job.phrase or job.text, clips))
    return found


def test_the_greeting_has_its_sound_before_a_phrase_is_asked_for() -> None:
    """And then they are asked for one at a time, so that they keep one TTS worker busy at most."""
    call = Call(GREETER).run(5.0)
    assert asked(call) == [
        ("Good morning.", 0),
        ("How can I help you?", 0),
        ("fallback", 2),
        ("repeat", 3),
        ("filler", 4),
    ]
    assert not violations(call.log)


def test_without_a_greeting_they_are_made_as_soon_as_somebody_is_there() -> None:
    """Nobody waits to hear anything else."""
    alone = Call(AgentSpec(patience=0.0), attach=False).run(5.0)
    assert asked(alone) == []
    assert asked(Call(AgentSpec(patience=0.0)).run(5.0)) == [("fallback", 0), ("repeat", 1)]


def test_a_phrase_that_is_to_be_said_does_not_wait_for_another() -> None:
    """The first caller of a slow TTS was not understood: what says so is asked for at once, whatever is being made."""
    call = Call(AgentSpec(patience=0.0), Stages(tts=3.0, stt_fails=True))
    call.says(0.2, 0.5, "Hello?")
    call.run(2.0)
    assert asked(call) == [("fallback", 0), ("repeat", 0)]
    call.run(10.0)
    assert call.ended() == [(1, "failed", "stt"), (2, "played", "finished")]


def test_a_greeting_without_sound_keeps_no_phrase_from_being_made() -> None:
    """Its TTS failed: what is left to say is what to apologize with."""
    call = Call(GREETER, Stages(tts_fails=lambda _: True)).run(5.0)
    assert [what for what, _ in asked(call)][2:] == ["fallback", "repeat", "filler"]


def test_a_phrase_for_which_there_was_no_room_is_asked_for_again() -> None:
    """A little later: the queue is full, and others come first."""
    call = Call(AgentSpec(patience=0.0), attach=False)
    call.run(0.5)
    call.at(1.0, lambda: call.outcomes.append(Outcome.FULL))
    call.gives(1.0, Attached())
    call.run(4.0)
    assert asked(call) == []
    call.run(10.0)
    assert asked(call) == [("fallback", 0), ("repeat", 1)]


def test_who_takes_over_asks_for_those_that_the_log_lacks() -> None:
    """The gateway that had asked is gone; what is in the log is not made again."""
    call = Call(GREETER, Stages(tts=0.3))
    call.run(0.75)
    made = [event.phrase for event in call.of(ClipReady) if event.phrase]
    call.take_over()
    call.run(8.0)
    assert made
    assert sorted(event.phrase for event in call.of(ClipReady) if event.phrase) == ["fallback", "filler", "repeat"]
