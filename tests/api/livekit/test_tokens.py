"""Tokens for LiveKit rooms, as LiveKit's own kits and shorter front ends ask for them."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.house import House
from schemas.drafts import keep_draft
from tests.api.livekit.conftest import SECRET, a_caller, agent_in, call_in, claims

LONG = "/v1/livekit/token"


async def long(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(LONG, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_livekits_kits_get_the_answer_they_expect(client: httpx2.AsyncClient) -> None:
    """TokenSource.endpoint's fields are all in the token, and the answer is 201 with server_url and participant_token only."""
    found = await long(
        client,
        room_name="lobby",
        participant_name="Ann",
        participant_identity="ann",
        participant_metadata='{"plan": "gold"}',
        participant_attributes={"language": "de"},
        room_config={"agents": [{"agent_name": "", "metadata": '{"agent": "helper"}'}]},
    )
    assert set(found) == {"server_url", "participant_token"}
    assert found["server_url"] == "wss://rooms.example.com"
    said = claims(found["participant_token"])
    assert (said["sub"], said["name"], said["metadata"]) == ("ann", "Ann", '{"plan": "gold"}')
    assert said["attributes"] == {"language": "de"}
    assert agent_in(found["participant_token"]) == ("", "helper")


async def test_a_token_allows_a_person_in_one_room_and_nothing_else(client: httpx2.AsyncClient) -> None:
    """No other room, no administration, no agent, no recording, not its own metadata; no longer than LIVEKIT_TOKEN_TTL."""
    said = claims((await long(client, room_name="lobby"))["participant_token"])
    granted = {name for name, value in said["video"].items() if value}
    assert granted == {"roomJoin", "room", "canPublish", "canSubscribe", "canPublishData"}
    assert said["video"]["room"] == "lobby"
    assert not said.get("kind")
    assert said["exp"] - said["nbf"] == 3600


@pytest.mark.parametrize(
    "body", [None, b"", b"{}", b"null", b'{"room_name": null, "room_config": null}', b'{"room_name": ""}']
)
async def test_everything_may_be_left_out(client: httpx2.AsyncClient, body: bytes | None) -> None:
    """Who says nothing gets a new room and a new identity, other ones each time; an agent is left to the gateway."""
    tokens = []
    for _ in range(2):
        answer = await client.post(LONG, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text
        tokens.append(answer.json()["participant_token"])
    one, two = (claims(token) for token in tokens)
    assert one["video"]["room"] != two["video"]["room"]
    assert one["sub"] != two["sub"]
    assert agent_in(tokens[0]) == ("", "")


async def test_what_we_do_not_know_is_not_looked_at(client: httpx2.AsyncClient) -> None:
    """Fields of later kits change nothing, and a room's recording or size can't be asked for by a caller."""
    found = await long(
        client,
        room_name="lobby",
        ttl=10**9,
        participant_permissions={"roomAdmin": True},
        room_config={"name": "other", "egress": {"room": {}}, "max_participants": 0, "agents": [{"deployment": "x"}]},
    )
    said = claims(found["participant_token"])
    assert said["video"]["room"] == "lobby"
    assert "roomAdmin" not in said["video"]
    assert said.get("roomConfig", {}) == {}


@pytest.mark.parametrize("options", [{"livekit_room": "hall", "livekit_token_ttl": 60}])
async def test_room_and_lifetime_are_settings(client: httpx2.AsyncClient) -> None:
    """LIVEKIT_ROOM is for who names none; LIVEKIT_TOKEN_TTL is for all."""
    said = claims((await long(client))["participant_token"])
    assert (said["video"]["room"], said["exp"] - said["nbf"]) == ("hall", 60)


@pytest.mark.parametrize("options", [{"livekit_agent_name": "antiphon"}])
@pytest.mark.parametrize(
    ("asked", "comes"),
    [
        ({}, ("antiphon", "")),
        ({"agents": []}, ("antiphon", "")),
        ({"agents": [{"agent_name": "antiphon"}]}, ("antiphon", "")),
        (
            {"agents": [{"agent_name": "antiphon", "metadata": '{"agent": "helper", "user": 5}'}]},
            ("antiphon", "helper"),
        ),
        ({"agents": [{"agent_name": "antiphon", "metadata": "helper"}]}, ("antiphon", "helper")),
        ({"agents": [{"agent_name": "antiphon", "metadata": '{"user": 5}'}]}, ("antiphon", "")),
        ({"agents": [{"agent_name": "receptionist"}]}, ("antiphon", "receptionist")),
    ],
)
async def test_the_agent_that_was_asked_for_comes(
    client: httpx2.AsyncClient, asked: dict[str, Any], comes: tuple[str, str]
) -> None:
    """By its metadata, or by the name that LiveKit's starters call it by; dispatched under the name the gateways answer to."""
    assert agent_in((await long(client, room_config=asked))["participant_token"]) == comes


@pytest.mark.parametrize("options", [{}, {"livekit_agent_name": "antiphon"}])
@pytest.mark.parametrize(
    ("path", "body", "comes"),
    [
        (
            LONG,
            {"room_config": {"agents": [{"metadata": '{"agent": "helper", "order": 7}'}]}},
            ("helper", {"order": 7}),
        ),
        (LONG, {"room_config": {"agents": [{"metadata": '{"order": "é"}'}]}}, ("", {"order": "é"})),
        (LONG, {"room_config": {"agents": [{"metadata": "[7]"}]}}, ("", {})),
        ("/token", {"agent": "helper", "call_metadata": {"order": 7}}, ("helper", {"order": 7})),
        ("/api/token", {"room_config": {"agents": [{"metadata": '{"order": 7}'}]}}, ("", {"order": 7})),
        ("/token", {"agent": "helper", "call_metadata": {"agent": "receptionist"}}, ("helper", {})),
        ("/token", {"call_metadata": {"agent": "receptionist"}}, ("", {})),
        ("/v1/start", {"agent": "helper", "call_metadata": {"order": 7}}, ("helper", {"order": 7})),
        ("/v1/start", {"body": {"call_metadata": {"order": 7}, "metadata": "gold"}}, ("", {"order": 7})),
    ],
)
async def test_a_call_has_the_metadata_that_was_asked_for(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], comes: tuple[str, dict[str, Any]]
) -> None:
    """It goes along with the agent that comes, and chooses none."""
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    token = answer.json().get("participant_token") or answer.json()["token"]
    assert (agent_in(token)[1], call_in(token)) == comes


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LONG, {"room_config": {"agents": [{"metadata": json.dumps({"order": "x" * 3_000})}]}}),
        ("/token", {"call_metadata": {"order": "x" * 3_000}}),
        ("/token", {"call_metadata": "order"}),
        ("/v1/start", {"call_metadata": {"order": [[[[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]]]]}}),
        ("/v1/start", {"body": {"call_metadata": [7]}}),
    ],
)
async def test_metadata_of_a_call_is_bounded(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """An object of at most 2048 bytes, not too deep; what is none is refused with the field."""
    answer = await client.post(path, json=body)
    assert (answer.status_code, "metadata" in answer.text) == (422, True), answer.text


@pytest.mark.parametrize("options", [{"api_agents": "receptionist, helper"}])
async def test_only_agents_of_the_list_can_be_chosen(client: httpx2.AsyncClient) -> None:
    """With API_AGENTS its first is the default; another one, there or not, is refused alike, whichever way it is asked for."""
    assert agent_in((await long(client))["participant_token"]) == ("", "receptionist")
    said = []
    for asked in ({"agent_name": "default"}, {"metadata": '{"agent": "default"}'}, {"metadata": '{"agent": "nobody"}'}):
        answer = await client.post(LONG, json={"room_config": {"agents": [asked]}})
        assert (answer.status_code, answer.json()["code"]) == (403, "agent")
        said.append(answer.json()["detail"].replace("nobody", "default"))
    assert len(set(said)) == 1


async def test_one_agent_comes_into_a_room(client: httpx2.AsyncClient) -> None:
    """Several agents in one request are refused, with the number that was found."""
    answer = await client.post(LONG, json={"room_config": {"agents": [{}, {}]}})
    assert answer.status_code == 422
    assert "2 were asked for" in answer.json()["detail"]


@pytest.mark.parametrize("identity", ["agent-0011223344", "AGENT-x", "Agent-"])
async def test_nobody_poses_as_an_agent(client: httpx2.AsyncClient, identity: str) -> None:
    """An identity of an agent of ours would put it out of its room: refused, in every route."""
    for path, body in ((LONG, {"participant_identity": identity}), ("/token", {"identity": identity})):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity")


@pytest.mark.parametrize("name", ["lk.agent.state", "antiphon.session", "sip.phoneNumber", "LK.publish_on_behalf"])
async def test_nobody_sets_attributes_of_agents_or_phones(client: httpx2.AsyncClient, name: str) -> None:
    """What front ends take for the agent's state, or gateways for a caller's number, can't be asked for."""
    answer = await client.post(LONG, json={"participant_attributes": {name: "speaking"}})
    assert (answer.status_code, answer.json()["code"]) == (403, "attributes")
    assert name in answer.json()["detail"]


async def test_a_body_that_is_not_called_json_is_told_so(client: httpx2.AsyncClient) -> None:
    """`curl -d` calls it a form."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.post(LONG, content=b'{"room_name": "lobby"}', headers=form)
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"]


UNFIT = ["a\nb", "a\x00b", "\x1b[31mred", " blank", "a" * 10_000, "ä" * 129, "\u202egnp.exe", "𝄞" * 100]


@pytest.mark.parametrize("unfit", UNFIT)
async def test_unfit_names_are_refused(client: httpx2.AsyncClient, unfit: str) -> None:
    """Controls, line breaks, marks that turn the reading, and 10 kB: refused wherever a name stands, not mended into another."""
    for body in (
        {"room_name": unfit},
        {"participant_identity": unfit},
        {"participant_name": unfit},
        {"room_config": {"agents": [{"agent_name": unfit}]}},
        {"participant_attributes": {unfit: "x"}},
    ):
        answer = await client.post(LONG, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "form")
        assert len(answer.text) < 2000
    for body in ({"room": unfit}, {"identity": unfit}, {"name": unfit}):
        assert (await client.post("/api/token", json=body)).status_code == 422


@pytest.mark.parametrize("room", ["a/b", ".", "..", "../../etc"])
async def test_a_room_can_be_named_in_an_address(client: httpx2.AsyncClient, room: str) -> None:
    """Names that a path can't hold are refused, for nobody could look after such a room."""
    assert (await client.post(LONG, json={"room_name": room})).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"5", b'"x"', b"{", b"{'a': 1}", b"\xff\xfe", b'{"room_name": 5}', b'{"room_name": ["x"]}', b'{"room_config": []}',
        b'{"participant_attributes": {"a": 1}}', b'{"participant_attributes": ["a"]}', b'{"room_name": "\\ud83d"}',
        b'{"participant_attributes": {"\\ud83d": "x"}}', b'{"participant_metadata": "\\ud83d"}', b"[" * 100_000,
        b'{"room_name": ' + b"9" * 5000 + b"}", b'{"room_config": {"agents": [{"metadata": 5}]}}',
        b'{"participant_metadata": "' + b"x" * 4097 + b'"}', b'{"room_config": {"agents": [' + b"{}," * 20 + b"{}]}}",
    ],
)  # fmt: skip
async def test_odd_json_is_a_problem_not_an_error(client: httpx2.AsyncClient, body: bytes) -> None:
    """Whatever is no request of this form is answered in the one form of problems, by 400 or 422."""
    answer = await client.post(LONG, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_attributes_have_a_bound_together(client: httpx2.AsyncClient) -> None:
    """A token travels in an address: attributes that are fit one by one are too long together."""
    answer = await client.post(LONG, json={"participant_attributes": {f"a{index}": "x" * 100 for index in range(60)}})
    assert answer.status_code == 422
    assert "4096" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/token", "/api/token"])
@pytest.mark.parametrize(
    "body",
    [
        {"room": "lobby", "identity": "ann", "name": "Ann"},
        {"room_name": "lobby", "participant_identity": "ann", "participant_name": "Ann", "metadata": "gold"},
    ],
)
async def test_shorter_front_ends_are_served(client: httpx2.AsyncClient, path: str, body: dict[str, str]) -> None:
    """{room, identity, name} and {room_name, participant_name, metadata} are answered by {token, url}."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 200
    assert answer.json()["url"] == "wss://rooms.example.com"
    said = claims(answer.json()["token"])
    assert (said["video"]["room"], said["sub"], said["name"]) == ("lobby", "ann", "Ann")
    assert said.get("metadata", "") == body.get("metadata", "")


STARTER = json.loads((Path(__file__).parent / "starter.json").read_text())
"""What LiveKit's own client sends for its kits, and what of an answer it reads: the app's `starter.test.ts` asks that client."""


@pytest.mark.parametrize("path", [LONG, "/api/token"])
@pytest.mark.parametrize("asked", STARTER["requests"], ids=lambda asked: " ".join(asked["options"]) or "nothing")
async def test_a_starter_finds_its_agent(client: httpx2.AsyncClient, path: str, asked: dict[str, Any]) -> None:
    """LiveKit's React starter asks /api/token or another address, in its client's words: it finds its agent and its room, and the
    two keys that are read."""
    answer = await client.post(path, json=asked["request"])
    assert answer.is_success
    told = answer.json()
    assert set(told) >= set(STARTER["answer"])
    assert told["server_url"] == STARTER["answer"]["server_url"]
    assert agent_in(told["participant_token"]) == ("", asked["agent"])
    said = claims(told["participant_token"])
    become = {
        "roomName": said["video"]["room"], "participantIdentity": said["sub"], "participantName": said.get("name"),
        "participantMetadata": said.get("metadata"), "participantAttributes": said.get("attributes"),
    }  # fmt: skip
    for option, has in become.items():
        assert asked["options"].get(option, has) == has, option


async def test_tokens_are_kept_by_nobody_and_secrets_never_shown(client: httpx2.AsyncClient) -> None:
    """No cache keeps a token, and no answer holds the server's secret."""
    for path in (LONG, "/token"):
        answer = await client.post(path)
        assert answer.headers["cache-control"] == "no-store"
        assert SECRET not in answer.text


async def test_without_livekit_it_says_what_to_set(client: httpx2.AsyncClient, house: House) -> None:
    """One clear problem, 503 livekit_off, names the settings to who can set them, and nothing to a caller."""
    house.livekit = None
    for path in (LONG, "/token", "/api/token"):
        answer = await client.post(path)  # on loopback, while there are no keys, everybody may do everything
        assert (answer.status_code, answer.json()["code"]) == (503, "livekit_off")
        assert "LIVEKIT_URL" in answer.json()["detail"]
    caller = await a_caller(house)
    for path in (LONG, "/token", "/api/token"):
        answer = await client.post(path, headers=caller)
        assert (answer.status_code, answer.json()["code"]) == (503, "livekit_off")
        assert answer.json()["detail"] == "this server has no LiveKit rooms"


async def test_a_draft_is_tried_in_a_room_too(client: httpx2.AsyncClient, house: House) -> None:
    """Whoever knows the name of a draft may call it, whatever API_AGENTS says; one that is not kept any more is said."""
    name = await keep_draft(house.bus, 'name = "mine"\n')
    asked = {"agents": [{"agent_name": name}]}
    assert agent_in((await long(client, room_config=asked))["participant_token"]) == ("", name)
    gone = await client.post("/api/token", json={"agent": "draft-nothing"})
    assert (gone.status_code, gone.json()["code"]) == (404, "missing")
    assert "/v1/agents/drafts" in gone.json()["detail"]
