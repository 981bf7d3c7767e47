"""The life of a turn: soft end, speculation, merged audio, commit, the turn taken back, several humans."""

import pytest

from gateway.inputs import Joined, Left, PushToTalk, Typed
from gateway.turn_taking import Play, Publish, Queues, Tell, step
from gateway.turn_taking.record import read_entry
from gateway.turn_taking.recovery import fold
from schemas.client import StateMessage
from schemas.config.agent import AgentSpec, SttSpec, TurnTaking
from schemas.config.conversation import VoiceSpec
from schemas.events import (
    MessageReceived,
    PlaybackStarted,
    ReplySentence,
    SpeechPaused,
    SpeechStarted,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, SttJob, TtsJob
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages


def stt_jobs(call: Call) -> list[SttJob]:
    return [job for job in call.jobs if isinstance(job, SttJob) and not job.partial]


def llm_jobs(call: Call) -> list[LlmJob]:
    return [job for job in call.jobs if isinstance(job, LlmJob)]


def test_a_plain_turn_is_heard_answered_and_played() -> None:
    """One utterance becomes one turn: captured, transcribed, answered, committed, played to its end."""
    call = Call()
    call.says(1.0, 1.2, "What is the weather like today?")
    call.run(8.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.of(TurnEnded)[0].heard == "This is the first sentence. And here is the second one."
    assert [index for _, _, index in call.ear] == [0, 1]
    assert call.played_at() - 2.2 < 0.45
    assert not violations(call.log)


def test_the_state_stands_still_between_two_sentences() -> None:
    """The agent speaks until its reply is over, however long the log and the next sentence take; who speaks meanwhile is listened
    to."""
    call = Call(stages=Stages(tts_each=3.0))
    call.bus_delay = 0.05
    call.says(1.0, 1.2, "What is the weather like today?")
    call.run(12.0)
    assert call.ended() == [(1, "played", "finished")]
    assert states(call) == ["listening", "thinking", "speaking", "listening"]
    over = Call()
    over.says(1.0, 1.2, "What is the weather like today?")
    over.says(3.2, 1.5, "No, tell me about the tides.")
    over.run(12.0)
    assert states(over) == ["listening", "thinking", "speaking", "listening", "thinking", "speaking", "listening"]


def states(call: Call) -> list[str]:
    """What the client is told that the agent does."""
    return [tell.message.state for _, tell in call.did(Tell) if isinstance(tell.message, StateMessage)]


def test_stt_runs_after_64_ms_of_silence_while_the_pools_are_idle_and_200_ms_else() -> None:
    """The soft end is earlier when a wasted job costs nothing."""
    idle, busy = Call(), Call()
    busy.feed(Queues(1, 0, 0))
    for call in (idle, busy):
        call.says(1.0, 1.0, "Hello there.")
        call.run(2.5)
    assert [round(e.silence, 3) for e in idle.of(SpeechPaused)] == [0.064]
    assert [round(e.silence, 3) for e in busy.of(SpeechPaused)] == [0.2]


def test_edges_are_back_dated_to_the_frame() -> None:
    """`ago` of speech.started points at the first sample of speech, and the capture holds some sound before it."""
    call = Call()
    call.says(1.0, 1.0, "Hello there.")
    call.run(2.5)
    started = call.of(SpeechStarted)[0]
    assert abs(started.happened - (call.began + 1.0)) < 0.005
    capture = next(capture for _, d in call.did(Publish) for capture in d.captures if not capture.partial)
    assert capture.start == round(0.6 * 16_000)
    assert capture.end >= round(2.064 * 16_000)


def test_the_stt_job_of_an_ordinary_turn_names_its_successor() -> None:
    """One human, not over the agent, no idle pools: the STT worker's commit enqueues the LLM job."""
    call = Call()
    call.feed(Queues(1, 0, 0))
    call.says(1.0, 1.0, "Hello there.")
    call.run(2.3)
    then = stt_jobs(call)[0].then
    assert then is not None
    assert (then.turn, then.generation, then.committed) == (1, 0, False)


def test_a_gap_between_words_costs_no_reply() -> None:
    """After an early soft end the gateway asks for the reply itself, once it has the words and still nobody speaks."""
    call = Call(stages=Stages(stt=0.1))
    call.says(1.0, 1.0, "How much is")
    call.says(2.1, 1.0, "a parcel to Spain?")
    call.run(8.0)
    assert [job.then for job in stt_jobs(call)] == [None, None]
    assert len(call.of(TranscriptFinal)) == 2
    assert [job.generation for job in llm_jobs(call)] == [0]
    assert call.ended() == [(1, "played", "finished")]


def test_a_pause_in_mid_sentence_is_not_cut() -> None:
    """Who goes on within the wait keeps the turn: one reply, to all of it."""
    call = Call()
    call.says(1.0, 1.0, "I would like to book a", end_of_turn=0.05)
    call.says(2.8, 1.0, "table for two please.")
    call.run(10.0)
    assert [turn for turn, _, _ in call.ended()] == [1]
    assert call.of(TranscriptFinal)[-1].text == "I would like to book a table for two please."
    assert call.played_at() > 3.8


def test_going_on_carries_the_audio_again_and_raises_the_generation() -> None:
    """The next utterance replaces the first, with its blobs in front, and the reply to the first is void."""
    call = Call()
    call.says(1.0, 1.0, "I would like to book a", end_of_turn=0.05)
    call.says(2.8, 1.0, "table for two please.")
    call.run(10.0)
    first, second = call.of(UtteranceCaptured)
    assert (second.replaces, second.raises) == (first.utterance, 1)
    assert second.audio[0] == first.audio[0]
    assert second.audio[0].key.split(":")[2] == second.audio[1].key.split(":")[1]  # no gap, no overlap
    assert {e.generation for e in call.of(PlaybackStarted)} == {1}
    assert not violations(call.log)


def pauses(call: Call) -> list[float]:
    return list(call.of(TurnCommitted)[-1].inputs["pauses"])


def test_silence_while_the_agent_is_waited_for_is_no_pause_of_the_speaker() -> None:
    """Who asks "Hello?" while a reply takes long does not speak with long pauses: the next statement waits no longer."""
    call = Call(stages=Stages(llm=3.0))
    call.says(1.0, 1.0, "I have a question about my order.")
    call.says(3.9, 0.4, "Hello?")
    call.run(12.0)
    call.says(12.0, 1.0, "I ordered it on Monday.")
    call.run(20.0)
    assert pauses(call) == []


def test_silence_longer_than_any_wait_is_no_pause_of_the_speaker() -> None:
    """Then the words are late, and whoever speaks again has lost patience."""
    call = Call(stages=Stages(stt=3.0))
    call.says(1.0, 1.0, "I have a question about my order.")
    call.says(4.4, 0.4, "Hello?")
    call.run(20.0)
    assert pauses(call) == []


def test_silence_over_the_agent_is_no_pause_of_the_speaker() -> None:
    """Two hums over its reply are half a sentence apart because one listens."""
    call = Call(
        stages=Stages(replies=[["This is a sentence of quite some length to be listened to."], ["Good."]], stt=0.7)
    )
    call.says(1.0, 1.0, "What is the news?")
    call.says(4.0, 0.3, "mhm")
    call.says(4.8, 0.3, "mhm")
    call.says(12.0, 1.0, "I ordered it on Monday.")
    call.run(20.0)
    assert pauses(call) == []


def test_a_pause_in_mid_sentence_is_known_as_the_speakers() -> None:
    """Before anything was committed it is theirs."""
    call = Call()
    call.says(1.0, 1.0, "I would like to book a", end_of_turn=0.05)
    call.says(2.8, 1.0, "table for two please.")
    call.run(10.0)
    assert pauses(call) == [0.8]


def test_five_rapid_utterances_300_ms_apart_are_one_turn() -> None:
    """Each carries the ones before; one reply answers all five."""
    call = Call()
    moment = 1.0
    for text in ("Hello.", "It is me again.", "About the order.", "Number five.", "Where is it?"):
        moment = call.says(moment, 0.6, text, end_of_turn=0.3) + 0.3
    call.run(12.0)
    assert call.of(TranscriptFinal)[-1].text == "Hello. It is me again. About the order. Number five. Where is it?"
    assert call.ended() == [(1, "played", "finished")]
    assert not violations(call.log)


def test_audio_beyond_20_s_closes_the_segment_and_its_transcript_stands() -> None:
    """Merged audio stays under max_utterance; the next segment follows in the same turn."""
    call = Call()
    call.says(1.0, 12.0, "a long story " * 4, end_of_turn=0.02)
    call.says(13.7, 10.0, "and its end. " * 3)
    call.run(40.0)
    captured = call.of(UtteranceCaptured)
    assert [e.replaces for e in captured] == [None, None]
    assert [e.turn for e in captured] == [1, 1]
    assert call.ended() == [(1, "played", "finished")]


def test_unbroken_speech_is_cut_at_20_s_and_answered_when_none_follows() -> None:
    """The cut part's STT job has no successor; after the rest the reply is made once."""
    call = Call()
    call.says(1.0, 19.64, "word " * 40)  # with 0.4 s before it, the cut falls where speech ends
    call.run(40.0)
    jobs = stt_jobs(call)
    assert jobs[0].then is None
    assert call.of(UtteranceCaptured)[0].duration == 20.0
    assert len(llm_jobs(call)) == 1
    assert call.ended() == [(1, "played", "finished")]


def test_capturing_raises_the_generation_only_if_a_reply_may_be_in_flight() -> None:
    """Without speculation nothing is in flight before the commit, so nothing is voided."""
    call = Call()
    call.feed(Queues(0, 9, 0))
    call.says(1.0, 1.0, "I would like to book a", end_of_turn=0.05)
    call.says(2.8, 1.0, "table for two please.")
    call.run(10.0)
    assert call.generation == 0


def test_speculation_switches_itself_off_under_load() -> None:
    """Above the threshold the gateway enqueues the LLM job at the commit, and says that it is committed."""
    call = Call()
    call.feed(Queues(0, 9, 0))
    call.says(1.0, 1.0, "Hello there.")
    call.run(8.0)
    assert stt_jobs(call)[0].then is None
    assert [job.committed for job in llm_jobs(call)] == [True]
    commit, sentence = call.of(TurnCommitted)[0], call.of(ReplySentence)[0]
    assert commit.seq < sentence.seq
    assert call.ended() == [(1, "played", "finished")]


@pytest.mark.parametrize(("agent", "queued", "asked"), [
    (AgentSpec(), 0, True),
    (AgentSpec(), 9, False),
    (AgentSpec(stt=SttSpec(complete=False)), 0, False),
])  # fmt: skip
def test_how_complete_the_words_are_is_asked_while_the_pools_have_room(
    agent: AgentSpec, queued: int, asked: bool
) -> None:
    """And where the agent wants to know."""
    call = Call(agent)
    call.feed(Queues(0, queued, 0))
    call.says(1.0, 1.0, "Hello there.")
    call.run(2.5)
    assert [job.complete for job in stt_jobs(call)] == [asked]


def test_who_leaves_and_comes_back_has_other_samples() -> None:
    """What they had said is carried by its stored sound; what comes is cut from their new stream, by its own count."""
    call = Call()
    call.says(1.0, 0.6, "I would like to know and", end_of_turn=0.05)
    call.gives(1.8, Left("alice"))
    call.gives(1.9, Joined("alice"))
    call.says(2.15, 0.6, "what it costs.")
    call.run(8.0)
    first, second = call.of(UtteranceCaptured)
    assert second.replaces == first.utterance
    assert second.audio[:-1] == first.audio
    assert second.audio[-1].key.split(":")[1] == str(round((2.15 - 0.4) * 16_000))


def test_a_tool_call_goes_on_after_the_commit() -> None:
    """A speculative reply stops at a tool; the continuation is enqueued once it has stopped and the turn is committed."""
    call = Call(stages=Stages(tool=True))
    call.says(1.0, 1.0, "Book it.")
    call.run(8.0)
    first, second = llm_jobs(call)
    assert (first.committed, first.resume, second.committed, second.resume) == (False, 0, True, 1)
    assert [e.index for e in call.of(PlaybackStarted)] == [0, 1]
    assert call.ended() == [(1, "played", "finished")]


def test_the_user_may_take_the_turn_back_until_playback_started_is_sent() -> None:
    """Committed, but nothing played yet: further speech reopens the turn, and the last commit counts."""
    call = Call(stages=Stages(llm=1.0))
    call.says(1.0, 1.0, "What is the time?")
    call.says(2.7, 1.0, "In Paris, I mean.")
    call.run(12.0)
    commits = call.of(TurnCommitted)
    assert [e.turn for e in commits] == [1, 1]
    assert call.ended() == [(1, "played", "finished")]
    assert call.played_at() > 3.7
    assert not violations(call.log)


def test_speech_after_playback_started_is_over_the_agent() -> None:
    """It belongs to a turn of its own."""
    call = Call()
    call.says(1.0, 1.0, "What is the time?")
    call.says(3.2, 0.5, "Stop it please.")
    call.run(12.0)
    assert [(e.turn, e.over) for e in call.of(UtteranceCaptured)] == [(1, False), (2, True)]


def test_speech_holds_playback_at_once_and_noise_lets_it_go_on() -> None:
    """A click before the first frame delays it, reopens nothing and leaves no trace in the log."""
    call = Call()
    call.says(1.0, 1.2, "What is the weather like today?")
    call.noise(2.48)
    call.run(8.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.generation == 0
    assert call.played_at() >= 2.48 + 2 * 0.032
    assert len(call.of(SpeechStarted)) == 1


def test_speech_too_short_to_be_a_word_ends_as_noise() -> None:
    """A turn that only a cough opened is dropped without STT."""
    call = Call()
    call.says(1.0, 0.1, "")
    call.run(3.0)
    assert call.ended() == [(1, "dropped", "noise")]
    assert not stt_jobs(call)


@pytest.mark.parametrize(("after", "heard"), [(0.1, "I hate these heights."), (0.24, "I hate these")])
def test_the_last_sound_of_a_word_is_no_noise(after: float, heard: str) -> None:
    """An early soft end lies in the midst of a word now and then: what follows sooner than the usual one would have come is heard
    with the rest, however short it is; what comes later is a click."""
    call = Call()
    call.says(1.0, 1.0, "I hate these")
    call.says(2.0 + after, 0.1, "heights.")
    call.run(8.0)
    assert call.ended() == [(1, "played", "finished")]
    assert call.of(TranscriptFinal)[-1].text == heard
    assert [event.replaces for event in call.of(UtteranceCaptured)] == ([None, "u1"] if after < 0.2 else [None])
    assert not violations(call.log)


def test_an_empty_transcript_drops_the_turn() -> None:
    """Nothing was said: no LLM job, no reply."""
    call = Call()
    call.says(1.0, 0.6, "")
    call.run(4.0)
    assert call.ended() == [(1, "dropped", "empty")]
    assert not llm_jobs(call)


def test_a_transcript_that_takes_long_is_waited_for() -> None:
    """No commit without the words, however long the silence."""
    call = Call(stages=Stages(stt=3.0))
    call.says(1.0, 1.0, "Hello there.")
    call.run(12.0)
    assert call.of(TurnCommitted)[0].seq > call.of(TranscriptFinal)[0].seq
    assert call.ended() == [(1, "played", "finished")]


def test_without_an_end_of_turn_model_plain_silence_commits() -> None:
    """After commit_silence."""
    call = Call()
    call.says(1.0, 1.0, "Hello there.", end_of_turn=None)
    call.run(8.0)
    commit = call.of(TurnCommitted)[0]
    assert (commit.why, round(commit.delay, 2)) == ("silence", 0.7)


def test_commit_and_first_playback_share_a_publication() -> None:
    """When the clip is ready by then, no round trip lies between them."""
    call = Call(stages=Stages(stt=0.02, llm=0.02, tts=0.02))
    call.says(1.0, 1.0, "Hello there.")
    call.run(8.0)
    commit, started = call.of(TurnCommitted)[0], call.of(PlaybackStarted)[0]
    assert (started.seq, started.at) == (commit.seq + 1, commit.at)


def test_a_sentence_is_played_only_after_its_playback_started_is_in_the_log() -> None:
    """The publication is answered before the first frame leaves."""
    call = Call()
    call.bus_delay = 0.05
    call.says(1.0, 1.0, "Hello there.")
    call.run(8.0)
    for (moment, _), event in zip(call.did(Play), call.of(PlaybackStarted), strict=True):
        assert event.at / 1e6 - call.began <= moment + 0.001


def test_a_decision_carries_what_it_was_made_from() -> None:
    """Clock, the seq seen and the inputs of the commit stand in the log."""
    call = Call()
    call.says(1.0, 1.0, "Hello there.", end_of_turn=0.9)
    call.run(8.0)
    commit = call.of(TurnCommitted)[0]
    assert commit.clock is not None
    assert commit.saw >= call.of(TranscriptFinal)[0].seq
    assert commit.inputs is not None
    assert commit.inputs["end_of_turn"] == 0.9
    assert commit.inputs["text"] == "Hello there."


# ── several humans ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_humans_who_overlap_share_one_turn_with_one_reply() -> None:
    """The LLM job is enqueued by the first publication that finds nobody speaking and every transcript there."""
    call = Call(people=("alice", "bob"))
    call.says(1.0, 2.0, "I think we should go.", who="alice")
    call.says(2.0, 2.0, "No, let us stay here.", who="bob")
    call.run(12.0)
    assert all(job.then is None for job in stt_jobs(call))
    assert len(llm_jobs(call)) == 1
    assert call.ended() == [(1, "played", "finished")]
    asked = next(moment for moment, d in call.did(Publish) if any(isinstance(job, LlmJob) for job in d.jobs))
    assert asked > 4.0


def test_the_agent_answers_only_whom_it_is_told_to() -> None:
    """`linked`: the first participant; `addressed`: whoever says its name."""
    for answer, text, how in (
        ("linked", "Pass the salt.", "dropped"),
        ("addressed", "Pass the salt.", "dropped"),
        ("addressed", "Robin, what time is it?", "played"),
    ):
        agent = AgentSpec(name="Robin", turn_taking=TurnTaking(answer=answer))  # type: ignore[arg-type]
        call = Call(agent, people=("alice", "bob"))
        call.says(1.0, 1.0, text, who="bob")
        call.run(10.0)
        assert [(e.how) for e in call.of(TurnEnded)] == [how], (answer, text)


# ── text and buttons ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_typed_message_interrupts_and_is_answered_at_once() -> None:
    """One publication ends the playing turn, opens and commits the next, and asks for its reply."""
    call = Call()
    call.says(1.0, 1.0, "Tell me a story.")
    call.gives(3.2, Typed("alice", "Never mind."))
    call.run(12.0)
    assert call.ended() == [(1, "interrupted", "barge_in"), (2, "played", "finished")]
    assert [(e.turn, e.why) for e in call.of(TurnCommitted)][-1] == (2, "text")
    assert llm_jobs(call)[-1].committed
    assert llm_jobs(call)[-1].generation == 1


def test_while_the_button_is_pressed_nothing_commits_and_release_commits_at_once() -> None:
    """Push-to-talk: pauses of any length, then no wait."""
    call = Call()
    call.gives(0.9, PushToTalk("alice", True))
    call.says(1.0, 1.0, "The number is")
    call.says(5.0, 1.0, "forty two.")
    call.gives(6.05, PushToTalk("alice", False))
    call.run(12.0)
    commits = call.of(TurnCommitted)
    assert [e.why for e in commits] == ["push_to_talk"]
    assert abs(commits[0].happened - call.began - 6.05) < 0.01
    assert call.of(TranscriptFinal)[-1].text == "The number is forty two."
    assert llm_jobs(call)[-1].committed


def test_a_step_is_pure() -> None:
    """The same state, input and moment give the same answer, and leave the state as it was."""
    call = Call()
    call.says(1.0, 1.0, "Hello there.")
    for moment in (0.5, 1.05, 1.5, 2.02, 2.1, 2.3, 2.6):
        call.run(moment)
        before = repr(call.state)
        first, again = (step(call.state, Typed("alice", "Hi."), call.now) for _ in range(2))
        assert repr(first) == repr(again)
        assert repr(call.state) == before


def test_own_words_are_cut_as_replies_are_and_spoken_in_the_agents_language() -> None:
    """The greeting's sentences hold titles together and carry no markdown; their jobs, and those of the fixed phrases, name the
    agent's voice and language."""
    greeting = "Guten Tag bei **Dr. Meyer**. Was kann ich für Sie tun? 您好！"
    call = Call(AgentSpec(language="de", greeting=greeting, voice=VoiceSpec(name="v")))
    call.run(4.0)
    jobs = [job for job in call.jobs if isinstance(job, TtsJob)]

    assert [e.text for e in call.of(ReplySentence)][:2] == ["Guten Tag bei Dr. Meyer.", "Was kann ich für Sie tun?"]
    assert len(jobs) >= 4
    assert {(job.voice, job.language) for job in jobs} == {("v", "de")}


def test_an_answer_to_something_written_says_whether_it_takes_up_a_letter() -> None:
    """What came by the API waits apart until then; who reads the log takes out the same, also of one that does not say."""
    call = Call()
    call.gives(1.0, Typed("alice", "Hello."))
    call.at(12.0, lambda: call.append(MessageReceived(participant="api", text="By the API.")))
    call.run(25.0)
    assert [(event.why, event.inputs) for event in call.of(TurnCommitted)] == [
        ("text", {"letter": False}),
        ("text", {"letter": True}),
    ]
    older = [
        event.model_copy(update={"inputs": None}) if event.type == "turn.committed" else event for event in call.log
    ]
    for log in (call.log, older):
        assert not fold("s1", log, call.now).letters
    assert call.ended() == [(1, "played", "finished"), (2, "played", "finished")]


def test_a_note_is_told_apart_from_what_somebody_wrote() -> None:
    """In the log, in the session's state, and in what is kept for replay."""
    call = Call()
    call.gives(1.0, Typed("alice", "(transfer could not be done: away)"))
    call.gives(9.0, Typed("alice", "(transfer could not be done: away)", note=True))
    call.run(18.0)
    assert [event.note for event in call.of(MessageReceived)] == [False, True]
    turns = fold_all(call.log).turns.values()
    assert [(turn.text, turn.words) for turn in turns] == [
        ("(transfer could not be done: away)", "(transfer could not be done: away)"),
        ("(transfer could not be done: away)", ""),
    ]
    for note, entry in ((False, ["typed", 2.0, "alice", "Hi."]), (True, ["typed", 2.0, "alice", "Hi.", True])):
        assert read_entry(entry, {}) == (2.0, Typed("alice", "Hi.", note))
