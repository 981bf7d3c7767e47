"""How much of Whisper's 30 s window an utterance pays for. Pure.

Encoding costs by the length of the window, and speech in a window that just fits comes out well but without an end: the
decoder, which learned that silence follows, says it again until its budget is spent. So only the speech and a second of
silence are encoded, and the encoding of plain silence, computed once, is laid behind it: the decoder sees the end of speech
and stops. Short commands need more of it than sentences.
"""

from dataclasses import dataclass

__all__ = ["FULL", "LADDER", "Window", "window"]

FULL = 3000
"""Frames of 10 ms in the whole window."""
SHORT = 200
"""Frames; shorter utterances get silence to the end of the whole window."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Frames of 10 ms: `encoded` are computed, silence known beforehand fills up to `remembered`; both even."""

    remembered: int
    encoded: int


def _fitting(frames: int, rung: int) -> Window:
    if rung == 0:
        encoded = min(FULL, _up(frames + 100, 20))
        remembered = FULL if frames < SHORT else min(FULL, max(1500, _up(encoded + 700, 500)))
        return Window(remembered, encoded)
    if rung == 1:
        return Window(FULL, min(FULL, _up(frames + 400, 100)))
    return Window(FULL, FULL)


LADDER = 3
"""Windows to try, each costlier: fitted, roomy, whole."""


def window(frames: int, rung: int, *, fit: bool = True) -> Window:
    """For an utterance of `frames` frames, at its `rung`-th try; `fit=False` always answers the whole window."""
    return _fitting(frames, rung) if fit else Window(FULL, FULL)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
