"""Calls by a gateway's own phones, asked for by HTTP: a real gateway, its real desk, another phone by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.access.who import Who
from api.app import create_app
from api.house import House
from api.main import house_of
from schemas.bus import GatewaySeen
from schemas.config.settings import Settings
from tests.gateway.rooms.sip.conftest import AGENTS, Office, office
from tests.gateway.rooms.sip.party import Party
from tests.gateway.rooms.sip.test_dialing import taken

SECRET = "x" * 40


@asynccontextmanager
async def api(here: Office, secret: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """The API over the log of the office's gateway, of which it has been told."""
    gateway = here.gateway
    seen = GatewaySeen(gateway.house.by, gateway.url, gateway.url, 10, 0, False, ["websocket", "sip"])
    await gateway.bus.advertise(seen, 60)
    # what it says of itself is that it has no room, while the API beside it in this process makes its ticks late
    await gateway.bus.advertise(replace(seen, name=f"{seen.name}, with room"), 60)
    house = house_of(Settings(_env_file=None, agents=AGENTS, gateway_token_secret=secret), gateway.bus)
    house.waits_for = ""
    house.gate.let_in = _anybody  # type: ignore[method-assign]  # who may ask is not what is tried here
    transport = httpx2.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", timeout=20) as client:
        yield client


def _json(body: dict[str, Any]) -> bytes:
    """As it is: a client's own library would not write half a character."""
    return json.dumps(body).encode()


async def _anybody(_: object) -> Who:
    return Who("this machine", "admin")


async def _called(client: httpx2.AsyncClient, party: Party, **more: Any) -> str:
    body = {"to": f"sip:ann@127.0.0.1:{party.port}", "agent": "greeter", **more}
    asked = asyncio.create_task(client.post("/v1/phones/calls", json=body))
    await taken(party, await party.request("INVITE"))
    answer = await asked
    assert answer.status_code == 201, answer.text
    session: str = answer.json()["session"]
    return session


@pytest.mark.parametrize("secret", ["", SECRET])
async def test_somebody_is_rung_up_and_hung_up_on(tmp_path: Path, secret: str) -> None:
    """An operator's call is a session of a gateway; keys are pressed in it, it is hung up; with a secret as without."""
    async with office(tmp_path, secret=secret) as here, Party(here.phones.port) as party, api(here, secret) as client:
        assert (await client.get("/v1/me")).json()["features"]["phones"]  # it is the gateway's, not the API's setting
        session = await _called(client, party)
        await here.event(session, lambda event: event.type == "playback.started")
        pressed = await client.post(f"/v1/phones/calls/{session}/keys", json={"digits": "1w2#"})
        assert pressed.status_code == 204, pressed.text
        assert (await client.delete(f"/v1/phones/calls/{session}")).status_code == 204
        party.reply(await party.request("BYE"))
        await here.event(session, lambda event: event.type == "session.ended")
        again = await client.delete(f"/v1/phones/calls/{session}")
        assert (again.status_code, again.json()["code"]) == (409, "closed")


async def test_who_does_not_want_to(tmp_path: Path) -> None:
    """A refusal of the other side is 502 with its words; an address that no trunk names is never dialled."""
    async with office(tmp_path) as here, Party(here.phones.port) as party, api(here) as client:
        target = f"sip:ann@127.0.0.1:{party.port}"
        asked = asyncio.create_task(client.post("/v1/phones/calls", json={"to": target}))
        party.reply(await party.request("INVITE"), "486 Busy Here", to_tag="theirs")
        await party.request("ACK")
        answer = await asked
        assert (answer.status_code, answer.json()["code"]) == (502, "not_taken")
        assert "486 Busy Here" in answer.json()["detail"]
        answer = await client.post("/v1/phones/calls", json={"to": "sip:x@192.0.2.1"})
        assert (answer.status_code, answer.json()["code"]) == (502, "not_taken")
        assert "is in no trunk's addresses" in answer.json()["detail"]


async def test_a_caller_is_handed_on(tmp_path: Path) -> None:
    """The phone is sent to another address by REFER; one that says no more than that it goes has left."""
    async with office(tmp_path) as here, Party(here.phones.port) as party, api(here) as client:
        session = await _called(client, party)
        path = f"/v1/phones/calls/{session}/transfer"
        odd = await client.post(path, json={"to": "http://x"})
        assert (odd.status_code, odd.json()["code"]) == (422, "form"), odd.text
        moving = asyncio.create_task(client.post(path, json={"to": "sip:bob@192.0.2.10"}))
        refer = await party.request("REFER")
        assert "Refer-To: <sip:bob@192.0.2.10>" in refer
        party.reply(refer, "603 Decline")
        answer = await moving
        assert (answer.status_code, answer.json()["code"]) == (502, "not_taken"), answer.text


@pytest.mark.parametrize(
    ("told", "code"),
    [({"transports": ["websocket"]}, "no_phones"), ({"places": 0}, "no_gateway"), ({}, "gateway_away")],
)
async def test_no_gateway_to_ask(client: httpx2.AsyncClient, house: House, told: dict[str, Any], code: str) -> None:
    """No gateway with phones, none with a place, none that answers: 503, and which of them it is."""
    gone = "ws://127.0.0.1:9/ws"
    await house.bus.advertise(replace(GatewaySeen("gone", gone, gone, 10, 0, False, ["sip"]), **told), 60)
    answer = await client.post("/v1/phones/calls", json={"to": "sip:ann@127.0.0.1:9"})
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text


async def test_a_gateway_with_another_secret(tmp_path: Path) -> None:
    """Where the two secrets differ the gateway refuses us, and the answer names the setting."""
    async with office(tmp_path, secret=SECRET) as here, api(here, "y" * 40) as client:
        answer = await client.post("/v1/phones/calls", json={"to": "sip:ann@127.0.0.1:9"})
        assert (answer.status_code, answer.json()["code"]) == (503, "gateway_away")
        assert "GATEWAY_TOKEN_SECRET" in answer.json()["detail"]
        assert "y" * 40 not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {}, {"to": ""}, {"to": "+49\r\nX: y"}, {"to": "+49", "digits": "1x"}, {"to": "+49", "wait_s": 0},
        {"to": "+49", "wait_s": 10_000}, {"to": "x" * 10_000}, {"to": "a b"}, {"to": "\ud83d"},
    ],
)  # fmt: skip
async def test_what_is_no_call(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    """Lines within lines, times without end, 10 kB: refused before any gateway is asked."""
    answer = await client.post("/v1/phones/calls", content=_json(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


async def test_calls_there_are_none_of(client: httpx2.AsyncClient) -> None:
    """A session that is no session is 404, whatever is asked of it, and however it is written."""
    for name in ("none", "..%2F..%2Fjoin", "%00", "x" * 60):
        answer = await client.delete(f"/v1/phones/calls/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "missing"), answer.text
