"""Recorded speech, for all tests of recognizers."""

from typing import ClassVar

import pytest

from ops.people.recordings import packaged
from schemas.audio import Pcm
from workers.providers import Stt, Transcript
from workers.testing.contracts import SttContract

SECOND = 16_000


def speech(start: float, end: float) -> Pcm:
    """Seconds of a man reading Dickens: "It was the best of times" stands at 1.1-2.9."""
    return packaged("two_cities", start, end)


class SttContractOnSpeech(SttContract):
    """The shipped suite, on the recording that comes with `make setup`. Whoever looks at the batch again finds it kept."""

    _kept: ClassVar[dict[type, list[Transcript]]] = {}

    @pytest.fixture
    def recording(self) -> Pcm:
        return packaged("two_cities")

    async def heard(self, provider: Stt, utterances: list[Pcm]) -> list[Transcript]:
        if type(self) not in self._kept:
            self._kept[type(self)] = await super().heard(provider, utterances)
        return self._kept[type(self)]
