"""Makes the questions of the demo's caller: Piper's voice, a little higher, as small FLAC files beside this script.

Run by hand when the script changes: `.venv/bin/python ops/demo/make_caller.py`. Real people's lines come from a package instead.
"""

import asyncio
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from schemas.settings import load
from workers.providers import Speaking
from workers.tts.piper import PiperTts

LINES = {
    "capital": "Hello! What is the capital of France?",
    "story": "Please tell me a long story about a dragon who was afraid of the dark.",
    "stop": "Wait, stop. What color is the sky on a clear day?",
    "pause": ("I would like to know", 0.6, "how many legs a spider has."),
    "first": "What was my very first question?",
    "mhm": "Mhm.",
}
RATE, PITCH = 16_000, 1.14


async def speak(tts: PiperTts, text: str) -> NDArray[np.float32]:
    parts = [part async for part in tts.synthesize(Speaking(text))]
    sound = np.concatenate([part.pcm for part in parts]).astype(np.float32) / 32768
    higher: NDArray[np.float32] = soxr.resample(sound, parts[0].rate * PITCH, RATE)
    return higher


async def main() -> None:
    tts = PiperTts(load())
    await tts.warm_up()
    for name, line in LINES.items():
        pieces = [line] if isinstance(line, str) else line
        sound = [
            np.zeros(int(piece * RATE), np.float32) if isinstance(piece, float) else await speak(tts, piece)
            for piece in pieces
        ]
        soundfile.write(Path(__file__).with_name(f"{name}.flac"), np.concatenate(sound), RATE, subtype="PCM_16")


if __name__ == "__main__":
    asyncio.run(main())
