"""What was asked for waits for what is away, and is done once it is back; what was done by somebody who died is found."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from ops.jobs.asked import AskedJobs
from ops.jobs.asked_import import take_in
from ops.jobs.doing import Doing, Progress
from ops.jobs.letting_go import LettingGo
from ops.stack.embedded.valkey import Valkey
from schemas.archive import Archive, open_archive
from schemas.archive.uploads import Uploads
from schemas.background.asked import ASKED, Asked, AskedFor
from schemas.config.settings import Settings
from schemas.log import RedisBus
from schemas.session.export import export
from tests.golden import scenarios
from tests.ops.replay.sounding import sounding


def working(log: RedisBus, archive: Archive, settings: Settings) -> AskedJobs:
    return AskedJobs(Doing.over(log, archive, settings, LettingGo(log, archive, settings)), settings, name="j1")


async def told(asked: AskedFor, job: str) -> Asked:
    one = await asked.get(job)
    assert one is not None
    return one


async def test_what_is_away_is_waited_for(shared_valkey: Valkey, tmp_path: Path) -> None:
    """No try of it counts, people are told what it waits for, and what was uploaded stays until it was taken in."""
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    settings = Settings(_env_file=None, redis_url=shared_valkey.url, archive_blobs=str(tmp_path / "sound"))
    log, uploads = RedisBus(shared_valkey.url), Uploads(settings.archive_blobs)
    await log.start()
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")

    async def body() -> AsyncIterator[bytes]:
        yield (tmp_path / "call.zip").read_bytes()

    upload, _ = await uploads.keep(body(), 1 << 30)
    away = Archive("postgresql://ann@127.0.0.1:1/calls", "memory://")
    first = working(log, away, settings)
    job = await first.asked.ask("import", {"upload": upload, "name": "call.zip"}, "ann")
    for _ in range(4):
        await first.do(job.id)
        one = await told(first.asked, job.id)
        assert (one.state, one.tries) == ("waiting", 0)
        assert one.doing.startswith(
            "waits: ARCHIVE_URL=postgresql://ann@127.0.0.1:1/calls: the archive does not answer"
        )
    assert [one.id for one in await first.asked.due()] == [job.id]
    async with open_archive(f"sqlite:///{tmp_path}/a.sqlite", settings.archive_blobs, upgrade=True) as archive:
        second = working(log, archive, settings)
        await second.do(job.id)
        one = await told(second.asked, job.id)
        assert (one.state, one.error) == ("done", "")
        await second.asked.aclose()
        assert await archive.info("s1") is not None
    assert await log.info("s1") is None
    assert list((tmp_path / "sound" / "uploads").iterdir()) == []
    await first.asked.aclose()
    await away.aclose()
    await log.aclose()


class Killed(BaseException):
    """Nothing that a process does after it has been killed is done."""


async def test_an_import_that_died_once_it_was_kept_is_found(shared_valkey: Valkey, tmp_path: Path) -> None:
    """Before anybody was told, and before its end was: whoever takes it up says what was made, and its upload goes."""
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    settings = Settings(_env_file=None, redis_url=shared_valkey.url, archive_blobs=str(tmp_path / "sound"))
    log, uploads = RedisBus(shared_valkey.url), Uploads(settings.archive_blobs)
    await log.start()
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")

    async def body() -> AsyncIterator[bytes]:
        yield (tmp_path / "call.zip").read_bytes()

    async def tell(_: int, __: int, ___: str) -> None: ...

    async def killed(_: dict[str, Any]) -> None:
        raise Killed

    upload, _ = await uploads.keep(body(), 1 << 30)
    request = {"upload": upload, "name": "call.zip"}
    async with open_archive(f"sqlite:///{tmp_path}/a.sqlite", settings.archive_blobs, upgrade=True) as archive:
        jobs = working(log, archive, settings)
        doing = Doing.over(log, archive, settings, LettingGo(log, archive, settings))
        with pytest.raises(Killed):
            await take_in(doing, request, Progress(tell, "ann", killed))
        assert await archive.info("s1") is not None
        job = await jobs.asked.ask("import", request, "ann")
        await jobs.do(job.id)
        one = await told(jobs.asked, job.id)
        assert (one.state, one.error) == ("done", "")
        assert one.result is not None
        assert (one.result["session"], one.result["events"]) == ("s1", len(scenarios.barge_in()))
        assert one.result["notes"][-1].startswith("an earlier try had taken it in")
        assert list((tmp_path / "sound" / "uploads").iterdir()) == []

        late = await jobs.asked.ask("import", request, "ann")
        assert await jobs.asked.take(late.id, "dead") is not None
        await jobs.asked.note(late.id, "dead", one.result)
        await raw.delete(f"{ASKED}:{late.id}:lease")
        await jobs.do(late.id)  # its upload is gone, as the dead one had left it
        said = await told(jobs.asked, late.id)
        assert (said.state, said.error, said.result) == ("done", "", one.result)
        await jobs.asked.aclose()
    await raw.aclose()
    await log.aclose()
