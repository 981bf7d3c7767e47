"""While the LLM thinks: the caller hears once that the answer is on its way, and then the answer."""

import pytest

from gateway.inputs import Attached, Detached, Typed
from gateway.turn_taking import Play
from schemas.bus import Outcome
from schemas.config.agent import AgentSpec
from schemas.events import EndRequested, SayRequested, TurnCommitted, TurnEnded
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

AGENT = AgentSpec(patience=3.0)
REPLY = "This is the first sentence. And here is the second one."
QUESTION = "What is the news?"


def asked(stages: Stages, agent: AgentSpec = AGENT) -> Call:
    call = Call(agent, stages)
    call.says(1.0, 1.0, QUESTION)
    return call


def heard(call: Call) -> list[str]:
    return [event.heard for event in call.of(TurnEnded)]


def test_a_slow_answer_is_announced() -> None:
    """After the agent's patience the filler is heard, then the reply; it is a turn of its own, and each turn ends once."""
    call = asked(Stages(llm=8.0)).run(30.0)
    assert heard(call) == [AGENT.filler, REPLY]
    assert call.ended() == [(2, "played", "finished"), (1, "played", "finished")]
    first, second = call.of(TurnCommitted)
    assert (first.turn, second.turn, second.why) == (1, 2, "filler")
    assert (second.at - first.at) / 1e6 == pytest.approx(3.0, abs=0.1)
    assert not violations(call.log)


def test_the_llm_is_never_told() -> None:
    """The chat has the question and its answer, as if there had been silence."""
    call = asked(Stages(llm=8.0)).run(30.0)
    assert messages(fold_all(call.log), 9)[1:] == [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": REPLY},
    ]


def test_an_answer_in_time_needs_none() -> None:
    """Where the first sound comes before the patience ends, or patience is 0, nothing else is heard."""
    assert heard(asked(Stages(llm=1.0)).run(30.0)) == [REPLY]
    assert heard(asked(Stages(llm=8.0), AgentSpec(patience=0.0)).run(30.0)) == [REPLY]


def test_it_is_said_once_however_long_it_takes() -> None:
    """A turn is bridged once; where the answer never comes the apology follows."""
    call = asked(Stages(dead={"llm"}, llm=8.0)).run(60.0)
    assert heard(call) == [AGENT.filler, "", AGENT.fallback]
    assert [how for _, how, _ in call.ended()] == ["played", "expired", "played"]
    assert not violations(call.log)


def test_an_answer_that_comes_meanwhile_waits_for_it() -> None:
    """The filler is heard to its end, and the reply follows at once."""
    call = asked(Stages(llm=3.8)).run(30.0)
    assert heard(call) == [AGENT.filler, REPLY]
    plays = [decision for _, decision in call.decisions if isinstance(decision, Play)]
    assert [play.phrase for play in plays] == ["filler", None, None]


def test_an_answer_that_fails_meanwhile_waits_for_it() -> None:
    """The filler is heard to its end, then the apology."""
    call = asked(Stages(llm=3.8, llm_fails=True)).run(30.0)
    assert heard(call) == [AGENT.filler, "", AGENT.fallback]
    assert not violations(call.log)


def test_going_on_takes_the_turn_back() -> None:
    """Who speaks while it is said goes on with the turn: one reply answers all of it, and none is heard before."""
    call = asked(Stages(llm=8.0))
    call.says(5.9, 1.0, "And the weather?")
    call.run(40.0)
    ends = call.of(TurnEnded)
    assert (ends[0].turn, ends[0].how) == (2, "interrupted")
    assert ends[0].inputs == {"by": 1, "captured": "u2"}
    assert [end.turn for end in ends if end.how == "played"][-1] == 1
    assert ends[-1].heard == REPLY
    assert not violations(call.log)


def test_a_noise_does_not() -> None:
    """A cough too short to be heard holds it for a moment; both are heard."""
    call = asked(Stages(llm=8.0))
    call.noise(5.9)
    assert heard(call.run(30.0)) == [AGENT.filler, REPLY]


def test_a_letter_takes_it_back_as_well() -> None:
    """What is typed meanwhile belongs to the turn, and is answered with it."""
    call = asked(Stages(llm=8.0))
    call.gives(5.9, Typed("alice", "And the weather?"))
    call.run(40.0)
    assert heard(call)[-1] == REPLY
    assert not violations(call.log)


def test_a_typed_question_is_bridged_too() -> None:
    """However it was asked."""
    call = Call(AGENT, Stages(llm=8.0))
    call.gives(1.0, Typed("alice", QUESTION))
    assert heard(call.run(30.0)) == [AGENT.filler, REPLY]


def test_nobody_there_hears_none() -> None:
    """While no client is attached patience stands still."""
    call = asked(Stages(llm=20.0))
    call.gives(3.0, Detached())
    call.gives(9.0, Attached())
    call.run(11.0)
    assert heard(call) == []
    call.run(40.0)
    assert heard(call) == [AGENT.filler, REPLY]


@pytest.mark.parametrize("moment", [3.0, 5.2, 5.8, 7.5])
def test_it_survives_its_gateway(moment: float) -> None:
    """Whoever takes over at whatever moment says it no second time, and the answer is heard."""
    call = asked(Stages(llm=8.0))
    call.at(moment, call.take_over)
    call.run(60.0)
    texts = heard(call)
    assert texts.count(AGENT.filler) <= (1 if moment > 5.0 else 2)
    assert texts[-1].endswith("the second one.")
    assert not violations(call.log)


def test_something_urgent_goes_before() -> None:
    """What is to be said at once ends it, and the question is answered afterwards."""
    call = asked(Stages(llm=8.0))
    call.at(5.9, lambda: call.append(SayRequested(text="Fire! Leave the house.", interrupt=True)))
    call.run(40.0)
    assert heard(call)[-2:] == ["Fire! Leave the house.", REPLY]
    assert not violations(call.log)


def test_the_end_ends_both() -> None:
    """A session that ends while it is said leaves no turn open."""
    call = asked(Stages(llm=8.0))
    call.at(5.9, lambda: call.append(EndRequested(reason="enough")))
    call.run(10.0)
    assert sorted(turn for turn, _, _ in call.ended()) == [1, 2]


def test_it_ends_with_the_turn_it_bridges() -> None:
    """While its LLM job is on the way to a slow log the filler is opened; the queue is full: the apology follows at once."""
    call = Call(AgentSpec(patience=0.5))
    call.run(0.9)
    call.bus_delay, call.outcomes = 1.0, [Outcome.FULL]
    call.gives(1.0, Typed("alice", QUESTION))
    call.at(2.1, lambda: setattr(call, "bus_delay", 0.001))
    call.run(12.0)
    assert [event.why for event in call.of(TurnCommitted)] == ["text", "filler", "fallback"]
    assert call.ended() == [(2, "dropped", "replaced"), (1, "dropped", "overload"), (3, "played", "finished")]
    assert call.played_at() < 3.5
    assert not call.state.turns
    assert not [turn for turn in fold_all(call.log).turns.values() if turn.end is None]
    assert not violations(call.log)
