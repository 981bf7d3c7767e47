"""What conversations that nobody held are made of: sounds that are nowhere, and words of one length."""

from ops.replay._recorded import Spoken
from schemas.audio import AudioRef
from schemas.clock import Micros
from schemas.events import ClipReady, Word

__all__ = ["BEGAN", "sound", "spoken"]

BEGAN = Micros(1_790_000_000_000_000)
"""When each of them did."""
_CLIP_RATE = 22_050


def spoken(text: str, name: str, a_word: float, *, took: float) -> Spoken:
    """`text` as a clip, there after `took` seconds; `a_word`: seconds of each."""
    words = [Word(text=word, start=n * a_word, end=(n + 1) * a_word) for n, word in enumerate(text.split())]
    seconds = len(words) * a_word
    clip = ClipReady(
        index=0, audio=sound(name, seconds, _CLIP_RATE), duration=seconds, text=text, words=words, took=took, by="tts"
    )
    return Spoken(((took, clip),))


def sound(name: str, seconds: float, rate: int) -> AudioRef:
    """Where it would lie."""
    return AudioRef(key=f"{{p00}}:blob:{name}", rate=rate, samples=round(seconds * rate))
