"""Many sessions are replayed with another setting, and compared each with what it was: what got better, what worse."""

import statistics
from collections.abc import Sequence
from typing import Any

from ops.jobs.asked_fork import forked, is_fork
from ops.jobs.doing import Doing, Progress
from schemas.config.agent import AgentSpec
from schemas.config.changing import with_settings
from schemas.errors import AntiphonError, ArchiveError, BusError
from schemas.session.comparing import Diff, differences, told
from schemas.session.listing import Rows
from schemas.session.summary import Wanted

__all__ = ["batch", "figures_of", "verdict_of"]

_MOST_WAITS = 2_000
_SAME = 0.05
"""Seconds of the median by which a session got neither better nor worse."""


async def batch(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `filter` (as Wanted's fields), `most`, `set` (settings by their paths), `agent` (a whole spec, or None: each
    session's own, with what is set)."""
    wanted = Wanted(**(request["filter"] | {"state": "closed"}))
    sets: dict[str, Any] = request.get("set") or {}
    spec = AgentSpec.model_validate(request["agent"]) if request.get("agent") else None
    await progress(0, 0, "looking for them")
    sessions, more = await _wanted(doing, wanted, int(request["most"]))
    found: list[dict[str, Any]] = []
    waits: tuple[list[float], list[float]] = ([], [])
    for number, session in enumerate(sessions):
        await progress(number, len(sessions), session)
        try:
            diff, fork, changed = await _one(doing, session, spec, sets, _Within(progress, number, len(sessions)))
        except (BusError, ArchiveError):
            raise
        except AntiphonError as error:
            found.append({"session": session, "error": str(error)})
            continue
        found.append(_row(session, fork, changed, diff))
        for side, kept in zip((0, 1), waits, strict=True):
            kept += _waits(diff, side)
    await progress(len(sessions), len(sessions), "")
    return {
        "sessions": found,
        "more": more,
        "figures": figures_of(found, waits),
        "waits_ms": [sorted(round(one * 1e3) for one in kept[:_MOST_WAITS]) for kept in waits],
    }


async def _wanted(doing: Doing, wanted: Wanted, most: int) -> tuple[list[str], bool]:
    """The latest `most`, and whether there are more; no forks."""
    sessions: list[str] = []
    async for row in Rows(doing.both).each(wanted):
        if is_fork(row.told.session):
            continue
        if len(sessions) == most:
            return sessions, True
        sessions.append(row.told.session)
    return sessions, False


async def _one(
    doing: Doing, session: str, spec: AgentSpec | None, sets: dict[str, Any], progress: Progress
) -> tuple[Diff, str, dict[str, Any]]:
    before = await told(doing.both, session)
    agent, changed = with_settings(AgentSpec.model_validate(before.agent), sets, spec)
    made = await forked(doing, session, agent, changed, None, progress)
    return differences(before, await told(doing.both, made.session)), made.session, changed


class _Within(Progress):
    """What one of many does is no progress of all."""

    def __init__(self, whole: Progress, number: int, of: int) -> None:
        async def tell(done: int, length: int, doing: str) -> None:
            share = f"{done} of {length} s, " if length else ""
            await whole(number, of, f"{share}{doing}")

        super().__init__(tell)


def _row(session: str, fork: str, changed: dict[str, Any], diff: Diff) -> dict[str, Any]:
    parting = diff.divergence
    return {
        "session": session,
        "fork": fork,
        "agent": diff.first.summary.agent,
        "changed": sorted(changed),
        "figures": {name: list(values) for name, values in diff.figures().items()},
        "wer": round(diff.wer, 4),
        "divergence": None if parting is None else parting.name,
        "why": "" if parting is None else next(one.text for one in parting.differences if one.parts),
        "verdict": verdict_of(diff),
    }


def verdict_of(diff: Diff) -> str:
    """better, worse or same: fewer replies that were interrupted, failed or dropped; else a faster median."""
    figures = diff.figures()
    bad = [sum(figures[name][side] or 0 for name in ("interrupted", "failed")) for side in (0, 1)]
    if bad[0] != bad[1]:
        return "better" if bad[1] < bad[0] else "worse"
    before, after = figures["p50_ms"]
    if before is None or after is None or abs(after - before) < max(_SAME * 1e3, 0.05 * before):
        return "same"
    return "better" if after < before else "worse"


def _waits(diff: Diff, side: int) -> list[float]:
    session = (diff.first, diff.second)[side]
    return [turn.total for turn in session.turns if turn.total is not None]


def figures_of(rows: Sequence[dict[str, Any]], waits: tuple[list[float], list[float]]) -> dict[str, Any]:
    """Of all together, before and after."""
    whole = [row for row in rows if "figures" in row]
    summed = {
        name: [sum(row["figures"][name][side] or 0 for row in whole) for side in (0, 1)]
        for name in ("turns", "interrupted", "dropped", "failed")
    }
    verdicts = [row["verdict"] for row in whole]
    return summed | {
        "p50_ms": [_percentile(one, 50) for one in waits],
        "p95_ms": [_percentile(one, 95) for one in waits],
        "wer": round(statistics.fmean(row["wer"] for row in whole), 4) if whole else None,
        "better": verdicts.count("better"),
        "worse": verdicts.count("worse"),
        "same": verdicts.count("same"),
        "unreplayed": len(rows) - len(whole),
    }


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return round(values[0] * 1e3, 1) if values else None
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1] * 1e3, 1)
