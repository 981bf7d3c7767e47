"""The wake phrase: who says it is answered, and for a while after; nobody else."""

import pytest

from gateway.inputs import PushToTalk
from gateway.turn_taking import by_inputs
from gateway.turn_taking.waking import found
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import AgentSlept, AgentWoke, TurnCommitted, TurnEnded
from schemas.jobs import LlmJob, SttJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages


def asleep(people: tuple[str, ...] = ("alice",), replies: list[list[str]] | None = None, **rules: object) -> Call:
    settings = TurnTaking(wake=["hey pizza"], wake_for=6.0, **rules)  # type: ignore[arg-type]
    return Call(AgentSpec(turn_taking=settings), Stages(replies=replies or [["Two are left."]]), people=people)


@pytest.mark.parametrize(
    "text",
    [
        "Hey pizza.", "Hey, Pizza! What is left?", "hey Pitza what's left", "Hi pizza", "So, hey, pizza: two please", "Heypizza",
        "Hey Pizzas", "hey piza",
    ],
)  # fmt: skip
def test_it_is_heard_as_whisper_writes_it(text: str) -> None:
    """By its sound, wherever it stands."""
    assert found(["hey pizza"], text) == "hey pizza"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would like a pizza",
        "The pizza was good.",
        "They have pizza",
        "Hey you",
        "pizza",
        "hey",
        "Hey Peter, is it?",
    ],
)
def test_other_words_are_other_words(text: str) -> None:
    """Half of it wakes nobody."""
    assert found(["hey pizza"], text) == ""


def test_long_names_and_other_scripts() -> None:
    """One letter in four may be another one; two words may be one."""
    for text in ("ok antifone help", "okay, Anti Phon", "OK Antiphon"):
        assert found(["okay antiphon"], text)
    assert found(["hallo küche"], "Hallo Küche, mach Licht")
    assert not found(["okay antiphon"], "okay, and the phone?")
    assert not found(["?!"], "?!")


def test_without_the_phrase_nobody_is_answered_nor_asked_for() -> None:
    """It stands in the log; no LLM is asked, and none is told of it later."""
    call = asleep()
    call.says(1.0, 0.8, "What a nice day it is.")
    call.says(5.0, 1.0, "Hey pizza, what is left?")
    call.run(12.0)
    assert call.ended()[0] == (1, "dropped", "asleep")
    assert [job.turn for job in call.jobs if isinstance(job, LlmJob)] == [2]
    assert call.ended()[1] == (2, "played", "finished")
    told = messages(fold_all(call.log), 3)
    assert "nice day" not in str(told)
    assert "what is left" in str(told)
    assert call.of(AgentWoke)[0].phrase == "hey pizza"
    assert not violations(call.log)


def test_hearing_is_told_the_phrase_while_the_agent_sleeps() -> None:
    """And not once it listens, nor for an agent that has none."""
    call = asleep()
    call.says(1.0, 0.8, "Hey pizza, what is left?")
    call.says(6.0, 0.8, "And how much is it?")
    call.run(12.0)
    told = [job.keyterms for job in call.jobs if isinstance(job, SttJob) and not job.partial]
    assert told == [["hey pizza"], []]
    other = Call(AgentSpec(), Stages(replies=[["Yes."]]))
    other.says(1.0, 0.8, "Is anybody there?")
    other.run(6.0)
    assert [job.keyterms for job in other.jobs if isinstance(job, SttJob)] == [[]]


def test_with_leave_the_llm_knows_what_it_did_not_answer() -> None:
    """`wake_context`: as in a room where somebody else was meant."""
    call = asleep(wake_context=True)
    call.says(1.0, 0.8, "What a nice day it is.")
    call.run(6.0)
    assert call.ended() == [(1, "dropped", "unaddressed")]
    assert "nice day" in str(messages(fold_all(call.log), 2))


def test_it_stays_awake_for_a_while_after_its_last_answer() -> None:
    """Then it sleeps, and the log says so."""
    call = asleep()
    call.says(1.0, 0.8, "Hey pizza, what is left?")
    call.says(6.0, 0.8, "And how much is it?")
    call.says(18.0, 0.8, "Good, I will take one.")
    call.run(25.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished"), (3, "dropped", "asleep")]
    (slept,) = call.of(AgentSlept)
    assert slept.after == pytest.approx(6.0, abs=0.01)


def test_what_began_in_time_is_heard_to_its_end() -> None:
    """Nobody is put to sleep in mid-sentence."""
    call = asleep()
    call.says(1.0, 0.8, "Hey pizza, what is left?")
    call.run(4.0)
    until = call.of(TurnEnded)[0].at / 1e6 - call.began + 6.0
    call.says(until - 0.3, 2.0, "Good, then I will take one.")
    call.run(until + 6.0)
    assert call.ended()[1] == (2, "played", "finished")


def test_only_who_said_it_is_answered() -> None:
    """Others in the room need to say it themselves."""
    call = asleep(people=("alice", "bob"))
    call.says(1.0, 0.8, "Hey pizza, what is left?", who="alice")
    call.says(6.0, 0.8, "I am hungry, too.", who="bob")
    call.says(8.0, 0.8, "And how much is it?", who="alice")
    call.run(14.0)
    assert call.ended() == [(1, "played", "finished"), (2, "dropped", "asleep"), (3, "played", "finished")]


def test_the_phrase_may_come_in_pieces() -> None:
    """A gap in it does not end the turn: it is waited for as for any word."""
    call = asleep()
    call.says(1.0, 0.25, "Hey", end_of_turn=0.1)
    call.says(1.7, 0.8, "pizza, what is left?")
    call.run(8.0)
    assert call.ended() == [(1, "played", "finished")]


def test_over_the_agent_only_who_is_listened_to_interrupts() -> None:
    """Talk in the room lets it go on; the phrase takes the floor."""
    long = ["This is an answer of quite some length to be interrupted by whoever may do so."]
    call = asleep(people=("alice", "bob"), replies=[long])
    call.says(1.0, 0.8, "Hey pizza, what is left?", who="alice")
    call.says(4.0, 1.5, "I told you that yesterday, dear.", who="bob")
    call.run(7.0)
    assert call.ended() == [(2, "dropped", "asleep")]
    call.says(7.2, 0.8, "Hey pizza, stop it.", who="bob")
    call.run(9.0)
    assert (1, "interrupted", "barge_in") in call.ended()


def test_the_verdict_is_taken_again_from_its_inputs() -> None:
    """Who was listened to is among them."""
    call = asleep()
    call.says(1.0, 0.8, "What a nice day it is.")
    call.run(4.0)
    (ended,) = call.of(TurnEnded)
    assert ended.inputs["awake"] is False
    assert by_inputs(ended, call.agent) == ({"verdict": "asleep"}, {"verdict": "asleep"})


def test_who_presses_the_button_or_writes_needs_no_phrase() -> None:
    """Both are meant for the agent."""
    call = asleep()
    call.gives(1.0, PushToTalk("alice", True))
    call.says(1.2, 0.8, "What is left?")
    call.gives(2.4, PushToTalk("alice", False))
    call.run(6.0)
    assert [event.why for event in call.of(TurnCommitted)] == ["push_to_talk"]
    assert call.of(AgentWoke)[0].phrase == ""


def test_who_takes_over_knows_whom_it_listens_to() -> None:
    """And that it slept already."""
    call = asleep()
    call.says(1.0, 0.8, "Hey pizza, what is left?")
    call.at(5.0, call.take_over)
    call.says(7.0, 0.8, "And how much is it?")
    call.at(25.0, call.take_over)
    call.says(27.0, 0.8, "And for two?")
    call.run(32.0)
    assert [how for _, how, _ in call.ended()] == ["played", "played", "dropped"]


def test_a_lost_tail_wakes_nobody_and_puts_nobody_to_sleep() -> None:
    """Whom the gateway listens to is told again, after who is there."""
    call = asleep()
    call.gives(0.4, PushToTalk("alice", True))
    call.gives(0.5, PushToTalk("alice", False))
    call.at(0.6, lambda: call.lose_tail(8))
    call.says(2.5, 0.8, "What is left?")
    call.run(8.0)
    assert call.ended()[-1][1:] == ("played", "finished")
    types = call.types()
    assert types.index("participant.joined") < len(types) - types[::-1].index("agent.woke")
