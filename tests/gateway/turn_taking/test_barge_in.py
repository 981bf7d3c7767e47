"""Speech over the agent: paused at once, decided by words, by length, or by silence."""

from typing import Any

import pytest

from gateway.inputs import Left
from gateway.turn_taking import Pause, Play, Publish, Resume, Stop
from gateway.turn_taking.answers import asks, last_sentence
from gateway.turn_taking.barge_in import is_backchannel
from gateway.turn_taking.state import Reply, Sentence
from schemas.config.agent import AgentSpec, Limits, TurnTaking
from schemas.events import (
    PlaybackPaused,
    PlaybackResumed,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, SttJob, TtsJob
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import FRAME, Call, Stages

LONG = [["This is a sentence of quite some length to be interrupted.", "And here is another one."]]


def talking(stages: Stages | None = None, agent: AgentSpec | None = None, people: tuple[str, ...] = ("alice",)) -> Call:
    """A call in which the agent speaks from about 2.5 s on."""
    call = Call(agent, stages or Stages(replies=[*LONG, ["All right."]]), people=people)
    call.says(1.0, 1.0, "What is the news?")
    return call


def test_playback_pauses_with_the_first_frame_and_the_position_is_exact() -> None:
    """Silence with the first frame that may be speech, once; the log is told when the detector believes it."""
    call = talking()
    call.says(3.5, 0.5, "Stop it now.")
    call.run(3.5 + 2.5 * FRAME)
    moment, _ = call.did(Pause)[0]
    assert moment == pytest.approx(3.5 + FRAME, abs=0.001)
    assert not call.of(PlaybackPaused)
    call.run(3.7)
    assert len(call.did(Pause)) == 1
    assert call.of(PlaybackPaused)[0].position == pytest.approx(moment - call.played_at(), abs=0.002)


def test_a_click_hushes_the_agent_for_one_frame_and_leaves_no_trace() -> None:
    """It goes on where it stopped as soon as the detector thinks better of it; log and reply know nothing of it."""
    call = talking()
    call.noise(3.5)
    call.run(12.0)
    (paused, _), (resumed, decision) = call.did(Pause)[0], call.did(Resume)[0]
    assert resumed - paused == pytest.approx(FRAME, abs=0.001)
    assert decision.position == pytest.approx(paused - call.played_at(), abs=0.002)
    assert not call.of(PlaybackPaused)
    assert not call.of(PlaybackResumed)
    assert call.ended() == [(1, "played", "finished")]


def test_who_leaves_with_a_click_lets_the_others_hear_on() -> None:
    """A frame that may be speech is forgotten with whose it was."""
    call = talking(people=("alice", "bob"))
    call.at(3.5, lambda: call._edge("bob", "onset", call._sample(3.5)))
    call.gives(3.6, Left("bob"))
    call.run(12.0)
    assert call.did(Resume)[0][0] == pytest.approx(3.6, abs=0.001)
    assert call.ended()[-1] == (1, "played", "finished")


def test_words_interrupt_and_the_agent_knows_what_was_heard() -> None:
    """One publication ends the turn with what was heard, to the word, raises the generation and asks for the next reply."""
    call = talking()
    call.says(3.5, 0.4, "Stop it now.")
    call.run(10.0)
    ended = call.of(TurnEnded)[0]
    assert (ended.how, ended.reason, ended.raises) == ("interrupted", "barge_in", 1)
    assert ended.heard == "This is a sentence of"
    publish = next(d for _, d in call.did(Publish) if d.raises == 1)
    assert [job.id for job in publish.jobs if isinstance(job, LlmJob)] == ["llm/2.1"]
    assert call.ended() == [(1, "interrupted", "barge_in"), (2, "played", "finished")]
    assert not violations(call.log)


def test_capturing_speech_over_the_agent_raises_nothing_and_names_no_successor() -> None:
    """Only the decision raises the generation."""
    call = talking()
    call.says(3.5, 0.5, "mhm")
    call.run(10.0)
    over = call.of(UtteranceCaptured)[1]
    assert (over.turn, over.over, over.raises) == (2, True, None)
    job = next(job for job in call.jobs if isinstance(job, SttJob) and job.utterance == over.utterance)
    assert job.then is None
    assert call.generation == 0


def test_a_backchannel_lets_the_agent_go_on_where_it_stopped() -> None:
    """ "mhm" is dropped; the rest of the sentence follows from the same position."""
    call = talking()
    call.says(3.5, 0.4, "Mhm.")
    call.run(12.0)
    assert call.ended() == [(2, "dropped", "backchannel"), (1, "played", "finished")]
    paused, resumed = call.of(PlaybackPaused)[0], call.of(PlaybackResumed)[0]
    assert paused.position == resumed.position == round(call.did(Resume)[0][1].position, 3)


def test_an_empty_transcript_lets_the_agent_go_on() -> None:
    """A cough is not a word."""
    call = talking()
    call.says(3.5, 0.4, "")
    call.run(12.0)
    assert call.ended() == [(2, "dropped", "empty"), (1, "played", "finished")]


def test_the_agent_does_not_speak_on_while_the_words_said_over_it_are_on_their_way() -> None:
    """However slow the transcript is: to speak on for a moment, and be cut short, would be a blip."""
    call = talking(Stages(replies=[*LONG, ["All right."]], stt=0.08))
    call.at(3.0, lambda: setattr(call.stages, "stt", 4.0))
    call.says(3.3, 0.4, "Stop it.")
    call.run(14.0)
    assert not call.did(Resume)
    assert call.ended()[0] == (1, "interrupted", "barge_in")


def test_a_lost_transcript_lets_the_agent_go_on_and_the_next_is_waited_for_a_second_only() -> None:
    """Hearing that has just failed may fail again; once it works, it is waited for as before."""
    long = [["This is a sentence of quite some length indeed. " * 12]]
    call = talking(Stages(replies=[*long, ["All right."]]), AgentSpec(limits=Limits(stt_deadline=2.0)))
    call.at(3.0, lambda: call.stages.dead.add("stt"))
    call.says(3.3, 0.4, "Stop it.")
    call.says(8.0, 0.4, "Stop it.")
    call.run(7.9)
    assert call.did(Resume)[0][0] == pytest.approx(3.7 + 0.064 + 0.032 + 3.0, abs=0.05)
    call.run(12.0)
    assert call.did(Resume)[1][0] == pytest.approx(8.4 + 1.0, abs=0.02)


ASKS = ["We have a table at seven.", "Shall I book the table for two of you tonight?"]


def asked(*reply: str, agent: AgentSpec | None = None) -> tuple[Call, float]:
    """A call in which the agent says `reply`, then "Done."; and when it will have said it."""
    call = Call(agent, Stages(replies=[list(reply or ASKS), ["Done."]]))
    call.says(1.0, 1.0, "Is there a table?")
    call.run(2.45)
    return call, call.played_at() + 0.25 * sum(len(sentence.split()) for sentence in reply or ASKS)


@pytest.mark.parametrize("before", [0.6, 1.0, 1.4])
@pytest.mark.parametrize("text", ["Yes.", "Okay.", "Yes, okay.", "Mm-hmm.", "Sure."])
def test_yes_over_the_question_answers_it_once_the_agent_is_done(text: str, before: float) -> None:
    """The question is heard to its end, then the answer is answered: one end for each turn."""
    call, end = asked()
    call.says(end - before, 0.35, text)
    call.run(14.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]
    assert call.of(TurnEnded)[0].heard == " ".join(ASKS)
    assert [job.turn for job in call.jobs if isinstance(job, LlmJob)] == [1, 2]
    assert next(e for e in call.log if e.type == "turn.committed" and e.turn == 2).seq > call.of(TurnEnded)[0].seq
    assert not violations(call.log)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (("We have a table at seven.", "It stands by the window."), "Yes."),
        (("Do you like fish?", "We have some today, fresh from the sea."), "Yes."),
        (ASKS, "Oh."),
        (ASKS, "I see."),
        (ASKS, "Hmm."),
        (("We have a table at seven.", "What time would suit you and your friends best?"), "Mhm."),
    ],
)
def test_what_answers_nothing_stays_a_backchannel(reply: tuple[str, ...], text: str) -> None:
    """No question, or none at the end; noises of somebody who listens; a hum where a yes is no answer."""
    call, end = asked(*reply)
    call.says(end - 1.0, 0.35, text)
    call.run(14.0)
    assert call.ended() == [(2, "dropped", "backchannel"), (1, "played", "finished")]


def test_yes_over_an_earlier_sentence_is_a_backchannel() -> None:
    """Nothing was asked yet."""
    call, end = asked()
    call.says(end - 3.2, 0.35, "Yes.")
    call.run(14.0)
    assert call.ended() == [(2, "dropped", "backchannel"), (1, "played", "finished")]


def test_yes_waits_for_the_end_of_a_reply_that_is_still_being_made() -> None:
    """Whether its last sentence was being said, only the LLM's last word tells."""
    for more, ends in (
        ([], [(1, "played", "finished"), (2, "played", "finished")]),
        (["It is by the window."], [(2, "dropped", "backchannel"), (1, "played", "finished")]),
    ):
        call = Call(stages=Stages(replies=[[ASKS[1]], ["Done."]]))
        answer = call._answer

        def slowly(job: LlmJob, number: int, more: list[str] = more, call: Call = call, answer: Any = answer) -> None:
            if number > 1:
                answer(job, number)
                return
            about = {"turn": job.turn, "generation": job.generation}
            call.append(ReplySentence(index=0, text=ASKS[1], **about))
            call.enqueue(TtsJob(id="tts/a", session="s1", index=0, text=ASKS[1], **about))

            def rest() -> None:
                for index, text in enumerate(more, 1):
                    call.append(ReplySentence(index=index, text=text, **about))
                    call.enqueue(TtsJob(id=f"tts/b{index}", session="s1", index=index, text=text, **about))
                call.append(ReplyFinished(sentences=1 + len(more), reason="stop", **about))

            call.after(2.2, rest)

        call._answer = slowly  # type: ignore[method-assign]
        call.says(1.0, 1.0, "Is there a table?")
        call.run(2.6)
        call.says(call.played_at() + 1.0, 0.35, "Yes.")
        call.run(14.0)
        assert call.ended() == ends


def test_yes_over_a_greeting_that_asks_answers_it() -> None:
    """The agent's own words ask as a reply does."""
    call = Call(
        AgentSpec(greeting="Hello, this is Robin. Would you like to hear the news?"), Stages(replies=[["Well."]])
    )
    call.run(0.5)
    call.says(call.played_at() + 2.2, 0.35, "Yes.")
    call.run(14.0)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]


def test_who_says_more_after_the_yes_interrupts() -> None:
    """The answer that waits is still speech over the agent."""
    call, end = asked()
    call.says(end - 1.4, 0.3, "Yes.")
    call.says(end - 0.7, 0.4, "But tomorrow please.")
    call.run(14.0)
    assert call.ended() == [(1, "interrupted", "barge_in"), (2, "played", "finished")]


def test_a_yes_that_waits_is_answered_by_whoever_takes_over() -> None:
    """What was asked, and over which sentence it was said, is in the log."""
    for moment in (0.41, 0.45, 0.8, 1.1):
        call, end = asked()
        call.says(end - 1.0, 0.3, "Yes.")
        call.at(end - 1.0 + moment, call.take_over)
        call.run(20.0)
        assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")], call.show()
        assert not violations(call.log)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Shall I book it?", True),
        ("Shall I book it? 😊", True),
        ("“Shall I book it?”", True),
        ("Really?!", True),
        ("予約しますか？", True),
        ("予約しますか。", True),
        ("要预订吗", True),
        ("هل أحجز؟", True),
        ("ይህ ነው፧", True),
        ("Really⁇", True),
        ("Να το κλείσω;", True),
        ("¿Lo reservo?", True),
        ("Is it? I will see.", False),
        ("It is booked.", False),
        ("", False),
    ],
)
def test_a_question_is_one_in_any_script(text: str, expected: bool) -> None:
    """By its mark, behind whatever quotes and signs; by its last syllable where that asks."""
    assert asks(text) is expected


@pytest.mark.parametrize("first", ["It is full.", "မရှိပါ။", "Չկա։", "满了。"])
def test_a_sentence_before_the_question_is_no_clause_of_it(first: str) -> None:
    """Whatever mark its script ends sentences with."""
    spoken = tuple(Sentence(text, 0.0) for text in (first, "Shall I", "book another?"))
    assert last_sentence(Reply(1, 0.0, spoken, "stop")) == 1


def test_a_second_of_unbroken_speech_interrupts_whatever_its_words() -> None:
    """Even before any transcript."""
    call = talking(Stages(replies=[*LONG, ["All right."]]))
    call.partials = False
    call.says(3.5, 2.0, "mhm mhm mhm mhm")
    call.run(4.6)
    moment, _ = call.did(Stop)[0]
    assert moment == pytest.approx(4.5, abs=0.01)
    assert call.ended() == [(1, "interrupted", "barge_in")]


def test_after_half_a_second_a_partial_is_asked_for_and_its_words_interrupt() -> None:
    """So that a long interruption need not wait for its end."""
    call = talking()
    call.says(3.5, 2.0, "No that is not what I meant at all")
    call.run(4.3)
    partial = next(job for job in call.jobs if isinstance(job, SttJob) and job.partial and job.turn == 2)
    assert (partial.lane, partial.then, partial.deadline) == (None, None, 1.0)
    assert call.did(Stop)[0][0] == pytest.approx(4.0 + 0.08, abs=0.01)


def test_nothing_of_the_voided_reply_is_played_after_a_barge_in() -> None:
    """Neither its next sentence nor a late clip."""
    call = talking(Stages(replies=[*LONG, ["All right."]]))
    call.says(3.5, 0.5, "Stop it now.")
    call.run(12.0)
    assert call.ear == [(1, 0, 0), (2, 1, 0)]


def test_speech_between_two_sentences_holds_the_next() -> None:
    """Once the reply has begun, speech is over the agent even while nothing sounds."""
    call = talking(Stages(replies=[["One two.", "Three four five six."]], tts_each=2.0))
    call.says(3.3, 0.4, "mhm")
    call.run(12.0)
    assert call.ended()[0] == (2, "dropped", "backchannel")
    assert call.ended()[-1] == (1, "played", "finished")


def test_yes_in_the_last_half_second_is_an_answer() -> None:
    """When the agent has all but finished, no word is a backchannel."""
    call = Call(stages=Stages(replies=[["Shall I book the table for two?"], ["Done."]]))
    call.says(1.0, 1.0, "Is there a table?")
    call.run(2.6)
    end = call.played_at() + 7 * 0.25
    call.says(end - 0.35, 0.4, "Yes.")
    call.run(12.0)
    assert [how for _, how, _ in call.ended()] == ["interrupted", "played"]


def test_without_barge_in_the_agent_finishes_and_then_answers() -> None:
    """`barge_in = false`: nothing pauses, nothing is lost."""
    agent = AgentSpec(turn_taking=TurnTaking(barge_in=False))
    call = talking(agent=agent)
    call.says(3.5, 0.5, "Stop it now.")
    call.run(20.0)
    assert not call.did(Pause)
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]
    assert not violations(call.log)


def test_an_urgent_say_interrupts_like_a_barge_in_and_a_patient_one_waits() -> None:
    """`interrupt: true` at once; else when no reply is in flight and nobody speaks."""
    for interrupt, ends in (
        (True, [(1, "interrupted", "say"), (2, "played", "finished")]),
        (False, [(1, "played", "finished"), (2, "played", "finished")]),
    ):
        call = talking()
        call.at(
            3.5, lambda i=interrupt, call=call: call.append(SayRequested(text="Your train leaves now.", interrupt=i))
        )
        call.run(16.0)
        assert call.ended() == ends
        assert [turn for turn, _, _ in call.ear][-1] == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mm-hmm.", True),
        ("Yeah, okay!", True),
        ("I see.", True),
        ("Uh huh", True),
        ("Okay stop", False),
        ("", False),
        ("I", False),
    ],
)
def test_a_backchannel_is_one_however_written(text: str, expected: bool) -> None:
    """Case, hyphens and repetition do not matter; one other word does."""
    assert is_backchannel(text, TurnTaking().backchannels) is expected


def test_a_playback_that_is_on_its_way_when_speech_begins_starts_paused() -> None:
    """Its playback.started was sent, so the speech is over the agent; not a frame is heard before the decision."""
    call = Call(stages=Stages(replies=[*LONG, ["Fine."]]))
    call.bus_delay = 0.2
    call.says(1.0, 1.0, "What is the news?")
    call.run(2.95)
    sent = next(m for m, d in call.did(Publish) if any(e.type == "playback.started" for e in d.events))
    call.bus_delay = 0.001
    call.says(sent - 0.03, 0.4, "mhm")
    call.run(14.0)
    resumed = call.of(PlaybackResumed)[0]
    assert resumed.position == 0.0
    assert call.did(Play)[0][0] > sent + 0.37
    assert call.ended()[-1] == (1, "played", "finished")
