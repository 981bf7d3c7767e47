"""`antiphon worker jobs` as a process that is killed again and again: forked from a server that has all loaded, so that it is at
work within milliseconds."""

import asyncio
import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["ops.jobs.worker", "schemas.log", "schemas.archive.archiving", "tests.chaos.jobs_worker"])


def become(environment: Mapping[str, str], said: str) -> None:
    """It, with what it says in a file."""
    from ops.jobs import worker
    from ops.jobs.following import HELD
    from schemas.archive import _writing
    from schemas.config.settings import load

    # A try that was killed is thought dead sooner: nothing here takes as long. So is a worker that looked for what is due.
    _writing._WORKING = 10.0
    worker._SWEEP = 10.0
    HELD.update(dict.fromkeys(HELD, 10.0))
    os.environ.update(environment)
    into = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(into, stream)
    os.chdir(Path(said).parent)
    asyncio.run(worker.run_jobs(load()))
