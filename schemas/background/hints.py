"""arq's queue, on connections of its own: hints about what is due. They may be lost, and come twice; JSON, and no results
kept."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.connections import ArqRedis, RedisSettings
from arq.constants import in_progress_key_prefix
from redis.exceptions import RedisError

from schemas.config.settings import Settings, without_password
from schemas.errors import BusUnavailable, SettingsError, in_words

__all__ = ["QUEUE", "Hints", "jobs_url", "read", "written"]

log = logging.getLogger("antiphon.jobs")

QUEUE = "antiphon:jobs"
_CONNECT = 3.0
"""Seconds."""
_BACK, _KEPT = timedelta(days=1), 86_400.0
"""A hint is due since a day ago: arq's workers wait, by their clock, for the moment of whoever gave it, by theirs. And how long
one is kept without `within`, seconds."""


def jobs_url(settings: Settings) -> str:
    """SettingsError: the log is a cluster, and nothing else is named."""
    if settings.jobs_redis_url:
        return settings.jobs_redis_url
    if settings.redis_cluster:
        raise SettingsError(
            "JOBS_REDIS_URL is not set, and REDIS_URL is a cluster (REDIS_CLUSTER=true): background jobs need a Redis that is "
            "none; name one, redis://host:port/0"
        )
    return settings.redis_url


def written(values: dict[str, Any]) -> bytes:
    return json.dumps(values, default=str).encode()  # what failed is told as text


def read(body: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(body)
    return values


class Hints:
    """Made anew by `open` after its connection broke."""

    def __init__(self, url: str, queue: str = QUEUE) -> None:
        self._url, self._queue = url, queue
        self.pool: ArqRedis | None = None

    async def open(self) -> ArqRedis:
        """BusUnavailable: the server does not answer."""
        await self.aclose()
        settings = RedisSettings.from_dsn(self._url)
        pool = ArqRedis(
            host=settings.host,
            port=settings.port,
            unix_socket_path=settings.unix_socket_path,
            ssl=settings.ssl,
            db=settings.database,
            username=settings.username,
            password=settings.password,
            socket_connect_timeout=_CONNECT,
            job_serializer=written,
            job_deserializer=read,
            default_queue_name=self._queue,
        )
        try:
            await pool.ping()
        except (RedisError, OSError, TimeoutError) as error:
            await pool.aclose(close_connection_pool=True)
            raise BusUnavailable(
                f"the Redis of background jobs, {without_password(self._url)}, does not answer: {in_words(error)} "
                "(JOBS_REDIS_URL)"
            ) from None
        self.pool = pool
        return pool

    async def aclose(self) -> None:
        pool, self.pool = self.pool, None
        if pool is not None:
            try:
                await pool.aclose(close_connection_pool=True)
            except (RedisError, OSError) as error:
                log.debug("closing: %s", error)

    async def give(
        self,
        job: str,
        what: str,
        mark: object = "",
        within: float | None = None,
        queue: str | None = None,
        *,
        overdue: bool = False,
    ) -> bool:
        """Hint that `job` is due for `what`; `mark`: which try it would be, so that a killed one's hint stands in nobody's way;
        `queue`: None: the one this was made for. `overdue`: it should long have been begun: whoever has the hint in hand is
        dead, and others may take it (arq has it for theirs until its time is up). False: it could not be told, or was already."""
        if self.pool is None:
            return False
        name = f"antiphon:{job}:{what}:{mark}"
        try:
            begun = datetime.now(UTC) - _BACK
            given = await self.pool.enqueue_job(
                job, what, _job_id=name, _defer_until=begun, _expires=within or _KEPT, _queue_name=queue or self._queue
            )
            if given is None and overdue and await self.pool.delete(f"{in_progress_key_prefix}{name}"):
                return True
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("no hint: %s", error)
            return False
        return given is not None
