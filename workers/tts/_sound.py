"""Loudness, silence and pauses. Pure: samples in, samples out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.audio import Pcm

_LOUDNESS = 0.14
"""Root mean square of the sounding samples (1.0 is full scale); the same for every voice and every part of a clip."""
_SOUNDING = 0.02
_KNEE = 0.8
"""Peaks above are bent instead of cut."""
_SILENCE = 0.004
"""Below this (-48 dB) it is silence."""
_GUARD = 0.005
"""Seconds kept of the silence before and after the sound."""
_FADE = 0.004

_PAUSES = {".": 0.2, "!": 0.2, "?": 0.2, ";": 0.15, ":": 0.15, ",": 0.12}
_NO_MARK = 0.05


def gain_for(sound: NDArray[np.float32]) -> float:
    """What brings a voice's raw sound to the common loudness."""
    sounding = sound[np.abs(sound) > _SOUNDING]
    if not len(sounding):
        return 1.0
    return float(np.clip(_LOUDNESS / np.sqrt(np.mean(sounding**2)), 0.1, 10.0))


def to_pcm(sound: NDArray[np.float32], gain: float) -> Pcm:
    """Raw floats to int16, sample by sample, so that parts of a clip fit each other."""
    loud = sound * np.float32(gain)
    size = np.abs(loud)
    over = size > _KNEE
    if over.any():
        bent = _KNEE + (1 - _KNEE) * np.tanh((size[over] - _KNEE) / (1 - _KNEE))
        loud[over] = np.sign(loud[over]) * bent
    return np.round(loud * 32767).astype(np.int16)


def leading_silence(pcm: Pcm, rate: int) -> int:
    """Samples before the sound begins, less a guard; all of them when it doesn't."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _SILENCE * 32767)
    return max(0, int(loud[0]) - round(_GUARD * rate)) if len(loud) else len(pcm)


def sounding(pcm: Pcm, rate: int) -> int:
    """Samples up to where the sound ends, and a guard."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _SILENCE * 32767)
    return min(len(pcm), int(loud[-1]) + 1 + round(_GUARD * rate)) if len(loud) else 0


def fade_out(pcm: Pcm, rate: int, pause: int) -> Pcm:
    """`pcm` faded over its last samples, and `pause` samples of silence."""
    length = min(len(pcm), round(_FADE * rate))
    faded = pcm.copy()
    if length:
        faded[-length:] = (faded[-length:] * np.linspace(1.0, 0.0, length)).astype(np.int16)
    return np.concatenate([faded, np.zeros(pause, np.int16)])


def pause_after(phonemes: Sequence[str]) -> float:
    """Seconds of silence after a section, by the mark it ends with."""
    mark = next((one for one in reversed(phonemes) if one not in " \"')"), "")
    return _PAUSES.get(mark, _NO_MARK)
