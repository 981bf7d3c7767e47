"""Whoever archives is killed at any moment, again and again: nothing is lost, and nothing is half."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.archive import open_archive
from schemas.log import RedisBus
from tests.schemas.archive.calls import Kept, call, kept

_SESSIONS, _KILLS = 6, 40
_WORK = """
import asyncio, sys
from schemas.archive import archive_session, open_archive
from schemas.log import RedisBus

async def main(url, place, sound, *names):
    bus = RedisBus(url)
    await bus.start()
    async with open_archive(place, sound, patience=20.0) as archive:
        print("ready", flush=True)
        while True:
            for name in names:
                await archive_session(bus, archive, name)
            if not any([await bus.info(name) for name in names]):
                print("done", flush=True)
                return

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
async def test_killed_at_any_moment(url: str, tmp_path: Path, valkey: Valkey) -> None:
    """SIGKILL at random moments: after each a session is whole in the log, or whole in the archive; at the end all are in the
    archive as they were in the log."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    names = [f"call-{number}" for number in range(_SESSIONS)]
    before: dict[str, Kept] = {}
    dice, sound = random.Random(7), str(tmp_path / "sound")
    async with open_archive(url, sound, upgrade=True, patience=20.0) as archive:
        kills = done = round_ = 0
        while kills < _KILLS:
            round_ += 1
            these = [f"{name}-{round_}" for name in names]
            for name in these:
                await call(bus, name, 4)
                before[name] = await kept(bus, name)
            finished = False
            while not finished:
                worker = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", _WORK, valkey.url, url, sound, *these,
                    stdout=asyncio.subprocess.PIPE, cwd=os.getcwd(),
                )  # fmt: skip
                assert worker.stdout is not None
                assert await worker.stdout.readline() == b"ready\n"
                try:
                    async with asyncio.timeout(dice.uniform(0.0, 0.3)):
                        finished = await worker.stdout.readline() == b"done\n"
                except TimeoutError:
                    worker.send_signal(signal.SIGKILL)
                    kills += 1
                await worker.wait()
                for name in these:
                    in_log = await bus.info(name)
                    if in_log is not None:
                        assert await kept(bus, name) == before[name]
                    else:
                        assert await archive.read(name) == before[name].events
                done += finished
        for name, was in before.items():
            assert await archive.read(name) == was.events
            assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds
            standing = await archive.standing(name)
            assert standing is not None
            await archive.read_back(name, standing.seq, standing.hash)
    await bus.aclose()
    assert done >= 1
