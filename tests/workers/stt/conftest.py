"""The real models, loaded once for all tests, and recorded speech."""

import asyncio
from collections.abc import Iterator

import pytest

from schemas.config.settings import Settings
from workers.stt.whisper import WhisperStt


@pytest.fixture(scope="session")
def whisper() -> Iterator[WhisperStt]:
    """The packaged model. Its pools of threads belong to no event loop, so all tests share it."""
    provider = WhisperStt(Settings(_env_file=None, model_threads=2))
    asyncio.run(provider.warm_up())
    yield provider
    asyncio.run(provider.aclose())
