"""Facts as LiveKit's conventions tell them: what is sent, in which order, and what is left unsaid."""

import json
from datetime import UTC, datetime
from typing import Any

from gateway.rooms.livekit.conventions import CloseText, Old, OpenText, Scene, SendData, SendText, WriteText
from gateway.rooms.livekit.conventions.agent_state import AgentState
from gateway.rooms.livekit.conventions.old_transcription import OldTranscription
from gateway.rooms.livekit.conventions.transcription import Transcription
from gateway.rooms.livekit.conventions.transcripts import Transcripts
from gateway.rooms.livekit.conventions.word_timings import WordTimings
from gateway.rooms.livekit.facts import (
    ClipWords,
    Figures,
    Hushed,
    ReplyBegan,
    ReplyEnded,
    StateChanged,
    Trouble,
    TurnOver,
    UserText,
    WordsSounded,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCENE = Scene("agent", "TR_agent", {"ann": "TR_ann"})
INTERIM = UserText("ann", "s1", "Good", False, NOON)
FINAL = UserText("ann", "s1", "Good day.", True, NOON)


def test_people_speak_in_their_own_name() -> None:
    """Each interim and the final are streams of the speaker, under one segment, with the track they were heard by."""
    convention = Transcription()
    interim, final = (convention.tell(fact, SCENE)[0] for fact in (INTERIM, FINAL))
    header = {"lk.segment_id": "s1", "lk.transcribed_track_id": "TR_ann"}
    assert interim == SendText("lk.transcription", "Good", {**header, "lk.transcription_final": "false"}, "ann")
    assert final == SendText("lk.transcription", "Good day.", {**header, "lk.transcription_final": "true"}, "ann")


def test_the_agents_stream_opens_with_its_first_word() -> None:
    """A reply that is cut before its first word shows nothing; one that sounded is a stream of deltas, closed as final."""
    convention = Transcription()
    assert convention.tell(ReplyBegan("a1"), SCENE) == []
    assert convention.tell(ReplyEnded("a1", "", "interrupted", NOON), SCENE) == []
    opened = convention.tell(WordsSounded("a2", "One", "One"), SCENE)
    assert isinstance(opened[0], OpenText)
    assert opened[1] == WriteText("a2", "One")
    assert convention.tell(WordsSounded("a2", " two", "One two"), SCENE) == [WriteText("a2", " two")]
    closed = convention.tell(ReplyEnded("a2", "One two", "interrupted", NOON), SCENE)
    assert closed == [CloseText("a2", {"lk.transcription_final": "true"})]


def test_old_packets_only_for_old_clients() -> None:
    """Without a client that needs them they are not sent; with one they carry all of the text so far."""
    convention = OldTranscription()
    assert convention.tell(FINAL, SCENE) == []
    old = Scene("agent", "TR_agent", {"ann": "TR_ann"}, old_clients=True)
    assert convention.tell(FINAL, old) == [Old("ann", "TR_ann", "s1", "Good day.", True)]
    assert convention.tell(WordsSounded("a1", " two", "One two"), old) == [
        Old("agent", "TR_agent", "a1", "One two", False)
    ]


def test_one_line_for_each_finished_utterance() -> None:
    """Interims and replies nobody heard make no line; a very long one is cut."""
    convention = Transcripts()
    assert convention.tell(INTERIM, SCENE) == []
    assert convention.tell(ReplyEnded("a1", "", "interrupted", NOON), SCENE) == []
    sent = convention.tell(FINAL, SCENE)[0]
    assert isinstance(sent, SendData)
    assert (sent.topic, json.loads(sent.payload)) == (
        "transcripts",
        {
            "type": "transcript",
            "speaker": "user",
            "text": "Good day.",
            "timestamp": "2026-01-01T12:00:00.000+00:00",
            "participant": "ann",
            "segment_id": "s1",
        },
    )
    long = convention.tell(ReplyEnded("a1", "x" * 50_000, "played", NOON), SCENE)[0]
    assert isinstance(long, SendData)
    assert len(long.payload) < 15 * 1024


def test_word_timings_and_the_cut() -> None:
    """Clips go out on a topic of their own; a cut reply says so there, a finished one does not."""
    convention = WordTimings()
    sent = convention.tell(ClipWords(3, "a1", "Good day.", 0.1, (("Good", 0.0, 0.2), ("day", 0.2, 0.5))), SCENE)[0]
    assert isinstance(sent, SendData)
    assert sent.topic == "antiphon.words"
    told = json.loads(sent.payload)
    assert (told["clip"], told["ahead"], told["words"][1]) == (3, 0.1, ["day", 0.2, 0.5])
    assert "visemes" not in told
    shown = convention.tell(ClipWords(4, "a1", "Bee.", 0.1, (("Bee.", 0.0, 0.3),), (("PP", 0.1), ("I", 0.3))), SCENE)[0]
    assert isinstance(shown, SendData)
    assert json.loads(shown.payload)["visemes"] == [["PP", 0.1], ["I", 0.3]]
    assert convention.tell(ReplyEnded("a1", "Good day.", "played", NOON), SCENE) == []
    cut = convention.tell(ReplyEnded("a1", "Good", "interrupted", NOON), SCENE)[0]
    assert isinstance(cut, SendData)
    assert json.loads(cut.payload) == {"type": "cut", "segment_id": "a1", "how": "interrupted"}


def test_how_a_turn_ended_and_trouble_are_told_beside_the_words() -> None:
    """In the words of the WebSocket's messages; what is told of trouble fits into a packet, however long it is."""
    convention = WordTimings()

    def told(fact: ReplyEnded | TurnOver | Trouble) -> Any:
        (sent,) = convention.tell(fact, SCENE)
        assert isinstance(sent, SendData)
        assert sent.topic == "antiphon.words"
        assert len(sent.payload) < 15 * 1024
        return json.loads(sent.payload)

    assert told(ReplyEnded("a1", "Good", "failed", NOON)) == {"type": "cut", "segment_id": "a1", "how": "failed"}
    assert told(TurnOver("a2", "expired")) == {"type": "turn", "segment_id": "a2", "how": "expired"}
    sentence = "The answer could not be found."
    error = {"type": "error", "code": "llm_timeout", "message": sentence, "fatal": False}
    assert told(Trouble("llm_timeout", sentence, False)) == error
    long = told(Trouble("x" * 9000, "ü" * 90_000, False))
    assert (len(long["code"]), len(long["message"])) == (80, 1000)


def test_who_highlights_words_knows_when_the_agent_falls_silent_and_how_long_it_took() -> None:
    """A hush is told at once, and the figures of a turn with those names that are known."""
    convention = WordTimings()
    (hush,) = convention.tell(Hushed("a1"), SCENE)
    assert isinstance(hush, SendData)
    assert json.loads(hush.payload) == {"type": "hush", "segment_id": "a1"}
    (figures,) = convention.tell(Figures("a1", {"stt": 0.09, "first_sound": 0.52}), SCENE)
    assert isinstance(figures, SendData)
    assert json.loads(figures.payload) == {"type": "figures", "segment_id": "a1", "stt": 0.09, "first_sound": 0.52}


def test_state_is_an_attribute() -> None:
    """`lk.agent.state`, and nothing else."""
    (sent,) = AgentState().tell(StateChanged("thinking"), SCENE)
    assert sent.attributes == {"lk.agent.state": "thinking"}  # type: ignore[union-attr]
    assert AgentState().tell(FINAL, SCENE) == []
