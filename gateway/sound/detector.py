"""The speech detector: Silero's probability of each 32 ms frame in, edges out. Exact to the frame, well under 1 µs a frame."""

from gateway.turn_taking import EdgeKind, SpeechEdge
from schemas.audio import HEARING_RATE

FRAME = 512
"""Samples of one decision."""
BEGINS, GOES_ON = 0.5, 0.35
"""Probabilities from which a frame begins speech, and from which it carries it on."""
SHORTLY = 4 * FRAME
"""Samples after a stop within which one frame of speech takes it up again."""
FADES = 2
"""Frames as good as silent that end speech, whatever the VAD still believes."""


class Detector:
    """One participant's. Positions are samples from the participant's first.

    `start_speech`: seconds of speech to believe it (`TurnTaking.start_speech`), rounded to whole frames.
    """

    __slots__ = ("_began", "_faded", "_needed", "_run", "_speaking", "_stopped", "participant", "position")

    def __init__(self, participant: str, start_speech: float):
        self.participant = participant
        self.position = 0
        """Samples decided on so far."""
        self._needed = max(1, round(start_speech * HEARING_RATE / FRAME))
        self._run = 0
        self._speaking = False
        self._began = 0
        self._stopped = -SHORTLY - FRAME
        self._faded = 0
        """Frames in a row, up to now, that the VAD calls speech and that are as good as silent."""

    def frame(self, probability: float, faded: bool = False, far: int = 0) -> tuple[SpeechEdge, ...]:
        """Take the next frame's probability of speech; answers what changed, most often nothing.

        `faded`: it lies too far under the voice to be speech. Silero holds on to a word for 50 ms and more after its last
        sound: speech stops once the sound has, and is dated back to there. `far`: for so many frames there was only sound so far
        under the voice that it is somebody else's: it begins nothing, and what is heard no more has stopped.
        """
        begin = self.position
        self.position = begin + FRAME
        if self._speaking:
            if probability >= GOES_ON and not far and not (faded and self._faded + 1 >= FADES):
                self._faded = self._faded + 1 if faded else 0
                return ()
            quiet = max(self._faded, far - 1) if probability >= GOES_ON else self._faded
            end, self._faded = max(begin - quiet * FRAME, self._began), 0
            self._speaking, self._stopped = False, begin
            return (self._edge("stop", end),)
        too_quiet = far > 0 or (faded and begin - self._stopped <= SHORTLY)
        if too_quiet or probability < (GOES_ON if self._run else BEGINS):
            run, self._run = self._run, 0
            return (self._edge("noise", begin - run * FRAME),) if run else ()
        return self._louder(begin)

    def _louder(self, begin: int) -> tuple[SpeechEdge, ...]:
        self._run += 1
        first = begin - (self._run - 1) * FRAME
        onset = (self._edge("onset", begin),) if self._run == 1 else ()
        if self._run == 1 and begin - self._stopped <= SHORTLY:
            onset = ()
        elif self._run < self._needed:
            return onset
        self._speaking, self._run, self._began = True, 0, first
        return (*onset, self._edge("start", first))

    def _edge(self, kind: EdgeKind, position: int) -> SpeechEdge:
        return SpeechEdge(self.participant, kind, position, self.position)
