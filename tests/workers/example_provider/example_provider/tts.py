"""A beep for each word, as long as the word."""

from collections.abc import AsyncGenerator

import numpy as np

from schemas.audio import Pcm
from schemas.events import Word
from workers.providers import Sound, Speaking, Tts
from workers.tts.written import written_words

_RATE = 16_000
_A_LETTER = 0.07  # seconds
_SHORTEST = 0.1


class BeepTts(Tts):
    model = "beep"

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        words = written_words(request.text, request.language)
        if not any(word.spoken for word in words):
            yield Sound(np.zeros(0, np.int16), _RATE, last=True)
            return
        for number, word in enumerate(words, 1):
            pcm = _beep(word.spoken, request.speed)
            timed = Word(text=word.text, start=0.0, end=len(pcm) / _RATE)
            yield Sound(pcm, _RATE, last=number == len(words), words=[timed])


def _beep(spoken: str, speed: float) -> Pcm:
    """int16 mono; silence for what isn't said."""
    seconds = max(_SHORTEST, len(spoken) * _A_LETTER) / speed
    time = np.arange(int(seconds * _RATE)) / _RATE
    return (8_000 * bool(spoken) * np.sin(2 * np.pi * 660 * time)).astype(np.int16)
