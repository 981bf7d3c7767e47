"""What the replays' tests share: an empty log; a real model that hears, loaded once."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from ops.stack.embedded.valkey import Valkey
from schemas.config.settings import Settings
from schemas.log import RedisBus
from workers.providers import Stt
from workers.registry import provider


@pytest.fixture
async def bus(shared_valkey: Valkey) -> AsyncIterator[RedisBus]:
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    log = RedisBus(shared_valkey.url)
    await log.start()
    yield log
    await log.aclose()


@pytest.fixture(scope="session")
def whisper() -> Iterator[Stt]:
    """The one that workers have unless they are told otherwise."""
    stt = provider("stt", "", Settings(_env_file=None, model_threads=2))
    yield stt
    asyncio.run(stt.aclose())
