"""An API and a jobs worker over one real Redis and one archive, and somebody who asks."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.house import House
from api.main import house_of
from ops.jobs.worker import JobsWorker
from ops.stack.embedded.valkey import Valkey
from schemas.archive.both import Both
from schemas.archive.place import place_of
from schemas.archive.store import Archive
from schemas.bus import Outcome
from schemas.config.settings import Settings
from schemas.events import ClipReady, Event, UtteranceCaptured
from schemas.log import connected
from tests.ops.replay.sounding import tone
from tests.tables import opened

Finish = Callable[[httpx2.Response], Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture
def settings(shared_valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setitem(os.environ, "ANTIPHON_DATA", str(tmp_path / "data"))
    return Settings(
        _env_file=None, redis_url=shared_valkey.url, api_requests_per_minute=1_000_000, api_upload_mib=1, archive_url=""
    )


@pytest.fixture
async def archive(settings: Settings) -> AsyncIterator[Archive]:
    place = place_of(settings)
    async with opened(place.url, place.blobs) as made:
        yield made


@pytest.fixture
async def house(settings: Settings, shared_valkey: Valkey, archive: Archive) -> AsyncIterator[House]:
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
        await raw.flushall()

    async def there() -> Archive:
        return archive

    async with connected(settings) as bus:
        made = house_of(settings, bus, Both(bus, there))
        made.waits_for = ""
        yield made
        await made.asked.aclose()


@pytest.fixture
async def jobs(house: House, archive: Archive, settings: Settings) -> AsyncIterator[JobsWorker]:
    made = JobsWorker(house.bus, archive, settings, name="j1")
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def finish(client: httpx2.AsyncClient) -> Finish:
    """What becomes of the job that was asked for."""

    async def finished(answer: httpx2.Response) -> dict[str, Any]:
        assert answer.status_code == 202, answer.text
        job = answer.json()
        async with asyncio.timeout(40):
            while job["state"] in ("waiting", "running"):
                await asyncio.sleep(0.05)
                job = (await client.get(f"/v1/jobs/{job['id']}")).json()
        return dict(job)

    return finished


async def keep(house: House, session: str, events: list[Event]) -> None:
    """A session that is over, with sound."""

    async def own(event: Event) -> Event:
        if isinstance(event, UtteranceCaptured):
            refs = [await put(one, 1000) for one in event.audio]
            return event.model_copy(update={"audio": refs})
        if isinstance(event, ClipReady):
            return event.model_copy(update={"audio": await put(event.audio, 2000)})
        return event

    async def put(ref: Any, level: int) -> Any:
        name = ref.key.partition(":blob:")[2].partition("/")[2] or "sound"
        pcm = tone(ref.duration, ref.rate, level)
        return ref.model_copy(update={"key": await house.bus.put_blob(session, name, pcm)})

    async def pages() -> AsyncIterator[list[Event]]:
        yield [await own(event) for event in events]

    assert await house.bus.take_in(session, pages()) is Outcome.OK
