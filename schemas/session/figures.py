"""Many calls in figures: how long answers took, part by part, and what went wrong how often."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from schemas.clock import Micros
from schemas.session.row import PARTS, Answer, Row

_OF_SPEECH = ("soft_end", "stt", "commit_wait")
"""Parts that only a turn has in which somebody spoke: typed ones would count as taking no time."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds: half of them took less than `p50`, one of twenty more than `p95`."""

    p50: float
    p95: float

    def view(self) -> dict[str, float]:
        return {"p50_ms": round(self.p50 * 1e3, 1), "p95_ms": round(self.p95 * 1e3, 1)}


@dataclass(frozen=True, slots=True)
class Figures:
    """`turns`: the sum of `answered` (somebody waited, and heard the answer to its end), `interrupted` (also of the agent's own
    words), `restarts` (taken back, and answered with what came after), `failed`, `cut_off` (by the end of the call) and `other`:
    the agent's own words, what needed no answer, what goes on.
    `unanswered`: of all these, those waited for in vain; `wrong`: calls in which something went wrong; `timed`: answers that
    were heard, if only begun; `total`, `parts`: of those, None and nothing where nothing was heard; parts of speech only of
    what was spoken."""

    calls: int
    wrong: int
    turns: int
    answered: int
    interrupted: int
    restarts: int
    failed: int
    cut_off: int
    other: int
    unanswered: int
    troubles: int
    timed: int
    total: Spread | None
    parts: Mapping[str, Spread]

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in _COUNTS} | {
            "total": self.total.view() if self.total is not None else None,
            "parts": {part: spread.view() for part, spread in self.parts.items()},
        }


_COUNTS = tuple(one.name for one in fields(Figures) if one.name not in ("total", "parts"))


@dataclass(frozen=True, slots=True)
class Interval:
    """`at`: µs, when it begins; `spread`: of the answers in it, None where there are none."""

    at: Micros
    spread: Spread | None


def spread(seconds: Sequence[float]) -> Spread | None:
    """With linear interpolation, as everywhere here; None of nothing."""
    if not seconds:
        return None
    if len(seconds) == 1:
        return Spread(seconds[0], seconds[0])
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return Spread(cuts[9], cuts[18])


def by_part(answers: Sequence[Answer]) -> dict[str, list[float]]:
    """Seconds of each of PARTS, of the answers that have it."""
    return {
        part: [answer.parts[place] for answer in answers if answer.kind == "voice" or part not in _OF_SPEECH]
        for place, part in enumerate(PARTS)
    }


def figures(rows: Iterable[Row]) -> Figures:
    rows = list(rows)
    answers = [answer for row in rows for answer in row.answers]
    spreads = {part: spread(seconds) for part, seconds in by_part(answers).items()}
    turns = sum(row.told.turns for row in rows)
    ends = {
        "answered": sum(answer.how == "played" for answer in answers),
        "interrupted": sum(row.told.interrupted for row in rows),
        "restarts": sum(row.told.restarts for row in rows),
        "failed": sum(row.told.failed for row in rows),
        "cut_off": sum(row.told.cut_off for row in rows),
    }
    return Figures(
        calls=len(rows),
        wrong=sum(row.told.wrong for row in rows),
        turns=turns,
        **ends,
        other=turns - sum(ends.values()),
        unanswered=sum(row.told.unanswered for row in rows),
        troubles=sum(row.told.troubles for row in rows),
        timed=len(answers),
        total=spread([answer.total for answer in answers]),
        parts={part: found for part, found in spreads.items() if found is not None},
    )


def over_time(answers: Sequence[Answer], intervals: int) -> list[Interval]:
    """From the first answer to the last, in so many equal intervals; none of nothing."""
    if not answers:
        return []
    first, last = min(one.at for one in answers), max(one.at for one in answers)
    width = max(1, (last - first) // intervals + 1)
    held: list[list[float]] = [[] for _ in range(intervals)]
    for one in answers:
        held[(one.at - first) // width].append(one.total)
    return [Interval(Micros(first + place * width), spread(seconds)) for place, seconds in enumerate(held)]
