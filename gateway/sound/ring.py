"""One participant's sound on its way in: the ring that utterances are cut from."""

from collections import deque

import numpy as np

from gateway.sound.detector import BEGINS, FRAME, Detector
from gateway.sound.tones import Tones
from gateway.turn_taking import SpeechEdge, Tone
from schemas.audio import HEARING_RATE, Pcm

LOUD = 100.0
"""Mean amplitude (of 32768) from which a frame holds more than a room's own noise."""

STARVED = 0.2
"""Seconds without sound after which silence is filled in."""

ASLEEP = 16
"""Frames of (almost) zeros after which further ones are no question for the VAD."""


FADED = 0.015
"""Of the level of this voice (−36 dB): a frame below is silence, though the VAD may still remember the word before."""
_FORGETS = 0.995  # of the level, a frame: a quieter voice is known after some seconds

FAR = 24.0
"""dB under the speaker's own voice from which speech is somebody else's: a television, people in another room."""
_SURELY = 16.0
"""dB under it down to which a single frame is the speaker's; below, it depends on what is around it."""
_AROUND, _MOSTLY = 8, 6
"""Frames looked at together, and how many of them are speech where the voice is learnt: a bang is no voice."""
_ADAPTS, _FADES = 4.0, 0.1
"""dB a second by which the voice is believed to be quieter: while it speaks so, and while nobody does (who has it now may be
somebody else)."""


class VoiceLevel:
    """How loud a participant speaks into their microphone, learnt from what they say: louder at once, more quietly with time.

    Nothing is known before somebody has spoken, and no level is too low: a soft voice on a good line is a voice. What speaks far
    under it does not count as speech, and does not make it quieter.
    """

    def __init__(self) -> None:
        self._lately = deque([(0.0, False)] * _AROUND)
        self._sum, self._speech = 0.0, 0
        self._voice = 0.0
        self._soft = 0

    def far_for(self, level: float, speech: bool) -> int:
        """Take a frame's mean amplitude, and whether the VAD calls it speech. 0: it may be this voice; else for how many frames,
        this one included, there was nothing but what is far under it."""
        oldest, spoke = self._lately.popleft()
        self._lately.append((level, speech))
        self._sum += level - oldest
        self._speech += speech - spoke
        around, voice = self._sum / _AROUND, self._voice
        self._soft = self._soft + 1 if level < voice * _FAR_SHARE else 0
        far = level < voice * _SURE_SHARE and around < voice * _FAR_SHARE
        if not (far and speech):
            voice *= _ADAPTED if speech else _FADED
        self._voice = around if around > voice and self._speech >= _MOSTLY else voice
        return (self._soft or 1) if far else 0


def _share(decibels: float) -> float:
    return float(10 ** (-decibels / 20))


_FAR_SHARE, _SURE_SHARE = _share(FAR), _share(_SURELY)
_ADAPTED, _FADED = (_share(rate * FRAME / HEARING_RATE) for rate in (_ADAPTS, _FADES))


class Stream:
    """What one participant said lately. `slot`: its place in the VAD's arrays; `keep`: seconds the ring holds."""

    def __init__(self, participant: str, slot: int, start_speech: float, keep: float, now: float):
        self.slot = slot
        self.detector = Detector(participant, start_speech)
        self.head = 0
        """Samples received (or filled in) so far."""
        self._ring = np.empty(-(-int(keep * HEARING_RATE) // FRAME) * FRAME, np.int16)  # whole frames never wrap
        self._ring.fill(0)  # touched now, not page by page while somebody speaks
        self._fed_at = now
        self._starving = False
        self._quiet = 0
        self._level = 0.0
        self._voice = VoiceLevel()
        self.tones: Tones | None = None
        """Where tones matter: who listens for them."""
        self.loud = self.spoken = 0
        """Frames with sound in them so far; those of them that the VAD called speech."""

    def append(self, pcm: Pcm, now: float) -> None:
        self._fed_at, self._starving = now, False
        self._write(pcm)

    def fill(self, now: float) -> None:
        """Silence in place of sound that did not come: at once after `STARVED` seconds, then as time passes.

        Whole frames only: what comes later in whole frames (LiveKit's, a file's) is then decided on as soon as it is there.
        """
        missing = now - self._fed_at
        if missing < STARVED and not self._starving:
            return
        self._starving = True
        samples = int(missing * HEARING_RATE) // FRAME * FRAME
        self._write(np.zeros(min(samples, len(self._ring)), np.int16))
        self._fed_at += samples / HEARING_RATE

    def _write(self, pcm: Pcm) -> None:
        size = len(self._ring)
        at = self.head % size
        self.head += len(pcm)
        first = min(len(pcm), size - at)
        self._ring[at : at + first] = pcm[:first]
        if first < len(pcm):
            self._ring[: len(pcm) - first] = pcm[first:]

    def sleeps(self, quiet: bool) -> bool:
        """Whether the VAD may be spared the next frame: it is as good as zero, as all of the last half second was."""
        self._quiet = self._quiet + 1 if quiet else 0
        return self._quiet > ASLEEP

    def decide(self, probability: float, level: float) -> tuple[SpeechEdge, ...]:
        """Take the next frame: its probability of speech and its level (mean amplitude); answers what changed."""
        speech = probability >= BEGINS
        if level >= LOUD:
            self.loud += 1
            self.spoken += speech
        return self.detector.frame(probability, self._faded(level, speech), self._voice.far_for(level, speech))

    def tone(self) -> Tone | None:
        """One that has ended with the next frame, which is still to be decided on."""
        if self.tones is None:
            return None
        tone = self.tones.frame(self.next_frame())
        self.tones = None if self.tones.over else self.tones
        return tone

    def _faded(self, level: float, speech: bool) -> bool:
        """Whether a frame lies too far under this voice to be part of it."""
        self._level = max(level if speech else 0.0, self._level * _FORGETS)
        return level < self._level * FADED

    @property
    def waiting(self) -> int:
        """Samples received and not yet decided on."""
        return self.head - self.detector.position

    def next_frame(self) -> Pcm:
        """The next 512 undecided samples (a view); there must be as many."""
        at = self.detector.position % len(self._ring)
        return self._ring[at : at + FRAME]

    def cut(self, start: int, end: int) -> Pcm:
        """A copy of samples [start, end), clamped to what the ring still has."""
        start = max(start, self.head - len(self._ring), 0)
        end = min(end, self.head)
        if end <= start:
            return np.zeros(0, np.int16)
        size = len(self._ring)
        first, last = start % size, (end - 1) % size + 1
        if first < last:
            return self._ring[first:last].copy()
        return np.concatenate((self._ring[first:], self._ring[:last]))
