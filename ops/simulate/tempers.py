"""How callers are: when they speak over the agent, what is left of their words, and of their sound. Pure, and the same for the
same line of the same scenario."""

import random
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import soxr

from ops.simulate.scenario import Temper
from schemas.audio import HEARING_RATE, Pcm

__all__ = ["CutIn", "cut_in", "garbled", "heard_as", "in_words"]

in_words: dict[Temper, str] = {
    "patient": "You are patient and friendly.",
    "impatient": "You are in a hurry and impatient. You answer in a few words, and cut long explanations short.",
    "interrupting": "You keep interrupting: you never hear the other one out.",
    "mumbling": "You mumble, with half sentences and filler words.",
    "bad line": "You are on a bad line: words get lost, and you repeat yourself when you were not understood.",
}


@dataclass(frozen=True, slots=True)
class CutIn:
    """When the caller speaks over the agent: in text with its sentence `sentence` (from 0), in sound `seconds` into its reply."""

    sentence: int
    seconds: float


def cut_in(tempers: Collection[Temper]) -> CutIn | None:
    """None: they hear the agent out."""
    if "interrupting" in tempers:
        return CutIn(0, 1.0)
    return CutIn(1, 3.0) if "impatient" in tempers else None


def garbled(text: str, tempers: Collection[Temper], seed: str) -> str:
    """What is understood of what they say, where it is not spoken. Numbers stay: what is tested is who asks again, not who
    guesses."""
    dice, words = random.Random(seed), text.split()
    if "mumbling" in tempers:
        words = [_swallowed(word, dice) for word in words]
    if "bad line" in tempers:
        words = ["…" if not _number(word) and dice.random() < 0.12 else word for word in words]
    kept = " ".join(word for word in words if word)
    return kept if kept.strip("… ") else text


def _swallowed(word: str, dice: random.Random) -> str:
    if _number(word) or dice.random() > 0.35:
        return word
    if len(word) <= 3:
        return ""
    return word[: max(2, len(word) * 2 // 3)]


def _number(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_PHONE = 8_000  # Hz: nothing above half of it comes through a telephone
_NOISE = 18.0  # dB under the voice
_LOST, _BURST = 0.03, 0.5  # of packets of 20 ms: how often a loss begins, and goes on
_PACKET = HEARING_RATE // 50
_QUIET, _DULL = 0.25, 3_000  # a mumbling voice: so loud, and nothing above half of so many Hz


def heard_as(pcm: Pcm, tempers: Collection[Temper], seed: str) -> Pcm:
    """The sound of a line (int16 mono, 16 kHz) as it arrives."""
    if not len(pcm):
        return pcm
    dice = np.random.default_rng(list(seed.encode()))
    sound = pcm.astype(np.float32)
    if "mumbling" in tempers:
        sound = _narrow(sound, _DULL) * _QUIET
    if "bad line" in tempers:
        sound = _narrow(sound, _PHONE)
        level = float(np.sqrt(np.mean(np.square(sound)))) * 10 ** (-_NOISE / 20)
        sound = sound + dice.normal(0.0, max(level, 1.0), len(sound)).astype(np.float32)
        lost = False
        for at in range(0, len(sound), _PACKET):
            lost = bool(dice.random() < (_BURST if lost else _LOST))
            if lost:
                sound[at : at + _PACKET] = 0
    return np.clip(sound, -32768, 32767).astype(np.int16)


def _narrow(
    sound: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate: int
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    there = soxr.resample(sound, HEARING_RATE, rate)
    back: np.ndarray[tuple[int], np.dtype[np.float32]] = soxr.resample(there, rate, HEARING_RATE)
    return np.pad(back, (0, max(0, len(sound) - len(back))))[: len(sound)]
