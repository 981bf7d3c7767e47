"""Everything that archiving needs is killed while it is at it: the jobs worker, Redis, PostgreSQL.

TEST_TRIES=200 .venv/bin/pytest -s tests/chaos/test_archiving.py        # so many of each kind of database
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.archive import Archive, open_archive
from schemas.errors import ArchiveUnavailable, BusUnavailable
from schemas.log import RedisBus
from tests.chaos.jobs_worker import FORKS, become
from tests.ops.jobs.receiving import SECRET, Receiver, receiving
from tests.postgres import Postgres
from tests.schemas.archive.calls import Kept, call, kept

_TRIES = int(os.environ.get("TEST_TRIES") or 3)
"""Each victim once; the worker, of SQLite, twice."""
_CALLS, _TURNS = 2, 2
_LONGEST = 1.4
"""Seconds from the end of the calls to the kill: the worker looks every second."""


class Worker:
    """The jobs worker, a process."""

    def __init__(self, environment: dict[str, str], said: Path) -> None:
        self._environment, self._said = environment, said
        self._process: BaseProcess | None = None

    async def start(self) -> None:
        """And it has begun to work."""
        begins = self._said.stat().st_size if self._said.exists() else 0
        self._process = FORKS.Process(target=become, args=(self._environment, str(self._said)), daemon=True)
        await asyncio.to_thread(self._process.start)
        while not self._said.exists() or b"ready; sessions are archived" not in self._said.read_bytes()[begins:]:
            assert self._process.is_alive(), self._said.read_text()
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None and self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.join)


async def whole(bus: RedisBus, archive: Archive, was: Kept) -> bool:
    """In the log as it was, or in the archive. Answers whether it is in the log."""
    name = was.session
    if (info := await bus.info(name)) is not None:
        now = await kept(bus, name, info)
        if now == was:
            return True
        assert await bus.info(name) is None, f"{name} is another in the log"  # it went while it was read
    assert await archive.read(name) == was.events, name
    return False


async def is_archived(archive: Archive, was: Kept) -> None:
    assert await archive.read(was.session) == was.events
    assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds
    standing = await archive.standing(was.session)
    assert standing is not None
    assert (standing.state, standing.error) == ("done", "")
    await archive.read_back(was.session, standing.seq, standing.hash)


async def _patiently(look: Callable[[], Awaitable[bool]]) -> bool:
    """Of what was just killed some connections have not heard yet."""
    for _ in range(20):
        with contextlib.suppress(BusUnavailable, ArchiveUnavailable):
            return await look()
        await asyncio.sleep(0.1)
    return await look()


async def until(what: str, look: Callable[[], Awaitable[bool]], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await look():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(what) from None


@pytest.mark.chaos
@pytest.mark.timeout(300 + 20 * _TRIES)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_nothing_is_lost(kind: str, tmp_path: Path, valkey: Valkey) -> None:
    """After each SIGKILL every call is whole, in the log or in the archive; at the end all are archived as they were, sound and
    all, each once, and whoever was to be told of each was."""
    dice = random.Random(11)
    server = await asyncio.to_thread(Postgres) if kind == "postgresql" else None
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    if server is not None:
        await asyncio.to_thread(server.start)
        url = await server.database()
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    async with receiving() as receiver:
        worker = Worker(_environment(valkey, url, tmp_path, receiver), tmp_path / "worker.log")
        try:
            await worker.start()
            async with open_archive(url, str(tmp_path / "sound"), patience=20.0) as archive:
                await _rounds(dice, bus, archive, worker, valkey, server, receiver)
        finally:
            await worker.kill()
            if server is not None:
                await asyncio.to_thread(server.close)
            await bus.aclose()
    said = (tmp_path / "worker.log").read_text()
    assert "the log let go of it" not in said
    assert "given up" not in said


def _environment(valkey: Valkey, url: str, folder: Path, receiver: Receiver) -> dict[str, str]:
    return {
        "REDIS_URL": valkey.url, "ARCHIVE_URL": url, "ARCHIVE_BLOBS": str(folder / "sound"), "ANTIPHON_DATA": str(folder),
        "WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": SECRET, "WEBHOOK_PRIVATE": "true",
    }  # fmt: skip


async def _rounds(
    dice: random.Random,
    bus: RedisBus,
    archive: Archive,
    worker: Worker,
    valkey: Valkey,
    server: Postgres | None,
    receiver: Receiver,
) -> None:
    before: dict[str, Kept] = {}
    left: set[str] = set()
    victims = ["worker", "redis", *(["database"] if server is not None else [])]
    struck = 0
    for tried in range(_TRIES):
        for number in range(_CALLS):
            name = f"call-{tried}-{number}"
            await call(bus, name, _TURNS)
            before[name] = await kept(bus, name)
            left.add(name)
        await asyncio.sleep(dice.uniform(0.0, _LONGEST))
        victim = victims[tried % len(victims)]
        if victim == "worker":
            await worker.kill()
        elif victim == "redis":
            await valkey.kill()
            await valkey.start()
        else:
            assert server is not None
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        in_log = {name for name in left if await _patiently(lambda name=name: whole(bus, archive, before[name]))}  # type: ignore[misc]
        struck += bool(in_log & {f"call-{tried}-{number}" for number in range(_CALLS)})
        left = in_log
        if victim == "worker":
            await worker.start()
        print(f"{tried + 1:4} {victim:9} {len(left):3} to be archived", flush=True)

    async def all_archived() -> bool:
        return not [name for name in before if await bus.info(name) is not None]

    async def all_told() -> bool:
        return {told["data"]["session"] for told in receiver.told} >= set(before)

    await until("not all was archived", all_archived, 240.0)
    for was in before.values():
        await is_archived(archive, was)
    await until("not all were told of", all_told, 240.0)
    ids = {told["data"]["session"]: id for told, id in zip(receiver.told, receiver.ids, strict=True)}
    assert len(set(ids.values())) == len(set(receiver.ids)) == len(before)
    assert receiver.forged == 0
    counts = await archive.amount()
    assert counts.sessions == {"done": len(before)}
    print(
        f"{_TRIES} kills, {struck} of them before all calls of the moment were archived; {len(receiver.ids)} webhooks"
    )
