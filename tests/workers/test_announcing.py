"""Workers tell what their models speak, for as long as they work."""

import asyncio
import json
from pathlib import Path

import pytest

from schemas.bus import Bus
from schemas.config.settings import load
from schemas.languages import Announced
from schemas.log import MemoryBus, RedisBus
from tests.servers import Valkey
from workers.announcing import announce, announcement
from workers.stt.models import spoken_by

GERMAN = Announced("tts", ["de"], "TTS_VOICE=de_DE-thorsten-medium", "piper")


async def _it_is_told_and_taken_back(bus: Bus) -> None:
    asked: list[bool] = []

    def working() -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    task = asyncio.create_task(announce(bus, "w1", GERMAN, working))
    while len(asked) < 2:
        assert await bus.announced("tts") == []
        await asyncio.sleep(0.01)
    while not await bus.announced("tts"):
        await asyncio.sleep(0.01)
    assert await bus.announced("tts") == [GERMAN]
    assert await bus.announced("stt") == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await bus.announced("tts") == []
    await bus.announce("killed", GERMAN, 0.05)
    await asyncio.sleep(0.06)
    assert await bus.announced("tts") == []


async def test_told_while_it_works_and_no_longer() -> None:
    """A worker's languages are known from when it can work until it leaves; a killed one's are forgotten after their time."""
    await _it_is_told_and_taken_back(MemoryBus())


async def test_the_same_in_redis(valkey: Valkey) -> None:
    """The log on Redis keeps the same promise."""
    bus = RedisBus(valkey.url)
    await bus.start()
    await _it_is_told_and_taken_back(bus)
    await bus.aclose()


def test_the_packaged_models_speak_english() -> None:
    """Without any setting: an English Whisper and an English voice, by their own files."""
    assert announcement("stt", load()) == Announced("stt", ["en"], "STT_MODEL=tiny.en", "faster-whisper")
    assert announcement("tts", load()) == Announced("tts", ["en"], "TTS_VOICE=en_US-joe-medium", "piper")


def test_a_voice_speaks_what_its_configuration_says(tmp_path: Path) -> None:
    """Of a voice of one's own the configuration counts, older ones' phonemes do; its path is nobody's business."""
    voice = tmp_path / "thorsten.onnx"
    voice.touch()
    for told in ({"language": {"family": "de"}}, {"espeak": {"voice": "de"}}):
        voice.with_name("thorsten.onnx.json").write_text(json.dumps(told))
        assert announcement("tts", load(tts_voice=str(voice))) == Announced(
            "tts", ["de"], "TTS_VOICE=thorsten.onnx", "piper"
        )


def test_a_voice_or_an_endpoint_that_does_not_tell(tmp_path: Path) -> None:
    """What can't be known is not announced: a broken configuration, a voice that isn't there, somebody's endpoint."""
    voice = tmp_path / "broken.onnx"
    voice.touch()
    voice.with_name("broken.onnx.json").write_text('["language"]')
    for settings in (
        load(tts_voice=str(voice)),
        load(tts_voice="nowhere"),
        load(tts_provider="openai"),
        load(tts_provider="nobody"),
    ):
        assert announcement("tts", settings) is None
    assert announcement("stt", load(stt_provider="openai")) is None


@pytest.mark.parametrize(
    ("name", "german"),
    [
        ("small", True), ("large-v3-turbo", True), ("small.en", False), ("Systran/faster-whisper-base.en", False),
        ("distil-large-v3", False),
    ],
)  # fmt: skip
def test_a_whisper_is_known_by_its_name(name: str, german: bool) -> None:
    """`.en` and the distilled large ones understand English alone, the others a hundred languages; nothing is fetched."""
    assert ("de" in spoken_by(name)) is german
    assert "en" in spoken_by(name)


def test_a_whisper_is_known_by_its_vocabulary(tmp_path: Path) -> None:
    """A folder's model is known by how many tokens it has; of one that doesn't say nothing is claimed."""
    assert spoken_by(str(tmp_path)) == []
    (tmp_path / "vocabulary.json").write_text(json.dumps(["a"] * 51_864))
    assert spoken_by(str(tmp_path)) == ["en"]
    (tmp_path / "vocabulary.json").write_text(json.dumps(["a"] * 51_865))
    assert "de" in spoken_by(str(tmp_path))
    (tmp_path / "vocabulary.json").write_text("{")
    assert spoken_by(str(tmp_path)) == []
