"""The API over a real log, by real connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn

from api.app import create_app
from api.house import House
from api.main import house_of
from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.events import ParticipantJoined
from schemas.log import connected
from tests.api.sessions import open_session


@pytest.fixture
async def house(shared_valkey: Valkey) -> AsyncIterator[House]:
    """Of a process that follows a real log, which was empty at first."""
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
        await raw.flushall()
    settings = Settings(_env_file=None, redis_url=shared_valkey.url)
    async with connected(settings) as bus:
        made = house_of(settings, bus)
        made.waits_for = ""
        following = asyncio.create_task(made.sessions.run())
        yield made
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
async def served(house: House) -> AsyncIterator[str]:
    """Its address."""
    config = uvicorn.Config(
        create_app(house), port=0, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    house.sessions.streams.dismiss()
    server.should_exit = True
    await serving


async def test_a_session_is_followed_to_its_end(house: House, served: str) -> None:
    """Rows, events and receipts of a real log, read while they come, agree with each other."""
    session = await open_session(house, "s1", name="Ann")
    async with httpx2.AsyncClient(base_url=served) as client:
        async with client.stream("GET", "/v1/sessions/s1/events/stream") as stream:
            lines = stream.aiter_lines()
            asked = (await client.post("/v1/sessions/s1/say", json={"text": "Hello."})).json()
            await session.publish(ParticipantJoined(participant="bob"))
            await session.close()
            told = [line async for line in lines]
        kinds = [line.removeprefix("event: ") for line in told if line.startswith("event: ")]
        assert kinds == ["event"] * 5 + ["end"]
        assert f"id: {asked['seq']}-" in "\n".join(told)
        while not (rows := (await client.get("/v1/sessions?state=closed")).json()["sessions"]):
            await asyncio.sleep(0.05)
        assert (rows[0]["session"], rows[0]["events"], rows[0]["ended"]) == ("s1", 5, "hang_up")
        assert rows[0] == (await client.get("/v1/sessions/s1")).json()["row"]
        late = await client.post("/v1/sessions/s1/say", json={"text": "Hello?"})
        assert late.status_code == 409


async def test_a_log_that_is_away_comes_back(house: House, served: str) -> None:
    """What was told once is told in time again, whatever became of the connection meanwhile."""
    await open_session(house, "s1")
    async with httpx2.AsyncClient(base_url=served) as client:
        while not (await client.get("/v1/sessions")).json()["sessions"]:
            await asyncio.sleep(0.05)
        await house.bus._server._wire.aclose()  # type: ignore[attr-defined]
        await open_session(house, "s2")
        while len((await client.get("/v1/sessions")).json()["sessions"]) < 2:
            await asyncio.sleep(0.05)


async def test_a_reader_who_takes_nothing(house: House, served: str) -> None:
    """It holds no more of our memory than its connection's buffer, and nobody else up."""
    session = await open_session(house, "s1")
    host, _, port = served.removeprefix("http://").partition(":")
    _, deaf = await asyncio.open_connection(host, int(port), limit=1)
    deaf.write(b"GET /v1/sessions/s1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    while not len(house.sessions.channels):
        await asyncio.sleep(0.01)
    names = "x" * 20_000
    for number in range(100):
        await session.publish(ParticipantJoined(participant=f"p{number}", name=names))
    async with httpx2.AsyncClient(base_url=served) as client:
        while (await client.get("/v1/sessions/s1")).json()["row"]["events"] < 101:
            await asyncio.sleep(0.05)
    (channel,) = house.sessions.channels._open.values()
    while channel.story.state.seq < 101:
        await asyncio.sleep(0.05)
    assert channel.ring._bytes <= 1 << 20
    deaf.transport.abort()
