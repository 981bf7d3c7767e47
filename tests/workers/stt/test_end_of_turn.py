"""Features as Whisper and smart-turn were trained on, and what smart-turn makes of finished and unfinished speech."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from tests.workers.stt.speech import SECOND, speech
from workers.providers import Hearing
from workers.stt._mel import log_mel, normalized
from workers.stt.end_of_turn import SmartTurn, turn_features
from workers.stt.turn_ends import TurnEnds


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.4, 3.0, 9.7])
def test_a_short_window_is_the_beginning_of_the_whole(mels: int, seconds: float) -> None:
    """The features of just the speech are those faster-whisper computes over 30 s, where there is speech."""
    wave = speech(1.1, 1.1 + seconds).astype(np.float32) / 32768
    padded = np.concatenate([wave, np.zeros(30 * SECOND - len(wave), np.float32)])
    whole = FeatureExtractor(feature_size=mels)(padded, padding=0)
    energies = log_mel(np.concatenate([wave, np.zeros(400, np.float32)]), mels)
    fitted = normalized(energies, energies.shape[1] + 50)

    assert fitted.dtype == np.float32
    assert np.allclose(fitted, whole[:, : fitted.shape[1]], atol=1e-4)


@pytest.mark.parametrize("samples", [1, 100, 1599, 16_000, 40_321, 127_999, 128_000, 200_000])
def test_silence_before_is_not_computed(samples: int) -> None:
    """What is known of the silence before an utterance is what computing all 8 s gives."""
    pcm = np.concatenate([speech(1.1, 13.0), speech(1.1, 5.0)])[-samples:]
    heard = pcm[-8 * SECOND :].astype(np.float32) / 32768
    wave = np.concatenate([np.zeros(8 * SECOND - len(heard), np.float32), heard])
    wave = ((wave - wave.mean(dtype=np.float64)) / np.sqrt(wave.var(dtype=np.float64) + 1e-7)).astype(np.float32)
    whole = FeatureExtractor()(wave, padding=0)[:, :800]

    features = turn_features(pcm)
    assert features.shape == (80, 800)
    assert np.allclose(features, whole, atol=2e-3)


@pytest.mark.models
def test_a_finished_sentence_sounds_finished() -> None:
    """The end of a sentence is surely an end; cut in its middle, wherever, it mostly isn't; a batch answers as each alone."""
    smart_turn = SmartTurn()
    hush = np.zeros(2400, np.int16)
    finished = np.concatenate([speech(38.6, 41.7), hush])
    unfinished = [np.concatenate([speech(29.0, cut), hush]) for cut in np.arange(30.0, 41.0)]
    end, *middles = smart_turn.probabilities([finished, *unfinished])

    assert end > 0.9
    assert np.median(middles) < 0.4
    assert smart_turn.probabilities([finished])[0] == pytest.approx(end, abs=1e-3)


@pytest.mark.models
async def test_a_broken_judge_costs_no_transcript() -> None:
    """An error in the end-of-turn model leaves its answers open."""
    turn_ends = TurnEnds()
    await turn_ends.warm_up()
    stereo = np.zeros((2, 100), np.int16)
    assert await turn_ends.judge([Hearing(stereo)]) == [None]
    (judged,) = await turn_ends.judge([Hearing(speech(38.6, 41.8))])
    await turn_ends.aclose()

    assert judged is not None


async def test_without_the_model_nobody_knows() -> None:
    """A judge that could not load its model answers None: turns end by silence."""
    turn_ends = TurnEnds()
    assert await turn_ends.judge([Hearing(speech(1.1, 2.9))]) == [None]
    await turn_ends.aclose()
