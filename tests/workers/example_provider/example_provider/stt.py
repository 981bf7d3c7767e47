"""Hears the words of a page, as many as fit into the sound."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.audio import HEARING_RATE
from schemas.config.settings import Settings, read
from schemas.errors import Permanent
from workers.providers import Hearing, Stt, Transcript


class Example(BaseSettings):
    """Environment variables, all beginning with EXAMPLE_."""

    model_config = SettingsConfigDict(env_prefix="EXAMPLE_", env_file=".env", extra="ignore", frozen=True)

    page: Path = Path("page.txt")
    words_per_second: float = Field(3.0, gt=0)


class PageStt(Stt):
    """EXAMPLE_PAGE, EXAMPLE_WORDS_PER_SECOND."""

    model = "page"

    def __init__(self, settings: Settings) -> None:
        self._own = read(Example)
        self._words: list[str] = []

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "EXAMPLE_PAGE", str(read(Example).page)

    @staticmethod
    def locate(settings: Settings) -> tuple[str, Callable[[], str]]:
        return "EXAMPLE_PAGE", lambda: str(_found(read(Example).page))

    @staticmethod
    def languages(settings: Settings) -> list[str]:
        return ["en"]

    async def warm_up(self) -> None:
        self._words = _found(self._own.page).read_text("utf-8").split()

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        if not self._words:  # an agent's own provider gets its first job cold
            await self.warm_up()
        return await asyncio.to_thread(lambda: [self._heard(hearing) for hearing in batch])

    def _heard(self, hearing: Hearing) -> Transcript:
        """Computes, so it runs in a thread."""
        if int(np.abs(hearing.pcm.astype(np.int32)).max(initial=0)) < 100:
            return Transcript("")
        count = 1 + int(len(hearing.pcm) / HEARING_RATE * self._own.words_per_second)
        return Transcript(" ".join(islice(cycle(self._words), count)), "en", confidence=1.0)


def _found(page: Path) -> Path:
    if not page.is_file():
        raise Permanent(f"EXAMPLE_PAGE={page}: expected a text file, found none", "page_missing")
    return page
