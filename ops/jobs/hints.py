"""Who serves arq's queue; how a hint is given: `schemas/background/hints.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Function, Worker

from schemas.background.hints import QUEUE, Hints, jobs_url, read, written

__all__ = ["QUEUE", "Hints", "jobs_url", "worker"]

_LOOKED_AT = 1_000
"""Hints that are looked at in one go: those in dead workers' hands stand before the others until their time is up."""


def worker(
    pool: ArqRedis, functions: Sequence[Function], context: Mapping[str, Any], at_once: int = 2, *, queue: str = QUEUE
) -> Worker:
    """One that serves the queue until it is cancelled, or its connection breaks."""
    return Worker(
        functions,
        queue_name=queue,
        redis_pool=pool,
        handle_signals=False,
        max_jobs=at_once,
        queue_read_limit=_LOOKED_AT,
        keep_result=0,
        job_serializer=written,
        job_deserializer=read,
        ctx=dict(context),
        log_results=False,
    )
