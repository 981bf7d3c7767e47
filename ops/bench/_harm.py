"""What an answer that came too soon costs the caller. Pure: who sounded when, and what the agent took for a turn of theirs.

Talk-over is sound of the agent's while the caller speaks. A turn is spoilt when the reply that was heard answers less than the
caller said: some of their words are another turn's, or nobody's. A cut-in that falls silent, is taken back and answers all of it
is no spoilt turn but a stutter: it counts as talk-over, and as a restart.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.audio import Pcm
from schemas.session.state import SessionState

Span = tuple[float, float]
"""From, to: seconds."""

BREATH = 0.2
"""Seconds of silence that are no pause in somebody's speech, nor in the agent's."""
_RELATIVE = 10 ** (-35 / 20)
"""Of the loudest 10 ms: what is softer is no speech of the caller's."""
_AUDIBLE = 30.0
"""RMS (of 32768) from which 10 ms of the agent's are sound."""
_MISSED = 0.3
"""Seconds of speech behind what an answered turn holds from which words were missed; less may be a last sound that fades."""
_LATE = 0.5
"""Seconds after somebody's last sample at which a room may still hear it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A turn as an agent took it: its number, the caller's words in it, when the last of them was spoken, when its reply began to
    sound (None: nobody heard any)."""

    number: int
    text: str
    until: float
    heard: float | None = None

    @property
    def worded(self) -> bool:
        return any(letter.isalnum() for letter in self.text)


@dataclass(frozen=True, slots=True)
class Harm:
    """`talk_over`: seconds; `restarts`: how often the agent began, was hushed, and began anew."""

    talk_over: float = 0.0
    spoilt: bool = False
    restarts: int = 0


def harm(speech: Sequence[Span], sound: Sequence[Span], taken: Sequence[Taken]) -> Harm:
    """Of one turn of the caller's. `speech`, `sound`: the stretches in which the caller spoke and the agent sounded, in order;
    `taken`: what the agent made of it, in order. All moments by one clock."""
    return Harm(overlap(speech, sound), is_spoilt(speech, taken), restarts(speech, sound))


def latency(sound: Sequence[Span], last_sample: float) -> tuple[float | None, bool]:
    """Seconds from the caller's last sample to the answer, and whether the agent cut in; `sound`: since the caller began. After a
    cut-in, to where it began anew."""
    cut_in = bool(sound) and sound[0][0] < last_sample
    began = next((start for start, _ in sound if start >= last_sample), None)
    return None if began is None else began - last_sample, cut_in


def answered(taken: Sequence[Taken]) -> Taken | None:
    """The one whose reply was heard last."""
    return max((one for one in taken if one.heard is not None), key=lambda one: one.heard or 0.0, default=None)


def is_spoilt(speech: Sequence[Span], taken: Sequence[Taken]) -> bool:
    """Nothing heard at all is another fault, and is counted elsewhere."""
    one = answered(taken)
    if one is None:
        return False
    elsewhere = any(other.worded for other in taken if other is not one)
    return elsewhere or overlap(speech, [(one.until, float("inf"))]) > _MISSED


def restarts(speech: Sequence[Span], sound: Sequence[Span]) -> int:
    """Silences of the agent's that the caller's speech brought about: it goes on in them, or began just before."""
    return sum(overlap(speech, [(before[1] - _MISSED, after[0])]) > 0 for before, after in itertools.pairwise(sound))


def overlap(one: Iterable[Span], other: Sequence[Span]) -> float:
    """Seconds that lie in both."""
    return sum(max(0.0, min(b, d) - max(a, c)) for a, b in one for c, d in other)


def total(harms: Sequence[Harm]) -> dict[str, float | int]:
    """`talk_over_s` of a hundred turns, `spoilt` turns and `restarts` of all."""
    seconds = sum(one.talk_over for one in harms)
    return {
        "talk_over_s": round(100 * seconds / max(1, len(harms)), 2),
        "spoilt": sum(one.spoilt for one in harms),
        "restarts": sum(one.restarts for one in harms),
    }


# ── who sounds when ──────────────────────────────────────────────────────────────────────────────────────────────────


def speaks(pcm: Pcm, rate: int, start: float = 0.0) -> list[Span]:
    """Where somebody speaks in `pcm`, whose first sample sounds at `start`."""
    return joined(_loud(pcm, rate, start, relative=True))


def sounds(chunks: Iterable[tuple[float, Pcm]], rate: int) -> list[Span]:
    """Where something sounds in these chunks, each with the moment of its first sample."""
    return joined(span for start, pcm in chunks for span in _loud(pcm, rate, start))


def joined(spans: Iterable[Span], gap: float = BREATH) -> list[Span]:
    """In order, without silences of less than `gap`."""
    found: list[Span] = []
    for start, end in spans:
        if found and start - found[-1][1] < gap:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _loud(pcm: Pcm, rate: int, start: float, *, relative: bool = False) -> Iterator[Span]:
    """The frames of 10 ms that are no silence; a last one may be shorter."""
    size = rate // 100
    for at, level in enumerate(levels := _levels(pcm, size)):
        if level > (levels.max() * _RELATIVE if relative else _AUDIBLE):
            yield start + at * size / rate, start + min((at + 1) * size, len(pcm)) / rate


def _levels(pcm: Pcm, size: int) -> NDArray[np.float64]:
    """RMS of each frame."""
    whole = np.zeros(-(-len(pcm) // size) * size)
    whole[: len(pcm)] = pcm
    levels: NDArray[np.float64] = np.sqrt((whole.reshape(-1, size) ** 2).mean(axis=1))
    return levels


# ── what the log tells ───────────────────────────────────────────────────────────────────────────────────────────────


def taken_in(state: SessionState, speech: Sequence[Span]) -> list[Taken]:
    """Of a session's log: the turns that hold something of this `speech` (seconds of Redis time). What was taken back is in the
    turn that went on with it."""
    found = []
    for turn in state.turns.values():
        spoken = [utterance.spoken_at / 1e6 for utterance in turn.utterances]
        if turn.own or turn.taken_back or not spoken or not speech:
            continue
        if not speech[0][0] <= spoken[-1] <= speech[-1][1] + _LATE:
            continue
        heard = turn.started_at
        found.append(Taken(turn.id, turn.text, spoken[-1], None if heard is None else heard / 1e6))
    return found
