"""Makes the lines of the demo's caller and of `bench latency`: Piper's voice at other pitches, as small FLAC files.

Run by hand when a line changes: `.venv/bin/python ops/demo/make_caller.py`. Real people's lines come from a package instead.
"""

import asyncio
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from schemas.config.settings import load
from workers.providers import Speaking
from workers.tts.piper import PiperTts

RATE = 16_000
DEMO: dict[str, str | tuple[str | float, ...]] = {
    "capital": "Hello! What is the capital of France?",
    "story": "Please tell me a long story about a dragon who was afraid of the dark.",
    "stop": "Wait, stop. What color is the sky on a clear day?",
    "pause": ("I would like to know", 0.6, "how many legs a spider has."),
    "first": "What was my very first question?",
    "yeah": "Yeah.",
}
BENCH: tuple[str | tuple[str | float, ...], ...] = (
    "What time do you open on Saturday?",
    "Can you book a table for four people tonight?",
    "How much does it cost to send a parcel to Spain?",
    "Turn off the lights in the kitchen.",
    "Is there a pharmacy near the station?",
    "Please repeat that.",
    "Where is my order?",
    "Could you tell me how long the journey takes by train?",
    "Set a timer for ten minutes.",
    "Do I need to bring my passport?",
    "Who wrote Romeo and Juliet?",
    "Play some quiet music.",
    "What is the weather going to be like tomorrow morning?",
    "Can I speak to a person?",
    "How do I reset my password?",
    "Call me back at six.",
    ("I'd like to change my appointment from", 0.5, "Monday to Thursday."),
    ("My number is four four seven", 0.7, "nine one two six."),
    ("Can you send it to, um,", 0.8, "my office instead?"),
    ("The thing is that", 0.9, "my card was declined twice."),
    "I'd like to speak to someone about my bill.",
    "My order hasn't arrived yet.",
    "Is it going to rain this weekend?",
    "What's the phone number of the nearest hospital?",
    "Please cancel my subscription.",
    "I forgot my password again.",
    "How long have you been open?",
    "Remind me to call my mother at five.",
    "Do you have anything cheaper?",
    "I need a taxi to the airport.",
    ("Can I come in on", 0.6, "Friday afternoon instead?"),
    "That sounds good to me.",
    "Which bus goes to the city center?",
    "Tell me something about the history of this town.",
    ("I was wondering", 0.45, "whether you could help me with my invoice."),
    "No, that's not what I meant.",
    # whose pauses lie in the middle: numbers, names, lists, what one has to think about
    ("My number is", 0.6, "five five five,", 0.55, "zero one", 0.7, "nine nine."),
    ("I'd like, um,", 0.9, "a table for two."),
    ("My name is Sarah Kowalski, that's", 0.5, "K, O, W,", 0.6, "A, L,", 0.55, "S, K, I."),
    ("My e-mail is anna", 0.5, "dot", 0.45, "miller at", 0.6, "mailbox dot org."),
    ("So,", 0.7, "I was told to call you about my contract."),
    ("I need eggs,", 0.55, "two liters of milk,", 0.7, "and some bread."),
    ("The order number is A seven", 0.8, "three three", 0.6, "B nine."),
    ("I'm calling because", 1.0, "my internet hasn't worked since yesterday."),
    ("It's the, uh,", 0.75, "the blue one with the short sleeves."),
    ("On Tuesday,", 0.5, "no wait,", 0.6, "on Wednesday at eleven."),
    ("My date of birth is the fourth of May,", 0.65, "nineteen eighty one."),
    ("I'd like to send this to", 0.7, "twenty two", 0.5, "Garden Street,", 0.8, "Leeds."),
    ("Well,", 0.6, "it depends on the price."),
    ("There are three of us.", 0.7, "And a baby."),
    ("I paid last week.", 0.8, "But I got another reminder today."),
    ("Could you check", 0.55, "if the seven thirty train", 0.65, "has any seats left?"),
    ("My card number is four one one one,", 0.7, "two two two two,", 0.75, "three three three three."),
    ("I think it was, hm,", 1.1, "about a month ago."),
    ("You spell it", 0.5, "M, C,", 0.6, "capital D,", 0.6, "O, N, A, L, D."),
    ("I want to cancel my booking and", 0.85, "get my money back."),
    ("It started this morning.", 0.6, "First the heating,", 0.5, "then the hot water."),
    ("If I come at five,", 0.9, "will somebody be there?"),
    ("The code on the box says", 0.65, "six,", 0.5, "eight,", 0.55, "zero,", 0.5, "two."),
    ("Yes, but", 0.7, "only if it doesn't cost extra."),
)
PITCHES = (0.92, 1.14, 1.03)
"""One speaker each, in turn."""


async def main() -> None:
    tts = PiperTts(load())
    await tts.warm_up()
    here = Path(__file__).parent
    for name, line in DEMO.items():
        await write(tts, line, 1.14, here / f"{name}.flac")
    for number, text in enumerate(BENCH):
        name = f"{number:02d}-pause" if isinstance(text, tuple) else f"{number:02d}"
        await write(tts, text, PITCHES[number % 3], here.parent / "bench" / "lines" / f"{name}.flac")


async def write(tts: PiperTts, line: str | tuple[str | float, ...], pitch: float, path: Path) -> None:
    pieces = (line,) if isinstance(line, str) else line
    sound = [
        np.zeros(int(piece * RATE), np.float32) if isinstance(piece, float) else await speak(tts, piece, pitch)
        for piece in pieces
    ]
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.concatenate(sound), RATE, subtype="PCM_16")


async def speak(tts: PiperTts, text: str | float, pitch: float) -> NDArray[np.float32]:
    parts = [part async for part in tts.synthesize(Speaking(str(text)))]
    sound = np.concatenate([part.pcm for part in parts]).astype(np.float32) / 32768
    other: NDArray[np.float32] = soxr.resample(sound, parts[0].rate * pitch, RATE)
    return other


if __name__ == "__main__":
    asyncio.run(main())
