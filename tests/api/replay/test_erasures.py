"""Sessions are deleted for good, one by one or all of a person, and what is left is the proof."""

import asyncio
import json

import httpx2

from api.house import House
from ops.jobs.worker import JobsWorker
from schemas.archive.store import Archive
from schemas.events import ParticipantJoined
from tests.api.replay.conftest import Finish, keep
from tests.api.sessions import open_session
from tests.golden.decided import cut_in


async def test_a_session_is_deleted_with_proof(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish, archive: Archive
) -> None:
    """Out of the log or the archive, wherever it is by then; who asked is recorded, what it was is not told."""
    await keep(house, "s1", cut_in())
    job = await finish(await client.delete("/v1/sessions/s1"))
    assert (job["state"], job["error"]) == ("done", "")
    proof = job["result"]["proof"]
    assert job["result"]["kind"] == "removal"
    assert (await client.get("/v1/sessions/s1")).status_code == 404
    assert await archive.standing("s1") is None
    (told,) = (await client.get("/v1/erasures")).json()["erasures"]
    assert told == proof
    assert (told["kind"], told["done_at"] is not None) == ("session", True)
    assert (told["sessions"], len(told["removed"])) == (1, 1)
    assert "s1" not in json.dumps(told["removed"])
    deeds = (await client.get("/v1/audit")).json()["deeds"]
    assert any(one["action"] == "DELETE /v1/sessions/{session}" and one["session"] == "s1" for one in deeds)


async def test_all_there_is_of_a_person(
    client: httpx2.AsyncClient, house: House, jobs: JobsWorker, finish: Finish
) -> None:
    """Archived or not; others stay; afterwards neither the job nor the record says whom it was about."""
    events = cut_in()
    joined = [event for event in events if isinstance(event, ParticipantJoined)]
    named = [
        event.model_copy(update={"participant": "+49301234", "name": "Ann"}) if event in joined else event
        for event in events
    ]
    await keep(house, "hers", named)
    await keep(house, "his", events)
    answer = await client.post("/v1/erasures", json={"person": "  ANN "})
    job = await finish(answer)
    assert job["state"] == "done", job
    assert len(job["result"]["proof"]["removed"]) == 1
    assert (await client.get("/v1/sessions/hers")).status_code == 404
    assert (await client.get("/v1/sessions/his")).status_code == 200
    async with asyncio.timeout(10):
        while (await house.asked.get(job["id"])).request:  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
    for path in (f"/v1/jobs/{job['id']}", "/v1/jobs", "/v1/audit", "/v1/erasures"):
        assert "ann" not in (await client.get(path)).text.lower().replace("channel", "")
    nobody = await finish(await client.post("/v1/erasures", json={"person": "nobody at all"}))
    assert nobody["result"] == {"kind": "erasure", "proof": None, "open": []}


async def test_a_call_that_goes_on_stays(client: httpx2.AsyncClient, house: House) -> None:
    await open_session(house, "live")
    assert (await client.delete("/v1/sessions/live")).status_code == 409
    assert (await client.delete("/v1/sessions/nobody")).status_code == 404
    assert (await client.delete(f"/v1/sessions/{'x' * 300}")).status_code == 422
    for person in ("", "   ", "x" * 257):
        assert (await client.post("/v1/erasures", json={"person": person})).status_code == 422
