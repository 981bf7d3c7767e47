"""The real models, loaded once for all tests, and recorded speech."""

import asyncio
from collections.abc import Iterator
from functools import cache

import pytest

from schemas.config.settings import Settings
from workers.stt import turn_ends
from workers.stt.whisper import WhisperStt


@pytest.fixture(scope="session", autouse=True)
def one_end_of_turn() -> Iterator[None]:
    """Whoever loads that model gets the same one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn_ends, "SmartTurn", cache(turn_ends.SmartTurn))
        yield


@pytest.fixture(scope="session")
def whisper() -> Iterator[WhisperStt]:
    """The packaged model. Its pools of threads belong to no event loop, so all tests share it."""
    provider = WhisperStt(Settings(_env_file=None, model_threads=2))
    asyncio.run(provider.warm_up())
    yield provider
    asyncio.run(provider.aclose())
