"""What the demo's caller says. A step is a line, when it is said, and what it shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.sound.audio_file import read_speech
from ops.people.recordings import packaged
from schemas.audio import Pcm


@dataclass(frozen=True, slots=True)
class Step:
    """`title`: what it shows; `when`: after the agent has finished, or `over` it, a moment after it began to speak."""

    title: str
    pcm: Pcm
    when: Literal["after", "over"] = "after"


def script() -> list[Step]:
    """Six turns of the caller; the third is interrupted by the fourth."""
    return [
        Step("a plain question", line("capital")),
        Step("a real person, from a recording", packaged("clone-test", 0.4, 4.1)),
        Step("a question with a long answer …", line("story")),
        Step("… interrupted", line("stop"), "over"),
        Step("a pause in mid-sentence", line("pause")),
        Step("something that refers to the beginning", line("first")),
    ]


def line(name: str) -> Pcm:
    """One of the made lines: capital, first, pause, stop, story, yeah. int16 mono, 16 kHz."""
    return read_speech(Path(__file__).with_name(f"{name}.flac"))
