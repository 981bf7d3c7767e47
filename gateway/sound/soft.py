"""The sound of thinking that comes along: a soft pulse, three notes that come and go, made by these lines and nobody else's."""

import numpy as np

from schemas.audio import Pcm

_SECONDS = 2.4
_NOTES = ((0.0, 392.0), (0.5, 494.0), (1.0, 440.0))
"""When, and Hz."""


def soft(rate: int) -> Pcm:
    """int16 mono at `rate`, shape (n,): silent at both ends, so that it can be heard over and over."""
    time = np.arange(round(_SECONDS * rate)) / rate
    sound = np.zeros(len(time))
    for begins, frequency in _NOTES:
        after = np.maximum(time - begins, 0.0)
        swell = np.minimum(after / 0.08, 1.0) * np.exp(-after / 0.35)
        sound += swell * (np.sin(2 * np.pi * frequency * after) + 0.2 * np.sin(4 * np.pi * frequency * after))
    fade = np.minimum(1.0, (_SECONDS - time) / 0.3)
    sound *= fade
    pcm: Pcm = np.round(sound / np.abs(sound).max() * 16_000).astype(np.int16)
    return pcm
