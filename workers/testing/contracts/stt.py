"""What every STT provider promises. A provider's tests inherit `SttContract` and give the fixtures `provider` and `recording`."""

import numpy as np
import pytest

from schemas.audio import HEARING_RATE, Pcm
from workers.providers import Hearing, Stt, Transcript

__all__ = ["SttContract"]

_LONGEST = 42
"""Seconds of the recording that are used."""
_NOTHING = {
    "no samples": np.zeros(0, np.int16),
    "one sample": np.zeros(1, np.int16),
    "digital silence": np.zeros(3 * HEARING_RATE, np.int16),
}


@pytest.mark.asyncio
class SttContract:
    """`judges`: whether the provider tells the end of a turn (`workers.stt.turn_ends` does it for any)."""

    judges = True

    @pytest.fixture
    def provider(self) -> Stt:
        raise NotImplementedError("give a fixture `provider`: your provider, warmed up if it has to be")

    @pytest.fixture
    def recording(self) -> Pcm:
        raise NotImplementedError(
            f"give a fixture `recording`: {_LONGEST} s of somebody who speaks English, int16 mono at 16 kHz"
        )

    @pytest.fixture
    def utterances(self, recording: Pcm) -> list[Pcm]:
        """Utterances of all lengths, the longest longer than Whisper's window, with nothing among them."""
        assert len(recording) >= _LONGEST * HEARING_RATE, f"the recording has to be {_LONGEST} s long"
        nothing = list(_NOTHING.values())

        def spoken(start: float, end: float) -> Pcm:
            return _part(recording, start, end)

        return [
            spoken(1.1, 2.9), nothing[0], spoken(17.4, 20.6), spoken(1.2, 1.4), nothing[2], spoken(8.7, 13.0),
            spoken(1.1, 36.7), spoken(13.3, 16.8), nothing[1], spoken(1.1, 13.0),
        ]  # fmt: skip

    async def heard(self, provider: Stt, utterances: list[Pcm]) -> list[Transcript]:
        """Of all in one batch: keep it, where it takes long to compute."""
        return await provider.transcribe([Hearing(pcm, "en") for pcm in utterances])

    @pytest.mark.parametrize("pcm", _NOTHING.values(), ids=_NOTHING)
    async def test_nothing_is_no_words(self, provider: Stt, pcm: Pcm) -> None:
        """Where nothing sounds there is a transcript, and it is empty."""
        (heard,) = await provider.transcribe([Hearing(pcm)])

        assert heard.text == ""
        assert heard.words == []

    async def test_nobody_asks(self, provider: Stt) -> None:
        """An empty batch is no error."""
        assert await provider.transcribe([]) == []

    async def test_company_changes_nothing(self, provider: Stt, utterances: list[Pcm]) -> None:
        """A batch of all lengths answers one transcript each, in order, the same as each utterance alone."""
        together = await self.heard(provider, utterances)
        alone = [(await provider.transcribe([Hearing(pcm, "en", end_of_turn=False)]))[0] for pcm in utterances]

        assert [heard.text for heard in together] == [heard.text for heard in alone]
        assert [bool(heard.text) for heard in together][1:9:3] == [False, False, True]
        assert len({heard.text for heard in together if heard.text}) >= 6

    async def test_scores_are_probabilities(self, provider: Stt, utterances: list[Pcm]) -> None:
        """Text comes stripped; confidence and end of turn are between 0 and 1 where they are told."""
        for heard in await self.heard(provider, utterances):
            assert heard.text == heard.text.strip()
            assert all(value is None or 0 <= value <= 1 for value in (heard.confidence, heard.end_of_turn))

    async def test_end_of_turn_is_told_who_asks(self, provider: Stt, recording: Pcm) -> None:
        """The end of turn is judged for whoever asks, and for nobody else."""
        pcm = _part(recording, 38.5, 41.8)
        asking, quiet = await provider.transcribe([Hearing(pcm, "en"), Hearing(pcm, "en", end_of_turn=False)])

        assert (asking.end_of_turn is not None) is self.judges
        assert quiet.end_of_turn is None
        assert asking.text == quiet.text

    async def test_sound_is_left_as_it_was(self, provider: Stt, recording: Pcm) -> None:
        """The sound handed over may be read-only, and stays as it was."""
        pcm = _part(recording, 1.1, 2.9).copy()
        before = pcm.copy()
        pcm.setflags(write=False)
        await provider.transcribe([Hearing(pcm, "en")])

        assert np.array_equal(pcm, before)

    async def test_hints_come_too(self, provider: Stt, recording: Pcm) -> None:
        """A partial utterance gets a text as well."""
        pcm = _part(recording, 1.1, 4.6)
        (heard,) = await provider.transcribe([Hearing(pcm, "en", partial=True, end_of_turn=False)])

        assert heard.text


def _part(recording: Pcm, start: float, end: float) -> Pcm:
    """Seconds `start` to `end`."""
    return recording[int(start * HEARING_RATE) : int(end * HEARING_RATE)]
