"""A process that archives and is killed for it: forked from a server that has all loaded, so that it is at work within
milliseconds."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["schemas.archive.archiving", "schemas.log", "tests.schemas.archive.victim"])


def start(redis_url: str, url: str, sound: str, names: Sequence[str]) -> tuple[BaseProcess, Connection]:
    """It says when it is at work, and when all of `names` are archived."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_become, args=(redis_url, url, sound, tuple(names), theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _become(redis_url: str, url: str, sound: str, names: Sequence[str], told: Connection) -> None:
    asyncio.run(_work(redis_url, url, sound, names, told))


async def _work(redis_url: str, url: str, sound: str, names: Sequence[str], told: Connection) -> None:
    from schemas.archive import archive_session, open_archive
    from schemas.log import RedisBus

    bus = RedisBus(redis_url)
    await bus.start()
    async with open_archive(url, sound, patience=20.0) as archive:
        told.send("at work")
        while [name for name in names if await bus.info(name) is not None]:
            for name in names:
                await archive_session(bus, archive, name)
        told.send("done")
    await bus.aclose()
