"""POST /join: sending the agent into a room that somebody names."""

import aiohttp
import pytest

from schemas.access.tokens import Grant, mint
from tests.gateway.rooms.livekit.site.conftest import Site, session_of, until

SECRET = "0123456789abcdef0123456789abcdef"


async def test_the_agent_is_sent(site: Site) -> None:
    """On this machine nobody asks for a token: the agent comes, and a second time it is said that it is there."""
    gateway = await site.gateway(livekit_agent_name="helper")  # nobody asks for it by name
    ann = await site.person("lobby")
    door = f"http://127.0.0.1:{gateway.server.port}/join"
    async with aiohttp.ClientSession() as http:
        async with http.post(door, json={"room": "lobby"}) as answer:
            assert answer.status == 200
            session = (await answer.json())["session"]
        await until(lambda: session_of(ann) == session, "the agent")
        async with http.post(door, json={"room": "lobby"}) as answer:
            assert answer.status == 409
            assert "has its agent already" in (await answer.json())["error"]["message"]
        async with http.post(door, json={"room": "attic"}) as answer:
            assert (answer.status, "no room 'attic'" in await answer.text()) == (409, True)
        async with http.post(door, json={"rom": "lobby"}) as answer:
            assert answer.status == 400
        async with http.post(door, json={"room": "lobby"}, headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 401


async def test_a_clients_token_is_not_enough(site: Site) -> None:
    """A token for talking to the agent does not allow to send it anywhere; one with `join` does, into its own room only."""
    gateway = await site.gateway(livekit_agent_name="helper", gateway_token_secret=SECRET)
    await site.person("lobby")
    door = f"http://127.0.0.1:{gateway.server.port}/join"
    async with aiohttp.ClientSession() as http:
        for grant, status in (
            (Grant(), 403),
            (Grant(room="attic", join=True), 403),
            (Grant(room="lobby", join=True), 200),
        ):
            headers = {"Authorization": f"Bearer {mint(SECRET, grant)}"}
            async with http.post(door, json={"room": "lobby"}, headers=headers) as answer:
                assert answer.status == status


async def test_a_gateway_without_livekit_says_so(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Its log names the settings; who asks is told no more than that."""
    gateway = await site.gateway(livekit_url="")
    door = f"http://127.0.0.1:{gateway.server.port}/join"
    async with aiohttp.ClientSession() as http, http.post(door, json={"room": "lobby"}) as answer:
        assert (await answer.json())["error"]["message"].startswith("nobody here goes into LiveKit rooms")
    assert "LIVEKIT_URL" in caplog.text
