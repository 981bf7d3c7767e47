"""The fold: what a log amounts to."""

import hashlib
import json
from dataclasses import FrozenInstanceError
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import Micros
from schemas.config.agent import AgentSpec, Limits
from schemas.errors import EventError
from schemas.events import (
    ClipReady,
    Event,
    InstructionsChanged,
    ParticipantJoined,
    PlaybackStarted,
    ReplySentence,
    SayRequested,
    SessionStarted,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TranscriptPartial,
)
from schemas.session.chat import messages, said
from schemas.session.fold import FOLD_VERSION, SessionState, fold, fold_all
from schemas.session.snapshot import _STATE, dump, load, view
from tests.golden import scenarios
from tests.golden.scenarios import SOUND, Log
from tests.schemas.strategies import events


def before(log: list[Event], kind: str, turn: int) -> SessionState:
    """The state just before the first event of this type in this turn."""
    place = next(i for i, event in enumerate(log) if event.type == kind and event.turn == turn)
    return fold_all(log[:place])


def chat(state: SessionState, turn: int) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages(state, turn)]


# ── the chat ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_turn_that_is_answered_ends_the_chat() -> None:
    """System first, the user's words last, nothing of the reply that is being made."""
    state = before(scenarios.plain(), "turn.ended", 1)
    assert chat(state, 1) == [("system", "Be brief."), ("user", "What's your name?")]


def test_an_interrupted_reply_stands_in_the_chat_as_far_as_it_was_heard() -> None:
    """The agent knows what the user heard, to the word, and of the rest nothing."""
    state = before(scenarios.barge_in(), "reply.sentence", 2)
    assert chat(state, 2)[1:] == [
        ("user", "Tell me a story."),
        ("assistant", "Once upon a time"),
        ("user", "No, wait, a true one."),
    ]


def test_a_backchannel_is_not_in_the_chat() -> None:
    """ "Mhm" over the agent leaves no message."""
    assert chat(fold_all(scenarios.backchannel()), 9)[1:] == [
        ("user", "Explain it."),
        ("assistant", "It is rather simple, really."),
    ]


def test_a_replaced_utterance_says_nothing_twice() -> None:
    """The utterance that carries an earlier one's audio stands for both, even if the earlier transcript comes late."""
    log = scenarios.reopened()
    state = fold_all(log)
    assert state.turns[1].text == "I'd like to book a table."
    late = TranscriptFinal(seq=99, turn=1, utterance="u1", participant="caller", text="I'd like to")
    assert fold(state, late).turns == state.turns


def test_what_the_agent_says_of_its_own_accord_is_in_the_chat() -> None:
    """Greeting, requested words and fallback stand on the agent's side, once they were heard."""
    assert chat(fold_all(scenarios.greeting()), 9)[1:] == [
        ("assistant", "Hello there."),
        ("user", "Thanks."),
        ("assistant", "You're welcome.\nWe close in five minutes. Please hurry."),
    ]
    assert chat(fold_all(scenarios.fallback()), 9)[1:] == [
        ("user", "Are you there?"),
        ("assistant", AgentSpec().fallback),
    ]


def test_of_two_people_each_line_says_whose_it_is() -> None:
    """Names stand before what was said as soon as there are two; what was meant for somebody else is known too."""
    assert chat(fold_all(scenarios.two_humans()), 9)[1:] == [
        ("user", "Caller: Shall we eat?\nBob: Yes, ask for pizza."),
        ("assistant", "Pizza it is."),
        ("user", "Bob: Did you lock the door?"),
    ]


def test_a_continued_reply_sees_its_tools() -> None:
    """The call with the words before it, the result, and then only what was said since."""
    log = scenarios.tools()
    returned = next(i for i, event in enumerate(log) if event.type == "tool.returned")
    state = fold_all(log[: returned + 1])
    call, result = messages(state, 1, 0)[-2:]
    assert call["content"] == "Let me look."
    assert call["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "sunny, 21 °C"}
    assert said(state, 1, 0) == []
    after = fold(state, log[returned + 1])
    assert [sentence.text for sentence in said(after, 1, 0)] == ["It's sunny in Rome."]
    assert chat(after, 1)[-1][0] == "tool"


def test_a_tool_that_has_not_answered_is_shown_as_working() -> None:
    """A call without its result would be refused by every endpoint; without the call it would be made again."""
    state = before(scenarios.tools(), "tool.returned", 1)
    role, content = chat(state, 1)[-1]
    assert role == "tool"
    assert "is not to be called again" in content
    assert not state.turns[1].reply.tools[0].returned


def test_changed_instructions_hold_from_then_on() -> None:
    """The system message is the last one given; none at all is none."""
    state = fold_all(scenarios.tools())
    assert chat(state, 9)[0] == ("system", "Be very brief.")
    assert all(role != "system" for role, _ in chat(fold(state, InstructionsChanged(instructions="")), 9))


def test_a_message_from_outside_is_answered_by_the_turn_that_takes_it_up() -> None:
    """A message posted to the log names no turn; the next turn committed for text is its."""
    log = scenarios.tools()
    assert [letter.text for letter in fold_all(log[:3]).letters] == ["What's the weather?"]
    state = fold_all(log[:4])
    assert state.letters == ()
    assert state.turns[1].text == "What's the weather?"


# ── floor, turns, replies ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_floor_passes() -> None:
    """Nobody's, the user's from the first sound, the agent's from the commit, nobody's again at the end."""
    log = scenarios.plain()
    floors = []
    state = SessionState()
    for event in log:
        state = fold(state, event)
        if not floors or floors[-1] != state.floor:
            floors.append(state.floor)
    assert floors == ["none", "user", "agent", "none"]


def test_a_turn_taken_back_is_the_users_again() -> None:
    """A capture, not the speech, reopens a committed turn; its reply is void."""
    log = scenarios.reopened()
    second = next(i for i, event in enumerate(log) if event.type == "utterance.captured" and event.replaces)
    held = fold_all(log[:second])
    assert held.floor == "agent"
    assert held.turns[1].reply is not None
    reopened = fold_all(log[: second + 1])
    assert reopened.floor == "user"
    assert reopened.turns[1].reply is None
    assert reopened.generation == 1


def test_a_zombie_of_a_voided_generation_changes_nothing() -> None:
    """Sentences and clips of a generation that fell are not folded, even if they came to stand in the log."""
    log = scenarios.reopened()
    second = next(i for i, event in enumerate(log) if event.type == "utterance.captured" and event.replaces)
    state = fold_all(log[: second + 1])
    zombie = ReplySentence(seq=state.seq + 1, turn=1, generation=0, index=0, text="Yes?")
    assert fold(state, zombie).turns == state.turns


def test_a_resumed_job_finds_what_it_has_committed() -> None:
    """Each sentence knows the job that said it."""
    state = before(scenarios.plain(), "turn.ended", 1)
    assert [sentence.text for sentence in state.turns[1].reply.said_by("llm/1.0")] == ["I'm Ada.", "And you?"]
    assert state.turns[1].reply.said_by("llm/1.1") == []


def test_sound_is_kept_for_open_turns_only() -> None:
    """Whoever takes an open turn over finds its audio and clips; an ended one is only text and moments."""
    log = scenarios.take_over()
    held = before(log, "session.resumed", None)
    reply = held.turns[1].reply
    assert [clip.audio.rate for clip in reply.sentences[1].clips] == [22_050]
    assert held.turns[1].utterances[0].audio
    assert reply.sentences[0].started_at is not None
    ended = fold_all(log)
    assert ended.turns[1].reply.sentences[1].clips == ()
    assert ended.turns[1].utterances[0].audio == ()
    assert (ended.gateway, ended.epoch) == ("gw2", 2)


def test_a_request_to_speak_waits_and_waits_again_when_dropped_unheard() -> None:
    """What was to be said is waiting until its turn speaks it, and again if the user was faster."""
    log = scenarios.greeting()
    waiting = []
    state = SessionState()
    for event in log:
        state = fold(state, event)
        if not waiting or waiting[-1] != len(state.says):
            waiting.append(len(state.says))
    assert waiting == [0, 1, 0, 1, 0]
    assert state.turns[4].say.request == "r1"


def test_of_two_requests_the_one_whose_words_are_said_is_done() -> None:
    """An urgent request that is spoken first does not use up the other."""
    log = Log()
    log.add(10, SayRequested, text="One. Two.", request="a")
    log.add(11, SayRequested, text="Fire!", interrupt=True, request="b")
    log.commit(12, 1, "say", 0.0)
    log.add(12, ReplySentence, turn=1, generation=0, index=0, text="Fire!")
    state = fold_all(log.events)
    assert [say.request for say in state.says] == ["a"]
    assert state.turns[1].say.request == "b"


def test_a_fixed_phrase_gives_its_sound_to_the_turn_that_speaks_it() -> None:
    """The fallback's clips, made at the session's start, are those of the fallback's turn, early or late."""
    log = scenarios.fallback()
    assert before(log, "playback.started", 2).turns[2].reply.sentences[0].clips
    clip = next(event for event in log if isinstance(event, ClipReady))
    late = [event for event in log if event is not clip]
    place = next(i for i, event in enumerate(late) if isinstance(event, PlaybackStarted))
    state = fold_all(late[:place])
    assert state.turns[2].reply.sentences[0].clips == ()
    assert fold(state, clip).turns[2].reply.sentences[0].clips


def test_trouble_marks_what_it_befell() -> None:
    """A failed sentence and an expired utterance say so; trouble that will be retried marks nothing."""
    state = before(scenarios.plain(), "clip.ready", 1)
    failed = StageFailed(turn=1, generation=0, stage="tts", code="x", message="m", index=0)
    assert fold(state, failed).turns[1].reply.sentences[0].lost == "failed"
    again = failed.model_copy(update={"will_retry": True})
    assert fold(state, again).turns[1].reply.sentences[0].lost is None
    heard = before(scenarios.plain(), "transcript.final", 1)
    expired = StageExpired(turn=1, stage="stt", utterance="u1")
    assert fold(heard, expired).turns[1].utterances[0].lost == "expired"


def test_a_partial_of_a_captured_utterance_is_out_of_date() -> None:
    """Partials show what is being said, until it is captured."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0)
    partial = TranscriptPartial(turn=1, utterance="u1", participant="caller", text="Tell")
    captured = len(log.events)
    assert dict(fold(fold_all(log.events[: captured - 2]), partial).turns[1].partials) == {"caller": "Tell"}
    assert fold(fold_all(log.events), partial).turns[1].partials == {}


def test_totals_add_up() -> None:
    """Usage counts everything that was paid for, voided replies too."""
    totals = fold_all(scenarios.reopened()).totals
    assert (totals.turns, totals.transcripts, totals.replies) == (1, 2, 2)
    assert (totals.prompt_tokens, totals.completion_tokens) == (100, 24)
    assert totals.speech == pytest.approx(2.3)
    assert totals.sound == pytest.approx(0.9)


# ── for ever ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def long_session(turns: int, history: int = 6) -> list[Event]:
    log = Log(AgentSpec(instructions="Be brief.", limits=Limits(history_turns=history)))
    for turn in range(1, turns + 1):
        start = turn * 5000
        captured = log.speak(start, turn, f"u{turn}", 1.0, generation=0)
        log.transcribe(captured + 100, turn, f"u{turn}", f"Question {turn}?")
        log.reply(captured + 230, turn, 0, [f"Answer {turn}."])
        log.clip(captured + 300, turn, 0, 0, f"Answer {turn}.", 0.8)
        log.commit(captured + 310, turn)
        done = log.play(captured + 320, turn, 0, 0, 0.8)
        log.end(done, turn, "played", "finished", f"Answer {turn}.", generation=0)
    return log.events


def test_a_state_does_not_grow_with_the_session() -> None:
    """After two hundred turns a snapshot and the chat are no larger than after twenty."""
    log = long_session(200)
    twenty = fold_all(event for event in log if (event.turn or 0) <= 20)
    state = fold_all(log)
    assert len(dump(state)) < len(dump(twenty)) * 1.1
    assert list(state.turns) == [195, 196, 197, 198, 199, 200]
    assert len(messages(state, 201)) == len(messages(twenty, 21)) == 13
    assert state.totals.turns == 200


def test_the_chat_is_bounded_in_characters() -> None:
    """Of the past the LLM is told the latest whole turns that fit `limits.history_characters`; the question is always asked."""
    limits = Limits(history_turns=40, history_characters=200)
    log = long_session(30, history=40)
    log[0] = log[0].model_copy(update={"agent": AgentSpec(instructions="Be brief.", limits=limits)})
    chat = messages(fold_all(log), 31)
    assert sum(len(message["content"]) for message in chat[1:]) <= 200
    assert [message["content"] for message in chat[-2:]] == ["Question 30?", "Answer 30."]
    assert [message["role"] for message in chat[:3]] == ["system", "user", "assistant"]
    assert messages(fold_all(log), 30)[-1]["content"] == "Question 30?"


def test_what_comes_late_for_a_forgotten_turn_opens_none() -> None:
    """A straggler of a turn long past does not make it the users' turn again."""
    state = fold_all(long_session(20))
    straggler = ReplySentence(seq=state.seq + 1, turn=2, generation=0, index=1, text="And …")
    assert fold(state, straggler).turns == state.turns
    assert fold(state, straggler).floor == "none"


def test_noise_does_not_push_words_out_of_the_chat() -> None:
    """Dropped turns don't count against the history the agent remembers."""
    log = Log(AgentSpec(limits=Limits(history_turns=2)))
    log.events = long_session(2, history=2)
    for turn in range(3, 30):
        log.end(20_000 + turn, turn, "dropped", "noise") if turn % 2 else log.speak(20_000, turn, f"u{turn}", 0.3)
        log.end(30_000 + turn, turn, "dropped", "empty") if not turn % 2 else None
    state = fold_all(log.events)
    assert len(messages(state, 99)) == 5
    assert len(state.turns) == 4


@settings(max_examples=60, deadline=None)
@given(scenario=st.sampled_from(SOUND), data=st.data())
def test_a_snapshot_anywhere_changes_nothing(scenario, data: st.DataObject) -> None:
    """Folding on from a snapshot, at any cut, gives the same state as folding all."""
    log = scenario()
    cut = data.draw(st.integers(0, len(log)))
    assert fold_all(log[cut:], load(dump(fold_all(log[:cut])))) == fold_all(log)


TURNS = st.none() | st.integers(1, 3)
SHUFFLED = st.builds(
    lambda event, turn, generation: event.model_copy(update={"turn": turn, "generation": generation}),
    st.sampled_from([event for scenario in SOUND for event in scenario()]),
    TURNS,
    st.none() | st.integers(0, 2),
)


@settings(max_examples=200, deadline=None)
@given(log=st.lists(SHUFFLED, max_size=25), strange=events(), cut=st.integers(0, 25))
def test_any_events_at_all_can_be_folded(log: list[Event], strange: Event, cut: int) -> None:
    """Whatever stands in a log, in whatever order, the fold goes on, is the same at once and one by one, leaves the state it
    began with as it was, and survives its snapshot."""
    log.insert(cut % (len(log) + 1), strange)
    whole = fold_all(log)
    begun = fold_all(log[:cut])
    kept = dump(begun)
    assert fold_all(log[cut:], begun) == reduce(fold, log[cut:], begun) == whole
    assert dump(begun) == kept
    assert fold_all(log[cut:], load(kept)) == whole
    json.dumps(view(whole))
    for turn in whole.turns:
        messages(whole, turn)


def test_the_fold_is_pure() -> None:
    """Folding on leaves the state before as it was."""
    log = scenarios.barge_in()
    states = [SessionState()]
    for event in log:
        states.append(fold(states[-1], event))
    dumps = [dump(state) for state in states]
    fold_all(log)
    assert [dump(state) for state in states] == dumps


def test_a_state_that_is_handed_out_is_frozen() -> None:
    """Nobody can change what others read, also not what was changed in place while it was made."""
    state = fold_all(scenarios.plain())
    assert type(state) is SessionState
    with pytest.raises(FrozenInstanceError):
        state.seq = 1  # type: ignore[misc]


@pytest.mark.parametrize("snapshot", [b"", b"\xc1", b"\x01", dump(SessionState())[:-2], b"\x81\xa3seq\xa1x"])
def test_a_broken_snapshot_says_so(snapshot: bytes) -> None:
    """Bytes that are no snapshot are an EventError: whoever reads them folds the log instead."""
    with pytest.raises(EventError, match="snapshot"):
        load(snapshot)


def test_who_changes_the_state_raises_its_version() -> None:
    """Snapshots of another shape must not be read: this hash belongs to FOLD_VERSION, change both together."""
    schema = _STATE.json_schema()
    schema["$defs"] = {name: shape for name, shape in schema["$defs"].items() if name not in AGENT_PARTS}
    for part in (schema, *schema["$defs"].values()):
        part.pop("description", None)
    shape = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:12]
    assert (FOLD_VERSION, shape) == (12, "456445f2d194")


AGENT_PARTS = {
    "AgentSpec", "VoiceSpec", "TurnTaking", "Idle", "SoundsSpec", "SttSpec", "LlmSpec", "ProviderSpec", "Phone", "LiveKit",
    "Limits", "Tools", "McpSpec", "HttpSpec", "FieldSpec", "MemorySpec", "ResultSpec", "VariantSpec", "Hooks",
    "Handover", "StepSpec", "KnowledgeSpec",
}  # fmt: skip
"""They may change without it: a snapshot holds its agent whole."""


def test_an_urgent_request_hands_an_unanswered_turn_back() -> None:
    """A commit that raises the generation voids the reply nobody has heard: that turn is the users' again."""
    log = Log()
    captured = log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(captured + 100, 1, "u1", "Hello?")
    log.reply(captured + 230, 1, 0, ["Hi."])
    log.commit(captured + 300, 1)
    log.commit(captured + 310, 2, "say", 0.0, raises=1)
    state = fold_all(log.events)
    assert state.turns[1].commit is None
    assert state.turns[1].reply is None
    assert state.turns[2].commit is not None


def test_a_commit_that_takes_up_more_drops_the_reply_to_less() -> None:
    """A message that comes while a reply is ready is answered together with what was said: that reply is void at once."""
    log = Log()
    captured = log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(captured + 100, 1, "u1", "Hello?")
    log.reply(captured + 230, 1, 0, ["Hi."])
    log.commit(captured + 300, 1, "text", 0.0, raises=1)
    turn = fold_all(log.events).turns[1]
    assert turn.commit is not None
    assert turn.reply is None


def test_instructions_tell_values_of_the_call() -> None:
    """By the log alone: whom the session is for, when it began, its metadata as far as the agent allows it."""
    agent = AgentSpec(
        instructions="For {{caller.name}} ({{caller.number}}), {{now}}, {{metadata.order}}, {{metadata.secret}}, {{session.id}}.",
        prompt_metadata=["order"], timezone="Asia/Tokyo",
    )  # fmt: skip
    started = SessionStarted(
        seq=1, at=Micros(1_790_000_000_000_000), room="r", transport="sip", agent=agent, gateway="g",
        metadata={"order": 4711, "secret": "x"},
    )  # fmt: skip
    joined = ParticipantJoined(
        seq=2, at=Micros(1_790_000_001_000_000), participant="+81", kind="sip", name="Aiko",
        attributes={"sip.phoneNumber": "+81 3"},
    )  # fmt: skip
    [system] = messages(fold_all([started, joined]), 1, session="sip-1")
    assert system["content"] == (
        "For Aiko (+81 3), Monday, 21 September 2026, 23:13 (Asia/Tokyo), 4711, unknown, sip-1."
    )
