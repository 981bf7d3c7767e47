"""A session is forked from a turn by the jobs worker, followed while it is, and compared with what it was."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from api.house import House
from ops.jobs.worker import JobsWorker
from schemas.config.settings import Settings
from tests.api.replay.conftest import Finish, keep
from tests.api.sessions import open_session
from tests.golden.decided import cut_in
from tests.ops.replay.piped import SLOW, at_work, broken_off, serving

PATIENT = {
    "settings": {"turn_taking.commit_max": 3.0, "turn_taking.commit_silence": 3.0, "turn_taking.commit_min": 3.0}
}


async def forked(client: httpx2.AsyncClient, finish: Finish, **ask: Any) -> dict[str, Any]:
    return await finish(await client.post("/v1/sessions/s1/forks", json=PATIENT | ask))


async def test_a_fork_is_a_session_of_its_own(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """It says what it came from, has sound of its own, and the original is as it was."""
    await keep(house, "s1", cut_in())
    before = (await client.get("/v1/sessions/s1/events")).text
    job = await forked(client, finish)
    assert (job["state"], job["error"]) == ("done", "")
    assert job["about"]["session"] == "s1"
    name = job["result"]["session"]
    fork = (await client.get(f"/v1/sessions/{name}")).json()
    assert fork["forked_from"]["session"] == "s1"
    assert fork["forked_from"]["turn"] is None
    assert fork["forked_from"]["changed"] == PATIENT["settings"]
    assert (await client.get("/v1/sessions/s1/events")).text == before
    assert (await client.get("/v1/sessions/s1")).json()["forked_from"] is None
    keys = [
        ref["key"]
        for event in (await client.get(f"/v1/sessions/{name}/events?limit=500")).json()["events"]
        for ref in event.get("body", event).get("audio", [])
        if isinstance(ref, dict)
    ]
    assert not any(":blob:s1/" in key for key in keys)


async def test_from_a_turn_on(client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish) -> None:
    """What was before it is the same; a fork can be forked, too."""
    await keep(house, "s1", cut_in())
    turns = (await client.get("/v1/sessions/s1")).json()["turns"]
    job = await forked(client, finish, from_turn=turns[-1]["turn"])
    assert job["state"] == "done", job
    name = job["result"]["session"]
    assert (await client.get(f"/v1/sessions/{name}")).json()["forked_from"]["turn"] == turns[-1]["turn"]
    again = await finish(
        await client.post(f"/v1/sessions/{name}/forks", json={"settings": {"turn_taking.barge_in": False}})
    )
    assert again["state"] == "done", again
    assert again["result"]["session"].startswith("fork-s1-")


async def test_a_session_knows_its_forks(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Its own, not those of one whose name begins alike, nor their forks; with what is other in each."""
    await keep(house, "s1", cut_in())
    await keep(house, "s1-2", cut_in())
    assert (await client.get("/v1/sessions/s1/forks")).json() == {"forks": []}
    turn = (await client.get("/v1/sessions/s1")).json()["turns"][-1]["turn"]
    first = (await forked(client, finish))["result"]["session"]
    second = (await forked(client, finish, from_turn=turn))["result"]["session"]
    other = await finish(await client.post("/v1/sessions/s1-2/forks", json=PATIENT))
    of_fork = await finish(
        await client.post(f"/v1/sessions/{first}/forks", json={"settings": {"turn_taking.barge_in": False}})
    )
    await house.sessions.look()
    await house.sessions.index.read_stored()
    found = (await client.get("/v1/sessions/s1/forks")).json()["forks"]
    assert {one["session"]: (one["turn"], one["changed"]) for one in found} == {
        first: (None, PATIENT["settings"]),
        second: (turn, PATIENT["settings"]),
    }
    for name, made in (("s1-2", other), (first, of_fork)):
        (one,) = (await client.get(f"/v1/sessions/{name}/forks")).json()["forks"]
        assert one["session"] == made["result"]["session"]
    assert (await client.get("/v1/sessions/nobody/forks")).status_code == 404


async def test_two_sessions_are_compared(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Turn by turn, with the first divergence, the settings that differ, and the words."""
    await keep(house, "s1", cut_in())
    name = (await forked(client, finish))["result"]["session"]
    found = (await client.get("/v1/compare", params={"a": "s1", "b": name})).json()
    assert found["divergence"] is not None
    assert found["turns"][found["divergence"]]["parts"] is True
    assert {one["name"] for one in found["settings"]} == set(PATIENT["settings"])
    assert found["second"]["forked_from"]["session"] == "s1"
    same = (await client.get("/v1/compare", params={"a": "s1", "b": "s1"})).json()
    assert (same["divergence"], same["wer"], same["settings"]) == (None, 0.0, [])
    assert (await client.get("/v1/compare", params={"a": "s1", "b": "nobody"})).status_code == 404
    assert (await client.get("/v1/compare", params={"a": "s1"})).status_code == 422
    assert (await client.get("/v1/compare", params={"a": "s1", "b": "x" * 300})).status_code == 422


async def test_its_progress_is_followed(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """The stream tells it at once, with each change, and ends with it."""
    await keep(house, "s1", cut_in())
    job = (await client.post("/v1/sessions/s1/forks", json=PATIENT)).json()
    async with asyncio.timeout(40):
        told = (await client.get(f"/v1/jobs/{job['id']}/stream")).text
    states = [json.loads(line[6:])["state"] for line in told.splitlines() if line.startswith('data: {"id"')]
    assert states[-1] == "done"
    assert "event: end" in told
    listed = (await client.get("/v1/jobs", params={"kind": "fork"})).json()
    assert [one["id"] for one in listed["jobs"]] == [job["id"]]
    assert listed["served"] is True
    assert (await client.delete(f"/v1/jobs/{job['id']}")).status_code == 409


@pytest.mark.parametrize(
    ("ask", "status", "says"),
    [
        ({}, 422, "everything is as it was"),
        ({"settings": {"turn_taking.barge_in": True}}, 422, "everything is as it was"),
        ({"settings": {"turn_taking.commit_max": 99}}, 422, "commit_max"),
        ({"settings": {"turn_taking.nonsense": 1}}, 422, "nonsense"),
        ({"settings": {"llm.provider": "openai"}}, 422, "set in the agent's file"),
        ({"settings": {"llm.options": "x"}}, 422, "set in the agent's file"),
        ({"settings": {"../etc": 1}}, 422, "settings"),
        ({"settings": {f"turn_taking.x{'y' * n}": 1 for n in range(61)}}, 422, "settings"),
        ({"instructions": "x" * 20_001}, 422, "instructions"),
        ({"from_turn": 77, **PATIENT}, 404, "there is no turn 77"),
        ({"from_turn": 0, **PATIENT}, 422, "from_turn"),
        ({"agent": "nobody"}, 404, "nobody"),
        ({"unknown": 1}, 422, "unknown"),
    ],
)
async def test_what_can_not_be_is_said_at_once(
    client: httpx2.AsyncClient, house: House, ask: dict[str, Any], status: int, says: str
) -> None:
    """Before anything is asked of anybody."""
    await keep(house, "s1", cut_in())
    answer = await client.post("/v1/sessions/s1/forks", json=ask)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert says in answer.text
    assert (await client.get("/v1/jobs")).json()["jobs"] == []


async def test_a_call_that_goes_on_is_not_forked(client: httpx2.AsyncClient, house: House) -> None:
    await open_session(house, "live")
    assert (await client.post("/v1/sessions/live/forks", json=PATIENT)).status_code == 409
    assert (await client.post("/v1/sessions/nobody/forks", json=PATIENT)).status_code == 404


async def test_without_a_worker_it_waits_and_can_be_stopped(client: httpx2.AsyncClient, house: House) -> None:
    """And it is said that there is none."""
    await keep(house, "s1", cut_in())
    job = (await client.post("/v1/sessions/s1/forks", json=PATIENT)).json()
    assert (job["state"], job["served"]) == ("waiting", False)
    stopped = (await client.delete(f"/v1/jobs/{job['id']}")).json()
    assert stopped["state"] == "stopped"
    assert (await client.get("/v1/jobs/nothing")).status_code == 404
    assert (await client.get("/v1/jobs/..%2f..")).status_code == 404
    assert (await client.get("/v1/jobs/nothing/stream")).status_code == 404


async def test_what_a_dead_worker_had_is_done_by_another(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Its hint is lost, and its lease runs out."""
    import redis.asyncio

    await keep(house, "s1", cut_in())
    one = await house.asked.ask("removal", {"sessions": []}, "somebody")
    await house.asked.take(one.id, "dead")  # whoever is first
    async with redis.asyncio.Redis.from_url(house.settings.redis_url) as raw:
        await raw.delete(f"antiphon:asked:{one.id}:lease")
    async with asyncio.timeout(30):
        while (await client.get(f"/v1/jobs/{one.id}")).json()["state"] in ("waiting", "running"):
            await asyncio.sleep(0.1)


async def test_a_cluster_needs_a_redis_for_jobs(client: httpx2.AsyncClient, house: House) -> None:
    """Without one nothing can be forked, and the app is told so."""
    assert (await client.get("/v1/me")).json()["features"]["replay"] is True
    house.asked._settings = Settings(_env_file=None, redis_url="redis://127.0.0.1:1", redis_cluster=True)
    await house.asked.aclose()
    assert (await client.get("/v1/me")).json()["features"]["replay"] is False
    answer = await client.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (503, "jobs_away")
    assert "JOBS_REDIS_URL" in answer.text


async def test_a_batch_says_what_got_better_and_worse(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Of the sessions the filter lets pass, forks left out; each with its fork."""
    await keep(house, "s1", cut_in())
    await keep(house, "s2", cut_in())
    await forked(client, finish)
    job = await finish(await client.post("/v1/batches", json=PATIENT | {"filter": {"q": "s"}, "most": 10}))
    assert job["state"] == "done", job
    found = job["result"]
    assert sorted(row["session"] for row in found["sessions"]) == ["s1", "s2"]
    assert all(row["fork"].startswith(f"fork-{row['session']}-") for row in found["sessions"])
    figures = found["figures"]
    assert figures["better"] + figures["worse"] + figures["same"] == 2
    assert figures["turns"][0] > 0
    assert (job["done"], job["of"]) == (2, 2)
    for ask in (
        {},
        PATIENT | {"most": 201},
        PATIENT | {"filter": {"state": "open"}},
        PATIENT | {"filter": {"since": "5"}},
    ):
        assert (await client.post("/v1/batches", json=ask)).status_code == 422


async def test_deleted_it_ends_where_it_is(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """The job is stopped, no worker goes on with it, and what was made is a session that says so."""
    await keep(house, "s1", cut_in())
    async with serving(house.bus, simulation=SLOW):
        asked = await client.post("/v1/sessions/s1/forks", json={"instructions": "Be curt."})
        await at_work(house.bus)
        assert (await client.delete(f"/v1/jobs/{asked.json()['id']}")).is_success
        job = await finish(asked)
        assert (job["state"], job["result"]) == ("stopped", None)
        await broken_off(house.bus, "s1")
