"""Routes for rooms and phones, without a server: who may ask, what is refused at the door, what follows where none answers."""

import json
from typing import Any

import httpx2
import pytest

from api.house import House
from api.openapi import COMMITTED
from tests.api.livekit.conftest import SECRET, a_caller, agent_in, claims

ROOM = "/v1/rooms/lobby"
ASKED: list[tuple[str, str, Any]] = [
    ("POST", "/v1/rooms", {}),
    ("GET", "/v1/rooms", None),
    ("GET", ROOM, None),
    ("DELETE", ROOM, None),
    ("GET", f"{ROOM}/participants", None),
    ("POST", f"{ROOM}/participants", {}),
    ("POST", f"{ROOM}/participants/ann/mute", {}),
    ("DELETE", f"{ROOM}/participants/ann", None),
    ("POST", f"{ROOM}/messages", {"text": "hello"}),
    ("GET", f"{ROOM}/agents", None),
    ("POST", f"{ROOM}/agents", {}),
    ("DELETE", f"{ROOM}/agents/AD_1", None),
    ("GET", "/v1/sip/trunks", None),
    ("POST", "/v1/sip/trunks", {"kind": "inbound", "name": "line", "addresses": ["203.0.113.0/24"]}),
    ("POST", "/v1/sip/trunks", {"kind": "outbound", "name": "out", "address": "sip.example.com", "numbers": ["+15105550100"]}),
    ("DELETE", "/v1/sip/trunks/ST_1", None),
    ("GET", "/v1/sip/rules", None),
    ("POST", "/v1/sip/rules", {"name": "calls"}),
    ("DELETE", "/v1/sip/rules/SDR_1", None),
    ("GET", "/v1/sip/calls", None),
    ("POST", "/v1/sip/calls", {"trunk": "ST_1", "to": "+15105550123"}),
    ("POST", "/v1/sip/calls/hang-up", {"room": "call-1", "identity": "phone-1"}),
    ("POST", "/v1/sip/calls/transfer", {"room": "call-1", "identity": "phone-1", "to": "+15105550199"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_only_operators_look_after_rooms_and_phones(
    client: httpx2.AsyncClient, house: House, method: str, path: str, body: Any
) -> None:
    """A caller's key is refused by each of them, whether LiveKit is there or not."""
    answer = await client.request(method, path, json=body, headers=await a_caller(house))
    assert (answer.status_code, answer.json()["code"]) == (403, "role")


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_without_livekit(client: httpx2.AsyncClient, house: House, method: str, path: str, body: Any) -> None:
    """Each answers one clear problem, which names the settings."""
    house.livekit = None
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "livekit_off")
    assert "LIVEKIT_URL" in answer.json()["detail"]


@pytest.mark.parametrize("options", [{"livekit_url": "ws://127.0.0.1:9"}])
@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_a_server_that_is_not_there(client: httpx2.AsyncClient, method: str, path: str, body: Any) -> None:
    """Where nobody listens it is 503 with the setting to check, and when to ask again."""
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "livekit_away"), answer.text
    assert "LIVEKIT_URL" in answer.json()["detail"]
    assert answer.headers["retry-after"]


def test_each_route_is_among_those_that_are_tried() -> None:
    """A new route for rooms or phones in LiveKit is tried by the tests above, too."""
    described = json.loads(COMMITTED.read_text())["paths"]
    found = {
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if path.startswith(("/v1/rooms", "/v1/sip/"))
    }
    filled = {"lobby": "{room}", "ann": "{identity}", "AD_1": "{dispatch}", "ST_1": "{id}", "SDR_1": "{id}"}
    tried = {(method, "/".join(filled.get(part, part) for part in path.split("/"))) for method, path, _ in ASKED}
    assert found == tried


REFUSED: list[tuple[str, Any]] = [
    ("/v1/rooms", {"room": "a\nb"}),
    ("/v1/rooms", {"room": "x" * 10_000}),
    ("/v1/rooms", {"room": "../etc"}),
    ("/v1/rooms", {"empty_timeout_s": -1}),
    ("/v1/rooms", {"max_participants": 10**12}),
    (f"{ROOM}/participants", {"identity": "x" * 10_000}),
    (f"{ROOM}/participants/ann/mute", {"sources": ["everything"]}),
    (f"{ROOM}/participants/ann/mute", {"sources": []}),
    (f"{ROOM}/messages", {"text": ""}),
    (f"{ROOM}/messages", {"text": "x" * 4001}),
    (f"{ROOM}/messages", {"text": "\ud83d"}),
    ("/v1/sip/trunks", {"kind": "inbound", "name": "line", "addresses": ["everywhere"]}),
    ("/v1/sip/trunks", {"kind": "inbound", "name": "line", "addresses": ["203.0.113.0/24\r\n"]}),
    ("/v1/sip/trunks", {"kind": "inbound", "name": "open"}),
    ("/v1/sip/trunks", {"kind": "inbound", "name": "open", "addresses": ["0.0.0.0/0"]}),
    ("/v1/sip/trunks", {"kind": "outbound", "name": "out", "address": "a\r\nb", "numbers": ["1"]}),
    ("/v1/sip/trunks", {"kind": "outbound", "name": "out", "address": "sip.example.com", "numbers": []}),
    ("/v1/sip/trunks", {"kind": "sideways", "name": "out"}),
    ("/v1/sip/rules", {"name": "calls", "pin": "12a4"}),
    ("/v1/sip/rules", {"name": "calls", "prefix": "a/b"}),
    ("/v1/sip/calls", {"trunk": "ST_1", "to": "+1510;maddr=evil"}),
    ("/v1/sip/calls", {"trunk": "ST_1", "to": "+1\r\nX: y"}),
    ("/v1/sip/calls", {"trunk": "../x", "to": "+15105550123"}),
    ("/v1/sip/calls", {"trunk": "ST_1", "to": "+15105550123", "wait_s": 10_000}),
    ("/v1/sip/calls/transfer", {"room": "r", "identity": "i", "to": "sip:a@b?X=y"}),
    ("/v1/sip/calls/transfer", {"room": "r", "identity": "i", "to": "sip:a@b\r\nX: y"}),
    ("/v1/sip/calls/transfer", {"room": "r", "identity": "i", "to": "http://evil"}),
]  # fmt: skip


@pytest.mark.parametrize("options", [{"livekit_url": "ws://127.0.0.1:9"}])
@pytest.mark.parametrize(("path", "body"), REFUSED)
async def test_what_can_not_be_is_refused_at_the_door(client: httpx2.AsyncClient, path: str, body: Any) -> None:
    """Lines within lines, numbers that are addresses, trunks for everybody: 422, and the server is not asked."""
    sent = json.dumps(body).encode()
    answer = await client.post(path, content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert len(answer.text) < 2000


async def test_a_trunks_password_is_never_said_again(client: httpx2.AsyncClient) -> None:
    """A refusal tells which field is wrong, and none of the others."""
    body = {"kind": "outbound", "name": "a\nb", "address": "h", "numbers": ["1"], "user": "u", "password": "geheim"}
    answer = await client.post("/v1/sip/trunks", json=body)
    assert answer.status_code == 422
    assert "geheim" not in answer.text


# ── RTVI, agents' tokens, status ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [{"livekit_room": "hall"}])
@pytest.mark.parametrize(
    ("body", "room", "agent"),
    [
        (None, "hall", ""),
        ({}, "hall", ""),
        ({"agent": "helper", "room": "lobby"}, "lobby", "helper"),
        ({"createDailyRoom": True, "transport": "livekit", "body": {"agent": "helper"}}, "hall", "helper"),
    ],
)
async def test_pipecats_clients_get_what_they_connect_with(
    client: httpx2.AsyncClient, body: Any, room: str, agent: str
) -> None:
    """startBot's endpoint answers url and token, and nothing else: the LiveKit transport refuses what it does not know."""
    answer = await (client.post("/v1/start") if body is None else client.post("/v1/start", json=body))
    assert answer.status_code == 200
    assert set(answer.json()) == {"url", "token"}
    assert answer.json()["url"] == "wss://rooms.example.com"
    assert claims(answer.json()["token"])["video"]["room"] == room
    assert agent_in(answer.json()["token"])[1] == agent


async def test_a_program_of_an_operators_own_gets_into_one_room_as_an_agent(client: httpx2.AsyncClient) -> None:
    """Kind agent, one room, one voice, a quarter of an hour to get in: and it can't register as a worker for others."""
    answer = await client.post("/v1/livekit/agent-token", json={"room": "lobby", "name": "Notes"})
    assert answer.status_code == 201
    said = claims(answer.json()["participant_token"])
    assert (said["kind"], said["name"], said["video"]["room"]) == ("agent", "Notes", "lobby")
    assert said["sub"].startswith("bot-")
    assert not said["video"].get("agent")
    assert not said["video"].get("roomAdmin")
    assert said["exp"] - said["nbf"] == 900


@pytest.mark.parametrize("body", [{}, {"room": ""}, {"room": "a/b"}, {"room": "lobby", "identity": "a\nb"}])
async def test_an_agents_token_needs_a_room(client: httpx2.AsyncClient, body: dict[str, str]) -> None:
    """Without one room, or with an unfit name, there is none."""
    assert (await client.post("/v1/livekit/agent-token", json=body)).status_code == 422


async def test_an_agents_token_is_for_operators(client: httpx2.AsyncClient, house: House) -> None:
    """Callers get none, and nobody gets the identity of an agent of ours."""
    ours = await client.post("/v1/livekit/agent-token", json={"room": "lobby", "identity": "agent-1"})
    assert (ours.status_code, ours.json()["code"]) == (403, "identity")
    theirs = await client.post("/v1/livekit/agent-token", json={"room": "lobby"}, headers=await a_caller(house))
    assert theirs.json()["code"] == "role"


@pytest.mark.parametrize("options", [{"livekit_url": "ws://127.0.0.1:9", "api_agents": "receptionist,helper"}])
async def test_the_status_says_what_is_missing(client: httpx2.AsyncClient, house: House) -> None:
    """Whether the server answers, and the settings that matter; its address inside is told to operators only."""
    found = (await client.get("/v1/livekit/status")).json()
    assert found["url"] == "wss://rooms.example.com"
    assert found["reachable"] is False
    assert "127.0.0.1:9" in found["problem"]
    assert found["agents"] == ["receptionist", "helper"]
    told = await client.get("/v1/livekit/status", headers=await a_caller(house))
    assert told.json()["reachable"] is False
    assert "127.0.0.1:9" not in told.text
    assert SECRET not in told.text
