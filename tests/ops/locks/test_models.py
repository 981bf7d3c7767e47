"""Larger models: joined of their pieces as they were, and used where they are."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ops.locks.models import MODELS, entries, join, main
from ops.stack.models import in_use, models_line, use_models_here
from schemas.config.settings import Settings
from schemas.events import STAGES


def wheel(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(f"pack/data/{member}", content)
    return path


def test_the_lock_names_every_piece_by_its_hash() -> None:
    """22 of the language model, two of Whisper; each is one file."""
    assert {name: len(entries(model)) for name, model in MODELS.items()} == {"llm": 22, "stt": 2}
    assert all(entry.count("--hash=sha256:") == 1 for model in MODELS.values() for entry in entries(model))


def test_pieces_are_joined_by_their_numbers(tmp_path: Path) -> None:
    """Not by their names: the tenth comes after the second. What belongs beside the file lies there."""
    content = bytes(range(200))
    pieces = {number: content[20 * (number - 1) : 20 * number] for number in range(1, 11)}
    wheels = [
        wheel(tmp_path / f"p{number}.whl", **{f"model.bin.part{number}": piece}) for number, piece in pieces.items()
    ]
    wheels.append(wheel(tmp_path / "last.whl", **{"config.json": b"{}", "__init__.py": b"boom"}))
    (tmp_path / "made").mkdir()
    join(replace(MODELS["stt"], sha256=hashlib.sha256(content).hexdigest()), wheels, tmp_path / "made")
    assert (tmp_path / "made" / "model.bin").read_bytes() == content
    assert sorted(file.name for file in (tmp_path / "made").iterdir()) == ["config.json", "model.bin"]


def test_another_file_than_expected_is_not_kept(tmp_path: Path) -> None:
    """Whoever uploads the packages anew can't put anything else there."""
    with pytest.raises(SystemExit, match=r"SHA-256 .*; expected 905e5bf.*: it is not kept"):
        join(MODELS["stt"], [wheel(tmp_path / "a.whl", **{"model.bin.part1": b"else"})], tmp_path)


def test_what_is_there_is_not_fetched_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `make models` only says where they are; a name that there is not says which there are."""
    for model in MODELS.values():
        (tmp_path / model.place).parent.mkdir(parents=True)
        (tmp_path / model.place).touch()
    main(tmp_path, [])
    assert capsys.readouterr().out.split() == [str(tmp_path / model.place) for model in MODELS.values()]
    with pytest.raises(SystemExit, match="there is no 'tts'; there is llm, stt"):
        main(tmp_path, ["tts"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with both models, in which no setting names any."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", "data")
    for name in ("LLM_BASE_URL", "LLM_MODEL", "LLM_PROVIDER", "STT_MODEL", "STT_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    for model in MODELS.values():
        (tmp_path / "data" / "models" / model.place).parent.mkdir(parents=True)
        (tmp_path / "data" / "models" / model.place).touch()
    return tmp_path / "data" / "models"


def test_models_that_are_there_are_used_and_named(here: Path) -> None:
    """By their whole paths, whatever folder a process runs in."""
    environment: dict[str, str] = {}
    said = use_models_here(environment)
    assert environment == {
        "LLM_FILE": str(here / "llm" / "qwen2.5-coder-1.5b-instruct.gguf"),
        "LLM_MODEL": "qwen2.5-coder-1.5b-instruct",
        "STT_MODEL": str(here / "stt" / "whisper-base"),
    }
    assert [sentence.partition(" ")[0] for sentence in said] == ["qwen2.5-coder-1.5b-instruct", "whisper-base"]
    assert "STT_MODEL=tiny.en would take the packaged one" in said[1]


@pytest.mark.parametrize(
    ("setting", "value", "left"),
    [
        ("LLM_BASE_URL", "http://127.0.0.1:11434/v1", {"STT_MODEL"}),
        ("LLM_MODEL", "smollm2-135m-instruct", {"STT_MODEL"}),
        ("LLM_PROVIDER", "simulated", {"STT_MODEL"}),
        ("STT_MODEL", "tiny.en", {"LLM_FILE", "LLM_MODEL"}),
        ("STT_PROVIDER", "simulated", {"LLM_FILE", "LLM_MODEL"}),
    ],
)
def test_a_setting_goes_before(
    here: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, left: set[str]
) -> None:
    """Whoever names a model gets that one."""
    monkeypatch.setenv(setting, value)
    environment: dict[str, str] = {}
    use_models_here(environment)
    assert set(environment) == left


def test_without_models_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setup's own are used."""
    monkeypatch.chdir(tmp_path)
    environment: dict[str, str] = {}
    assert use_models_here(environment) == []
    assert environment == {}


def test_which_models_are_in_use_is_said() -> None:
    """By stage, and whether it is the one that comes as a package; of another provider what tells it."""
    settings = Settings(_env_file=None)
    assert in_use(settings, "smollm2-135m-instruct", STAGES) == {
        "stt": "tiny.en (packaged)", "llm": "smollm2-135m-instruct (packaged)", "tts": "en_US-joe-medium (packaged)",
    }  # fmt: skip
    other = settings.model_copy(update={"stt_provider": "simulated", "tts_provider": "openai", "llm_model": "gpt-4o"})
    assert models_line(in_use(other, "gpt-4o", STAGES)) == "STT simulated · LLM gpt-4o · TTS tts-1 (openai)"
    assert in_use(other, "gpt-4o", ["llm"]) == {"llm": "gpt-4o"}
    assert in_use(settings.model_copy(update={"stt_provider": "openai"}), "", ["stt"]) == {
        "stt": "whisper-1 (openai)"
    }  # as its worker asks
