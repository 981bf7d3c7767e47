"""Nobody says anything: the agent asks, a few times, says goodbye, and hangs up."""

import pytest

from gateway.inputs import Attached, Detached, Digits, Typed
from schemas.config.agent import AgentSpec, Idle, TurnTaking
from schemas.events import SessionEnded, TurnCommitted
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

ASKS = Idle(after=4.0, say="Still there?", times=2, goodbye="Bye.")


def quiet(idle: Idle = ASKS, greeting: str = "Hello.", **more: object) -> Call:
    return Call(AgentSpec(greeting=greeting, idle=idle, **more), Stages(replies=[["All right."]]))  # type: ignore[arg-type]


def own(call: Call) -> list[tuple[str, float]]:
    """Why the agent spoke, and when."""
    return [(event.why, round(event.at / 1e6 - call.began, 1)) for event in call.of(TurnCommitted)]


def test_it_asks_twice_says_goodbye_and_hangs_up() -> None:
    """Each silence is counted from the end of the agent's words; the session ends with its own reason, after the goodbye."""
    call = quiet().run(60.0)
    assert [why for why, _ in own(call)] == ["greeting", "idle", "idle", "goodbye"]
    moments = [moment for _, moment in own(call)]
    spoken = 0.5 + 0.1  # two words, and what their sound takes
    assert moments[2] - moments[1] == pytest.approx(4.0 + spoken, abs=0.15)
    ended = call.log[-1]
    assert isinstance(ended, SessionEnded)
    assert (ended.reason, ended.detail) == ("idle", "nobody said anything (idle.after)")
    assert call.ended()[-1] == (4, "played", "finished")
    assert not violations(call.log)


def test_a_decision_about_silence_records_how_long_it_was() -> None:
    """And how often it had been asked before."""
    call = quiet().run(60.0)
    inputs = [event.inputs for event in call.of(TurnCommitted) if event.why in ("idle", "goodbye")]
    assert [one["before"] for one in inputs] == [0, 1, 2]
    assert all(one["silence"] == pytest.approx(4.0, abs=0.01) for one in inputs)


def test_a_word_begins_the_count_anew() -> None:
    """Whoever answers is asked twice again the next time."""
    call = quiet()
    call.says(7.0, 0.5, "Yes, I am here.")
    call.run(60.0)
    assert [why for why, _ in own(call)] == ["greeting", "idle", "end_of_turn", "idle", "idle", "goodbye"]


@pytest.mark.parametrize("sign", [Digits("alice", "1"), Typed("alice", "Wait a moment.")])
def test_so_does_a_key_and_a_message(sign: Digits | Typed) -> None:
    """By hand, one is there as well."""
    call = quiet()
    call.gives(8.0, sign)  # it was asked once
    call.run(80.0)
    assert [why for why, _ in own(call)].count("idle") == 3


def test_on_hold_silence_is_not_counted() -> None:
    """While nobody hears nobody is asked; the count begins when somebody is back."""
    call = quiet()
    call.gives(2.0, Detached(held=True))
    call.gives(30.0, Attached())
    call.run(33.5)
    assert [why for why, _ in own(call)] == ["greeting"]
    call.run(35.0)
    assert [why for why, _ in own(call)] == ["greeting", "idle"]


def test_noise_is_no_answer_but_nobody_is_talked_over() -> None:
    """A cough counts as no word; while somebody speaks nobody is asked."""
    call = quiet()
    call.noise(3.0)
    call.says(4.0, 6.0, "Let me look that up in my papers please", end_of_turn=None)
    call.run(9.5)
    assert [why for why, _ in own(call)] == ["greeting"]


def test_who_interrupts_the_goodbye_stays() -> None:
    """Words over the goodbye are answered, and nobody hangs up."""
    call = quiet(
        Idle(after=4.0, say="Still there?", times=0, goodbye="Then I will say goodbye to you now, dear caller.")
    )
    call.says(6.5, 0.8, "No, wait please.")
    call.run(9.0)
    assert call.ended()[1] == (2, "interrupted", "barge_in")
    assert call.of(TurnCommitted)[-1].turn == 3
    assert not call.of(SessionEnded)


def test_without_words_it_hangs_up_at_once() -> None:
    """An empty goodbye is none; an empty question asks nothing."""
    call = quiet(Idle(after=3.0, say="", times=3, goodbye=""), greeting="").run(10.0)
    assert [event.type for event in call.log][-1] == "session.ended"
    assert call.of(SessionEnded)[0].reason == "idle"
    assert not call.of(TurnCommitted)


def test_off_by_default() -> None:
    """An agent that says nothing of it waits for `limits.idle`."""
    call = quiet(Idle()).run(300.0)
    assert [why for why, _ in own(call)] == ["greeting"]


def test_a_take_over_keeps_count() -> None:
    """How often it was asked stands in the log; the silence begins anew with whoever takes over."""
    call = quiet()
    call.at(7.0, call.take_over)
    call.run(60.0)
    assert [why for why, _ in own(call)] == ["greeting", "idle", "idle", "goodbye"]
    assert call.of(SessionEnded)[0].reason == "idle"


def test_an_agent_that_sleeps_asks_nobody() -> None:
    """Who has not woken it is not asked whether they are there."""
    call = quiet(turn_taking=TurnTaking(wake=["hey pizza"], wake_for=20.0))
    call.run(50.0)
    assert [why for why, _ in own(call)] == ["greeting"]
