"""`antiphon stats`: how long answers took, part by part, over many calls, and what went wrong in them."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.text import Text

from ops import console
from ops.reading import _table
from schemas.clock import iso
from schemas.session.figures import Figures, figures, over_time
from schemas.session.listing import LOOKED_AT, Kept, Rows
from schemas.session.row import PARTS, Row, Wanted, is_fork, name_of

By = Literal["agent", "transport", "gateway", "variant"]
_BLOCKS = "▁▂▃▄▅▆▇█"
_BAR, _LINE = 32, 40  # columns


async def stats(
    log: Kept, *, wanted: Wanted | None = None, by: By | None = None, json: bool = False, out: Console | None = None
) -> None:
    """Print figures of the calls that are `wanted` (None: all; no replays), of all together or apart `by` what they have."""
    out = out or console.out
    rows = Rows(log)
    found = [row async for row in rows.each(wanted) if not is_fork(row.told.session)]
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(getattr(row.told, by) if by else "", []).append(row)
    if json:
        told = [{by: name} | figures(group).view() for name, group in sorted(groups.items())] if by else None
        console.emit({"since": _since(found), "looked_at": LOOKED_AT, "all": figures(found).view(), "by": told})
        return
    if not found:
        out.print("No calls in that time." if wanted is not None else f"No calls yet. Hold one: {console.me()} demo")
        return
    for number, (name, group) in enumerate(sorted(groups.items())):
        if number:
            out.print()
        if by:
            console.hang("", Text(f"{by} {name or '(none)'}", style="bold"), out)
        _print(figures(group), group, out)
    for session, why in rows.unreadable.items():
        console.hang("", Text(f"{session} can't be told: {why}", style="red"), out)


def _since(rows: Sequence[Row]) -> str | None:
    return iso(min(row.told.started_at for row in rows)) if rows else None


def _print(found: Figures, rows: Sequence[Row], out: Console) -> None:
    counts = [
        _many(found.calls, "call"),
        _many(found.turns, "turn"),
        f"{found.answered} answered",
        f"{found.interrupted} interrupted",
        *([f"{found.restarts} restarted"] if found.restarts else []),
        f"{found.failed} failed",
        f"{found.cut_off} cut off by the end of the call",
        _many(found.other, "other"),
    ]
    console.hang("", " · ".join(counts), out)
    if found.unanswered:
        waited = f"{_many(found.unanswered, 'turn')} {'was' if found.unanswered == 1 else 'were'} waited for in vain"
        console.hang("", Text(f"{waited}; antiphon sessions --failed", style="red"), out)
    if found.troubles:
        console.hang(
            "", Text(f"A stage gave up {_many(found.troubles, 'time')}; antiphon sessions --failed", style="red"), out
        )
    if found.total is None:
        return
    out.print()
    scale = _BAR / found.total.p95 if found.total.p95 else 0.0
    made = _table.table("", "p50", "p95", "p50 █, p95 ░")
    for column in made.columns[1:3]:
        column.justify = "right"
    made.columns[3].no_wrap = True
    for part in PARTS:
        spread = found.parts.get(part)
        if spread is None:  # nobody spoke
            continue
        most = max(spread.p95, spread.p50)
        bar = "█" * round(spread.p50 * scale)
        made.add_row(name_of(part), _table.ms(spread.p50), _table.ms(spread.p95), bar.ljust(round(most * scale), "░"))
    made.add_row(
        Text("all", style="bold"),
        _table.ms(found.total.p50),
        _table.ms(found.total.p95),
        ("█" * round(found.total.p50 * scale)).ljust(_BAR, "░"),
    )
    _table.show(made, out)
    _plot(rows, out)


def _plot(rows: Sequence[Row], out: Console) -> None:
    """How the median went over time."""
    answers = [answer for row in rows for answer in row.answers]
    intervals = over_time(answers, _LINE)
    halves = [one.spread.p50 for one in intervals if one.spread is not None]
    if len(answers) < 2 or len(halves) < 2:
        return
    low, high = min(halves), max(halves)
    step = (high - low) / (len(_BLOCKS) - 1)
    drawn = "".join(
        " " if one.spread is None else _BLOCKS[round((one.spread.p50 - low) / step) if step else 0] for one in intervals
    )
    now = max(row.told.at for row in rows)
    out.print()
    first, last = _table.moment(intervals[0].at, now), _table.moment(max(one.at for one in answers), now)
    out.print(f"p50 from {first} to {last}, {_table.ms(low)} to {_table.ms(high)}", soft_wrap=True)
    out.print(drawn, soft_wrap=True)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
