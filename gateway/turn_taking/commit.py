"""Commit policy: how long to wait after somebody stopped speaking. One pure function of what is known by then.

Tuned on recordings of real people (transcripts of a small Whisper, probabilities of smart-turn). What they show: a question is
over, whatever the model thinks of its melody; so is a bare answer or a command. A statement may be one of several: the same
words, spoken the same way, end a turn or go on after 0.45-0.77 s, and the model is sure (0.93-0.98) in both cases. So
statements wait longer than any such pause; what ends without a full stop, or on a word that wants another, waits longest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.agent import TurnTaking

Ending = Literal["question", "answer", "command", "statement", "number", "unfinished", "hesitation"]

_SHARE: dict[Ending, tuple[float, float]] = {
    "question": (0.0, 0.06),
    "answer": (0.03, 0.12),
    "command": (0.05, 0.18),
    "statement": (0.42, 0.48),
    "number": (0.5, 0.7),
    "unfinished": (0.75, 0.95),
    "hesitation": (1.0, 1.0),
}
"""Of the way from commit_min to commit_max: where the model is sure that the turn is over, and where it is sure that not."""

LONGEST_PAUSE = 1.1
"""Seconds of a speaker's own pauses that are waited for at most."""


def _listed(text: str) -> frozenset[str]:
    """Entries between bars."""
    return frozenset(entry.strip() for entry in text.split("|"))


_HESITATION = _listed("um|uh|er|erm|hmm|hm|mm")
_WANTS_MORE = _listed(
    """and|or|but|because|if|when|while|although|though|unless|until|that|which|whose|where|than|as
    |the|a|an|my|your|his|her|its|our|their|every|to|of|in|at|by|for|from|with|without|into|between
    |is|are|was|were|be|i'm|i'd|i'll|i've|you're|we're|they're|it's|there's|let's|want"""
)
_WANTS_OBJECT = _listed(
    "to know|to ask|to say|to tell you|like to|want to|need to|going to|i need|i mean|i think|i guess"
)
_ANSWERS = _listed(
    """yes|no|yeah|yep|nope|okay|ok|sure|right|correct|exactly|please|thanks|thank you|thank you very much|bye|goodbye
    |hello|hi|yes please|no thanks|no thank you|not now|not yet|never mind|of course|maybe|stop|stop it|go on|go ahead
    |that's right|that's all|that's it|all right|alright|wait|cancel|repeat that|i don't know"""
)
_COMMANDS = _listed(
    """please|tell|show|give|find|play|stop|start|turn|set|call|book|order|cancel|repeat|explain|describe|read|send|open
    |close|add|remove|change|move|check|search|look|translate|spell|say|sing|count|list|name|remind|help|let|skip
    |continue|pause"""
)


@dataclass(frozen=True, slots=True)
class Wait:
    """`wait`: seconds of silence, counted from the end of speech; `why`: what decided."""

    wait: float
    why: Literal["end_of_turn", "silence", "text"]


def decide(probability: float | None, text: str, pauses: Sequence[float], settings: TurnTaking) -> Wait:
    """`probability`: that the turn is over, None without a model (then plain silence); `text`: the speaker's words so far;
    `pauses`: the speaker's own pauses inside turns so far, seconds."""
    if probability is None:
        return Wait(settings.commit_silence, "silence")
    done, going_on = _SHARE[kind := ending(text)]
    doubt = 1.0 - max(0.0, min(1.0, probability))
    shortest = min(settings.commit_min, settings.commit_max)
    wait = shortest + (settings.commit_max - shortest) * (done + (going_on - done) * doubt)
    if kind in ("statement", "number", "unfinished", "hesitation"):
        wait = max(wait, min(_usual(pauses), settings.commit_max))
    return Wait(wait, "end_of_turn" if kind == "statement" and probability >= 0.5 else "text")


def _usual(pauses: Sequence[float]) -> float:
    """A little longer than this speaker's longer pauses, once there are two of them."""
    if len(pauses) < 2:
        return 0.0
    ordered = sorted(pauses)
    return min(1.15 * ordered[round(0.75 * (len(ordered) - 1))], LONGEST_PAUSE)


def _wants_more(words: list[str]) -> bool:
    """The last words want another one, whatever full stop the transcript puts behind them."""
    if words[-1] in _WANTS_MORE:
        return True
    return any(" ".join(words[-size:]) in _WANTS_OBJECT for size in (1, 2, 3))


def ending(text: str) -> Ending:
    """How the words end, read as English where the words matter, by punctuation alone elsewhere."""
    bare = text.strip().strip("\"'”’»)").rstrip()
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", bare.casefold().replace("’", "'"))
    if not words or (words[-1] in _HESITATION and not bare.endswith("?")):
        return "hesitation"
    if bare.endswith(("?", "？", "؟")):
        return "question"
    if words[-1].isdigit():
        return "number"
    if bare.endswith(("...", "…", ",", "-", "–", "—", ":", ";")) or _wants_more(words):
        return "unfinished"
    if " ".join(words) in _ANSWERS:
        return "answer"
    if not bare.endswith((".", "!", "。", "！")):
        return "unfinished"
    last = re.findall(r"[^\W_]+", re.split(r"[.!?]\s+", bare.casefold())[-1])
    return "command" if last and last[0] in _COMMANDS and len(last) > 2 else "statement"
