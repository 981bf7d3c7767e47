"""Sound that comes as if recorded at another rate than it should: its client is told, once. A room measures how it comes
(`sound/pace`), the VAD knows whether it is speech."""

from collections.abc import Iterable

from gateway.sound.ring import Stream
from schemas.audio import HEARING_RATE
from schemas.client import ErrorMessage

SPEECH = {32_000: 0.93, 44_100: 0.75, 48_000: 0.75, 96_000: 0.75}
"""By the rate sound seems to have: the share of its frames that the VAD takes for speech only where it is 16 kHz after all.
(Speech of a lower rate is taken for speech, of a higher one hardly ever.)"""
_ENOUGH = 60  # frames with sound
_OTHERWISE = {32_000: " (or two channels, or samples of 32 bits)", 8_000: " (or samples of 8 bits)"}


class SampleRate:
    """Of one session's client."""

    def __init__(self) -> None:
        self._told = False

    def complaint(self, seems: int | None, streams: Iterable[Stream]) -> ErrorMessage | None:
        """What to tell now, if anything. `seems`: Hz, None where nothing is strange. Sound that comes in half the time or less,
        and is speech all the same, only comes early."""
        if seems is None or self._told:
            return None
        streams = tuple(streams)
        loud, spoken = sum(stream.loud for stream in streams), sum(stream.spoken for stream in streams)
        if seems in SPEECH and loud < _ENOUGH:
            return None
        self._told = True
        if seems in SPEECH and spoken >= SPEECH[seems] * loud:
            return None
        message = (
            f"your sound seems to have {seems} samples a second{_OTHERWISE.get(seems, '')}; expected are {HEARING_RATE}, int16 "
            "little-endian, mono: resample it before sending (rate in the start frame is what you want to hear)"
        )
        return ErrorMessage(code="sample_rate", message=message, fatal=False)
