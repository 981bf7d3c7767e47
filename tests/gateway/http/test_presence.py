"""A gateway tells the deployment that it is there."""

import asyncio

import pytest

from gateway.http.presence import Presence, reachable
from gateway.main import Gateway, start_gateway
from schemas.bus import GatewaySeen
from schemas.config.settings import Settings
from schemas.events import STAGES
from schemas.log import MemoryBus
from tests.gateway.door import door


async def until_told(bus: MemoryBus) -> list[GatewaySeen]:
    async with asyncio.timeout(5):
        while not (found := await bus.gateways()):
            await asyncio.sleep(0.01)
    return found


def settings(**more: object) -> Settings:
    return Settings(gateway_port=0, gateway_id="g1", _env_file=None, **more)  # type: ignore[arg-type]


async def test_a_gateway_is_known_from_its_start_to_its_end() -> None:
    """With its URL, its room and the kinds of room it opens sessions in; after it has closed there is none."""
    bus = MemoryBus()
    gateway = await start_gateway(settings(), bus)
    [told] = await until_told(bus)
    assert (told.name, told.url, told.own_url) == ("g1", gateway.url, gateway.url)
    assert (told.sessions, told.draining, tuple(told.transports)) == (0, False, ("websocket",))
    assert told.places > 0
    await gateway.aclose()
    assert await bus.gateways() == []


async def test_clients_are_told_the_public_url() -> None:
    """GATEWAY_PUBLIC_URL for clients, its own for other processes."""
    bus = MemoryBus()
    gateway = await start_gateway(settings(gateway_public_url="wss://voice.example.com/ws"), bus)
    [told] = await until_told(bus)
    assert (told.url, told.own_url) == ("wss://voice.example.com/ws", gateway.url)
    await gateway.aclose()


async def test_a_gateway_that_drains_says_so_while_its_calls_go_on() -> None:
    """From the moment it is told to stop nobody is sent there; it is still there until its calls are over."""
    bus = MemoryBus()
    gateway: Gateway = await start_gateway(settings(), bus)
    await until_told(bus)
    gateway.engine.sessions["busy"] = object()  # type: ignore[assignment]  # a call that does not end by itself
    closing = asyncio.create_task(gateway.aclose(drain=5.0))
    async with asyncio.timeout(5):
        while not (told := (await bus.gateways())[0]).draining:
            await asyncio.sleep(0.01)
    assert (told.sessions, told.places) == (1, 0)
    gateway.engine.sessions.clear()
    await closing
    assert await bus.gateways() == []


async def test_a_gateway_whose_ticks_are_late_has_no_place() -> None:
    """One call more would be heard by all of them."""
    async with door() as one:
        presence = Presence(one.reception, one.server, ["websocket"])
        before = presence.told()
        one.engine.late.extend([0.2] * 64)
        assert before.places > 0
        assert presence.told().places == 0


async def test_a_gateway_that_needs_workers_has_no_place_without() -> None:
    """It says why, so that nobody is given a ticket to be refused with."""
    async with door() as one:
        presence = Presence(one.reception, one.server, ["websocket"])
        await one.reception.pools.look()
        assert (presence.told().unmanned, presence.told().places > 0) == (False, True)  # they are told to wait
        one.reception.needs_workers = True
        assert (presence.told().unmanned, presence.told().places) == (True, 0)
        for stage in STAGES:
            await one.reception.house.bus.take(stage, 0, f"{stage}-1", 1)
        await one.reception.pools.look()
        assert (presence.told().unmanned, presence.told().places > 0) == (False, True)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "ws://127.0.0.1:8765/ws"), ("::1", "ws://[::1]:8765/ws"), ("voice.lan", "ws://voice.lan:8765/ws")],
)
def test_an_address_is_written_as_a_url(host: str, url: str) -> None:
    """IPv6 in brackets."""
    assert reachable(host, 8765) == url


def test_listening_everywhere_is_no_address() -> None:
    """Then it is reached by the machine's name."""
    assert "0.0.0.0" not in reachable("0.0.0.0", 8765)
    assert "[::]" not in reachable("::", 8765)
