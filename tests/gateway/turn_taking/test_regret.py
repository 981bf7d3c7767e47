"""In the first moments of a reply the same caller going on takes the turn back, and is answered whole."""

from typing import Any

import pytest

from gateway.inputs import PushToTalk, Typed
from gateway.turn_taking import Pause, Play, Played, Resume, Stop, Tell
from gateway.turn_taking.barge_in import verdict
from schemas.bus import Outcome
from schemas.client import StateMessage
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import (
    PlaybackPaused,
    PlaybackResumed,
    SayRequested,
    SessionRewound,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, SttJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import FRAME, Call, Stages

FIRST, REST = "What is the news?", "And the weather in Paris."
HASTY = ["This is a sentence of quite some length to be taken back.", "And here is another one."]
WHOLE = ["Here is the answer to all of it."]
TAKEN_BACK = [(1, "dropped", "taken_back"), (2, "played", "finished")]
INTERRUPTED = [(1, "interrupted", "barge_in"), (2, "played", "finished")]


def asked(agent: AgentSpec | None = None, stages: Stages | None = None, people: tuple[str, ...] = ("alice",)) -> Call:
    """A call in which the agent begins to answer, and whose next reply is another one."""
    call = Call(agent, stages or Stages(replies=[HASTY, WHOLE]), people=people)
    call.says(1.0, 1.0, FIRST)
    return call


BEGINS = asked().run(4.0).played_at()
"""Seconds into it at which the first word sounds."""


def gone_on(after: float = 0.2, length: float = 0.4, text: str = REST, who: str = "alice", **about: Any) -> Call:
    """The caller goes on so long after the agent has begun."""
    call = asked(**about)
    call.says(BEGINS + after, length, text, who=who)
    return call


def agent_with(**rules: Any) -> AgentSpec:
    return AgentSpec(turn_taking=TurnTaking(**rules))


def chat(call: Call, turn: int) -> list[tuple[str, str]]:
    """What the LLM is told to answer that turn, but for its instructions."""
    state = fold_all(event for event in call.log if event.type != "turn.ended" or event.turn != turn)
    return [(message["role"], message["content"]) for message in messages(state, turn)[1:]]


# ── taken back ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_goes_on_at_once_is_answered_whole() -> None:
    """One publication ends the turn unheard, raises the generation and has both parts heard as one; the LLM is told one text, and
    nothing of the reply that began."""
    call = gone_on().run(12.0)
    assert call.ended() == TAKEN_BACK
    ended, joined = call.of(TurnEnded)[0], call.of(UtteranceCaptured)[-1]
    assert (ended.into, ended.raises, ended.heard) == (2, 1, "This")
    assert (joined.turn, joined.replaces, joined.joins, joined.seq) == (2, "u2", ["u1"], ended.seq + 1)
    first, gap_and_rest = joined.audio
    assert first == call.of(UtteranceCaptured)[0].audio[0]
    assert gap_and_rest.key.split(":")[1] == first.key.split(":")[2], "without a sample left out"
    assert [job.id for job in call.jobs if isinstance(job, LlmJob)] == ["llm/1.0", "llm/2.1"]
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]
    assert not violations(call.log)


def test_the_agent_is_silent_within_a_frame_and_listens() -> None:
    """Its sound stops with the first frame that may be speech, and is forgotten when the turn is taken back."""
    call = gone_on().run(12.0)
    (paused, _), (stopped, stop) = call.did(Pause)[0], call.did(Stop)[0]
    assert paused == pytest.approx(BEGINS + 0.2 + FRAME, abs=0.001)
    assert (stop.turn, call.did(Resume)) == (1, [])
    told = [(moment, tell.message.state) for moment, tell in call.did(Tell) if isinstance(tell.message, StateMessage)]
    assert [state for moment, state in told if moment <= stopped][-1] == "listening"
    assert [(play.turn, play.index) for _, play in call.did(Play)] == [(1, 0), (2, 0)]
    assert stopped < call.did(Play)[1][0]


def test_who_speaks_on_and_on_is_heard_as_one_at_once() -> None:
    """A second without a pause takes the turn back before it is over: what is then captured carries the first part."""
    call = gone_on(length=1.6)
    call.partials = False
    call.run(12.0)
    assert call.ended() == TAKEN_BACK
    first, whole = call.of(UtteranceCaptured)
    assert (whole.utterance, whole.replaces, whole.joins, whole.turn) == ("u2", "u1", [], 2)
    assert whole.audio[:-1] == first.audio
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]


def test_interim_words_take_the_turn_back() -> None:
    """After half a second of speech they are asked for, and need no pause."""
    call = gone_on(length=0.9).run(12.0)
    assert call.ended() == TAKEN_BACK
    assert call.of(TurnEnded)[0].inputs["text"] in REST
    assert [job.utterance for job in call.jobs if isinstance(job, SttJob) and not job.partial] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("said", "ended"), [("My number is five five", TAKEN_BACK), ("I am here", [(2, "dropped", "backchannel")])]
)
def test_who_dictates_goes_on_with_a_piece(said: str, ended: list[tuple[int, str, str]]) -> None:
    """ "Oh" in the midst of a number is a zero; behind anything else it lets the agent go on."""
    call = Call(None, Stages(replies=[HASTY, WHOLE]))
    call.says(1.0, 1.0, said)
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.3, "Oh."))
    call.run(14.0)
    assert call.ended()[: len(ended)] == ended
    assert not violations(call.log)


def test_what_is_taken_back_may_be_taken_back_again() -> None:
    """All that was said is in the last of them, and in its one utterance."""
    call = asked(stages=Stages(replies=[HASTY, HASTY, WHOLE]))
    again = iter(("And the weather.", "In Paris, please."))

    def goes_on() -> None:
        if (text := next(again, None)) is not None:
            call.says(call.now - call.began + 0.3, 0.4, text)
            call.as_it_sounds.append(goes_on)

    call.as_it_sounds.append(goes_on)
    call.run(20.0)
    assert call.ended() == [(1, "dropped", "taken_back"), (2, "dropped", "taken_back"), (3, "played", "finished")]
    assert chat(call, 3) == [("user", f"{FIRST} And the weather. In Paris, please.")]
    assert not violations(call.log)


def test_a_turn_of_its_own_in_the_window_is_answered_with_the_one_before() -> None:
    """Nobody can tell a sentence that follows from another one: the answer is to both."""
    call = gone_on(text="Who are you?").run(12.0)
    assert call.ended() == TAKEN_BACK
    assert chat(call, 2) == [("user", f"{FIRST} Who are you?")]


def test_the_pause_that_it_reveals_is_one_of_the_speaker_s() -> None:
    """How long they had been silent is waited out from then on, as is any pause of theirs; who interrupts had not paused."""
    call = gone_on().run(12.0)
    (silence,) = call.state.people["alice"].pauses
    assert silence == pytest.approx(BEGINS + 0.2 - 2.0, abs=0.005)
    assert (call.of(TurnCommitted)[-1].inputs or {})["pauses"] == [silence]
    later = gone_on(after=0.7).run(12.0)
    assert later.ended() == INTERRUPTED
    assert later.state.people["alice"].pauses == ()


def test_a_silence_longer_than_any_wait_was_no_pause() -> None:
    """The answer took its time: who speaks as it begins may have waited for it."""
    call = Call(stages=Stages(replies=[HASTY, WHOLE], llm=1.6))
    call.says(1.0, 1.0, FIRST)
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.4, REST))
    assert call.run(14.0).ended() == TAKEN_BACK
    assert call.state.people["alice"].pauses == ()


def test_where_both_do_not_fit_into_one_utterance_the_words_stand_side_by_side() -> None:
    """Longer than `max_utterance`, the pause included, nothing is heard again."""
    call = Call(agent_with(max_utterance=5.0), Stages(replies=[HASTY, WHOLE]))
    end = call.says(1.0, 4.0, FIRST)
    call.says(BEGINS - 2.0 + end + 0.2, 0.4, REST)
    call.run(14.0)
    assert call.ended() == TAKEN_BACK
    assert [one.joins for one in call.of(UtteranceCaptured)] == [[], []]
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]


def test_a_button_takes_the_turn_back_whatever_is_said() -> None:
    """Pressed as the agent begins, and let go: no backchannel, and heard as one with what was said before."""
    call = asked()
    call.gives(BEGINS + 0.1, PushToTalk("alice", True))
    call.says(BEGINS + 0.2, 0.5, "Yes.")
    call.gives(BEGINS + 0.74, PushToTalk("alice", False))
    call.run(12.0)
    assert call.ended() == TAKEN_BACK
    assert call.of(TurnEnded)[0].inputs["pressed"]
    assert call.of(TurnCommitted)[-1].why == "push_to_talk"
    assert chat(call, 2) == [("user", f"{FIRST} Yes.")]


def test_it_is_one_caller_of_several_too() -> None:
    """Who asked goes on, with whom the agent is told apart from others by name."""
    call = gone_on(people=("alice", "bob"), agent=agent_with(answer="linked")).run(12.0)
    assert call.ended() == TAKEN_BACK
    assert chat(call, 2) == [("user", f"alice: {FIRST} {REST}")]


def test_who_goes_on_need_not_name_the_agent_once_more() -> None:
    """Where only who says its name is answered, the rest of the sentence is meant for it, too."""
    agent = AgentSpec(name="Ada", turn_taking=TurnTaking(answer="addressed"))
    call = Call(agent, Stages(replies=[HASTY, WHOLE]), people=("alice", "bob"))
    call.says(1.0, 1.0, "Ada, what is the news?")
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.4, REST))
    call.run(12.0)
    assert call.ended() == TAKEN_BACK


# ── not taken back ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_backchannel_lets_it_go_on_at_the_sample() -> None:
    """ "mhm" in the first moments is no more than anywhere else."""
    call = gone_on(text="Mhm.").run(14.0)
    assert call.ended() == [(2, "dropped", "backchannel"), (1, "played", "finished")]
    paused, resumed = call.of(PlaybackPaused)[0], call.of(PlaybackResumed)[0]
    assert paused.position == resumed.position == round(call.did(Resume)[0][1].position, 3)


def test_noise_lets_it_go_on_and_the_log_knows_nothing() -> None:
    """A click hushes it for a frame."""
    call = asked()
    call.noise(BEGINS + 0.2)
    call.run(12.0)
    assert call.ended() == [(1, "played", "finished")]
    assert not call.of(PlaybackPaused)


def test_later_it_is_a_barge_in() -> None:
    """A little more than the first moments, and the log tells how much."""
    call = gone_on(after=0.7).run(12.0)
    assert call.ended() == INTERRUPTED
    seconds, words = call.of(TurnEnded)[0].inputs["begun"]
    assert (0.6 < seconds < 0.8, words) == (True, 3)
    assert chat(call, 2) == [("user", FIRST), ("assistant", "This is a"), ("user", REST)]


def test_more_than_a_few_words_are_no_first_moment() -> None:
    """However fast the agent speaks."""
    call = gone_on(after=0.5, stages=Stages(replies=[HASTY, WHOLE], word=0.1)).run(12.0)
    assert call.ended()[0] == (1, "interrupted", "barge_in")


@pytest.mark.parametrize("agent", [agent_with(regret=0.0), agent_with(regret=0.1)])
def test_it_can_be_shorter_or_off(agent: AgentSpec) -> None:
    """`[turn_taking] regret`, in seconds of the reply's sound."""
    assert gone_on(agent=agent).run(12.0).ended() == INTERRUPTED


def test_an_agent_that_may_not_be_interrupted_takes_nothing_back() -> None:
    """It says what it has to say; what was said over it is answered afterwards."""
    call = gone_on(agent=agent_with(barge_in=False)).run(16.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]


def test_another_one_is_no_going_on() -> None:
    """Who did not ask interrupts."""
    assert gone_on(who="bob", people=("alice", "bob")).run(12.0).ended() == INTERRUPTED


def test_another_one_joining_in_makes_it_a_barge_in() -> None:
    """What both say is not what one of them went on with."""
    call = gone_on(length=0.3, text="mhm", people=("alice", "bob"))
    call.says(BEGINS + 0.4, 0.5, "Stop it now.", who="bob")
    call.run(12.0)
    assert call.ended() == INTERRUPTED


def test_the_agents_own_words_are_never_taken_back() -> None:
    """Over a greeting, or what somebody had it say, words interrupt."""
    call = Call(AgentSpec(greeting="Hello there, how can I help you today?"), Stages(replies=[WHOLE]))
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.4, FIRST))
    call.run(12.0)
    assert call.ended()[0] == (1, "interrupted", "barge_in")
    call = asked()
    call.at(8.0, lambda: call.append(SayRequested(text="A word from our sponsor, who pays for this.")))
    call.run(8.0)
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.4, REST))
    call.run(20.0)
    assert (2, "interrupted", "barge_in") in call.ended()


def test_once_a_tool_was_called_nothing_is_taken_back() -> None:
    """What it did is done: who goes on interrupts."""
    stages = Stages(replies=[HASTY, WHOLE], tool=True)
    call = Call(None, stages)
    call.says(1.0, 1.0, FIRST)
    call.as_it_sounds.append(lambda: call.says(call.now - call.began + 0.2, 0.4, REST))
    call.run(12.0)
    assert call.ended()[0] == (1, "interrupted", "barge_in")


def test_what_is_written_interrupts_and_what_was_written_is_not_taken_back() -> None:
    """A message is whole: it is neither gone on with nor the rest of something."""
    call = asked()
    call.gives(BEGINS + 0.2, Typed("alice", "In writing."))
    assert call.run(12.0).ended() == INTERRUPTED
    for said in (False, True):  # only in part
        call = Call(None, Stages(replies=[HASTY, WHOLE]))
        if said:
            call.says(1.0, 0.5, "So,")
        call.gives(1.6, Typed("alice", FIRST))
        call.as_it_sounds.append(lambda call=call: call.says(call.now - call.began + 0.2, 0.4, REST))
        assert call.run(12.0).ended() == INTERRUPTED


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gateway_that_takes_over_in_the_midst_of_it_takes_back() -> None:
    """The words come to the next gateway: the turn is not over before, and what was said is answered whole."""
    call = gone_on(length=0.4)
    call.at(BEGINS + 0.5, lambda: setattr(call.stages, "stt", 1.0))
    call.at(BEGINS + 1.0, call.take_over)
    call.run(16.0)
    assert call.ended() == TAKEN_BACK
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]
    assert not violations(call.log)


def test_a_gateway_that_takes_over_afterwards_answers_the_whole() -> None:
    """What was taken back is in the log, and all that was said."""
    call = gone_on()
    call.at(BEGINS + 0.9, call.take_over)
    call.run(16.0)
    assert call.ended() == TAKEN_BACK
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]
    assert not violations(call.log)


@pytest.mark.parametrize("events", [1, 2, 3, 4, 6])
def test_a_log_that_loses_it_is_told_again(events: int) -> None:
    """Whatever of it went with the tail: the promises hold, and all that was said is in what is answered."""
    call = gone_on()
    call.at(BEGINS + 0.85, lambda: call.lose_tail(events))
    call.run(20.0)
    assert call.of(SessionRewound)
    assert call.ended()[-1][1:] == ("played", "finished")
    told = " ".join(text for role, text in chat(call, call.ended()[-1][0]) if role == "user").replace("\n", " ")
    assert REST in told
    assert told.count(FIRST) == 1
    assert not violations(call.log)


def test_without_room_for_another_hearing_the_words_there_are_count() -> None:
    """Both parts are transcribed: what would have been heard as one is answered by them."""
    call = gone_on()
    call.as_it_sounds.append(lambda: _full_at_the_end(call))
    call.run(20.0)
    assert call.ended() == TAKEN_BACK
    assert chat(call, 2) == [("user", f"{FIRST} {REST}")]
    assert len(call.of(UtteranceCaptured)[-1].audio) == 2, "and its sound is whole"
    assert not violations(call.log)


@pytest.mark.parametrize("all_sounded", [False, True])
def test_a_hearing_that_has_failed_keeps_no_short_reply_open(all_sounded: bool) -> None:
    """Once words were lost those said over it are waited for no longer than it is held for them, though all of it had sounded
    before it could be: its turn is over then, and not when the transcript is given up for lost."""
    call = asked(stages=Stages(replies=[["Yes."]]))
    call.at(2.2, lambda: call.stages.dead.add("stt"))
    call.says(2.2, 0.4, "Please.")
    spoken: list[float] = []

    def goes_on() -> None:
        began = call.now - call.began + 0.1
        spoken.append(call.says(began, 0.3, REST))
        if all_sounded:
            call.at(began + 0.2, lambda: call.feed(Played(1, 0, 0.25, finished=True)))

    call.as_it_sounds.append(goes_on)
    call.run(16.0)
    (ended,) = call.of(TurnEnded)
    assert (ended.turn, ended.how, call.state.deaf) == (1, "played", True)
    assert 1.0 <= ended.at / 1e6 - call.began - spoken[0] < 1.3
    assert not violations(call.log)


def _full_at_the_end(call: Call) -> None:
    """The publication that takes the turn back finds no room."""
    original = call._publish

    def publish(decision: Any) -> None:
        if any(job.id == "stt/u3" for job in decision.jobs):
            call.outcomes.insert(0, Outcome.FULL)
        original(decision)

    call._publish = publish  # type: ignore[method-assign]


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────

SAID = {
    "over": True, "text": "And more.", "said": "And more.", "speakers": ["alice"], "humans": 1, "linked": "alice", "late": False,
    "unbroken": 0.0, "final": True, "failed": None, "answers": False, "begun": [0.4, 1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "taken_back"),
        ({"unbroken": 1.0, "text": "", "said": "", "final": False}, "taken_back"),
        ({"humans": 2, "speakers": ["bob"], "linked": "alice"}, "taken_back"),
        ({"begun": [0.61, 1]}, "interrupts"),
        ({"begun": [0.4, 4]}, "interrupts"),
        ({"begun": None}, "interrupts"),
        ({"text": "Yes.", "late": True}, "interrupts"),
        ({"text": "Yes."}, "backchannel"),
        ({"text": "Oh."}, "backchannel"),
        ({"text": "Oh.", "dictates": True}, "taken_back"),
        ({"text": "M, N", "dictates": True}, "taken_back"),
        ({"text": "Okay.", "dictates": True}, "backchannel"),
        ({"text": "Oh.", "dictates": True, "begun": [0.61, 1]}, "backchannel"),
        ({"text": ""}, "empty"),
        ({"text": "", "final": False}, "waits"),
        ({"over": False}, "answered"),
    ],
)
def test_the_verdict_is_one_of_its_inputs(changed: dict[str, Any], expected: str) -> None:
    """How much was heard, by the agent's settings; of older logs, which do not tell, nothing could be taken back."""
    agent = AgentSpec(turn_taking=TurnTaking(answer="linked"))
    assert verdict(SAID | changed, agent) == expected
    older = {name: value for name, value in (SAID | changed).items() if name != "begun"}
    assert verdict(older, agent) != "taken_back"
