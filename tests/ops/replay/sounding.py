"""Golden sessions with sound: users at level 1000, the agent at 2000."""

import numpy as np

from schemas.events import ClipReady, Event, UtteranceCaptured
from tests.archive import Archive


def sounding(*logs: list[Event]) -> Archive:
    archive = Archive(*logs)
    for log in logs:
        for event in log:
            if isinstance(event, UtteranceCaptured):
                for ref in event.audio:
                    archive.blobs[ref.key] = tone(ref.duration, ref.rate, 1000)
            elif isinstance(event, ClipReady):
                archive.blobs[event.audio.key] = tone(event.duration, event.audio.rate, 2000)
    return archive


def tone(seconds: float, rate: int, level: int) -> bytes:
    return np.full(round(seconds * rate), level, "<i2").tobytes()
