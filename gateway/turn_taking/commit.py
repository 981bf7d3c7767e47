"""Commit policy: how long to wait after somebody stopped speaking. One pure function of what is known by then.

Tuned on recordings of real people (transcripts of a small Whisper, smart-turn's probabilities, SmolLM2's completeness; the curve
stands in docs/turn-taking-curve.md). What they show: a question is over, whatever the model thinks of its melody; so is a bare
answer, a command, a request. A statement may be one of several: the same words, spoken the same way, end a turn or go on after
0.45-0.77 s, and the melody is sure (0.93-0.98) in both cases. But whether its words are complete is known: inside a sentence,
where Whisper puts a full stop all the same, they hardly ever are (<= 0.03), and are waited for long; a whole one (>= 0.3) is not.
What ends on a number, without a full stop, or on a word that wants another, waits longest; so does whoever dictates.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.config.agent import TurnTaking
from schemas.config.conversation import Expects
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

WITHIN, WHOLE = 0.03, 0.3
"""Completeness of words inside a sentence, at most, and of whole sentences, at least."""
_ORDINARY, _WEIGHED = 5, (0.3, 2.0)
"""Words of an ordinary turn. Who has said fewer goes on more often, complete as they are, and who has said more does less: by so
much is completeness believed."""
_READ: dict[Ending, tuple[float, float]] = {
    "statement": (0.125, 0.9),
    "open": (0.0, 0.9),
    "number": (0.4, 0.9),
    "unfinished": (0.4, 0.95),
}
"""The same share where it is known how complete the words are: of whole sentences, and inside of one."""
_DICTATED = 1.0
"""The share of a piece of what is dictated."""
_PAUSED = 0.6
"""After a whole sentence a speaker's usual pause counts by so much: most of them lie inside of one."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.3, 1.1
"""Seconds: a shorter one is no pause but articulation; a longer one is not waited for."""

_PIECE = re.compile(
    r"(?:^|[^\w'’])(?:[\w.+-]*\d[\w.-]*|[a-z]|oh|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|double|triple|dash|hyphen|slash|dot|at|underscore)\W*$",
    re.IGNORECASE,
)
_TAIL = 80
"""Characters of the end in which that shows, however long the text is."""
_ADDRESS = re.compile(r"(\w\.|\bdot )(com|org|net|edu|gov|io|de|fr|uk|eu)\W*$", re.IGNORECASE)
"""How an address ends."""
_YES_OR_NO = re.compile(
    r"\W*(yes|no|yeah|yep|nope|sure|of course|right|correct|exactly|okay|ok|please|i do|i don't|not)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wait:
    """`wait`: seconds of silence, counted from the end of speech; `why`: what decided."""

    wait: float
    why: Literal["end_of_turn", "silence", "text"]


def decide(
    probability: float | None,
    text: str,
    pauses: Sequence[float],
    settings: TurnTaking,
    *,
    complete: float | None = None,
    expects: Expects = "free",
) -> Wait:
    """`probability`: that the turn is over, by its melody; None where no model was asked; `text`: the speaker's words so far;
    `pauses`: the speaker's own pauses inside turns so far, seconds; `complete`: probability that the words may end there, None as
    well; `expects`: what the speaker was asked for. With neither plain silence decides, unless the words say that it is over."""
    found = _decide(probability, text, pauses, settings, complete, expects)
    return Wait(found.wait * settings.waits, found.why)


def _decide(
    probability: float | None,
    text: str,
    pauses: Sequence[float],
    settings: TurnTaking,
    complete: float | None,
    expects: Expects,
) -> Wait:
    kind = _as_expected(ending(text), text, complete, expects)
    if kind == "dictated":
        return Wait(_between(settings, _DICTATED), "text")
    if kind not in OVER and probability is None and complete is None:
        return Wait(settings.commit_silence, "silence")
    melody = 1.0 - max(0.0, min(1.0, probability or 0.0))
    done, going_on = _SHARE[kind]
    share, doubt = done + (going_on - done) * melody, 1.0
    by_melody = kind in ("statement", "open") and (probability or 0.0) >= 0.5
    if complete is not None and kind in _READ:
        done, going_on = _READ[kind]
        doubt = _doubt(complete, len(text.split()))
        share, by_melody = done + (going_on - done) * doubt, False
    wait = _between(settings, share)
    if kind not in OVER:
        usual = _usual(pauses) * (_PAUSED + (1.0 - _PAUSED) * doubt)
        wait = max(wait, min(usual, settings.commit_max))
    return Wait(wait, "end_of_turn" if by_melody else "text")


def _as_expected(kind: Ending, text: str, complete: float | None, expects: Expects) -> Ending | Literal["dictated"]:
    """How the words end, seen by what was to be said."""
    whole = complete is not None and complete >= WHOLE
    if expects in ("number", "spelling") and kind not in ("question", "command", "hesitation"):
        if expects == "spelling" and _ADDRESS.search(text):
            return "answer"
        return "dictated" if is_piece(text) and not whole else kind
    if expects == "amount" and kind == "number":
        return "answer"
    short = expects == "yes_no" and kind == "statement" and _YES_OR_NO.match(text)
    return "answer" if short and (complete is None or complete > WITHIN) else kind


def is_piece(text: str) -> bool:
    """Whether it ends as a piece does of a number, of a word spelled, of an address."""
    return _PIECE.search(text[-_TAIL:]) is not None


def _doubt(complete: float, words: int) -> float:
    """Whether more of the sentence comes: 0 where it is whole, 1 inside of one; of `words` so far."""
    fewest, most = _WEIGHED
    known = complete * min(max(words / _ORDINARY, fewest), most)
    known = min(max(known, WITHIN), WHOLE)
    return math.log(WHOLE / known) / math.log(WHOLE / WITHIN)


def _between(settings: TurnTaking, share: float) -> float:
    shortest = min(settings.commit_min, settings.commit_max)
    return shortest + (settings.commit_max - shortest) * share


def _usual(pauses: Sequence[float]) -> float:
    """A little longer than this speaker's longer pauses; 0 while there were none."""
    ordered = sorted(pause for pause in pauses if pause >= SHORTEST_PAUSE)
    if not ordered:
        return 0.0
    return min(1.15 * ordered[round(0.75 * (len(ordered) - 1))], LONGEST_PAUSE)
