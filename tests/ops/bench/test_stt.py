"""`antiphon bench stt`: what it hears, and how it counts errors."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ops.bench import stt
from ops.bench._text import normalized
from schemas.audio import HEARING_RATE
from schemas.config.settings import Settings
from schemas.errors import AntiphonError


def test_utterances_are_2_to_7_seconds() -> None:
    """The named recording gives dozens of utterances of 2-7 s, each with its words, none twice."""
    utterances = stt._recorded()

    assert len(utterances) >= 30
    assert all(2.0 <= len(pcm) / HEARING_RATE <= 7.0 for pcm, _ in utterances)
    assert len({words for _, words in utterances}) == len(utterances)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("We're all going, it's 3 o'clock", "we are all going it is three oclock"),
        ("It won’t—can't!", "it will not can not"),
        ("Um, Mr. Smith", "mister smith"),
        ("Light, darkness.", "LIGHT darkness"),
    ],
)
def test_spelling_is_no_error(one: str, other: str) -> None:
    """Case, punctuation, contractions, small numbers and fillers are matters of spelling."""
    assert normalized(one) == normalized(other)


def test_words_are_words() -> None:
    """Another word, or one too many, is an error."""
    assert normalized("we were all going") != normalized("we're all going")
    assert normalized("no no") != normalized("no")


def test_recordings_of_ones_own(tmp_path: Path) -> None:
    """A folder with a transcripts.tsv is read; one without, or with a wrong line, is told what is expected."""
    with pytest.raises(AntiphonError, match=r"no transcripts\.tsv there; expected"):
        stt._folder(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.zeros(4800, np.int16), 48_000)
    (tmp_path / "transcripts.tsv").write_text("a.wav\tnothing at all\n")
    ((pcm, words),) = stt._folder(tmp_path)
    assert (len(pcm), words) == (1600, "nothing at all")
    (tmp_path / "transcripts.tsv").write_text("a.wav nothing\n")
    with pytest.raises(AntiphonError, match=r"expected a line `file\.wav<tab>its words`"):
        stt._folder(tmp_path)


def test_unheard_utterances_are_no_figure() -> None:
    """A word error rate is of all utterances or of none."""
    utterances = [(np.zeros(1, np.int16), "one two"), (np.zeros(1, np.int16), "three four")]
    assert stt._error_rates(utterances, [{0: "One two!", 1: "3 five"}]) == [25.0]
    with pytest.raises(AntiphonError, match="1 utterances were not reached"):
        stt._error_rates(utterances, [{0: "one two"}])


@pytest.mark.models
async def test_the_worker_hears_what_was_said() -> None:
    """The worker under load gives every utterance its own words."""
    utterances = stt._recorded()[::3]
    texts: dict[int, str] = {}
    rate = await stt._worker(Settings(_env_file=None, stt_device="cpu"), utterances, 0.0, texts)  # type: ignore[call-arg]

    assert rate > 0
    assert stt._error_rates(utterances, [texts])[0] < 10


@pytest.mark.models
def test_plain_hears_it_too() -> None:
    """Plain faster-whisper, in processes of its own, answers every utterance."""
    utterances = stt._recorded()[:2]
    texts: dict[int, str] = {}
    rate = stt._plain(Settings(_env_file=None), utterances, 0.0, 2, 1, texts)  # type: ignore[call-arg]

    assert rate > 0
    assert stt._error_rates(utterances, [texts])[0] < 10
