"""Is a transcript to be believed? Whisper loops on what it does not understand, and makes polite phrases out of noise."""

import math
import re
import zlib
from dataclasses import dataclass
from enum import Enum, auto

from schemas.audio import Pcm

__all__ = ["Attempt", "Doubt", "collapsed", "confidence", "doubt", "silent", "token_budget", "unspoken"]

_LOUD_REPEATS = 3
"""A phrase said so often in a row is a loop until a wider window says the same."""
_ECHO = 5
"""Words of a phrase that makes one look again, if the transcript ends in it twice."""
_WORDS_PER_SECOND = 5.0
"""Somebody who repeats himself does so no faster."""
_COMPRESSION = 2.4
_LEAST_LOGPROB = -1.0
_NO_SPEECH = 0.6
"""The last three are Whisper's own."""
_QUIET = 0.003
"""Loudness (root mean square of ±1, -50 dB) under which a telephone line is silent."""
_INVENTED = {
    "applause", "bye", "bye bye", "hmm", "i m sorry", "mm", "music", "oh", "okay", "please subscribe", "silence", "so",
    "subscribe", "thank you", "thank you for watching", "thank you very much", "thanks", "thanks for watching", "the end",
    "you",
}  # fmt: skip
"""What Whisper writes for noise, letters only."""


class Doubt(Enum):
    """Why a transcript is not believed yet."""

    UNSURE = auto()
    """The model gives its own words little credit: a second look, no more."""
    ECHO = auto()
    """It ends by saying a whole phrase again, as people seldom do and Whisper does after pauses: a second look, no more."""
    LOOP = auto()
    """It says more than was said: look until it stops."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one decoding gave. `tokens`: how many; `logprob`: mean log probability of them and the end; `no_speech`: 0..1."""

    text: str
    tokens: int
    logprob: float
    no_speech: float
    language: str


def token_budget(seconds: float) -> int:
    """Tokens that `seconds` of the fastest speech can take, in any language Whisper writes."""
    return 12 + int(seconds * 14)


def silent(pcm: Pcm) -> bool:
    """Nothing to transcribe: shorter than 30 ms, or digital silence."""
    return len(pcm) < 480 or (int(pcm.max()) < 16 and int(pcm.min()) > -16)


def doubt(attempt: Attempt, seconds: float) -> Doubt | None:
    """Whether a wider window should be asked. None: this is what was said."""
    words = _words(attempt.text)
    if not words:
        return None
    repeats = _repeats(words)
    if (
        attempt.tokens >= token_budget(seconds)
        or _compression(attempt.text) > _COMPRESSION
        or repeats >= _LOUD_REPEATS
        or (repeats == 2 and len(words) > _WORDS_PER_SECOND * seconds)
    ):
        return Doubt.LOOP
    if _echoes(words):
        return Doubt.ECHO
    return Doubt.UNSURE if attempt.logprob < _LEAST_LOGPROB else None


def unspoken(attempt: Attempt, pcm: Pcm) -> bool:
    """Whether the text was made out of noise. Careful: only where the model itself hears no speech and doubts the words or
    writes one of its stock phrases; that, over next to nothing, at half the suspicion."""
    words = _words(attempt.text)
    if not words:
        return True
    if " ".join(words) in _INVENTED:
        return attempt.no_speech > (_NO_SPEECH / 2 if _loudness(pcm) < _QUIET else _NO_SPEECH)
    return attempt.no_speech > _NO_SPEECH and attempt.logprob < _LEAST_LOGPROB


def collapsed(text: str) -> str:
    """`text` with every phrase that is said three times or more in a row said once: the last resort against a loop."""
    parts = text.split()
    keys = [_key(part) for part in parts]
    kept: list[str] = []
    at = 0
    while at < len(parts):
        size, times = _repeat_at(keys, at)
        kept += parts[at : at + size]
        at += size * (times if times >= _LOUD_REPEATS else 1)
    return " ".join(kept)


def confidence(attempt: Attempt) -> float:
    """0..1: how sure the model is of a token, on geometric average."""
    return round(min(1.0, max(0.0, math.exp(min(0.0, attempt.logprob)))), 3)


def _loudness(pcm: Pcm) -> float:
    wave = pcm.astype("f4") / 32768.0
    return math.sqrt(float((wave * wave).mean()))


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def _key(word: str) -> str:
    return re.sub(r"\W+", "", word).lower()


def _words(text: str) -> list[str]:
    return re.sub(r"[\W_]+", " ", text).lower().split()


def _repeats(words: list[str]) -> int:
    """The most often any phrase of up to 12 words is said in a row; a cut-off last time does not count."""
    return max((_repeat_at(words, at)[1] for at in range(len(words))), default=0)


def _echoes(words: list[str]) -> bool:
    """Whether the last words, at least `_ECHO`, are those before them."""
    return any(words[-size:] == words[-2 * size : -size] for size in range(_ECHO, len(words) // 2 + 1))


def _repeat_at(words: list[str], at: int) -> tuple[int, int]:
    """Length of the phrase beginning at `at` that is repeated most often in a row, and how often (1, 1: it isn't)."""
    best = (1, 1)
    for size in range(1, min(12, (len(words) - at) // 2) + 1):
        phrase, times = words[at : at + size], 1
        while words[at + times * size : at + (times + 1) * size] == phrase:
            times += 1
        if times > best[1]:
            best = (size, times)
    return best
