"""What every route of the API has in common."""

import httpx2

from api import openapi
from api.house import House
from schemas.errors import BusUnavailable
from schemas.log import MemoryBus


async def test_it_is_alive(client: httpx2.AsyncClient) -> None:
    """/health says ok, in the words that monitors look for."""
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_ready_says_what_is_missing(client: httpx2.AsyncClient, house: House) -> None:
    """/ready is 200 with a log, and 503 with the reason without one."""
    assert (await client.get("/ready")).json() == {"ready": True, "because": []}
    house.waits_for = "redis://127.0.0.1:1 does not answer"
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["because"] == ["log: redis://127.0.0.1:1 does not answer"]


async def test_ready_notices_a_log_that_goes(client: httpx2.AsyncClient, house: House) -> None:
    """A log that stops answering is a reason, too."""

    class Away(MemoryBus):
        async def now(self) -> None:
            raise BusUnavailable("gone")

    house.bus = Away()
    assert (await client.get("/ready")).json()["because"] == ["log: gone"]


async def test_a_problem_has_one_form(client: httpx2.AsyncClient) -> None:
    """What isn't there is answered as problem+json, with a code for programs."""
    answer = await client.get("/v1/nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (404, "missing", "urn:antiphon:problem:missing")


def test_the_committed_description_is_the_codes() -> None:
    """api/openapi.json is what the code says: `make schema` after each change of a route."""
    assert openapi.COMMITTED.read_text() == openapi.text()
