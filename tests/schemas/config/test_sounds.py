"""Sounds beside an agent's file: looked at when the agent is read, and told with their line where they can't be used."""

import wave
from pathlib import Path

import pytest

from schemas.config.agent import load_agent, parse_agent
from schemas.config.agents import Agents
from schemas.config.sounds import problem
from schemas.errors import AgentSpecError


def wav(path: Path, *, seconds: float = 1.0, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with path.open("wb") as raw, wave.open(raw) as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(round(seconds * rate) * channels * width))
    return path


def agent(folder: Path, text: str) -> Path:
    file = folder / "pizza.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_that_can_be_used(tmp_path: Path, rate: int, channels: int) -> None:
    """Beside the agent's file, or one that comes along."""
    wav(tmp_path / "office.wav", rate=rate, channels=channels)
    spec = load_agent(agent(tmp_path, '[sounds]\nbackground = "office.wav"\nthinking = "soft"\n'))
    assert spec.sounds.background == "office.wav"
    assert Agents(tmp_path).beside("pizza", "office.wav") == tmp_path / "office.wav"
    assert Agents(tmp_path).beside("somebody", "office.wav") == tmp_path / "office.wav"
    assert Agents(tmp_path).beside("pizza", "other.wav") is None
    assert Agents().beside("pizza", "office.wav") is None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"seconds": 61.0}, "61.0 s long; expected 0.2 to 60 s"), ({"seconds": 0.1}, "0.1 s long"), ({"width": 1}, "8 bit"),
        ({"channels": 3}, "3 channels"), ({"rate": 96_000}, "96000 Hz"), ({"seconds": 0.0}, "0.0 s long"),
    ],
)  # fmt: skip
def test_one_that_cannot(tmp_path: Path, how: dict[str, float], said: str) -> None:
    """Too long, too short, or of a form that is not read."""
    assert said in problem(wav(tmp_path / "it.wav", **how))  # type: ignore[arg-type]


def test_one_that_is_none(tmp_path: Path) -> None:
    """Missing, another kind of file, or more than is read: a sentence each."""
    assert "there is no such file" in problem(tmp_path / "gone.wav")
    (tmp_path / "it.wav").write_bytes(b"RIFFnothing of the kind")
    assert "no such WAV" in problem(tmp_path / "it.wav")
    (tmp_path / "it.wav").write_bytes(b"")
    assert "no such WAV" in problem(tmp_path / "it.wav")
    with (tmp_path / "it.wav").open("wb") as file:
        file.truncate(13 << 20)
    assert "at most 13 are read" in problem(tmp_path / "it.wav")


def test_the_line_is_told(tmp_path: Path) -> None:
    """Of each sound that is wrong, and what is expected."""
    file = agent(tmp_path, '[sounds]\nbackground = "office.wav"\n\nthinking = "typing.wav"\n')
    with pytest.raises(AgentSpecError) as error:
        load_agent(file)
    first, second = str(error.value).splitlines()
    assert first.startswith(
        f"{file}, line 2: sounds.background = 'office.wav': there is no such file beside the agent's"
    )
    assert second.startswith(f"{file}, line 4: sounds.thinking = 'typing.wav'")


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "a/b.wav", ".hidden", "a\\b.wav"])
def test_no_path_leads_elsewhere(name: str) -> None:
    """Only what lies beside the agent's file can be named."""
    with pytest.raises(AgentSpecError, match="background"):
        parse_agent(f"[sounds]\nbackground = '{name}'\n")


def test_a_message_for_machines_is_not_empty() -> None:
    """Said where it is set."""
    with pytest.raises(AgentSpecError, match="machine_message"):
        parse_agent('[phone]\nmachine = "message"\n')
