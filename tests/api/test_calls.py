"""From a ticket to a call: API and gateway, each on its own connection to a real log."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import httpx2
import pytest

from api.app import create_app
from api.main import house_of
from gateway.main import Gateway, start_gateway
from ops.stack.embedded.valkey import Valkey
from schemas.access.new_key import new_key
from schemas.client import ErrorMessage, ReadyMessage, ToClient
from schemas.config.settings import Settings
from schemas.events import SessionStarted
from schemas.log import RedisBus
from tests.gateway.door import SECRET, START, told


@pytest.fixture
def settings(valkey: Valkey) -> Settings:
    return Settings(_env_file=None, redis_url=valkey.url, gateway_port=0, gateway_token_secret=SECRET)


@pytest.fixture
async def gateway(settings: Settings, valkey: Valkey) -> AsyncIterator[Gateway]:
    bus = RedisBus(valkey.url)
    await bus.start()
    started = await start_gateway(settings, bus)
    yield started
    await started.aclose()
    await bus.aclose()


@pytest.fixture
async def admin(settings: Settings, valkey: Valkey) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody with an admin's key."""
    bus = RedisBus(valkey.url)
    await bus.start()
    house = house_of(settings, bus)
    house.waits_for = ""
    key, shown = new_key("ann", "admin", await bus.now())
    await bus.add_key(key)
    headers = {"Authorization": f"Bearer {shown}"}
    transport = httpx2.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers) as asking:
        yield asking
    await bus.aclose()


async def offered(gateway: Gateway) -> None:
    """Until it has told that it has room: not while this process, which has the API, too, had its ticks come late."""
    assert gateway.presence is not None
    while not gateway.presence.told().places:
        await asyncio.sleep(0.05)
    await gateway.presence.tell()


async def call(url: str, token: str, **start: str) -> ToClient:
    """The gateway's first word to who comes with this token."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}?token={token}") as client:
        await client.send_json(START | start)
        return told(await client.receive_str(timeout=10))


async def test_a_draft_is_tried_in_a_call(gateway: Gateway, admin: httpx2.AsyncClient) -> None:
    """Made, called by its ticket, and the session is the draft's; another ticket does not open it."""
    await offered(gateway)
    draft = (await admin.post("/v1/agents/drafts", json={"toml": 'name = "tried"'})).json()["agent"]
    ticket = (await admin.post("/v1/ws/ticket", json={"agent": draft, "participant": "ann"})).json()
    ready = await call(ticket["url"], ticket["token"])
    assert isinstance(ready, ReadyMessage)
    [beginning] = await gateway.bus.read(ready.session, 0, 1)
    assert isinstance(beginning, SessionStarted)
    assert beginning.agent.name == "tried"
    other = (await admin.post("/v1/ws/ticket")).json()
    refused = await call(other["url"], other["token"], agent=draft)
    assert isinstance(refused, ErrorMessage)
    assert refused.code == "token"


async def test_a_gateway_that_stops_gets_no_calls(gateway: Gateway, admin: httpx2.AsyncClient) -> None:
    """From then on tickets are refused, and say why."""
    await offered(gateway)
    assert (await admin.post("/v1/ws/ticket")).json()["gateway"] == gateway.house.by
    gateway.reception.draining = True
    await gateway.presence.tell()  # type: ignore[union-attr]
    refused = await admin.post("/v1/ws/ticket")
    assert (refused.status_code, refused.json()["code"]) == (503, "no_gateway")
