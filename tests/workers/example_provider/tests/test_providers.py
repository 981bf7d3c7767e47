"""The promises of all providers, and what these three do beyond them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from example_provider.llm import EchoLlm
from example_provider.stt import PageStt
from example_provider.tts import BeepTts

from schemas.audio import Pcm
from schemas.config.settings import load
from schemas.errors import Permanent
from schemas.events import Event
from workers.testing import answer, hear, speak
from workers.testing.contracts import LlmContract, SttContract, TtsContract

pytestmark = pytest.mark.asyncio


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page = tmp_path / "page.txt"
    page.write_text("It was the best of times, it was the worst of times.")
    monkeypatch.setenv("EXAMPLE_PAGE", str(page))
    return page


def noise(seconds: float) -> Pcm:
    return np.random.default_rng(1).integers(-9_000, 9_000, int(seconds * 16_000)).astype(np.int16)


class TestPageStt(SttContract):
    judges = False

    @pytest.fixture
    def provider(self, page: Path) -> PageStt:
        return PageStt(load())

    @pytest.fixture
    def recording(self) -> Pcm:
        return noise(42)  # a real recognizer wants speech


class TestEchoLlm(LlmContract):
    prefills = False

    @pytest.fixture
    def provider(self) -> EchoLlm:
        return EchoLlm(load())


class TestBeepTts(TtsContract):
    mouth = False

    @pytest.fixture
    def provider(self) -> BeepTts:
        return BeepTts(load())


def texts(events: Sequence[Event], kind: str) -> list[str]:
    return [event.text for event in events if event.type == kind]  # type: ignore[union-attr]


async def test_one_utterance_in_the_log(page: Path) -> None:
    """Two seconds of sound are seven words of the page."""
    events = await hear(PageStt(load()), noise(2.0))
    assert texts(events, "transcript.final") == ["It was the best of times, it"]


async def test_a_missing_page_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its page the worker says which setting to change."""
    monkeypatch.setenv("EXAMPLE_PAGE", "/nowhere.txt")
    with pytest.raises(Permanent, match=r"EXAMPLE_PAGE=/nowhere\.txt: expected a text file, found none"):
        await hear(PageStt(load()), noise(2.0))


async def test_a_turn_through_all_three() -> None:
    """What was said comes back as a reply, and the reply as a clip."""
    (sentence,) = texts(await answer(EchoLlm(load()), "Hello there."), "reply.sentence")
    assert sentence == "You said: Hello there."
    (clip, *_) = await speak(BeepTts(load()), sentence)
    assert clip.type == "clip.ready"
