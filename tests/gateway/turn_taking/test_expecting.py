"""What the caller was asked for, by the agent's last question; and that the machine waits by it."""

import pytest

from gateway.turn_taking.expecting import expected
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.config.conversation import Expects, StepSpec
from schemas.events import StepEntered, TurnCommitted
from tests.gateway.turn_taking.call import Call, Stages


@pytest.mark.parametrize(
    ("asked", "expects"),
    [
        ("", "free"),
        ("How can I help you?", "free"),
        ("What is your phone number?", "number"),
        ("Could you give me your order number, please?", "number"),
        ("And your zip code?", "number"),
        ("Can you spell that for me?", "spelling"),
        ("What is your e-mail address?", "spelling"),
        ("For how many people?", "amount"),
        ("What time would suit you?", "amount"),
        ("When would you like to come?", "amount"),
        ("Shall I book a seat for you?", "yes_no"),
        ("Okay, would you like anything else?", "yes_no"),
        ("You live in Berlin, is that right?", "yes_no"),
        ("Would you like tea or coffee?", "free"),
        ("Wie ist Ihr Name?", "free"),
    ],
)
def test_a_question_says_what_is_expected(asked: str, expects: Expects) -> None:
    """By its words, in English; a choice is no yes or no."""
    assert expected(asked, TurnTaking()) == expects


def test_what_the_agent_s_file_expects_goes_first() -> None:
    """Whatever was asked."""
    assert expected("Shall I book a seat?", TurnTaking(expects="number")) == "number"
    assert expected("", TurnTaking(expects="spelling")) == "spelling"


def test_after_a_question_for_a_number_its_pieces_are_waited_for() -> None:
    """The next turn's commit waits by it, and says so; the one before did not."""
    call = Call(stages=Stages(replies=[["Gladly.", "What is your number?"], ["Thank you."]]))
    call.says(1.0, 1.0, "I would like to be called back.", complete=0.4)
    call.says(9.0, 1.0, "It's five five five.", complete=0.1)
    call.says(11.3, 1.0, "One two three four.", complete=0.1)
    call.run(20.0)
    first, second = (event.inputs or {} for event in call.of(TurnCommitted))
    assert "expects" not in first
    assert (second["expects"], second["wait"]) == ("number", 1.4)
    assert "One two three four." in second["text"]
    assert call.ended()[-1] == (2, "played", "finished")


def test_a_step_of_the_conversation_says_what_is_expected() -> None:
    """Whoever goes there: pieces are waited for from then on, whatever the agent said; the next step has its own."""
    steps = [StepSpec(name="hello"), StepSpec(name="card", expects="number"), StepSpec(name="end")]
    call = Call(AgentSpec(steps=steps), stages=Stages(replies=[["Gladly. Go ahead."], ["Thank you."], ["Bye."]]))
    call.says(1.0, 1.0, "I would like to pay.", complete=0.4)
    call.run(5.0)
    call.append(StepEntered(step="card", via="pay"))
    call.says(9.0, 1.0, "Five five five.", complete=0.1)
    call.says(11.3, 1.0, "One two three four.", complete=0.1)
    call.run(18.0)
    call.append(StepEntered(step="end", via="goto"))
    call.says(20.0, 1.0, "Five five five.", complete=0.1)
    call.run(26.0)
    first, second, third = (event.inputs or {} for event in call.of(TurnCommitted))
    assert (second["expects"], second["wait"]) == ("number", 1.4)
    assert "One two three four." in second["text"]
    assert "expects" not in first
    assert third.get("expects", "free") == "free"


def test_a_question_that_was_not_heard_expects_nothing() -> None:
    """A reply that was interrupted before its question leaves open what was asked before."""
    story = ["This is a sentence of quite some length to be interrupted.", "What is your number?"]
    call = Call(stages=Stages(replies=[story, ["Fine."]]))
    call.says(1.0, 1.0, "What is the news?")
    call.says(3.0, 1.2, "Stop it right now.")
    call.run(12.0)
    assert all("expects" not in (event.inputs or {}) for event in call.of(TurnCommitted))


def test_a_take_over_knows_what_was_asked() -> None:
    """It stands in the log."""
    call = Call(stages=Stages(replies=[["What is your number?"], ["Thank you."]]))
    call.says(1.0, 1.0, "Please call me back.")
    call.at(6.0, call.take_over)
    call.says(9.0, 1.0, "It's five five five.", complete=0.1)
    call.run(16.0)
    last = call.of(TurnCommitted)[-1]
    assert (last.inputs or {})["expects"] == "number"


def test_what_is_written_into_the_agent_is_expected_all_along() -> None:
    """`[turn_taking] expects`."""
    call = Call(AgentSpec(turn_taking=TurnTaking(expects="number")))
    call.says(1.0, 1.0, "five five five.", complete=0.1)
    call.run(6.0)
    (only,) = call.of(TurnCommitted)
    assert (only.inputs or {})["wait"] == 1.4
