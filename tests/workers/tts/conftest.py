"""The real voice, loaded once for all tests."""

import asyncio
from collections.abc import Iterator

import pytest

from schemas.config.settings import Settings
from workers.tts.piper import PiperTts


@pytest.fixture(scope="session")
def piper() -> Iterator[PiperTts]:
    """The packaged voice. Its own pool of threads belongs to no event loop, so all tests share it."""
    provider = PiperTts(Settings(_env_file=None, model_threads=2))  # type: ignore[call-arg]
    yield provider
    asyncio.run(provider.aclose())
