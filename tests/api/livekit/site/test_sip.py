"""Trunks, rules and calls by the API, on a real server with Redis; the bridge itself is played by a participant of kind SIP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.livekit.telephony import Telephony
from schemas.access.livekit import Access
from schemas.events import SessionStarted
from tests.gateway.rooms.livekit.site.conftest import Site, session_of, until


@pytest.fixture(autouse=True)
async def _swept(site: Site) -> AsyncIterator[None]:
    """What a test adds is gone after it: the server is shared."""
    yield
    async with Telephony(Access(site.livekit.url, site.livekit.api_key, site.livekit.api_secret)) as phones:
        for row in await phones.everything():
            await phones.remove(row["id"])


async def added(client: httpx2.AsyncClient, path: str, **body: Any) -> str:
    answer = await client.post(f"/v1/sip/{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


async def outbound(client: httpx2.AsyncClient) -> str:
    return await added(
        client, "trunks", kind="outbound", name="out", address="127.0.0.1:5999", numbers=["+15105550100"]
    )


@pytest.mark.parametrize("options", [{"livekit_agent_name": "desk"}])
async def test_trunks_and_rules_are_kept(client: httpx2.AsyncClient) -> None:
    """What is made is listed, without passwords and PINs, and is gone once removed."""
    line = await added(
        client, "trunks", kind="inbound", name="line", numbers=["+15105550100"], addresses=["203.0.113.0/24"],
        user="me", password="geheim",
    )  # fmt: skip
    out = await outbound(client)
    own = await added(client, "rules", name="own", trunks=[line], agent="helper", metadata={"line": "b"})
    shared = await added(client, "rules", name="shared", room="meeting", pin="4711")
    trunks = (await client.get("/v1/sip/trunks")).json()["trunks"]
    rules = (await client.get("/v1/sip/rules")).json()["rules"]
    by_id = {row["id"]: row for row in [*trunks, *rules]}
    assert by_id[line]["who"] == ["203.0.113.0/24", "user me"]
    assert by_id[out]["address"] == "127.0.0.1:5999"
    assert (by_id[own]["room"], by_id[own]["agents"]) == ("call-…", ['desk {"line": "b", "agent": "helper"}'])
    assert (by_id[shared]["room"], by_id[shared]["pin"]) == ("meeting", True)
    assert "geheim" not in json.dumps(by_id)
    assert "4711" not in json.dumps(by_id)
    for kind, identifier in (("rules", own), ("rules", shared), ("trunks", line), ("trunks", out)):
        assert (await client.delete(f"/v1/sip/{kind}/{identifier}")).status_code == 204
    assert (await client.get("/v1/sip/trunks")).json() == {"trunks": []}
    assert (await client.get("/v1/sip/rules")).json() == {"rules": []}


async def test_a_call_without_a_bridge(site: Site, client: httpx2.AsyncClient, agents_folder: Path) -> None:
    """Where no bridge runs, a call out says so; a trunk there is none of is 404; no room is left standing. The agent was there
    for it, with what the call was said to be about."""
    (agents_folder / "helper.toml").write_text('name = "helper"\nprompt_metadata = ["order"]\n')
    gateway = await site.gateway(agents=agents_folder)
    wanted = {"trunk": await outbound(client), "to": "+15105550123", "wait_s": 1, "agent": "helper"}
    answer = await client.post("/v1/sip/calls", json={**wanted, "metadata": {"order": 7}})
    [session] = [*await gateway.bus.sessions(), *await gateway.bus.closed()]  # with its room it ends
    started = (await site.events(session.session))[0]
    assert isinstance(started, SessionStarted)
    assert started.metadata == {"order": 7}
    assert (answer.status_code, answer.json()["code"]) == (503, "no_bridge"), answer.text
    answer = await client.post("/v1/sip/calls", json={"trunk": "ST_none", "to": "+15105550123"})
    assert (answer.status_code, answer.json()["code"]) == (404, "missing"), answer.text
    assert (await client.get("/v1/rooms")).json()["rooms"] == []


async def test_nobody_is_called_without_an_agent(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no gateway takes the room nobody is rung up, and the answer says which to look for."""
    monkeypatch.setattr("api.livekit.telephony._AGENT_WITHIN", 0.2)
    answer = await client.post("/v1/sip/calls", json={"trunk": await outbound(client), "to": "+15105550123"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_agent")
    assert "nobody was called" in answer.json()["detail"]


async def test_a_phone_is_listed_and_hung_up(site: Site, client: httpx2.AsyncClient) -> None:
    """Whoever the bridge brought into a room is among the calls, can't be transferred without the bridge, and can be hung up."""
    await site.gateway()
    attributes = {"sip.phoneNumber": "+15105550123", "sip.trunkPhoneNumber": "+15105550100", "sip.callStatus": "active"}
    phone = await site.person("call-1", "phone", kind="sip", attributes=attributes)
    await until(lambda: session_of(phone), "the agent")
    (call,) = (await client.get("/v1/sip/calls")).json()["calls"]
    assert call == {
        "room": "call-1", "identity": "phone", "number": "+15105550123", "called": "+15105550100", "status": "active",
    }  # fmt: skip
    here = {"room": "call-1", "identity": "phone"}
    answer = await client.post("/v1/sip/calls/transfer", json={**here, "to": "+15105550199"})
    assert answer.status_code in (409, 503), answer.text
    assert phone.isconnected()
    assert (await client.post("/v1/sip/calls/hang-up", json=here)).status_code == 204
    await until(lambda: not phone.isconnected(), "it is hung up")
    again = await client.post("/v1/sip/calls/hang-up", json=here)
    assert (again.status_code, again.json()["code"]) == (404, "missing")
