"""Log-mel spectrograms as Whisper wants them, of just the sound that is there: the 30 s window is never computed."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RATE, HOP, FFT = 16_000, 160, 400
"""Hz, and samples: a frame each 10 ms, 25 ms long."""
FLOOR = np.float32(-10.0)
"""log10 of the least energy a frame may have: digital silence."""
_RANGE = 8.0
"""Decades below the loudest point of a window that are kept."""


def log_mel(wave: Floats, mels: int = 80) -> Floats:
    """log10 mel energies of `wave` (float32, ±1, 16 kHz, shape (n,)), shape (mels, n // 160); mirrored at both ends."""
    frames = len(wave) // HOP
    if not frames:
        return np.empty((mels, 0), np.float32)
    padded = np.pad(wave, FFT // 2, mode="reflect" if len(wave) > FFT // 2 else "constant")
    overlapping = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][:frames]
    spectrum = np.fft.rfft(overlapping * _hann(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    energies: Floats = np.log10(np.maximum(_filters(mels) @ power.T, np.float32(1e-10)))
    return energies


def normalized(energies: Floats, frames: int) -> Floats:
    """A window of `frames` frames for the model: `energies` at its beginning, silence after; loudest point less 8 decades
    is the floor, as over the full window."""
    window = np.full((energies.shape[0], frames), FLOOR, np.float32)
    kept = min(frames, energies.shape[1])
    window[:, :kept] = energies[:, :kept]
    np.maximum(window, window.max() - np.float32(_RANGE), out=window)
    window += np.float32(4.0)
    window *= np.float32(0.25)
    return window


@cache
def _hann() -> Floats:
    hann: Floats = np.hanning(FFT + 1)[:-1].astype(np.float32)
    return hann


@cache
def _filters(mels: int) -> Floats:
    """Slaney's mel filters up to 8 kHz: triangles of equal area, linear below 1 kHz, logarithmic above. (mels, 201)."""
    step, corner = 200.0 / 3, 1000.0
    log_step = np.log(6.4) / 27.0
    top = corner / step + np.log(RATE / 2 / corner) / log_step
    mel = np.linspace(0.0, top, mels + 2)
    hertz = np.where(mel < corner / step, mel * step, corner * np.exp(log_step * (mel - corner / step)))
    bins = np.fft.rfftfreq(FFT, 1.0 / RATE)
    rising = (bins - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    falling = (hertz[2:, None] - bins) / np.diff(hertz)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    triangles *= 2.0 / (hertz[2:] - hertz[:-2])[:, None]
    filters: Floats = triangles.astype(np.float32)
    return filters
