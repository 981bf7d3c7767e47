"""What every route of the API has in common."""

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from api import openapi
from api.house import NOT_YET, House, Pulse
from api.main import connect_house
from api.sessions.watch import Sessions
from ops.stack.system import free_port
from schemas.access.livekit import Access
from schemas.config.settings import Settings
from schemas.errors import BusFull, BusUnavailable
from schemas.log import MemoryBus
from tests.api.sessions import golden, keep


async def test_it_is_alive(client: httpx2.AsyncClient) -> None:
    """/health says ok, in the words that monitors look for."""
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_ready_says_what_is_missing(client: httpx2.AsyncClient, house: House) -> None:
    """/ready is 200 with a log, and names what calls would lack; and 503 with the reason without one."""
    workers = ["a worker for STT", "a worker for LLM", "a worker for TTS"]
    ready = (await client.get("/ready")).json()
    assert (ready["ready"], ready["because"]) == (True, [])
    assert ready["missing"][:4] == ["a gateway", *workers]
    house.pulse = Pulse()
    house.livekit = Access(f"ws://127.0.0.1:{free_port()}", "key", "a-secret-that-is-long-enough-for-it")
    ready = (await client.get("/ready")).json()
    assert (ready["ready"], ready["missing"][:5]) == (True, ["a gateway", *workers, "LiveKit"])
    house.waits_for = "redis://127.0.0.1:1 does not answer (REDIS_URL)"
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["because"] == ["the log does not answer"]


async def test_a_log_that_is_just_being_started_is_no_error(client: httpx2.AsyncClient, house: House) -> None:
    """Not ready, since it has only just begun, is what /ready says until a log that is not there lasts: no trouble is told that
    passes by itself."""
    tries = asyncio.Queue[BusUnavailable | None]()

    class Late(MemoryBus):
        async def start(self) -> None:
            if error := await tries.get():
                raise error
            await super().start()

    house.bus, house.waits_for = Late(), NOT_YET
    async with asyncio.TaskGroup() as both:
        connecting = both.create_task(connect_house(house))
        for said in (None, BusUnavailable("the log at 10.1.2.3:6379 does not answer (REDIS_URL)")):
            if said is not None:
                tries.put_nowait(said)
            while not tries.empty():
                await asyncio.sleep(0)
            answer = await client.get("/ready")
            assert answer.status_code == 503
            assert answer.json() == {"ready": False, "because": [NOT_YET], "starting": True, "missing": []}
        tries.put_nowait(None)
        while house.waits_for:
            await asyncio.sleep(0.01)
        assert (await client.get("/ready")).json()["ready"]
        connecting.cancel()


async def test_ready_knows_the_app_that_is_named(client: httpx2.AsyncClient, house: House, tmp_path: Path) -> None:
    """Where API_WEB names the web app, it is missing if it is not there, wherever else there is one."""
    house.settings = house.settings.model_copy(update={"api_web": tmp_path})
    assert "the web app" in (await client.get("/ready")).json()["missing"]
    house.pulse = Pulse()
    (tmp_path / "index.html").touch()
    assert "the web app" not in (await client.get("/ready")).json()["missing"]


async def test_ready_notices_a_log_that_goes(client: httpx2.AsyncClient, house: House) -> None:
    """A log that stops answering is a reason, too."""

    class Away(MemoryBus):
        async def now(self) -> None:
            raise BusUnavailable("the log at 10.1.2.3:6379 is gone (REDIS_URL)")

    house.bus = Away()
    assert (await client.get("/ready")).json()["because"] == ["the log does not answer"]


async def test_strangers_are_not_told_where_the_log_is(
    client: httpx2.AsyncClient, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever Redis says of itself stands in the API's own log: callers are told that it does not answer, or takes no more."""
    where = "the log at 10.1.2.3:6379 says OOM (REDIS_URL)"
    for raised, told in ((BusUnavailable, "the log does not answer"), (BusFull, "the log is full")):

        class Away(MemoryBus):
            error = raised

            async def info(self, _: str) -> None:
                raise self.error(where)

        house.sessions = Sessions(Away())
        answer = await client.get("/v1/sessions/ws-1")
        assert (answer.status_code, answer.json()["code"]) == (503, "log_away")
        assert told in answer.json()["detail"]
        assert "10.1.2.3" not in answer.text
        assert "REDIS_URL" not in answer.text
    assert where in caplog.text
    house.waits_for = where
    assert "10.1.2.3" not in (await client.get("/v1/sessions/ws-1")).text + (await client.get("/ready")).text


async def test_a_problem_has_one_form(client: httpx2.AsyncClient) -> None:
    """What isn't there is answered as problem+json, with a code for programs."""
    answer = await client.get("/v1/nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (404, "missing", "urn:antiphon:problem:missing")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/health", "GET"),
        ("PATCH", "/v1/keys", "GET, POST"),
        ("POST", "/v1/sessions/ws-1/audio.wav", "GET, HEAD"),
    ],
)
async def test_what_else_can_be_done(client: httpx2.AsyncClient, method: str, path: str, allowed: str) -> None:
    """Whoever asks by a method that a path does not have is told those that it has."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["detail"] == f"{method} is nothing that can be done here; {allowed} is"


GETS = sorted(path for path, described in openapi.document()["paths"].items() if "get" in described)


@pytest.mark.parametrize("settings", [Settings(_env_file=None, api_requests_per_minute=1_000_000)])
async def test_head_is_get_without_its_body(client: httpx2.AsyncClient, house: House) -> None:
    """Wherever GET is answered: the same status and headers, and nothing is counted, recorded or sent as if it were taken."""
    await keep(house, "s1", golden("plain"))
    for path in [*GETS, "/v1/openapi.json", "/nothing"]:
        place = re.sub(r"{\w+}", "x", path.replace("{session}", "s1"))
        asked = {"a": "s1", "b": "s1"} if path == "/v1/compare" else {}
        head = await client.head(place, params=asked)
        assert head.content == b""
        if "stream" in path:  # GET goes on
            assert (head.status_code, head.headers["content-type"].split(";")[0]) in (
                (200, "text/event-stream"), (404, "application/problem+json"), (503, "application/problem+json"),
            )  # fmt: skip
            continue
        get = await client.get(place, params=asked)
        assert head.status_code == get.status_code, path
        assert head.headers["content-type"] == get.headers["content-type"], path
    assert not [deed for deed in await house.bus.deeds(1000) if deed.action.startswith("HEAD")]
    assert 'antiphon_api_requests_total{method="HEAD",route="/v1/sessions/{session}",status="200"} 1.0' in (
        house.figures.text().decode()
    )


async def test_what_a_post_does_head_does_not(client: httpx2.AsyncClient) -> None:
    """Where there is no GET, there is no HEAD."""
    answer = await client.head("/v1/login")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_the_committed_description_is_the_codes() -> None:
    """api/openapi.json is what the code says: `make schema` after each change of a route."""
    assert openapi.COMMITTED.read_text() == openapi.text()
