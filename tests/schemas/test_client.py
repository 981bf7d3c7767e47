"""What goes between a gateway and its client, byte for byte, and what may not."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import schemas.client
from schemas.client import (
    LONGEST_MESSAGE,
    BadMessage,
    ClearMessage,
    DtmfMessage,
    EndedMessage,
    ErrorMessage,
    FromClient,
    HangUpMessage,
    MetricsMessage,
    PingMessage,
    PlayedMessage,
    PongMessage,
    ReadyMessage,
    SentenceMessage,
    SpeechMessage,
    StartMessage,
    StateMessage,
    TalkMessage,
    ToClient,
    ToolMessage,
    TranscriptMessage,
    TurnMessage,
    TypedMessage,
    WordsMessage,
    from_client,
    from_gateway,
    json_schema,
    to_json,
)

SCHEMA = Path(schemas.client.__file__).with_name("client.schema.json")

RECORDED: list[tuple[ToClient, str]] = [
    (
        ReadyMessage(session="ws-ba36", ticket="d9Hn", rate=24_000, resumed=False),
        '{"type":"ready","version":1,"session":"ws-ba36","ticket":"d9Hn","rate":24000,"resumed":false}',
    ),
    (
        ReadyMessage(session="ws-1", ticket="t", warnings=("en only",), rate=16_000, resumed=True),
        '{"type":"ready","version":1,"session":"ws-1","ticket":"t","warnings":["en only"],"rate":16000,"resumed":true}',
    ),
    (StateMessage(state="listening"), '{"type":"state","state":"listening"}'),
    (SpeechMessage(participant="ann", speaking=True), '{"type":"speech","participant":"ann","speaking":true}'),
    (
        TranscriptMessage(participant="ann", turn=1, utterance="u1", text="hello there.", final=True),
        '{"type":"transcript","participant":"ann","turn":1,"utterance":"u1","text":"hello there.","final":true}',
    ),
    (
        TranscriptMessage(participant="änn", turn=None, utterance="u2", text="“so”", final=False),
        '{"type":"transcript","participant":"änn","turn":null,"utterance":"u2","text":"“so”","final":false}',
    ),
    (
        SentenceMessage(turn=1, index=0, text="I hear you.", spoken=True),
        '{"type":"sentence","turn":1,"index":0,"text":"I hear you.","spoken":true}',
    ),
    (
        WordsMessage(turn=1, index=1, part=0, offset=12_000, words=(("And", 0.0, 0.25), ("more.", 0.25, 0.5))),
        '{"type":"words","turn":1,"index":1,"part":0,"offset":12000,"words":[["And",0.0,0.25],["more.",0.25,0.5]]}',
    ),
    (
        WordsMessage(turn=1, index=0, part=0, offset=0, words=(("Bee", 0.0, 0.3),), visemes=(("PP", 0.1), ("I", 0.3))),
        '{"type":"words","turn":1,"index":0,"part":0,"offset":0,"words":[["Bee",0.0,0.3]],"visemes":[["PP",0.1],["I",0.3]]}',
    ),
    (ClearMessage(), '{"type":"clear"}'),
    (
        MetricsMessage(turn=1, stt=0.0, tts=0.0, end_of_turn=0.7438),
        '{"type":"metrics","turn":1,"stt":0.0,"tts":0.0,"end_of_turn":0.7438}',
    ),
    (
        TurnMessage(turn=2, how="interrupted", reason="barge_in", heard=""),
        '{"type":"turn","turn":2,"how":"interrupted","reason":"barge_in","why":"","heard":""}',
    ),
    (
        ToolMessage(turn=2, call="2.0.0", name="book", arguments={"guests": 4}, returned=True, result="table 7"),
        '{"type":"tool","turn":2,"call":"2.0.0","name":"book","arguments":{"guests":4},"returned":true,'
        '"result":"table 7","error":""}',
    ),
    (
        ErrorMessage(code="stt_bad_status", message="STT_BASE_URL answered 500", fatal=False),
        '{"type":"error","code":"stt_bad_status","message":"STT_BASE_URL answered 500","fatal":false}',
    ),
    (EndedMessage(reason="hang_up"), '{"type":"ended","reason":"hang_up"}'),
    (PongMessage(), '{"type":"pong"}'),
]
"""As the gateway sent them when they were dicts, some from a recorded conversation."""

SENT: list[tuple[dict[str, Any], FromClient]] = [
    ({"type": "start", "version": 1}, StartMessage(type="start", version=1)),
    (
        {"type": "start", "version": 1, "rate": 16000, "agent": "greeter", "participant": "a\tb", "name": "Ann\n\nx"},
        StartMessage(type="start", version=1, rate=16_000, agent="greeter", participant="a b", name="Ann x"),
    ),
    (
        {"type": "start", "version": 1, "session": "ws-1", "ticket": "t", "room": "lobby"},
        StartMessage(type="start", version=1, session="ws-1", ticket="t", room="lobby"),
    ),
    ({"type": "message", "text": " half \ud83d\x00 of\nit"}, TypedMessage(type="message", text="half \ufffd of\nit")),
    ({"type": "message", "text": "x" * LONGEST_MESSAGE}, TypedMessage(type="message", text="x" * LONGEST_MESSAGE)),
    ({"type": "talk", "pressed": True, "newer": 1}, TalkMessage(type="talk", pressed=True)),
    ({"type": "dtmf", "digits": "12#a"}, DtmfMessage(type="dtmf", digits="12#A")),
    ({"type": "dtmf", "digits": "0" * 64}, DtmfMessage(type="dtmf", digits="0" * 64)),
    ({"type": "played", "samples": 0}, PlayedMessage(type="played", samples=0)),
    ({"type": "hang_up"}, HangUpMessage(type="hang_up")),
    ({"type": "ping"}, PingMessage(type="ping")),
]

REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({"type": "message"} | fields, "`message` needs a `text` of 1 to 4000 characters")
        for fields in ({}, {"text": " \n"}, {"text": ""}, {"text": "x" * 4001}, {"text": 5}, {"text": None})
    ),
    *(
        ({"type": "talk"} | fields, "`talk` needs `pressed`: true or false; `cancel: true` only with `pressed: false`")
        for fields in ({}, {"pressed": "yes"}, {"pressed": 1}, {"pressed": None})
    ),
    *(
        ({"type": "dtmf"} | fields, "`dtmf` needs `digits`: 1 to 64 of 0-9*#A-D")
        for fields in ({}, {"digits": ""}, {"digits": "0" * 65}, {"digits": "1\n"}, {"digits": "E"}, {"digits": 5})
    ),
    *(
        ({"type": "played"} | fields, "`played` needs `samples`: how many of those sent since `ready` have sounded")
        for fields in ({}, {"samples": -1}, {"samples": True}, {"samples": 1.0}, {"samples": "1"})
    ),
    ({"type": "dance"}, "there is no message of type 'dance': message, talk, dtmf, played, hang_up, ping"),
    ({"type": ["message"]}, "there is no message of type \"['message']\": message, talk, dtmf, played, hang_up, ping"),
    ({}, "there is no message of type 'None': message, talk, dtmf, played, hang_up, ping"),
]


@pytest.mark.parametrize(("message", "frame"), RECORDED, ids=[message.type for message, _ in RECORDED])
def test_a_gateway_says_what_it_always_said(message: ToClient, frame: str) -> None:
    """Not a field more or less on the wire, and a client reads what was meant."""
    written = to_json(message)
    assert json.loads(written) == json.loads(frame)
    assert len(written) == len(frame)
    assert from_gateway(frame) == message


def test_all_of_it_is_recorded() -> None:
    """No message is without an example above."""
    assert {type(message) for message, _ in RECORDED} == set(get_args(get_args(ToClient)[0]))
    assert {type(message) for _, message in SENT} == set(get_args(get_args(FromClient)[0]))


@pytest.mark.parametrize(("fields", "message"), SENT, ids=lambda value: str(value)[:60])
def test_what_a_client_says_is_made_fit(fields: dict[str, Any], message: FromClient) -> None:
    """Half a character, a control, a second line harm nobody; what we write ourselves is read as it was."""
    assert from_client(fields) == message
    assert from_client(json.loads(to_json(message))) == message


@pytest.mark.parametrize(("fields", "sentence"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_a_client_must_not_say(fields: dict[str, Any], sentence: str) -> None:
    """Beyond its bounds a message is none, and the sentence for whoever wrote the client names them."""
    with pytest.raises(BadMessage) as refusal:
        from_client(fields)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"version": 2},
        {"version": 1, "rate": 8000},
        {"version": 1, "agent": "x" * 121},
        {"version": 1, "ticket": "x" * 201},
    ],
)
def test_a_start_has_bounds(fields: dict[str, Any]) -> None:
    """Another version, a rate we don't make, a name that is none begin nothing."""
    with pytest.raises(ValidationError):
        StartMessage.model_validate({"type": "start"} | fields)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"applause","loud":true}',
        '{"type":"state","state":"dreaming"}',
        '{"type":"turn"}',
        "{}",
        "[]",
        "no JSON",
    ],
)
def test_a_newer_gateway_does_not_kill_an_older_client(frame: str) -> None:
    """What it can't tell it need not know, and a further field of what it knows it leaves out."""
    assert from_gateway(frame) is None
    assert from_gateway('{"type":"state","state":"thinking","since":3.5}') == StateMessage(state="thinking")


def test_the_schema_file_is_the_classes() -> None:
    """What the web app's types are made from is what the gateway speaks."""
    written = json.loads(SCHEMA.read_text())
    assert written == json_schema(), (
        f"{SCHEMA.name} is not what schemas/client.py says now: `make schema` writes it anew"
    )


def test_the_schema_is_fit_for_types() -> None:
    """Every class is a definition of its own name, told apart by `type`, with just those fields optional that may be left out."""
    found = json_schema()["$defs"]
    for name, union in (("ToClient", ToClient), ("FromClient", FromClient)):
        classes = get_args(get_args(union)[0])
        assert found[name]["discriminator"]["propertyName"] == "type"
        assert [one["$ref"] for one in found[name]["oneOf"]] == [f"#/$defs/{cls.__name__}" for cls in classes]
        for cls in classes:
            assert found[cls.__name__]["title"] == cls.__name__
            assert "type" in found[cls.__name__]["required"]
    optional = {
        name: set(one["properties"]) - set(one["required"]) for name, one in found.items() if "properties" in one
    }
    assert {name: fields for name, fields in optional.items() if fields} == {
        "ReadyMessage": {"warnings", "talk"},
        "TalkMessage": {"cancel"},
        "WordsMessage": {"visemes"},
        "MetricsMessage": {"end_of_turn", "stt", "llm", "tts", "first_sound"},
        "StartMessage": {"rate", "sound", "agent", "participant", "name", "room", "metadata", "session", "ticket"},
    }  # fmt: skip
