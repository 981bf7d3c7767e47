"""The way to a call by WebSocket."""

from dataclasses import replace

import httpx2
import pytest

from api.house import House
from schemas.access.new_key import new_key
from schemas.access.tokens import Grant, verify
from schemas.bus import GatewaySeen
from schemas.config.settings import Settings
from schemas.drafts import keep_draft

SECRET = "a-secret-of-at-least-thirty-two-characters"
HERE = GatewaySeen("g1", "wss://voice.example.com/ws", "ws://10.0.0.1:8765/ws", 7, 3, False, ("websocket",))


async def test_without_a_secret_no_token_is_needed(client: httpx2.AsyncClient, house: House) -> None:
    """The URL of the gateway with room, and no token; a body may be left out."""
    await house.bus.advertise(HERE, 60)
    answer = await client.post("/v1/ws/ticket")
    assert answer.json() == {
        "url": "wss://voice.example.com/ws", "token": "", "expires_in": 120, "agent": "", "gateway": "g1"
    }  # fmt: skip


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET, api_agents="shop, help")])
async def test_a_ticket_lets_in_whom_it_names(client: httpx2.AsyncClient, house: House) -> None:
    """A token of the gateways' secret: for this agent, participant and room, no operator's; a caller's key does not vouch for
    the participant, an operator's does. Who names no agent gets the first of
    the allow-list, and no other by asking the gateway for it."""
    await house.bus.advertise(HERE, 60)
    key, shown = new_key("ann", "caller", await house.bus.now())
    own, told = new_key("server", "operator", await house.bus.now())
    await house.bus.add_key(own)
    await house.bus.add_key(key)

    async def ask(**body: str) -> httpx2.Response:
        return await client.post("/v1/ws/ticket", json=body, headers={"Authorization": f"Bearer {shown}"})

    asked = (await ask(agent="help", participant="ann", room="lobby")).json()
    assert verify(SECRET, asked["token"]) == Grant(room="lobby", participant="ann", agent="help", unvouched=True)
    assert verify(SECRET, (await ask()).json()["token"]) == Grant(agent="shop")
    headers = {"Authorization": f"Bearer {told}"}
    vouched = (await client.post("/v1/ws/ticket", json={"participant": "ann"}, headers=headers)).json()
    assert verify(SECRET, vouched["token"]).caller == "ann"
    refused = await ask(agent="secret")
    assert (refused.status_code, refused.json()["code"]) == (403, "agent")
    assert (await client.post("/v1/ws/ticket")).status_code == 401


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET, api_agents="shop")])
async def test_a_ticket_for_a_draft_names_it(client: httpx2.AsyncClient, house: House) -> None:
    """Whoever knows its name may call it, though it is on no list; one that is gone is said to be."""
    await house.bus.advertise(HERE, 60)
    key, shown = new_key("ann", "caller", await house.bus.now())
    await house.bus.add_key(key)
    name = await keep_draft(house.bus, "")
    headers = {"Authorization": f"Bearer {shown}"}
    ticket = (await client.post("/v1/ws/ticket", json={"agent": name}, headers=headers)).json()
    assert verify(SECRET, ticket["token"]).agent == name
    gone = await client.post("/v1/ws/ticket", json={"agent": "draft-gone"}, headers=headers)
    assert gone.status_code == 404
    assert "make it anew" in gone.json()["detail"]


async def test_without_a_gateway_it_says_what_to_do(client: httpx2.AsyncClient) -> None:
    """503, in a sentence, and when to try again."""
    answer = await client.post("/v1/ws/ticket", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_gateway")
    assert "start one" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET)])
async def test_where_nobody_would_answer_there_is_no_ticket(client: httpx2.AsyncClient, house: House) -> None:
    """While every gateway refuses calls for want of workers: 503 as they would; setting and remedy to operators only."""
    keys = {}
    for role in ("caller", "admin"):
        key, keys[role] = new_key(role, role, await house.bus.now())  # type: ignore[arg-type]
        await house.bus.add_key(key)

    async def ask(role: str) -> httpx2.Response:
        return await client.post("/v1/ws/ticket", headers={"Authorization": f"Bearer {keys[role]}"})

    unmanned = replace(HERE, places=0, unmanned=True)
    await house.bus.advertise(unmanned, 60)
    await house.bus.advertise(replace(HERE, name="g2", places=0, draining=True), 60)
    told = await ask("caller")
    assert (told.status_code, told.json()["code"], told.headers["retry-after"]) == (503, "workers", "2")
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json()["detail"] == "nobody is here to answer just now; try again in a while"
    assert "GATEWAY_NEEDS_WORKERS" in (await ask("admin")).json()["detail"]
    await house.bus.advertise(replace(HERE, name="g3"), 60)
    assert (await ask("caller")).json()["gateway"] == "g3"


@pytest.mark.parametrize("body", [{"agent": 5}, {"agent": "x" * 10_000}, {"who": "me"}, []])
async def test_what_is_no_request_is_refused(client: httpx2.AsyncClient, body: object) -> None:
    """Wrong kinds, endless names and unknown fields."""
    assert (await client.post("/v1/ws/ticket", json=body)).status_code == 422
