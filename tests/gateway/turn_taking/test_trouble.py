"""Stages that fail, stay silent or are full; clients that go; gateways that die. Nothing ends silently."""

from itertools import pairwise

import pytest

from gateway.inputs import Attached, Detached, Digits, HungUp, Joined, Left, Typed
from gateway.turn_taking import End, Play, Publish, Published, Tell
from gateway.turn_taking.recovery import fold
from schemas.bus import Outcome
from schemas.client import SentenceMessage
from schemas.config.agent import AgentSpec, Limits
from schemas.events import (
    EndRequested,
    MessageReceived,
    PlaybackFinished,
    PlaybackStarted,
    ReplySentence,
    SayRequested,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, SttJob, TtsJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

APOLOGY = AgentSpec().fallback
REPEAT = AgentSpec().repeat


def asked(call: Call) -> Call:
    call.says(1.0, 1.0, "What is the news?")
    return call


def last_words(call: Call) -> str:
    return str(call.of(TurnEnded)[-1].heard)


def test_failing_stt_asks_the_caller_to_repeat() -> None:
    """The turn ends failed(stt); the fixed phrase follows as a turn of its own."""
    call = asked(Call(stages=Stages(stt_fails=True))).run(10.0)
    assert call.ended() == [(1, "failed", "stt"), (2, "played", "finished")]
    assert (call.of(TurnCommitted)[-1].why, last_words(call)) == ("repeat", REPEAT)


MINUTE = "word " * 120


def losing(call: Call, *lost: int) -> Call:
    """`call`, in which hearing never answers for the utterances of these numbers."""
    transcribe = call._transcribe

    def but_for_some(job: SttJob) -> None:
        if job.partial or int(job.utterance[1:]) not in lost:
            transcribe(job)

    call._transcribe = but_for_some  # type: ignore[method-assign]
    return call


@pytest.mark.parametrize("lost", [(3,), (1,), (2,), (1, 3)])
def test_what_was_transcribed_of_a_long_speech_is_answered(lost: tuple[int, ...]) -> None:
    """A minute of unbroken speech comes in pieces; one that is lost does not lose the others."""
    call = losing(Call(), *lost)
    call.says(1.0, 58.0, MINUTE)
    call.run(90.0)
    assert call.ended() == [(1, "played", "finished")]
    heard = [message["content"] for message in messages(fold_all(call.log), 1) if message["role"] == "user"]
    assert len(heard[0].split()) == pytest.approx(120 * (3 - len(lost)) / 3, abs=4)
    assert not violations(call.log)


def test_an_empty_last_piece_leaves_the_others_to_be_answered() -> None:
    """A cough at the end is not the whole turn."""
    call = Call()
    call.says(1.0, 19.5, MINUTE)
    call.says(20.6, 1.0, "")
    call.run(50.0)
    assert call.ended() == [(1, "played", "finished")]


def test_words_that_a_lost_utterance_carried_are_answered() -> None:
    """The second part of a sentence carries the sound of the first; where it is lost the first part's words stand."""
    for taken_over in (False, True):
        call = losing(Call(), 2, 3)
        call.says(1.0, 1.0, "What is the time?", end_of_turn=0.05)
        call.says(2.15, 0.3, "In Paris.")
        call.says(2.6, 0.3, "I mean.")
        if taken_over:
            call.at(5.0, call.take_over)
        call.run(30.0)
        assert call.ended() == [(1, "played", "finished")]
        assert messages(fold_all(call.log), 1)[1:] == [{"role": "user", "content": "What is the time?"}]
        assert not violations(call.log)


def test_words_before_one_for_which_there_was_no_room_are_answered() -> None:
    """A queue that is full for the second part of a sentence does not lose the first."""
    call = Call()
    call.says(1.0, 1.0, "What is the time?", end_of_turn=0.05)
    call.says(2.25, 0.3, "In Paris.")
    call.at(2.6, lambda: call.outcomes.append(Outcome.FULL))
    call.run(20.0)
    assert call.ended() == [(1, "played", "finished")], call.show()
    assert messages(fold_all(call.log), 1)[1:] == [{"role": "user", "content": "What is the time?"}]
    assert not violations(call.log)


def test_one_of_several_who_was_not_heard_leaves_the_others_to_be_answered() -> None:
    """Humans who overlap share a turn: what was transcribed of it is answered."""
    call = losing(Call(people=("alice", "bob")), 2)
    call.says(1.0, 2.0, "I think we should go.", who="alice")
    call.says(2.0, 2.0, "No, let us stay here.", who="bob")
    call.run(30.0)
    assert call.ended() == [(1, "played", "finished")]


def test_failing_llm_becomes_the_fallback_sentence() -> None:
    """From the clips made ahead: no TTS job is needed."""
    call = asked(Call(stages=Stages(llm_fails=True))).run(10.0)
    assert call.ended() == [(1, "failed", "llm"), (2, "played", "finished")]
    assert (call.of(TurnCommitted)[-1].why, last_words(call)) == ("fallback", APOLOGY)
    assert not [job for job in call.jobs if isinstance(job, TtsJob) and job.phrase is None]


def test_an_llm_that_says_nothing_becomes_the_fallback_sentence() -> None:
    """Silence is a failure too."""
    call = asked(Call(stages=Stages(replies=[[]]))).run(10.0)
    assert call.ended() == [(1, "failed", "llm"), (2, "played", "finished")]


def test_stages_without_workers_are_not_waited_for_beyond_their_deadline() -> None:
    """The gateway times each turn and ends it when no worker did."""
    for stage, reason in (("stt", "stt"), ("llm", "llm")):
        call = asked(Call(AgentSpec(patience=0.0), Stages(dead={stage}))).run(40.0)
        assert call.ended() == [(1, "expired", reason), (2, "played", "finished")], stage
        assert not violations(call.log)


def test_a_sentence_without_sound_goes_out_as_text_and_the_next_is_played() -> None:
    """Its TTS failed: it counts as ended."""
    call = asked(Call(stages=Stages(tts_fails=lambda index: index == 0))).run(10.0)
    ended = call.of(TurnEnded)[0]
    assert (ended.how, ended.heard, ended.unheard) == ("played", "And here is the second one.", [0])
    told = [d.message for _, d in call.did(Tell) if isinstance(d.message, SentenceMessage)]
    assert told == [SentenceMessage(turn=1, index=0, text="This is the first sentence.", spoken=False)]


def test_tts_that_stays_down_becomes_text_and_the_fallback_plays_from_the_sessions_start() -> None:
    """The phrase was synthesized while TTS was up."""
    call = asked(Call(stages=Stages(tts_fails=lambda index: True))).run(10.0)
    assert call.ended() == [(1, "failed", "tts"), (2, "played", "finished")]
    assert [d.message.spoken for _, d in call.did(Tell) if isinstance(d.message, SentenceMessage)] == [False, False]


def test_with_no_sound_at_all_everything_becomes_text() -> None:
    """Even the apology, after one more try."""
    stages = Stages(tts_fails=lambda index: True, phrases_fail=True)
    call = asked(Call(stages=stages)).run(10.0)
    assert call.ended() == [(1, "failed", "tts"), (2, "failed", "tts")]
    assert [d.message.text for _, d in call.did(Tell) if isinstance(d.message, SentenceMessage)][-1] == APOLOGY


def test_a_full_queue_drops_the_turn_with_its_facts_and_an_apology() -> None:
    """The facts are published without the job, with turn.ended(dropped, overload), under the same operation number."""
    call = Call()
    asked(call).run(2.05)
    call.outcomes = [Outcome.FULL]
    call.run(10.0)
    assert call.ended() == [(1, "dropped", "overload"), (2, "played", "finished")]
    assert call.of(UtteranceCaptured)[0].audio
    first, again = (d for _, d in call.did(Publish) if any(e.type == "utterance.captured" for e in d.events))
    assert (again.operation, again.jobs) == (first.operation, ())
    assert not violations(call.log)


def test_what_there_was_no_room_to_transcribe_makes_deaf() -> None:
    """The gateway, and whoever reads its log: until a transcript comes nobody relies on hearing."""
    call = asked(Call()).run(2.05)
    call.outcomes = [Outcome.FULL]
    call.run(6.0)
    assert call.state.deaf
    assert fold("s1", call.log, call.now).deaf
    call.says(6.5, 0.5, "Hello?")
    call.run(8.0)
    assert not call.state.deaf
    assert not fold("s1", call.log, call.now).deaf


def test_a_text_for_which_there_was_no_room_waits_again() -> None:
    """Dropped for overload it is neither lost nor shown: the gateway, the fold of the log and the next one say it later, once."""
    text = "Your train leaves now."
    for taken_over in (False, True):
        call = Call()
        call.at(1.0, lambda call=call: call.append(SayRequested(text=text)))  # type: ignore[misc]
        call.at(1.0, lambda call=call: call.outcomes.append(Outcome.FULL))  # type: ignore[misc]
        call.run(2.0)
        assert call.ended() == [(1, "dropped", "overload")]
        assert [own.text for own in call.state.wanted] == [text]
        assert [say.text for say in fold_all(call.log).says] == [text]
        assert [own.text for own in fold("s1", call.log, call.now).wanted] == [text]
        if taken_over:
            call.take_over()
        call.run(20.0)
        assert call.ended()[1:] == [(2, "played", "finished")]
        assert last_words(call) == text
        assert not fold_all(call.log).says
        assert not [tell for _, tell in call.did(Tell) if isinstance(tell.message, SentenceMessage)]
        assert not violations(call.log)


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_queue_that_stays_full_is_asked_ever_more_rarely(taken_over: bool) -> None:
    """What waits for room is tried again after 5 s, 10, ... 60, and every time told; who takes over goes on with that."""
    call = Call()
    call.at(1.0, lambda: call.append(SayRequested(text="Your train leaves now.")))
    call.at(1.0, lambda: call.outcomes.extend([Outcome.FULL, Outcome.OK] * 6))
    if taken_over:
        call.at(40.0, lambda: call.outcomes.insert(0, Outcome.OK))
        call.at(40.0, lambda: call.take_over(silence=0.0))
    call.run(240.0)
    assert call.ended() == [(turn, "dropped", "overload") for turn in range(1, 7)] + [(7, "played", "finished")]
    moments = [event.at / 1e6 for event in call.of(TurnCommitted)]
    begins_anew = 4.0 if taken_over else 0.0
    assert [round(later - first) for first, later in pairwise(moments)] == [5, 10, 20, 40 + begins_anew, 60, 60]
    call.outcomes = [Outcome.FULL]
    call.append(SayRequested(text="It has left."))
    call.run(260.0)
    assert [how for _, how, _ in call.ended()[-2:]] == ["dropped", "played"]
    assert not violations(call.log)


def test_the_greeting_is_opened_committed_and_played_when_somebody_is_there_to_hear() -> None:
    """One publication; a person in the room, a client attached."""
    call = Call(AgentSpec(greeting="Hello, how can I help you?"), attach=False)
    call.run(2.0)
    assert not call.of(TurnCommitted)
    call.feed(Attached())
    call.run(6.0)
    assert [(e.turn, e.why) for e in call.of(TurnCommitted)] == [(1, "greeting")]
    assert call.ended() == [(1, "played", "finished")]


def test_an_utterance_before_its_first_frame_replaces_the_agents_own_turn() -> None:
    """A greeting is dropped; a requested text waits again and is said later."""
    call = Call(stages=Stages(tts=1.0))
    call.at(0.9, lambda: call.append(SayRequested(text="Your train leaves now.")))
    call.says(1.0, 0.6, "Hello?")
    call.run(16.0)
    assert call.ended() == [(1, "dropped", "replaced"), (2, "played", "finished"), (3, "played", "finished")]
    assert [e.why for e in call.of(TurnCommitted)][-1] == "say"
    assert not violations(call.log)


def test_an_apology_gives_way_to_the_user_who_speaks_again() -> None:
    """Who repeats need not be asked to."""
    call = Call(stages=Stages(stt_fails=True))
    call.says(1.0, 1.0, "What is the news?")
    call.at(2.15, lambda: setattr(call.stages, "stt_fails", False))
    call.run(2.16)
    call.says(2.2, 1.0, "The news please?")
    call.run(12.0)
    assert "played" in [how for _, how, _ in call.ended()]
    assert not violations(call.log)


# ── the client ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_socket_lost_in_mid_reply_pauses_and_resumes_at_the_same_sample() -> None:
    """While nobody hears nothing plays and the timers of turns stand still."""
    call = asked(Call(AgentSpec(limits=Limits(turn=5.0))))
    call.gives(3.0, Detached())
    call.gives(20.0, Attached())
    call.run(30.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.ear == [(1, 0, 0), (1, 0, 1)]
    finished = call.of(PlaybackFinished)[0]
    assert finished.at / 1e6 - call.began > 20.0


def test_while_no_client_is_attached_nothing_commits() -> None:
    """The wait goes on when somebody hears again."""
    call = asked(Call())
    call.gives(2.15, Detached())
    call.gives(12.0, Attached())
    call.run(11.0)
    assert not call.of(TurnCommitted)
    call.run(20.0)
    assert call.ended() == [(1, "played", "finished")]


def test_what_is_written_while_nobody_hears_is_answered_once_and_only_then() -> None:
    """It stands in the log at once; no LLM is asked for an answer that the next line, or the client's coming, would void."""
    call = Call(attach=False)
    call.gives(1.0, Typed("alice", "Hello?"))
    call.gives(2.0, Typed("alice", "Is anybody there?"))
    call.says(2.5, 1.0, "What is the news?")
    call.run(10.0)
    assert [event.text for event in call.of(MessageReceived)] == ["Hello?", "Is anybody there?"]
    assert not [job for job in call.jobs if isinstance(job, LlmJob) or (isinstance(job, SttJob) and job.then)]
    call.feed(Attached())
    call.run(20.0)
    assert len([job for job in call.jobs if isinstance(job, LlmJob)]) == 1
    assert call.ended() == [(1, "played", "finished")]
    assert not violations(call.log)


def test_until_somebody_has_been_there_the_agent_waits_for_the_room() -> None:
    """A room made ahead, an agent sent before its caller: `limits.nobody_yet`, also for the gateway that takes over."""
    call = Call(AgentSpec(greeting="Hello."), people=(), attach=False)
    call.at(200.0, lambda: call.take_over(silence=1e6))
    call.run(250.0)
    assert not call.of(SessionEnded)
    call.feed(Joined("ann"))
    call.feed(Attached())
    call.run(260.0)
    assert call.ended() == [(1, "played", "finished")]
    call.feed(Left("ann"))
    call.feed(Detached())
    call.run(291.0)
    assert call.of(SessionEnded)[0].reason == "client_gone"


def test_who_returns_in_the_last_moment_is_given_time_to_hear() -> None:
    """To be there and to hear are two things in a LiveKit room, seconds apart."""
    call = Call(people=("ann",))
    call.gives(1.0, Left("ann"))
    call.gives(1.0, Detached())
    call.gives(30.5, Joined("ann"))
    call.gives(33.0, Attached())
    call.run(40.0)
    assert not call.of(SessionEnded)


def test_nobody_is_waited_for_for_ever() -> None:
    """And the detail names the setting."""
    call = Call(people=(), attach=False)
    call.run(299.0)
    assert not call.of(SessionEnded)
    call.run(301.0)
    ended = call.of(SessionEnded)[0]
    assert (ended.reason, ended.detail) == ("client_gone", "no client for 300 s (limits.nobody_yet)")


def test_who_came_and_went_unheard_has_been_there() -> None:
    """Somebody who left before the agent could be heard is waited for as anybody who left; another agent is nobody."""
    for kind, over in (("standard", True), ("agent", False)):
        call = Call(people=(), attach=False)
        call.gives(1.0, Joined("x", kind=kind))  # type: ignore[arg-type]
        call.gives(1.5, Left("x"))
        call.run(40.0)
        assert bool(call.of(SessionEnded)) is over


def test_a_client_gone_for_30_s_ends_the_session() -> None:
    """With its reason, and every open turn with it."""
    call = asked(Call())
    call.gives(3.0, Detached())
    call.run(40.0)
    assert call.of(SessionEnded)[0].reason == "client_gone"
    assert call.ended() == [(1, "interrupted", "session")]
    assert [d.reason for _, d in call.did(End)] == ["client_gone"]
    assert not violations(call.log)


def test_hanging_up_ends_what_is_left_in_the_closing_publication() -> None:
    """Every open turn ends before session.ended, in the same call, with what was heard."""
    call = asked(Call())
    call.gives(3.4, HungUp())
    call.run(5.0)
    publish = call.did(Publish)[-1][1]
    assert publish.close
    assert [e.type for e in publish.events] == ["turn.ended", "session.ended"]
    ended = call.of(TurnEnded)[0]
    assert (ended.how, ended.reason, ended.heard) == ("interrupted", "session", "This is the first")


def test_hanging_up_before_the_reply_sounds_drops_the_turn() -> None:
    """Nobody heard of it, and nobody waited too long."""
    call = asked(Call())
    call.gives(2.2, HungUp())
    call.run(5.0)
    assert call.of(PlaybackStarted) == []
    assert call.ended() == [(1, "dropped", "session")]
    assert not violations(call.log)


def test_limits_end_a_session() -> None:
    """Idle, and too long."""
    for limits in (Limits(idle=5.0), Limits(session=5.0)):
        call = Call(AgentSpec(limits=limits)).run(6.0)
        assert call.of(SessionEnded)[0].reason == "limit"


def test_a_gateway_that_lost_its_session_is_silent_at_once() -> None:
    """LOST: the room moved."""
    call = asked(Call())
    call.run(2.7)
    call.outcomes = [Outcome.LOST]
    call.run(10.0)
    assert call.did(End)[0][1].lost
    assert call.sounding is None
    assert call.state.closed


# ── take-over ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gateway_that_takes_over_skips_the_started_sentence_and_plays_the_later_ones() -> None:
    """Heard to the last hold; sound comes at most once."""
    call = asked(Call(stages=Stages(replies=[["One two three four.", "Five six seven."]])))
    call.at(2.9, call.take_over)
    call.run(10.0)
    assert [e.gateway for e in call.of(SessionResumed)] == ["g2"]
    assert [e.index for e in call.of(PlaybackStarted)] == [0, 1]
    assert call.of(TurnEnded)[0].heard == "One two Five six seven."
    assert call.ended() == [(1, "played", "finished")]


def test_take_over_at_any_moment_loses_only_speech_not_yet_captured() -> None:
    """Whatever the old gateway was about to do, the new one does."""
    for hundredths in range(110, 420, 7):
        call = asked(Call(AgentSpec(greeting="Hello.")))
        call.at(hundredths / 100, call.take_over)
        call.run(20.0)
        call.feed(HungUp())
        call.run(21.0)
        captured = {e.turn for e in call.of(UtteranceCaptured)}
        by_turn = {turn: how for turn, how, _ in call.ended()}
        assert all(by_turn[turn] == "played" for turn in captured), (hundredths, call.show())
        assert not violations(call.log), (hundredths, call.show())


def test_a_log_that_lost_its_tail_is_told_again_what_we_know() -> None:
    """session.rewound raises the generation above the highest ever seen; the lost utterance is captured and answered anew."""
    call = asked(Call())
    call.at(2.12, lambda: call.lose_tail(2))
    call.run(12.0)
    assert call.of(SessionRewound)[0].raises == 1
    assert len(call.of(UtteranceCaptured)) == 1
    assert call.of(TurnEnded)[-1].how == "played"
    assert [job.generation for job in call.jobs if isinstance(job, LlmJob)][-1] == 1
    assert not violations(call.log)


def test_a_log_that_lost_its_tail_costs_no_more_time_where_nobody_heard_at_first() -> None:
    """What was captured before the loss is answered as soon after it as in a call in which nobody had to be waited for."""
    played = {}
    for late in (0.0, 20.0):
        call = Call(attach=False)
        call.gives(late, Attached())
        call.says(late + 1.0, 1.0, "What is the news and", end_of_turn=0.1)
        call.at(late + 2.4, lambda call=call: call.feed(Digits("alice", "1")))  # type: ignore[misc]
        call.at(late + 2.45, lambda call=call: call.lose_tail(1))  # type: ignore[misc]
        call.run(late + 9.0)
        assert call.of(SessionRewound)
        assert call.ended() == [(1, "played", "finished")]
        played[late] = call.played_at() - late
    assert played[20.0] == pytest.approx(played[0.0])


@pytest.mark.parametrize("where", ["there", "away"])
def test_what_others_asked_of_a_log_that_lost_its_tail_is_done(where: str) -> None:
    """A message and an end request that the gateway meets only as it reads the log anew; a message once somebody hears."""
    call = asked(Call()).run(12.0)
    if where == "away":
        call.feed(Detached())
    lost_with(call, MessageReceived(participant="api", text="By the API."))
    call.run(16.0)
    assert len(call.of(SessionRewound)) == 1
    if where == "away":
        assert len(call.of(TurnCommitted)) == 1
        call.feed(Attached())
    call.run(24.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]
    assert messages(fold_all(call.log), 9)[-2] == {"role": "user", "content": "By the API."}
    lost_with(call, EndRequested(reason="done"))
    call.run(26.0)
    assert [(event.reason, event.detail) for event in call.of(SessionEnded)] == [("end_requested", "done")]
    assert not violations(call.log)


def lost_with(call: Call, request: MessageReceived | EndRequested) -> None:
    """The log loses its tail, and somebody asks for something before the gateway knows."""
    call.feed(Digits("alice", "1"))
    call.run(call.now - call.began + 0.1)
    call.lose_tail(1)
    call.append(request, feed=False)


def test_the_longest_text_that_may_be_said_can_be_taken_over() -> None:
    """More than a thousand sentences, all said in the breath in which their turn is opened, are read back."""
    call = Call()
    call.at(1.0, lambda: call.append(SayRequested(text="Nobody knows why. " * 1200)))
    call.at(3.0, call.take_over)
    call.run(4.0)
    assert len(call.of(ReplySentence)) == 1200
    assert [event.gateway for event in call.of(SessionResumed)] == ["g2"]
    assert not violations(call.log)


def test_an_answer_to_another_publication_is_ignored() -> None:
    """Operation numbers are the machine's own."""
    call = asked(Call())
    call.run(2.11)
    call.feed(Published(99, Outcome.OK, 5))
    call.run(10.0)
    assert call.ended() == [(1, "played", "finished")]
    assert len(call.did(Play)) == 2
