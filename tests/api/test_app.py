"""What every route of the API has in common."""

from pathlib import Path

import httpx2
import pytest

from api import openapi
from api.house import House, Pulse
from api.sessions.watch import Sessions
from ops.stack.system import free_port
from schemas.access.livekit import Access
from schemas.errors import BusFull, BusUnavailable
from schemas.log import MemoryBus


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


def test_the_committed_description_is_the_codes() -> None:
    """api/openapi.json is what the code says: `make schema` after each change of a route."""
    assert openapi.COMMITTED.read_text() == openapi.text()
