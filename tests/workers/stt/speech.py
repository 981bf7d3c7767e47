"""Recorded speech, for all tests of recognizers."""

import pytest

from ops.people.recordings import packaged
from schemas.audio import Pcm
from workers.testing.contracts import SttContract

SECOND = 16_000


def speech(start: float, end: float) -> Pcm:
    """Seconds of a man reading Dickens: "It was the best of times" stands at 1.1-2.9."""
    return packaged("two_cities", start, end)


class SttContractOnSpeech(SttContract):
    """The shipped suite, on the recording that comes with `make setup`."""

    @pytest.fixture
    def recording(self) -> Pcm:
        return packaged("two_cities")
