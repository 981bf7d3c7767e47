"""Commit policy: how long to wait after somebody stopped speaking. One pure function of what is known by then.

Tuned on recordings of real people (transcripts of a small Whisper, probabilities of smart-turn). What they show: a question is
over, whatever the model thinks of its melody; so is a bare answer, a command, a request. A statement may be one of several: the
same words, spoken the same way, end a turn or go on after 0.45-0.77 s, and the model is sure (0.93-0.98) in both cases. So a
statement outwaits all but the longest of such pauses, and those this speaker was found to make (speech that goes on is believed
after 0.1 s only); what ends on a number, without a full stop, or on a word that wants another, waits longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.config.agent import TurnTaking
from schemas.text.endings import OVER, Ending, ending

_SHARE: dict[Ending, tuple[float, float]] = {
    "question": (0.0, 0.0),
    "answer": (0.04, 0.04),
    "command": (0.06, 0.06),
    "statement": (0.4, 0.46),
    "open": (0.0, 0.75),
    "number": (0.65, 0.8),
    "unfinished": (0.75, 0.95),
    "hesitation": (1.0, 1.0),
}
"""Of the way from commit_min to commit_max: where the model is sure that the turn is over, and where it is sure that not."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.3, 1.1
"""Seconds: a shorter one is no pause but articulation; a longer one is not waited for."""


@dataclass(frozen=True, slots=True)
class Wait:
    """`wait`: seconds of silence, counted from the end of speech; `why`: what decided."""

    wait: float
    why: Literal["end_of_turn", "silence", "text"]


def decide(probability: float | None, text: str, pauses: Sequence[float], settings: TurnTaking) -> Wait:
    """`probability`: that the turn is over, None where no model was asked (then plain silence, unless the words say that it is
    over); `text`: the speaker's words so far; `pauses`: the speaker's own pauses inside turns so far, seconds."""
    kind = ending(text)
    if kind not in OVER and probability is None:
        return Wait(settings.commit_silence, "silence")
    done, going_on = _SHARE[kind]
    doubt = 1.0 - max(0.0, min(1.0, probability or 0.0))
    shortest = min(settings.commit_min, settings.commit_max)
    wait = shortest + (settings.commit_max - shortest) * (done + (going_on - done) * doubt)
    if kind not in OVER:
        wait = max(wait, min(_usual(pauses), settings.commit_max))
    by_melody = kind in ("statement", "open") and (probability or 0.0) >= 0.5
    return Wait(wait, "end_of_turn" if by_melody else "text")


def _usual(pauses: Sequence[float]) -> float:
    """A little longer than this speaker's longer pauses; 0 while there were none."""
    ordered = sorted(pause for pause in pauses if pause >= SHORTEST_PAUSE)
    if not ordered:
        return 0.0
    return min(1.15 * ordered[round(0.75 * (len(ordered) - 1))], LONGEST_PAUSE)
