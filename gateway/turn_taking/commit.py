"""Commit policy: how long to wait after somebody stopped speaking. One pure function of what is known by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.agent import TurnTaking

Ending = Literal["sentence", "question", "complete", "open", "trailing", "hesitation"]


@dataclass(frozen=True, slots=True)
class Wait:
    """`wait`: seconds of silence, counted from the end of speech; `why`: what decided."""

    wait: float
    why: Literal["end_of_turn", "silence", "text"]


def decide(probability: float | None, text: str, pauses: Sequence[float], settings: TurnTaking) -> Wait:
    if probability is None:
        return Wait(settings.commit_silence, "silence")
    sure = max(0.0, min(1.0, probability))
    return Wait(settings.commit_min + (settings.commit_max - settings.commit_min) * (1 - sure), "end_of_turn")
