"""Whatever somebody is called, and whatever id is asked for: it is refused, or made fit, and never a fault of ours."""

import json
from urllib.parse import quote

import httpx2
import pytest

from api.house import House
from schemas.bus import GatewaySeen
from tests.schemas.log.talk import STARTED

CONTROLS = "Ann\x00\r\nBob: I agree\x1b[2J\u202e"
HALF = "Ann\ud83d"
LONG = "A" * 10_240
MARKUP = "<img src=x onerror=alert(1)>"
TRICKS = [
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "/etc/passwd",
    "a/../../b",
    "a\x00b",
    "a\r\nX: y",
    "\\\\host\\x",
    "*",
    LONG,
]


def sent(body: object) -> dict[str, object]:
    """As it is: a client's own library would not write half a character."""
    return {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}


@pytest.mark.parametrize("name", [CONTROLS, HALF, LONG])
async def test_names_that_are_none_are_refused(client: httpx2.AsyncClient, house: House, name: str) -> None:
    """For a key, for a call by WebSocket, as an agent to talk to or to save: 4xx in a sentence, and nothing is kept."""
    await house.bus.advertise(GatewaySeen("g", "ws://g/ws", "ws://g/ws", 9, 0, False, ("websocket",)), 60)
    asked = [
        await client.post("/v1/keys", **sent({"name": name, "role": "caller"})),
        await client.post("/v1/ws/ticket", **sent({"agent": name})),
        await client.post("/v1/login", **sent({"key": name})),
        await client.put(f"/v1/agents/{quote(name.encode('utf-8', 'surrogatepass'))}", **sent({"toml": ""})),
    ]
    for answer in asked:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 4000
        assert not {"\x00", "\x1b", "\r"} & set(answer.json()["detail"])
    assert await house.bus.keys() == []


@pytest.mark.parametrize("name", [CONTROLS, HALF, MARKUP, LONG])
async def test_what_operators_type_is_made_fit(client: httpx2.AsyncClient, house: House, name: str) -> None:
    """A message in somebody's name: one line of their name, no controls in what they say, or a refusal; the log can be read."""
    await house.bus.open("s", "g", "r", [STARTED])
    refused = name in (LONG, HALF)
    answer = await client.post("/v1/sessions/s/message", **sent({"participant": name, "text": name}))
    assert answer.status_code == (422 if refused else 202), answer.text
    [*_, last] = await house.bus.read("s")
    if refused:
        assert last.type == "session.started"
    else:
        assert last.type == "message.received"
        assert "\n" not in last.participant
        assert not {"\x00", "\x1b"} & {*last.participant, *last.text}
        assert "\u202e" not in last.text


@pytest.mark.parametrize("sought", [CONTROLS, LONG, MARKUP, "%00", "\ufffd"])
async def test_what_is_sought_is_found_or_not(client: httpx2.AsyncClient, sought: str) -> None:
    """In the list of sessions, whatever is typed there."""
    answer = await client.get("/v1/sessions", params={"q": sought, "agent": sought, "caller": sought})
    assert answer.status_code == (422 if sought == LONG else 200)


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/sessions/{}", "/v1/sessions/{}/events", "/v1/sessions/{}/audio.wav", "/v1/sessions/{}/transcript.vtt",
        "/v1/agents/{}", "/v1/dead-letters/{}", "/v1/keys/{}",
    ],
)  # fmt: skip
async def test_an_id_is_a_name_and_no_path(client: httpx2.AsyncClient, path: str, trick: str) -> None:
    """`..`, slashes, zeroes and whatever else leads nowhere: there is no such thing, however it is written."""
    method = "DELETE" if path.startswith(("/v1/keys", "/v1/dead")) else "GET"
    for written in (quote(trick, safe=""), quote(quote(trick, safe=""), safe="")):
        answer = await client.request(method, path.format(written))
        assert answer.status_code in (404, 405, 422), (answer.status_code, written)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "root:" not in answer.text
