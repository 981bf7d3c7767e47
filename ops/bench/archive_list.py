"""`antiphon bench archive-list`: a filtered page out of 100,000 archived sessions, in SQLite.

The rows are written straight into the tables, as many agents, callers and months as a year has. Each kind of page is asked for
again and again, from random places; `page_ms` is the p95 of the slowest kind.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Any

from ops.bench import machine
from ops.bench.figures import milliseconds
from schemas.archive.filling import fill
from schemas.archive.store import Archive, open_archive
from schemas.session.summary import Wanted

_RUNS = 40
_PAGE = 50
KINDS = {
    "all": Wanted(),
    "agent": Wanted(agent="agent-7"),
    "agent_slow": Wanted(agent="agent-3", slow=1.5),
    "failed": Wanted(failed=True),
    "caller": Wanted(caller="caller 4711"),
    "text": Wanted(text="room-99"),
    "nothing": Wanted(text="nobody has this name"),
}


async def bench(sessions: int = 100_000, **_: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'archive.sqlite'}"
        async with open_archive(url, "memory://", upgrade=True) as archive:
            began, last = await fill(archive, sessions)
            figures = {name: await _pages(archive, wanted, began, last) for name, wanted in KINDS.items()}
    slowest = max(figures, key=lambda name: figures[name])
    return {
        "page_ms": figures[slowest],
        "slowest": slowest,
        **{f"{name}_ms": took for name, took in figures.items()},
        "sessions": sessions,
        **machine(),
    }


async def _pages(archive: Archive, wanted: Wanted, began: int, last: int) -> float:
    """p95, ms."""
    times = []
    for _ in range(_RUNS):
        before = (random.randint(began, last), "zzz") if random.random() < 0.8 else None
        at = time.perf_counter()
        await archive.recalled(wanted, _PAGE + 1, before, "began")
        times.append(time.perf_counter() - at)
    return milliseconds(times, 95)
