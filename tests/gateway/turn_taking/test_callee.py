"""Who has taken a call of ours: a person is talked to, a machine gets its message, or nothing."""

import pytest

from gateway.inputs import Attached, Joined
from gateway.turn_taking import Tone, by_inputs
from gateway.turn_taking.callee import is_machines
from schemas.config.agent import AgentSpec, Phone
from schemas.events import CalleeDetected, SayRequested, SessionEnded, TurnCommitted
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

GREETING = "Hello, this is the pizza place."
MESSAGE = "Your pizza is ready. Please come and get it."
ANN = "+4930111"


def dialled(
    machine: str = "message", greeting: str = GREETING, direction: str = "outbound", stages: Stages | None = None
) -> Call:
    phone = Phone(machine=machine, machine_message=MESSAGE)  # type: ignore[arg-type]
    agent = AgentSpec(greeting=greeting, phone=phone)
    call = Call(agent, stages or Stages(replies=[["How can I help?"]]), people=(), attach=False)
    call.feed(Joined(ANN, kind="sip", attributes={"sip.direction": direction}))
    call.feed(Attached())
    return call


def speaks(call: Call, moment: float, length: float, text: str) -> None:
    call.says(moment, length, text, who=ANN)


def found(call: Call) -> tuple[str, str, float]:
    (detected,) = call.of(CalleeDetected)
    assert by_inputs(detected, call.agent) == (
        {"callee": detected.callee, "why": detected.why},
        {"callee": detected.callee, "why": detected.why},
    )
    return detected.callee, detected.why, detected.after


@pytest.mark.parametrize(
    "text",
    [
        "Please leave a message after the tone.", "You've reached the voicemail of Ann", "I can't come to the phone right now",
        "The person you are calling is not available", "at the beep, record your name and number",
        "Bitte hinterlassen Sie eine Nachricht nach dem Signalton.", "nach dem Piep",
    ],
)  # fmt: skip
def test_what_machines_say(text: str) -> None:
    """Whatever else they say."""
    assert is_machines(text)


@pytest.mark.parametrize("text", ["Hello?", "Ann Smith speaking", "Yes, who is this?", "Good morning, Smith and Sons"])
def test_what_people_say(text: str) -> None:
    """A person is no machine."""
    assert not is_machines(text)


def test_a_person_is_greeted() -> None:
    """After a word or two and a moment's silence; "Hello?" needs no answer of its own."""
    call = dialled()
    speaks(call, 0.8, 0.5, "Hello?")
    call.run(6.0)
    callee, why, after = found(call)
    assert (callee, why) == ("human", "short")
    assert after == pytest.approx(0.8 + 0.5 + 0.8, abs=0.15)
    assert [event.why for event in call.of(TurnCommitted)] == ["greeting"]
    assert call.ended()[0] == (1, "dropped", "unaddressed")
    assert not violations(call.log)


def test_an_agent_without_a_greeting_answers_what_the_person_said() -> None:
    """The answer was made ahead, while it was not known."""
    call = dialled(greeting="")
    speaks(call, 0.8, 0.5, "Hello, who is this?")
    call.run(6.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.ear[0][0] == 1


def test_nobody_says_anything() -> None:
    """After five seconds it is believed to be a person who waits."""
    call = dialled().run(12.0)
    assert found(call) == ("unknown", "silence", 5.0)
    assert [event.why for event in call.of(TurnCommitted)] == ["greeting"]


def test_a_machine_by_its_words_gets_the_message_after_the_tone() -> None:
    """The greeting is never said, nothing of the machine's answered; the message is not interrupted; then it is hung up."""
    call = dialled()
    speaks(call, 0.6, 5.0, "Hi this is Ann please leave a message after the tone")
    call.gives(6.6, Tone(ANN, 1000.0, 0.4))
    call.run(7.2)
    callee, why, _ = found(call)
    assert (callee, why) == ("machine", "words")
    (asked,) = call.of(SayRequested)
    assert (asked.text, asked.interruptible, asked.ends) == (MESSAGE, False, "machine")
    assert asked.at / 1e6 - call.began == pytest.approx(6.9, abs=0.1)
    call.says(8.0, 1.0, "To hear it again press one", who=ANN)
    call.run(20.0)
    ended = call.log[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.reason == "machine"
    assert (2, "played", "finished") in call.ended()
    assert (1, "dropped", "machine") in call.ended()
    assert [event.why for event in call.of(TurnCommitted)] == ["say"]
    assert not violations(call.log)


def test_a_machine_without_a_tone_gets_it_after_a_silence() -> None:
    """Not every line lets tones through."""
    call = dialled()
    speaks(call, 0.6, 3.0, "You have reached the mailbox of Ann")
    call.run(20.0)
    (asked,) = call.of(SayRequested)
    assert asked.at / 1e6 - call.began == pytest.approx(0.6 + 3.0 + 2.5, abs=0.5)
    assert call.of(SessionEnded)[0].reason == "machine"


def test_a_machine_by_its_length() -> None:
    """Nobody answers the phone with a speech; words that do not come are not waited for."""
    call = dialled("hang_up", stages=Stages(dead={"stt"}))
    speaks(call, 0.6, 9.0, "bla " * 20)
    call.run(12.0)
    callee, why, after = found(call)
    assert (callee, why) == ("machine", "length")
    assert after == pytest.approx(7.6, abs=0.15)
    assert call.of(SessionEnded)[0].reason == "machine"
    assert call.log[-1].at / 1e6 - call.began == pytest.approx(7.6, abs=0.2)


def test_a_machine_by_its_tone() -> None:
    """Whatever was said before."""
    call = dialled()
    call.gives(1.0, Tone(ANN, 1400.0, 0.3))
    call.run(12.0)
    assert found(call)[:2] == ("machine", "tone")
    assert call.of(SayRequested)
    assert call.of(SessionEnded)[0].reason == "machine"


def test_in_any_case_it_is_decided() -> None:
    """Where hearing fails, by the bound: and then it is talked to."""
    call = dialled(stages=Stages(dead={"stt"}))
    speaks(call, 0.6, 4.0, "Good day this is the office of somebody")
    call.run(12.0)
    callee, why, after = found(call)
    assert (callee, why) == ("unknown", "bound")
    assert after < 9.0
    assert call.of(TurnCommitted)[0].why == "greeting"


@pytest.mark.parametrize(("machine", "direction"), [("off", "outbound"), ("message", "inbound")])
def test_nobody_asks_who_calls_us(machine: str, direction: str) -> None:
    """Nor where it was not wanted: the greeting comes at once."""
    call = dialled(machine, direction=direction).run(2.0)
    assert not call.of(CalleeDetected)
    assert call.of(TurnCommitted)[0].why == "greeting"
    call.gives(2.0, Tone(ANN, 1000.0, 0.4))
    call.run(3.0)
    assert not call.of(CalleeDetected)


def test_a_machine_that_never_ends_is_hung_up() -> None:
    """Music, or a menu: within a minute and a half."""
    call = dialled()
    call.gives(1.0, Tone(ANN, 1000.0, 0.4))
    call.says(1.1, 120.0, "la " * 200, who=ANN)
    call.run(130.0)
    assert call.of(SessionEnded)[0].reason == "machine"
    assert call.log[-1].at / 1e6 - call.began < 92.0


def test_tones_of_a_machine_are_not_the_person_s() -> None:
    """Once a person was heard, a tone is only a tone."""
    call = dialled()
    speaks(call, 0.8, 0.5, "Hello?")
    call.gives(4.0, Tone(ANN, 1000.0, 0.4))
    call.run(8.0)
    assert found(call)[0] == "human"
    assert not call.of(SayRequested)
