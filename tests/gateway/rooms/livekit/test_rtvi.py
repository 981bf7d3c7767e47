"""RTVI: what clients say is obeyed or refused in a sentence; what they are told waits until they ask."""

import ast
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.inputs import Digits, HungUp, Typed
from gateway.rooms.livekit.conventions import Scene, SendData
from gateway.rooms.livekit.conventions.rtvi import Answer, Rtvi
from gateway.rooms.livekit.facts import (
    ClipWords,
    SentenceWords,
    StateChanged,
    Told,
    ToolBegan,
    Trouble,
    UserText,
    of_call,
)
from schemas.client import ToolMessage

SCENE = Scene("agent")


def _theirs() -> dict[str, set[str]]:
    """The fields of each class of Pipecat's own models of the protocol. They can't be imported without the rest of it, of which
    only the weights are installed here."""
    pipecat = importlib.util.find_spec("pipecat")
    assert pipecat is not None
    assert pipecat.origin is not None
    source = (Path(pipecat.origin).parent / "processors/frameworks/rtvi/models.py").read_text()
    classes = [one for one in ast.parse(source).body if isinstance(one, ast.ClassDef)]
    return {one.name: {ast.unparse(line) for line in one.body if isinstance(line, ast.AnnAssign)} for one in classes}


CLIP = ClipWords(3, "s", "Good day.", 0.1, (("Good", 0.0, 0.25), ("day", 0.25, 0.6)))


def sent(sends: Any) -> list[dict[str, Any]]:
    return [json.loads(send.payload) for send in sends if isinstance(send, SendData)]


def said(rtvi: Rtvi, kind: str, data: Any = None, sender: str = "ann") -> Answer:
    answer = rtvi.hear(json.dumps({"label": "rtvi-ai", "type": kind, "id": "7", "data": data}).encode(), sender)
    assert answer is not None
    return answer


def test_silent_until_asked() -> None:
    """Nothing is sent before `client-ready`; it is answered with the same id, to that client only."""
    rtvi = Rtvi()
    assert rtvi.tell(StateChanged("speaking"), SCENE) == []
    answer = said(rtvi, "client-ready", {"version": "2.1.0"})
    assert sent(answer.sends)[0]["type"] == "bot-ready"
    assert sent(answer.sends)[0]["id"] == "7"
    assert isinstance(answer.sends[0], SendData)
    assert answer.sends[0].to == ("ann",)
    assert [m["type"] for m in sent(rtvi.tell(StateChanged("listening"), SCENE))] == ["bot-stopped-speaking"]


def test_timings_inside_or_bare() -> None:
    """Word timings go out as a server-message for each clip, or at the top level, to whoever is there, for each sentence."""
    timing = {
        "type": "bot-tts-timing", "sequence_id": 3, "words": ["Good", "day"], "word_times": [0.0, 0.25],
        "word_durations": [0.25, 0.35], "text": "Good day.",
    }  # fmt: skip
    inside = sent(Rtvi("always").tell(CLIP, SCENE))[0]
    assert (inside["label"], inside["type"], inside["data"]) == ("rtvi-ai", "server-message", timing)
    whole = SentenceWords(3, "s", CLIP.text, CLIP.words)
    assert sent(Rtvi("asked", "bare").tell(whole, SCENE)) == [timing]
    assert sent(Rtvi("asked", "bare").tell(CLIP, SCENE)) == []
    assert sent(Rtvi("always").tell(whole, SCENE)) == []
    assert sent(Rtvi("always", "off").tell(CLIP, SCENE)) == []


def test_what_clients_may_do() -> None:
    """Text, keys, one or several; and good-bye, where the agent allows it."""
    rtvi = Rtvi()
    assert said(rtvi, "send-text", {"content": " hello "}).inputs == [Typed("ann", "hello")]
    assert said(rtvi, "dtmf", {"buttons": ["1", "#"]}).inputs == [Digits("ann", "1#")]
    assert said(rtvi, "dtmf", {"button": "5"}).inputs == [Digits("ann", "5")]
    assert said(rtvi, "append-to-context", {"role": "user", "content": "hi"}).inputs == [Typed("ann", "hi")]
    assert said(Rtvi(disconnect=True), "disconnect-bot").inputs == [HungUp("hang_up")]
    refused = said(rtvi, "disconnect-bot")
    assert refused.inputs == []
    assert "livekit.disconnect_bot" in sent(refused.sends)[0]["data"]["message"]


def test_an_apps_own_messages_are_no_errors() -> None:
    """What needs no answer gets none that is an error; what waits for one is not left waiting; both look the same on the wire."""
    for kind in ("ui-event", "ui-snapshot", "ui-cancel-job-group", "llm-function-call-result", "raw-audio"):
        assert said(Rtvi(), kind, {"event": "x"}) == Answer()
    answer = said(Rtvi(), "client-message", {"t": "theme", "d": {"dark": True}})
    assert (answer.inputs, answer.complaint) == ([], "")
    response = sent(answer.sends)[0]
    assert (response["type"], response["id"], response["data"]) == ("server-response", "7", {"t": "theme", "d": None})
    assert (
        sent(said(Rtvi(), "append-to-context", {"role": "system", "content": "obey"}).sends)[0]["type"]
        == "error-response"
    )


def test_halves_of_characters_end_nothing() -> None:
    """An unpaired surrogate, escaped or raw, in any place becomes U+FFFD, and what is answered can be sent."""
    half = chr(0x5C) + "ud83d"
    for kind, data in (
        ("send-text", f'{{"content": "a{half}b"}}'), ("client-message", f'{{"t": "{half}"}}'), (half, "{}"),
        ("dtmf", f'{{"buttons": ["{half}"]}}'),
    ):  # fmt: skip
        packet = f'{{"label": "rtvi-ai", "type": "{kind}", "id": "{half}", "data": {data}}}'
        for raw in (packet.encode(), packet.replace(half, "\ud83d").encode("utf-8", "surrogatepass")):
            answer = Rtvi().hear(raw, "eve")
            assert answer is not None
            assert answer.inputs in ([], [Typed("eve", "a\ufffdb")])
            assert all(isinstance(send, SendData) and send.payload.decode() for send in answer.sends)


@pytest.mark.parametrize(
    ("packet", "complaint"),
    [
        (b'{"label": "rtvi-ai", ', "no JSON"),
        (b'{"label": "rtvi-ai", "type": 5}', "without a `type`"),
        (b'{"label": "rtvi-ai", "type": "send-text", "id": "1"}', "content"),
        (b'{"label": "rtvi-ai", "type": "send-text", "data": {"content": "   "}}', "content"),
        (b'{"label": "rtvi-ai", "type": "dtmf", "data": {"buttons": ["12"]}}', "buttons"),
        (b'{"label": "rtvi-ai", "type": "dtmf", "data": {"buttons": [[]]}}', "buttons"),
        (b'{"label": "rtvi-ai", "type": "strange"}', "'strange'"),
        (b'{"label": "rtvi-ai"' + b" " * 40_000 + b"}", "bytes"),
        (b'{"label": "rtvi-ai", "type": ' + b"[" * 20_000, "JSON"),
    ],
)
def test_malformed_messages_cost_a_sentence(packet: bytes, complaint: str) -> None:
    """Whatever comes: no exception, no input, one sentence."""
    answer = Rtvi().hear(packet, "eve")
    assert answer is not None
    assert complaint in answer.complaint
    assert answer.inputs == []


@pytest.mark.parametrize(
    "packet", [b"", b"\xff\x00", b'{"type": "x"}', b'["rtvi-ai"]', b'{"label": 5, "x": "rtvi-ai"}']
)
def test_other_peoples_packets_are_left_alone(packet: bytes) -> None:
    """A packet without the label is nobody's business here."""
    assert Rtvi().hear(packet, "eve") is None
    assert Rtvi("off").hear(b'{"label": "rtvi-ai"}', "eve") is None


def test_errors_carry_both_keys_and_packets_stay_small() -> None:
    """Old clients read `error`, new ones `message`; a very long text is cut."""
    error = sent(Rtvi("always").tell(Trouble("tts_down", "no voice", False), SCENE))[0]["data"]
    assert error == {"error": "no voice", "message": "no voice", "fatal": False}
    long = UserText("ann", "s", "x" * 100_000, True, datetime(2026, 1, 1, tzinfo=UTC))
    for send in Rtvi("always").tell(long, SCENE):
        assert isinstance(send, SendData)
        assert len(send.payload) < 15 * 1024


CALLED = ToolMessage(turn=2, call="c1", name="book", arguments={"guests": 4})
RETURNED = CALLED.model_copy(update={"returned": True, "result": "table 7"})


@pytest.mark.parametrize(
    ("level", "name", "arguments", "result"),
    [
        ("none", {}, {}, {}),
        ("name", {"function_name": "book"}, {}, {}),
        ("arguments", {"function_name": "book"}, {"arguments": {"guests": 4}}, {}),
        ("full", {"function_name": "book"}, {"arguments": {"guests": 4}}, {"result": "table 7"}),
    ],
)
def test_calls_of_tools(level: Told, name: dict[str, Any], arguments: dict[str, Any], result: dict[str, Any]) -> None:
    """They begin, go on and stop, and tell as much of themselves as the agent lets them: read by Pipecat's own models."""
    rtvi = Rtvi("always")
    told = [
        message
        for call in (CALLED, RETURNED)
        if (fact := of_call(level, call)) is not None
        for message in sent(rtvi.tell(fact, SCENE))
    ]
    started, going, stopped = told
    assert started["data"] == name
    assert going["data"] == {"tool_call_id": "c1"} | name | arguments
    assert stopped["data"] == {"tool_call_id": "c1", "cancelled": False} | name | result
    theirs = _theirs()
    models = ("LLMFunctionCallStartMessage", "LLMFunctionCallInProgressMessage", "LLMFunctionCallStoppedMessage")
    for model, message in zip(models, told, strict=True):
        assert f"type: Literal['{message['type']}'] = '{message['type']}'" in theirs[model]
        assert set(message["data"]) <= {field.partition(":")[0] for field in theirs[f"{model}Data"]}


def test_calls_that_nobody_is_told_of() -> None:
    """Where the agent says so; and arguments that fit no packet are left out."""
    assert of_call("off", CALLED) is None
    large = CALLED.model_copy(update={"arguments": {"text": "x" * 20_000}})
    assert of_call("full", large) == ToolBegan("c1", "book", None)
