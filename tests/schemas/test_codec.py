"""Events and jobs as bytes, and bytes of other versions."""

import json
from typing import get_args

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import (
    EVENT_TYPES,
    decode_event,
    decode_job,
    encode_event,
    encode_job,
    event_from_json,
    event_to_json,
    prepare,
)
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.errors import EventError, FutureEvent
from schemas.events import Event, PlaybackStarted, SessionEnded, SessionStarted, ToolCalled, TranscriptFinal
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.upcast import UPCASTERS, Body, upcast
from tests.schemas.strategies import events, jobs


def test_who_must_answer_in_time_has_all_validators_before() -> None:
    """None is left to be made with the first event or job of its kind."""
    prepare()
    assert all(cls.__pydantic_complete__ for cls in (*EVENT_TYPES.values(), SttJob, LlmJob, TtsJob))


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_as_it_went(kind: str, data: st.DataObject) -> None:
    """Every class of the union comes back from its bytes equal to what was written."""
    event = data.draw(events(kind))
    assert decode_event(event.type, encode_event(event), event.seq, event.at) == event
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


@settings(max_examples=100, deadline=None)
@given(job=jobs())
def test_every_job_comes_back_as_it_went(job: Job) -> None:
    """Every job, with the one that follows it, comes back equal."""
    assert decode_job(encode_job(job)) == job


def test_the_union_is_known_whole() -> None:
    """No class of the union is missing from the codec."""
    assert set(EVENT_TYPES.values()) == set(get_args(get_args(Event)[0]))


def test_the_log_gives_a_job_its_answers() -> None:
    """The seq a job answers is the log's to give."""
    job = LlmJob(id="llm/1", session="s", turn=1, generation=0)
    assert decode_job(encode_job(job), answers=17) == job.model_copy(update={"answers": 17})


def test_a_body_holds_no_defaults_but_the_whole_agent() -> None:
    """A small event is small, and a session keeps its agent's defaults when a later release tunes them."""
    assert len(encode_event(PlaybackStarted(turn=1, index=0))) < 20
    started = SessionStarted(room="r", transport="file", agent=AgentSpec(), gateway="g")
    body = msgpack.unpackb(encode_event(started))
    assert body["agent"] == AgentSpec().model_dump()


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("transcript.final", b"\xc1", "event 7 (transcript.final) can't be read: its 1 bytes are no msgpack of ours"),
        ("transcript.final", b"", "its 0 bytes are no msgpack of ours"),
        ("transcript.final", encode_event(SessionEnded(reason="hang_up"))[:-3], "no msgpack of ours"),
        ("transcript.final", msgpack.packb([1, 2]), "a msgpack map was expected, found list"),
        ("transcript.final", msgpack.packb({b"a": 2}), "a msgpack map was expected"),
        ("transcript.final", msgpack.packb({"utterance": "u1", "text": "hi"}), "participant: Field required"),
        ("session.ended", msgpack.packb({"reason": "x", "colour": "red"}), "colour: Extra inputs are not permitted"),
        ("session.ended", msgpack.packb({"reason": "x", "v": "two"}), "its version is 'two'"),
    ],
)
def test_broken_bytes_are_one_clear_sentence(kind: str, body: bytes, says: str) -> None:
    """Bytes that are no event of ours say which event, and what was expected."""
    with pytest.raises(EventError) as caught:
        decode_event(kind, body, 7, 0)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=40), kind=st.sampled_from(sorted(EVENT_TYPES)))
def test_no_bytes_raise_anything_else(body: bytes, kind: str) -> None:
    """Whatever the bytes, reading them answers an event or an EventError."""
    try:
        decode_event(kind, body, 1, 0)
    except EventError:
        pass
    try:
        decode_job(body)
    except EventError:
        pass


@pytest.mark.parametrize(
    ("kind", "body"),
    [("dream.dreamt", {}), ("session.ended", {"reason": "x", "v": 9})],
)
def test_an_event_of_the_future_asks_for_an_update(kind: str, body: Body) -> None:
    """An unknown type or a newer version is told from a broken event, and says what to do."""
    with pytest.raises(FutureEvent, match="update this"):
        decode_event(kind, msgpack.packb(body), 3, 0)


def test_a_broken_job_names_itself() -> None:
    """A job whose stage is none of ours, or that lacks a field, is named."""
    with pytest.raises(EventError, match="job stt/1: its stage is 'sing'"):
        decode_job(msgpack.packb({"id": "stt/1", "stage": "sing"}))
    with pytest.raises(EventError, match="job stt/1 can't be read: utterance: Field required"):
        decode_job(msgpack.packb({"id": "stt/1", "stage": "stt", "session": "s", "participant": "p", "audio": []}))


def test_what_msgpack_cannot_hold_is_refused_when_written() -> None:
    """A value that is no number, text, list or dict never reaches the log."""
    with pytest.raises(EventError, match=r"event session\.ended can't be written"):
        encode_event(SessionEnded(reason="x", inputs={"seen": {1, 2}}))


def test_older_bodies_become_current_step_by_step() -> None:
    """A body of version 1 passes every step to the present version, in order."""
    registry = {
        "transcript.final": {
            1: lambda body: {**{k: v for k, v in body.items() if k != "said"}, "text": body["said"]},
            2: lambda body: {**body, "participant": body.get("participant", "someone")},
        }
    }
    body = upcast("transcript.final", {"utterance": "u1", "said": "hello"}, 3, registry)
    assert body == {"utterance": "u1", "text": "hello", "participant": "someone", "v": 3}
    assert TranscriptFinal.model_validate(body).text == "hello"


def test_a_missing_step_is_an_error_not_a_guess() -> None:
    """A version without a function to the next is refused."""
    with pytest.raises(EventError, match="no way from version 2 to 3"):
        upcast("x", {"v": 1}, 3, {"x": {1: lambda body: body}})


def test_a_session_from_before_turns_could_be_taken_back_is_one_in_which_none_could() -> None:
    """Its agent's settings are all there but that one, whose default says otherwise: its decisions are taken as they were."""
    agent = AgentSpec(turn_taking=TurnTaking(commit_max=1.6)).model_dump()
    del agent["turn_taking"]["regret"]
    fields = {"room": "r", "transport": "memory", "agent": agent, "gateway": "g"}
    old = decode_event("session.started", msgpack.packb(fields), 1, 0)
    assert isinstance(old, SessionStarted)
    assert (old.agent.turn_taking.regret, old.agent.turn_taking.commit_max) == (0.0, 1.6)
    new = decode_event("session.started", encode_event(old.model_copy(update={"agent": AgentSpec()})), 1, 0)
    assert isinstance(new, SessionStarted)
    assert new.agent == AgentSpec()


def test_every_version_in_the_past_of_a_class_has_its_upcaster() -> None:
    """A class at version n has the n - 1 functions that lead to it."""
    for kind, cls in EVENT_TYPES.items():
        assert set(UPCASTERS.get(kind, {})) == set(range(1, cls.model_fields["v"].default)), kind


def test_a_job_keeps_its_successor() -> None:
    """The LLM job that follows a transcript travels inside the STT job."""
    job = SttJob(
        id="stt/u1",
        session="s",
        utterance="u1",
        participant="p",
        audio=[],
        then=LlmJob(id="llm/1", session="s", turn=1, generation=0),
    )
    assert decode_job(encode_job(job)) == job


def test_an_older_gateway_asks_nobody_how_complete_words_are() -> None:
    """Its job does not say so; and it could not read the answer: its events forbid fields that it does not know."""
    stored = {
        "id": "stt/u1",
        "session": "s",
        "turn": 1,
        "utterance": "u1",
        "participant": "p",
        "audio": [],
        "stage": "stt",
    }
    older = decode_job(msgpack.packb(stored))
    assert isinstance(older, SttJob)
    assert (older.end_of_turn, older.complete) == (True, False)
    assert decode_job(encode_job(older.model_copy(update={"complete": True}))) != older


def test_an_llm_job_is_of_a_turn() -> None:
    """One that older releases stored is read as it was; one without turn or generation is refused, which no release wrote."""
    stored = {"id": "llm/4.2", "session": "s", "turn": 4, "generation": 2, "deadline": 20.0, "stage": "llm"}
    assert decode_job(msgpack.packb(stored)) == LlmJob(id="llm/4.2", session="s", turn=4, generation=2, deadline=20.0)
    for missing in ("turn", "generation"):
        with pytest.raises(EventError, match=f"job llm/4.2 can't be read: {missing}"):
            decode_job(msgpack.packb({name: value for name, value in stored.items() if name != missing}))


def test_what_utf8_cannot_hold_is_mended() -> None:
    """Half a character, wherever it stands in an event or a job, becomes U+FFFD; a number beyond 64 bits becomes text."""
    event = ToolCalled(
        turn=1, generation=0, call="c\ud83d", name="f", arguments={"a\ude00": ["b\ud83d", {"n": 1 << 70}]}
    )
    back = decode_event(event.type, encode_event(event), 1, 1)
    assert isinstance(back, ToolCalled)
    assert (back.call, back.arguments) == ("c\ufffd", {"a\ufffd": ["b\ufffd", {"n": str(1 << 70)}]})
    job = TtsJob(id="tts/1", session="s", index=0, text="Good \ud83d\ude00 \ud83d", voice="v")
    assert decode_job(encode_job(job)).text == "Good 😀 \ufffd"  # type: ignore[union-attr]
