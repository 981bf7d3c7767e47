"""Who serves arq's queue of hints; how one is given: `schemas/background/hints.py`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Function, Worker

from schemas.background.hints import QUEUE, read, written

__all__ = ["serve", "worker"]

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


async def serve(workers: Sequence[Worker]) -> None:
    """Until one of them ends; then the others do, and what they have in hand is cancelled and waited for."""
    tasks = [asyncio.ensure_future(one.async_run()) for one in workers]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = [task for one in workers for task in one.tasks.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
