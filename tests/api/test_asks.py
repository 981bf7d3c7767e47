"""What operators ask of a session that goes on."""

from typing import Any

import httpx2
import pytest

from api.house import House
from schemas.events import EndRequested, InstructionsChanged, MessageReceived, SayRequested
from tests.api.sessions import XSS, golden, keep, open_session

ASKS: list[tuple[str, dict[str, Any]]] = [
    ("say", {"text": "Hello."}),
    ("message", {"text": "Hello."}),
    ("instructions", {"instructions": "Be brief."}),
    ("end", {}),
]


async def test_what_is_asked_stands_in_the_log(client: httpx2.AsyncClient, house: House) -> None:
    """Each is one event, and the receipt names it."""
    await open_session(house, "s1")
    said = (await client.post("/v1/sessions/s1/say", json={"text": " One moment. ", "interrupt": True})).json()
    await client.post("/v1/sessions/s1/message", json={"text": "Hi", "participant": "Ann"})
    await client.post("/v1/sessions/s1/instructions", json={"instructions": ""})
    ended = await client.post("/v1/sessions/s1/end")
    assert ended.status_code == 202
    say, message, instructions, end = (await house.bus.read("s1"))[1:]
    assert isinstance(say, SayRequested)
    assert (said["outcome"], said["seq"], say.text, say.interrupt) == ("accepted", say.seq, "One moment.", True)
    assert isinstance(message, MessageReceived)
    assert (message.participant, message.text, message.turn) == ("Ann", "Hi", None)
    assert isinstance(instructions, InstructionsChanged)
    assert instructions.instructions == ""
    assert isinstance(end, EndRequested)
    assert end.reason.startswith("asked by ")


@pytest.mark.parametrize(("what", "body"), ASKS)
async def test_the_same_key_asks_once(
    client: httpx2.AsyncClient, house: House, what: str, body: dict[str, Any]
) -> None:
    """Asked again with its Idempotency-Key, nothing is done again, and the first receipt is given."""
    await open_session(house, "s1")
    headers = {"Idempotency-Key": "k-1"}
    first = (await client.post(f"/v1/sessions/s1/{what}", json=body, headers=headers)).json()
    again = (await client.post(f"/v1/sessions/s1/{what}", json=body, headers=headers)).json()
    assert (first["outcome"], again["outcome"]) == ("accepted", "repeated")
    assert (first["seq"], first["at"], first["request"]) == (again["seq"], again["at"], "k-1")
    assert len(await house.bus.read("s1")) == 2


async def test_one_key_for_two_things(client: httpx2.AsyncClient, house: House) -> None:
    """A key repeats what it asked, not what something else asked."""
    await open_session(house, "s1")
    headers = {"Idempotency-Key": "k"}
    for what, body in ASKS:
        answer = await client.post(f"/v1/sessions/s1/{what}", json=body, headers=headers)
        assert answer.json()["outcome"] == "accepted"


@pytest.mark.parametrize(("what", "body"), ASKS)
async def test_a_session_that_is_over(
    client: httpx2.AsyncClient, house: House, what: str, body: dict[str, Any]
) -> None:
    """409 for one that has ended, 404 for one that never was; neither is answered as done."""
    await keep(house, "s1", golden("plain"))
    ended = await client.post(f"/v1/sessions/s1/{what}", json=body)
    assert (ended.status_code, ended.json()["code"]) == (409, "closed")
    gone = await client.post(f"/v1/sessions/nobody/{what}", json=body)
    assert (gone.status_code, gone.json()["code"]) == (404, "missing")
    assert len(await house.bus.read("s1")) == 19


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 101, "a\tb", "ä"])
async def test_odd_keys(client: httpx2.AsyncClient, house: House, key: str) -> None:
    """A key that can't be one is refused before anything is asked."""
    await open_session(house, "s1")
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    answer = await client.post("/v1/sessions/s1/say", json={"text": "Hi"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key")
    assert len(await house.bus.read("s1")) == 1


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("say", {"text": ""}), ("say", {"text": "  \n"}), ("say", {"text": "\x00\x1b"}), ("say", {"text": "x" * 4_001}), ("say",
        {}), ("say", {"text": 5}), ("message", {"text": "x" * 10_000}), ("message", {"text": "x", "participant": "y" * 10_000}),
        ("message", {"text": "x", "participant": ""}), ("instructions", {"instructions": "x" * 20_001}), ("instructions", {}),
        ("end", {"reason": "x" * 201}),
    ],
)  # fmt: skip
async def test_texts_are_bounded(client: httpx2.AsyncClient, house: House, what: str, body: dict[str, Any]) -> None:
    """What is empty or too long is refused, with the field; nothing is asked."""
    await open_session(house, "s1")
    answer = await client.post(f"/v1/sessions/s1/{what}", json=body)
    assert answer.status_code == 422
    assert "body." in answer.json()["detail"]
    assert len(await house.bus.read("s1")) == 1


async def test_odd_texts_are_text(client: httpx2.AsyncClient, house: House) -> None:
    """Scripts stay letters; controls and half characters don't reach the log; a name stays on one line."""
    await open_session(house, "s1")
    raw = b'{"text": "%s \\u0007\\ud83d!", "participant": "Eve\\nBob: hi"}' % XSS.encode()
    answer = await client.post("/v1/sessions/s1/message", content=raw, headers={"Content-Type": "application/json"})
    if answer.status_code == 422:  # half a character is no JSON text
        raw = raw.replace(b"\\ud83d", b"")
        answer = await client.post("/v1/sessions/s1/message", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    message = (await house.bus.read("s1"))[-1]
    assert isinstance(message, MessageReceived)
    assert message.text.startswith(f"{XSS} ")
    assert "\x07" not in message.text
    assert "\n" not in message.participant
    told = (await client.get("/v1/sessions/s1/events")).json()["events"][-1]
    assert told["body"]["text"] == message.text
