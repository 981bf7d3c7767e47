"""Providers of other packages: found by name, and refused in one sentence where they are none."""

from pathlib import Path

import pytest

from schemas.config.settings import load
from schemas.errors import Permanent
from schemas.events import Stage
from workers import registry
from workers.simulated import SimulatedStt


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with four entry points, of which one leads to a provider."""
    (tmp_path / "strange_ears.py").write_text("from workers.simulated import SimulatedStt as Good\nclass Plain: ...\n")
    (tmp_path / "strange_ears-1.dist-info").mkdir()
    (tmp_path / "strange_ears-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: strange-ears\nVersion: 1\n"
    )
    (tmp_path / "strange_ears-1.dist-info" / "entry_points.txt").write_text(
        "[antiphon.stt]\ngood = strange_ears:Good\nplain = strange_ears:Plain\nother = strange_ears:Good.transcribe\n"
        "gone = strange_ears:Gone\n[antiphon.tts]\ngood = strange_ears:Good\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_a_package_adds_a_provider() -> None:
    """A provider of another package is opened by its name, like ours."""
    assert isinstance(registry.provider("stt", "good", load()), SimulatedStt)
    assert "good" in registry.provider_names("stt")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("stage", "name", "says"),
    [
        (
            "stt",
            "plain",
            r"^STT_PROVIDER=plain: strange_ears:Plain does not inherit workers\.providers\.Stt; see docs/",
        ),
        ("stt", "other", r"^STT_PROVIDER=other: .* does not inherit workers\.providers\.Stt"),
        ("tts", "good", r"^TTS_PROVIDER=good: .* does not inherit workers\.providers\.Tts"),
        ("stt", "gone", r"^STT_PROVIDER=gone: its code cannot be loaded \(.*Gone"),
    ],
)
def test_what_is_no_provider_is_said_in_a_sentence(stage: Stage, name: str, says: str) -> None:
    """A class that is no provider of its stage, or isn't there, is named with its setting and what is expected of it."""
    with pytest.raises(Permanent, match=says) as caught:
        registry.provider_class(stage, name)
    assert caught.value.code == "provider_broken"
