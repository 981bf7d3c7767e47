"""How long answers took, over time and part by part."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from api.times import iso
from schemas.clock import Micros
from schemas.session.figures import by_part
from schemas.session.summary import Answer
from schemas.session.waterfall import PARTS

_SLOWEST = 20
_BUCKETS = 60
_WIDTHS = (10, 30, 60, 300, 900, 1800, 3600, 14_400, 86_400)
"""Seconds a bucket may have."""


class Percentiles(BaseModel):
    p50_ms: float
    p95_ms: float


class LatencyBucket(BaseModel):
    """Answers to what was said from `from_at` on, for as long as a bucket is wide. `parts`: what each part took of those that
    have it: what is typed has no pause and no words to find."""

    from_at: str
    count: int
    p50_ms: float
    p95_ms: float
    parts: dict[str, Percentiles]


class SlowTurn(BaseModel):
    """`at`: when the user had spoken; `worst_part`: where most of it went, `worst_ms` of it."""

    session: str
    turn: int
    at: str
    total_ms: float
    worst_part: str
    worst_ms: float


class Latency(BaseModel):
    """From the user's last word to the agent's first sound; of what was said from `since` to `at`. `buckets`: those in which
    anything was answered, each `bucket_s` wide; `total`: all of them as one, None if nothing was; `unread`: stored sessions that
    were not looked at yet."""

    since: str
    at: str
    bucket_s: int
    buckets: list[LatencyBucket]
    total: LatencyBucket | None
    slowest: list[SlowTurn]
    unread: int


def latency_of(told: Sequence[tuple[str, Sequence[Answer]]], since: Micros, now: Micros, unread: int) -> Latency:
    """`told`: answers by session."""
    found = [(answer, session) for session, answers in told for answer in answers if answer.at >= since]
    begin = max(since, min((answer.at for answer, _ in found), default=now))
    width = next((one for one in _WIDTHS if (now - begin) / 1e6 <= one * _BUCKETS), _WIDTHS[-1])
    by_bucket: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer, _ in found:
        by_bucket[answer.at // (width * 1_000_000)].append(answer)
    slowest = sorted(found, key=lambda one: one[0].total, reverse=True)[:_SLOWEST]
    return Latency(
        since=iso(since or begin),
        at=iso(now),
        bucket_s=width,
        buckets=[_bucket(Micros(place * width * 1_000_000), answers) for place, answers in sorted(by_bucket.items())],
        total=_bucket(begin, [answer for answer, _ in found]) if found else None,
        slowest=[_slow(answer, session) for answer, session in slowest],
        unread=unread,
    )


def _bucket(begin: Micros, answers: Sequence[Answer]) -> LatencyBucket:
    middle, most = _percentiles([answer.total for answer in answers])
    parts = {part: _percentiles(seconds) for part, seconds in by_part(answers).items() if seconds}
    return LatencyBucket(
        from_at=iso(begin),
        count=len(answers),
        p50_ms=middle,
        p95_ms=most,
        parts={part: Percentiles(p50_ms=half, p95_ms=nearly) for part, (half, nearly) in parts.items()},
    )


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """p50 and p95, in milliseconds."""
    half, nearly = np.round(np.percentile(seconds, [50, 95]) * 1e3, 1)
    return float(half), float(nearly)


def _slow(answer: Answer, session: str) -> SlowTurn:
    worst = answer.worst_part
    return SlowTurn(
        session=session,
        turn=answer.turn,
        at=iso(answer.at),
        total_ms=round(answer.total * 1e3, 1),
        worst_part=worst,
        worst_ms=round(answer.parts[PARTS.index(worst)] * 1e3, 1),
    )
