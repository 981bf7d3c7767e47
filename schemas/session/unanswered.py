"""Why nothing was heard of a turn: what was done of it in its time, and what it waited for until its end, or waits for now."""

from dataclasses import dataclass
from typing import Any

from schemas.clock import Micros
from schemas.session.state import Sentence, Turn
from schemas.session.waterfall import SINCE, Moments, Waterfall

_OWED_NOTHING = frozenset(
    {"noise", "empty", "backchannel", "replaced", "unaddressed", "asleep", "cancelled", "machine", "taken_back"}
)
"""Reasons for which a turn is dropped that needs no answer."""


@dataclass(frozen=True, slots=True)
class Unanswered(Waterfall):
    """A waterfall that came to no sound. `waited_for`: the part that was not done; it takes the rest of the `total`, all of it
    waiting. `jobs`: of its stage, from which nothing came; `because`: that in words; `over`: the turn has ended."""

    waited_for: str
    jobs: int
    because: str
    over: bool

    @property
    def headline(self) -> str:
        since = SINCE[self.kind]
        if not self.over:
            return f"turn {self.turn}: nothing is heard yet, {span(self.total)} after {since}"
        return f"turn {self.turn}: nothing was heard of it, {span(self.total)} from {since} to the turn's end"

    def meaning(self, part: str) -> str:
        return self.because if part == self.waited_for else Waterfall.meaning(self, part)

    def view(self) -> dict[str, Any]:
        return Waterfall.view(self) | {"waited_for": self.waited_for, "jobs": self.jobs}


def span(seconds: float) -> str:
    """`0.4 s`, `31 s`."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def asked(turn: Turn) -> bool:
    """Somebody said or typed something in it that is to be answered, as far as is known."""
    return not turn.own and (bool(turn.letters or turn.text) or any(one.text is None for one in turn.utterances))


def unanswered(turn: Turn, now: Micros) -> Unanswered | None:
    """What a turn waited for, or waits for at `now` (µs); None: something of it was heard, or it needs nothing."""
    over = turn.end is not None
    if turn.started_at is not None or not (asked(turn) or turn.own):
        return None
    if turn.end is not None and turn.end.how == "dropped" and turn.end.reason in _OWED_NOTHING:
        return None
    sentences = turn.reply.sentences if turn.reply is not None else {}
    first = sentences[min(sentences)] if sentences else None
    moments = Moments(turn, first, end=turn.end.at if turn.end is not None else now)
    part, jobs = _missing(turn, first)
    waited = (moments.end - moments.now) / 1e6
    moments.until(part, moments.end)
    parts = moments.parts
    queued = moments.queued | {part: parts[part]}
    because = _because(turn, part, jobs, waited)
    return Unanswered(
        turn.id, moments.kind, moments.began, moments.total, parts, queued, part, jobs, because, over=over
    )


def _missing(turn: Turn, first: Sentence | None) -> tuple[str, int]:
    """The part that is not done, and of how many jobs of that stage nothing came."""
    unheard = [one for one in turn.utterances if one.text is None]
    expected = [one for one in unheard if one.lost is None]
    if expected or (unheard and not turn.text and not turn.letters):
        return "stt", len(expected or unheard)
    if first is None:
        return ("llm", 1) if turn.commit is not None else ("commit_wait", 0)
    if not first.has_sound:
        assert turn.reply is not None
        return "tts", sum(not one.has_sound for one in turn.reply.sentences.values())
    return ("playout" if turn.commit is not None else "commit_wait"), 0


def _because(turn: Turn, part: str, jobs: int, waited: float) -> str:
    if part == "commit_wait":
        return "it was not certain yet that they had finished"
    if part == "playout":
        return "its sound was there, and had not begun"
    if turn.end is not None and turn.end.reason == "overload":
        return "its queue was full: nobody was asked"
    many = "1 job" if jobs == 1 else f"{jobs} jobs"
    given_up = any(one.stage == part and not one.will_retry for one in turn.failures)
    came = "given up" if given_up else f"nothing came of {'it' if jobs == 1 else 'them'}"
    return f"{many} waited {span(waited)}; {came}"
