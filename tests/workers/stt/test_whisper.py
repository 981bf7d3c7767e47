"""faster-whisper on windows cut to the utterance: what it hears, what it doesn't, and what it says of a wrong model."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ops.demo.script import line
from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.errors import Permanent
from tests.workers.stt.speech import SECOND, SttContractOnSpeech, speech
from workers.providers import Hearing
from workers.simulated import SimulatedStt, Simulation
from workers.stt._decoder import Decoder, Spectrum
from workers.stt._guards import Attempt, Doubt, doubt
from workers.stt._windows import FULL, Window
from workers.stt.whisper import WhisperStt

pytestmark = pytest.mark.models

TRANSCRIPTS = {
    (1.1, 2.9): "it was the best of times",
    (1.1, 4.7): "it was the best of times it was the worst of times",
    (17.4, 20.6): "it was the spring of hope it was the winter of despair",
    (38.6, 41.8): "in the superlative degree of comparison only",
}


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


def letters(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def words(pcm: Pcm, language: str = "en") -> Hearing:
    """Asked for nothing else: to judge the end of a turn takes as long as to hear a short one."""
    return Hearing(pcm, language, end_of_turn=False)


def noises() -> dict[str, Pcm]:
    rng = np.random.default_rng(7)
    time = np.arange(3 * SECOND) / SECOND
    kinds = {
        "hiss": rng.standard_normal(3 * SECOND) * 0.03,
        "faint hiss": rng.standard_normal(2 * SECOND) * 0.002,
        "short hiss": rng.standard_normal(SECOND // 5) * 0.03,
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time),
        "beep": 0.2 * np.sin(2 * np.pi * 440 * time[:SECOND]),
        "breath": rng.standard_normal(3 * SECOND) * np.exp(-(((time - 1.5) / 0.2) ** 2)) * 0.05,
        "click": np.where(np.abs(time - 1) < 0.002, 0.8, 0.0) + rng.standard_normal(3 * SECOND) * 0.001,
    }
    return {name: (np.clip(wave, -1, 1) * 32767).astype(np.int16) for name, wave in kinds.items()}


class TestContract(SttContractOnSpeech):
    @pytest.fixture
    def provider(self, whisper: WhisperStt) -> WhisperStt:
        return whisper


class TestSimulatedContract(SttContractOnSpeech):
    @pytest.fixture
    def provider(self) -> SimulatedStt:
        return SimulatedStt(settings(), Simulation(stt_ms=0))


@pytest.mark.parametrize(("span", "text"), TRANSCRIPTS.items(), ids=TRANSCRIPTS.values())
async def test_it_hears_what_was_said(whisper: WhisperStt, span: tuple[float, float], text: str) -> None:
    """Recorded sentences come back word for word, in English, with confidence."""
    (heard,) = await whisper.transcribe([words(speech(*span))])

    assert letters(heard.text) == text
    assert heard.language == "en"
    assert heard.confidence is not None
    assert heard.confidence > 0.5


@pytest.mark.parametrize("name", noises())
async def test_noise_is_no_words(whisper: WhisperStt, name: str) -> None:
    """Hiss, hum, beeps and breath are no "Thank you."."""
    (heard,) = await whisper.transcribe([words(noises()[name])])

    assert heard.text == ""


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.2, 0.3])
async def test_a_snippet_is_no_song(whisper: WhisperStt, seconds: float) -> None:
    """A fraction of a second gives at most a few words, never a loop."""
    snippets = [speech(at, at + seconds) for at in (1.2, 3.1, 9.0, 21.5)]
    for heard in await whisper.transcribe([words(pcm) for pcm in snippets]):
        assert len(heard.text.split()) <= 4


async def test_a_short_command_is_said_once(whisper: WhisperStt) -> None:
    """Words shorter than a second come once, as they were said: the window that just fits them loops."""
    in_short = speech(28.95, 29.75)
    (heard,) = await whisper.transcribe([words(in_short)])

    assert 1 <= len(heard.text.split()) <= 4
    assert doubt_of_fitting_window(whisper, in_short) is Doubt.LOOP, "the trap is gone; the silence may go too"


async def test_after_pauses_nothing_is_said_twice(whisper: WhisperStt) -> None:
    """Sentences with half a second between them come once each: in the window that fits, the last one comes twice."""
    pause = np.zeros(SECOND // 2, np.int16)
    spans = ((1.15, 2.87), (2.94, 4.60), (4.97, 6.25), (6.54, 8.25))
    sentences = [part for span in spans for part in (speech(*span), pause)]
    spoken = np.concatenate([*sentences, line("capital"), pause[: SECOND // 4]])
    (heard,) = await whisper.transcribe([words(spoken)])

    assert letters(heard.text).count("capital of france") == 1
    decoder = whisper._decoder
    assert isinstance(decoder, Decoder)
    spectrum = decoder.spectrum(spoken, "en")
    (first,) = decoder.attempt([(spectrum, decoder.window(spectrum, 0))])
    assert doubt(first, spectrum.seconds) is Doubt.ECHO, "the trap is gone; the second look may go too"


async def test_what_is_given_up_is_not_computed() -> None:
    """Utterances that are void before their turn comes are never decoded: the next one does not wait for them."""

    class Slow:
        """A decoder that computes until it is released."""

        def __init__(self) -> None:
            self.released = threading.Event()
            self.begun: list[int] = []

        def spectrum(self, pcm: Pcm, language: str, keyterms: Sequence[str] = ()) -> Spectrum:
            return Spectrum(np.zeros((80, len(pcm) // 160), np.float32), len(pcm) / SECOND, language)

        def window(self, spectrum: Spectrum, rung: int) -> Window:
            return Window(FULL, FULL)

        def attempt(self, batch: Sequence[tuple[Spectrum, Window]]) -> list[Attempt]:
            self.begun.append(round(batch[0][0].seconds))
            assert self.released.wait(30)
            return [Attempt("Yes.", 2, -0.1, 0.0, "en") for _ in batch]

    stt, slow = WhisperStt(settings()), Slow()
    stt._decoder = slow  # type: ignore[assignment]
    utterances = [asyncio.create_task(stt.transcribe([words(speech(1, 1 + n))])) for n in range(1, 6)]
    while len(slow.begun) < 2:
        await asyncio.sleep(0.01)
    for void in utterances[:-1]:
        void.cancel()
    await asyncio.gather(*utterances[:-1], return_exceptions=True)
    slow.released.set()
    (heard,) = await utterances[-1]

    assert heard.text == "Yes."
    assert {*slow.begun[:2]} == {1, 2}, "two at a time, and threads begin as they please"
    assert slow.begun[2:] == [5]
    await stt.aclose()


def doubt_of_fitting_window(whisper: WhisperStt, pcm: Pcm) -> Doubt | None:
    """What happens without the remembered silence."""
    decoder = whisper._decoder
    assert isinstance(decoder, Decoder)
    spectrum = decoder.spectrum(pcm, "en")
    fitting = spectrum.frames // 2 * 2 + 50
    (attempt,) = decoder.attempt([(spectrum, Window(fitting, fitting))])
    return doubt(attempt, spectrum.seconds)


async def test_more_than_a_window_is_heard_whole(whisper: WhisperStt) -> None:
    """What is longer than Whisper's 30 s is cut in a pause; nothing of it is lost or said twice."""
    (heard,) = await whisper.transcribe([words(speech(1.1, 41.8))])
    text = letters(heard.text)

    assert text.startswith("it was the best of times")
    assert text.endswith("the superlative degree of comparison only")
    assert 105 <= len(text.split()) <= 130


async def test_batches_run_side_by_side(whisper: WhisperStt) -> None:
    """Two batches at once give what each gives alone."""
    spans = list(TRANSCRIPTS)
    batches = [[words(speech(*span)) for span in spans[at : at + 2]] for at in (0, 2)]
    both = await asyncio.gather(*(whisper.transcribe(batch) for batch in batches))

    assert [letters(heard.text) for batch in both for heard in batch] == list(TRANSCRIPTS.values())


async def test_key_terms_are_their_own_utterances_alone(whisper: WhisperStt) -> None:
    """Whoever is told some, few or many, hears what was said; in company with those who are told none, and others than they."""
    spans = list(TRANSCRIPTS)
    told = ((), ("hey pizza",), ("okay robot", "hello antiphon"), ("hey pizza",) * 60)
    batch = [replace(words(speech(*span)), keyterms=terms) for span, terms in zip(spans, told, strict=True)]
    together = await whisper.transcribe(batch)

    assert [letters(heard.text) for heard in together] == list(TRANSCRIPTS.values())


async def test_an_english_model_hears_english(whisper: WhisperStt) -> None:
    """Asked for another language, or one that isn't, a model of English answers in English."""
    for language in ("de", "en-US", "xx", ""):
        (heard,) = await whisper.transcribe([words(speech(1.1, 2.9), language)])
        assert heard.language == "en"
        assert letters(heard.text) == "it was the best of times"


@pytest.mark.parametrize("name", ["/models/x", "./x", "no-such-model"])
async def test_a_missing_model_is_one_sentence(name: str) -> None:
    """A model that isn't there: the setting, what was found, what to give instead."""
    provider = WhisperStt(settings(stt_model=name))
    with pytest.raises(
        Permanent, match=rf"^STT_MODEL={name}: .*; give a folder or a name such as small\.en$"
    ) as caught:
        await provider.warm_up()
    await provider.aclose()

    assert caught.value.code == "model_missing"
    assert "\n" not in str(caught.value)


async def test_a_broken_model_is_one_sentence(tmp_path: Path) -> None:
    """A folder whose model.bin is none says so."""
    (tmp_path / "model.bin").write_bytes(b"nothing of the sort")
    provider = WhisperStt(settings(stt_model=str(tmp_path)))
    with pytest.raises(Permanent, match="cannot be loaded with STT_DEVICE=auto") as caught:
        await provider.warm_up()
    await provider.aclose()

    assert "\n" not in str(caught.value)


async def test_a_wrong_compute_type_is_one_sentence() -> None:
    """STT_COMPUTE_TYPE of nonsense is named."""
    provider = WhisperStt(settings(stt_compute_type="int7", stt_device="cpu"))
    with pytest.raises(Permanent, match="STT_COMPUTE_TYPE=int7"):
        await provider.warm_up()
    await provider.aclose()


def test_doctor_is_told_where_the_model_is() -> None:
    """`locate` names the setting and finds the packaged model without loading it."""
    setting, find = WhisperStt.locate(settings())

    assert setting == "STT_MODEL"
    assert (Path(find()) / "model.bin").is_file()
