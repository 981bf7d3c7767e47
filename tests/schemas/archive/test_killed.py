"""Whoever archives is killed at any moment, again and again: nothing is lost, and nothing is half."""

import asyncio
import os
import random
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.archive import Archive, archive_session, open_archive
from schemas.errors import ArchiveError, BusError
from schemas.log import RedisBus
from tests.postgres import Postgres, debians
from tests.schemas.archive import victim
from tests.schemas.archive.calls import Kept, call, kept

_KILLS = int(os.environ.get("TEST_KILLS") or 4)
_SESSIONS = 4


def _hears(told: Connection, within: float) -> str:
    """What the process says next; "": nothing in that time."""
    try:
        return str(told.recv()) if told.poll(within) else ""
    except EOFError:
        return ""


async def _are_whole(bus: RedisBus, archive: Archive, names: list[str], before: dict[str, Kept]) -> None:
    """Each is in the log as it was, or in the archive."""
    for name in names:
        if await bus.info(name) is not None:
            assert await kept(bus, name) == before[name]
        else:
            assert await archive.read(name) == before[name].events


@pytest.mark.timeout(120 + 8 * _KILLS)
@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
async def test_killed_at_any_moment(url: str, tmp_path: Path, valkey: Valkey) -> None:
    """SIGKILL at random moments: after each a session is whole in the log, or whole in the archive; at the end all are in the
    archive as they were in the log. (TEST_KILLS=200: so many.)"""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    before: dict[str, Kept] = {}
    dice, sound = random.Random(7), str(tmp_path / "sound")
    async with open_archive(url, sound, upgrade=True, patience=20.0) as archive:
        kills = rounds = 0
        while kills < _KILLS:
            rounds += 1
            names = [f"call-{rounds}-{number}" for number in range(_SESSIONS)]
            for name in names:
                await call(bus, name, 4)
                before[name] = await kept(bus, name)
            said = ""
            while said != "done":
                process, told = await asyncio.to_thread(victim.start, valkey.url, url, sound, names)
                assert await asyncio.to_thread(_hears, told, 30.0) == "at work"
                said = await asyncio.to_thread(_hears, told, dice.uniform(0.0, 0.4))
                if said != "done":
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
                    kills += 1
                await asyncio.to_thread(process.join)
                told.close()
                await _are_whole(bus, archive, names, before)
        for name, was in before.items():
            assert await archive.read(name) == was.events
            assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds
            standing = await archive.standing(name)
            assert standing is not None
            await archive.read_back(name, standing.seq, standing.hash)
    await bus.aclose()


async def _archived(bus: RedisBus, archive: Archive, names: list[str]) -> None:
    """Again and again, whatever is away, until the log has none of them."""
    while True:
        try:
            for name in [name for name in names if await bus.info(name) is not None]:
                await archive_session(bus, archive, name)
            if not [name for name in names if await bus.info(name) is not None]:
                return
        except (BusError, ArchiveError):
            await asyncio.sleep(0.01)


@pytest.mark.timeout(120 + 8 * _KILLS)
@pytest.mark.parametrize("who", ["valkey", "postgresql", "debian"])
async def test_servers_are_killed_at_any_moment(who: str, tmp_path: Path, valkey: Valkey) -> None:
    """SIGKILL of the log's server or of the archive's, while there is archiving: what was acknowledged is there afterwards, and
    the rest is done again. (TEST_KILLS=200: so many.)"""
    postgres = await asyncio.to_thread(Postgres, debians() if who == "debian" else None)
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    before: dict[str, Kept] = {}
    dice, kills, rounds = random.Random(11), 0, 0
    try:
        await asyncio.to_thread(postgres.start)
        async with open_archive(
            await postgres.database(), str(tmp_path / "sound"), upgrade=True, patience=5.0
        ) as archive:
            while kills < max(3, _KILLS // 3):
                rounds += 1
                names = [f"call-{rounds}-{number}" for number in range(_SESSIONS)]
                for name in names:
                    await call(bus, name, 3)
                    before[name] = await kept(bus, name)
                archiving = asyncio.create_task(_archived(bus, archive, names))
                while not archiving.done():
                    await asyncio.wait([archiving], timeout=dice.uniform(0.0, 0.3))
                    if archiving.done():
                        break
                    kills += 1
                    if who == "valkey":
                        await valkey.kill()
                        await valkey.start()
                    else:
                        await asyncio.to_thread(postgres.kill)
                        await asyncio.to_thread(postgres.start)
                await archiving
            for name, was in before.items():
                assert await archive.read(name) == was.events
                assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds
    finally:
        await bus.aclose()
        await asyncio.to_thread(postgres.close)
