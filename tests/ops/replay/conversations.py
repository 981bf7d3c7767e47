"""Recordings of two people who speak, and captions of them: calls that some other system held."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from gateway.sound.audio_file import read_speech
from ops.replay._cutting import AGENT, CALLER
from ops.replay.importing import Imported, Options, import_recording
from schemas.audio import Pcm
from schemas.events import Event
from schemas.log import MemoryBus
from schemas.session.history import events_of

RATE = 16_000
LINES = Path(__file__).parents[3] / "ops" / "bench" / "lines"


def line(number: int) -> Pcm:
    """Somebody says a sentence."""
    (path,) = LINES.glob(f"{number:02}*.flac")
    return read_speech(path)


class Conversation:
    """What is on the left and on the right, by seconds."""

    def __init__(self) -> None:
        self.tracks: tuple[list[tuple[float, Pcm]], list[tuple[float, Pcm]]] = ([], [])
        self.length = 0.0

    def say(self, side: int, at: float, pcm: Pcm) -> float:
        """Answers when it is over."""
        self.tracks[side].append((at, pcm))
        end = at + len(pcm) / RATE
        self.length = max(self.length, end)
        return end

    def sound(self) -> np.ndarray:
        both = np.zeros((round((self.length + 1.0) * RATE), 2), np.int16)
        for side, track in enumerate(self.tracks):
            for at, pcm in track:
                first = round(at * RATE)
                both[first : first + len(pcm), side] = pcm
        return both


def talk() -> Conversation:
    """A greeting, a question, its answer 0.9 s later, a second question, its answer 1.4 s later."""
    made = Conversation()
    end = made.say(AGENT, 0.5, line(0))
    end = made.say(CALLER, end + 1.0, line(1))
    end = made.say(AGENT, end + 0.9, line(2))
    end = made.say(CALLER, end + 1.0, line(3))
    made.say(AGENT, end + 1.4, line(4))
    return made


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate)
    return path


async def imported(path: Path, **options: Any) -> tuple[Imported, MemoryBus, list[Event]]:
    log = MemoryBus()
    done = await import_recording(path, log, Options(**options))
    return done, log, [event async for event in events_of(log, done.session)]


def vtt(made: Conversation, *, voices: bool) -> str:
    cues = []
    for side, (name, track) in enumerate(zip(("caller", "agent"), made.tracks, strict=True)):
        for number, (at, pcm) in enumerate(track):
            tag = f"<v {name}>" if voices else ""
            cues.append(
                (at, f"{stamp(at)} --> {stamp(at + len(pcm) / RATE)} line:90%\n{tag}{name} {number} &amp; <i>more</i>")
            )
        assert side in (CALLER, AGENT)
    return "WEBVTT\n\nNOTE made for a test\n\n" + "\n\n".join(cue for _, cue in sorted(cues))


def stamp(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{seconds % 60:06.3f}"
