"""What every STT provider promises. A provider's tests inherit `SttContract` and give a `provider` fixture."""

import numpy as np
import pytest

from ops.people.recordings import packaged
from schemas.audio import Pcm
from workers.providers import Hearing, Stt

SECOND = 16_000
NOTHING = {
    "no samples": np.zeros(0, np.int16),
    "one sample": np.zeros(1, np.int16),
    "digital silence": np.zeros(3 * SECOND, np.int16),
}


def speech(start: float, end: float) -> Pcm:
    """Seconds of a man reading Dickens: "It was the best of times" stands at 1.1-2.9."""
    return packaged("two_cities", start, end)


def clips() -> list[Pcm]:
    """Utterances of all lengths, the longest longer than Whisper's window, with nothing among them."""
    nothing = list(NOTHING.values())
    return [
        speech(1.1, 2.9), nothing[0], speech(17.4, 20.6), speech(1.2, 1.4), nothing[2], speech(8.7, 13.0), speech(1.1, 36.7),
        speech(13.3, 16.8), nothing[1], speech(1.1, 26.1),
    ]  # fmt: skip


class SttContract:
    @pytest.fixture
    def provider(self) -> Stt:
        raise NotImplementedError

    @pytest.mark.parametrize("pcm", NOTHING.values(), ids=NOTHING)
    async def test_nothing_is_no_words(self, provider: Stt, pcm: Pcm) -> None:
        """Where nothing sounds there is a transcript, and it is empty."""
        (heard,) = await provider.transcribe([Hearing(pcm)])

        assert heard.text == ""
        assert heard.words == []

    async def test_nobody_asks(self, provider: Stt) -> None:
        """An empty batch is no error."""
        assert await provider.transcribe([]) == []

    async def test_company_changes_nothing(self, provider: Stt) -> None:
        """A batch of all lengths answers one transcript each, in order, the same as each utterance alone."""
        together = await provider.transcribe([Hearing(pcm, "en") for pcm in clips()])
        alone = [(await provider.transcribe([Hearing(pcm, "en")]))[0] for pcm in clips()]

        assert [heard.text for heard in together] == [heard.text for heard in alone]
        assert [bool(heard.text) for heard in together][1:9:3] == [False, False, True]
        assert len({heard.text for heard in together if heard.text}) >= 6

    async def test_scores_are_probabilities(self, provider: Stt) -> None:
        """Text comes stripped; confidence and end of turn are between 0 and 1 where they are told."""
        for heard in await provider.transcribe([Hearing(pcm, "en") for pcm in clips()]):
            assert heard.text == heard.text.strip()
            assert all(value is None or 0 <= value <= 1 for value in (heard.confidence, heard.end_of_turn))

    async def test_end_of_turn_is_told_who_asks(self, provider: Stt) -> None:
        """The end of turn is judged for whoever asks, and for nobody else."""
        pcm = speech(38.5, 41.8)
        asking, quiet = await provider.transcribe([Hearing(pcm, "en"), Hearing(pcm, "en", end_of_turn=False)])

        assert asking.end_of_turn is not None
        assert quiet.end_of_turn is None
        assert asking.text == quiet.text

    async def test_sound_is_left_as_it_was(self, provider: Stt) -> None:
        """The sound handed over may be read-only, and stays as it was."""
        pcm = speech(1.1, 2.9)
        before = pcm.copy()
        pcm.setflags(write=False)
        await provider.transcribe([Hearing(pcm, "en")])

        assert np.array_equal(pcm, before)

    async def test_hints_come_too(self, provider: Stt) -> None:
        """A partial utterance gets a text as well."""
        (heard,) = await provider.transcribe([Hearing(speech(1.1, 4.6), "en", partial=True, end_of_turn=False)])

        assert heard.text
