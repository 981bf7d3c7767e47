"""One stage of all partitions: what each of them tells, put together."""

from collections.abc import Mapping, Sequence

from schemas.bus import StageSeen, WorkerSeen
from schemas.log._calls import StageRow
from schemas.stages import POOLS, STAGES, Stage

SILENT = 10.0
"""Seconds after which a worker that has no job, and was not heard of, is no longer told of."""


def stages_seen(rows: Mapping[Stage, Sequence[StageRow]]) -> list[StageSeen]:
    """In the order of a turn; a pool that not every deployment has where it has a worker, or something waits for one. `rows`: by
    stage, one a partition."""
    seen = [merged(stage, rows.get(stage, ())) for stage in POOLS]
    return [one for one in seen if one.stage in STAGES or one.workers or one.queued or one.running]


def merged(stage: Stage, rows: Sequence[StageRow]) -> StageSeen:
    """Workers serve all partitions under one name."""
    workers: dict[str, WorkerSeen] = {}
    for row in (worker for one in rows for worker in one["workers"]):
        idle = None if row["idle"] < 0 else row["idle"] / 1000
        seen = WorkerSeen(row["name"], row["jobs"], idle, row["seen"] / 1000)
        other = workers.get(seen.name)
        workers[seen.name] = seen if other is None else _both(seen, other)
    return StageSeen(
        stage,
        sum(row["queued"] for row in rows),
        sum(row["running"] for row in rows),
        max((row["oldest"] for row in rows), default=0) / 1e6,
        sum(row["added"] for row in rows),
        [workers[name] for name in sorted(workers)],
    )


def _both(one: WorkerSeen, other: WorkerSeen) -> WorkerSeen:
    known = [worker.idle for worker in (one, other) if worker.idle is not None]
    return WorkerSeen(one.name, one.jobs + other.jobs, min(known, default=None), min(one.seen, other.seen))
