"""Who gets in: tokens, origins, hosts; and what somebody would try who has none."""

import asyncio

import pytest

from gateway.agents import Agents
from gateway.engine import Engine
from gateway.reception import Reception
from gateway.server import Server
from gateway.session import House
from gateway.tokens import Grant, mint
from schemas.clock import MonotonicClock
from schemas.errors import SettingsError
from schemas.events import ParticipantJoined, SessionStarted
from schemas.log import MemoryBus
from tests.gateway.door import SECRET, START, closing, door
from tests.gateway.rig import LoudnessVad


def test_outside_needs_secret() -> None:
    """A gateway that can be reached from outside does not start without a token secret, nor with a short one."""
    reception = Reception(*(house := House(MemoryBus(), MonotonicClock(), LoudnessVad(), "a"), Engine(house)), Agents())  # type: ignore[misc]
    with pytest.raises(SettingsError, match="GATEWAY_TOKEN_SECRET"):
        Server(reception, "0.0.0.0", 0)
    with pytest.raises(SettingsError, match="32"):
        Server(reception, "0.0.0.0", 0, secret="short")


async def test_token_claims() -> None:
    """A token's room, participant and agent hold, whatever the client asks for."""
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect(f"/ws?token={mint(SECRET, Grant('lobby', 'ann', 'greeter'))}")
        await client.send_json(START | {"participant": "bob", "room": "cellar", "agent": "default"})
        ready = await client.receive_json(timeout=5)
        await asyncio.sleep(0.1)
        events = await gateway.bus.read(ready["session"])
        started = next(event for event in events if isinstance(event, SessionStarted))
        joined = next(event for event in events if isinstance(event, ParticipantJoined))
        assert (started.room, started.agent.greeting, joined.participant) == ("lobby", "Good day.", "ann")


@pytest.mark.parametrize("needed", [True, False])
@pytest.mark.parametrize("token", ["", "garbage", "expired", "other secret"])
async def test_bad_token(token: str, needed: bool) -> None:
    """Where a token is needed none gets in without a good one; where it isn't, a bad one is still refused."""
    value = {
        "expired": mint(SECRET, Grant(), -60),
        "other secret": mint("another secret of thirty-two characters", Grant()),
    }.get(token, token)
    async with door(secret=SECRET) as gateway:
        gateway.server._token_needed = needed
        client = await gateway.connect("/ws", headers={"Authorization": f"Bearer {value}"} if value else {})
        await client.send_json(START)
        answer = await client.receive_json(timeout=5)
        if token == "" and not needed:
            assert answer["type"] == "ready"
        else:
            assert (answer["type"], answer["code"]) == ("error", "token")
            assert (await closing(client))[1] == 1008


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [("https://app.example", True), ("https://evil.example", False), ("null", False), (None, True), ("own", True)],
)
async def test_origin(origin: str | None, let_in: bool) -> None:
    """Pages of unknown origins may not connect; those allowed, the gateway's own, and clients without one may."""
    async with door(origins="https://app.example, https://other.example") as gateway:
        headers = {"Origin": gateway.url if origin == "own" else origin} if origin else {}
        client = await gateway.connect(headers=headers)
        await client.send_json(START)
        answer = await client.receive_json(timeout=5)
        assert (answer["type"] == "ready") is let_in
