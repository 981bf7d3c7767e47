"""`antiphon sessions`: which there are and were, a line each."""

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops import console
from ops.reading import _table
from schemas.clock import Micros
from schemas.session import words
from schemas.session.listing import Kept, Row, Rows
from schemas.session.summary import Wanted

_EVERY = 1.0
"""Seconds between two looks."""
_ROOMY = 100
"""Columns from which a table has room for who called and for what kind of room."""


async def sessions(
    log: Kept,
    *,
    count: int = 20,
    wanted: Wanted | None = None,
    watch: bool = False,
    json: bool = False,
    out: Console | None = None,
) -> None:
    """Print up to `count` sessions that are `wanted` (None: all): the open ones, then the closed ones whose log is still there,
    the latest activity first. `watch`: again each second, until it is cancelled."""
    out = out or console.out
    rows = Rows(log)
    if watch and not json:
        with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                found, more = await rows.latest(min(count, max(1, out.height - 3)), wanted)
                live.update(sessions_table(found, await log.now(), out.width), refresh=True)
                await asyncio.sleep(_EVERY)
    while True:
        found, more = await rows.latest(count, wanted)
        if json:
            console.emit({"sessions": [row.view() for row in found], "more": more, "unreadable": rows.unreadable})
        if not watch:
            break
        await asyncio.sleep(_EVERY)
    if json:
        return
    if found:
        _table.show(sessions_table(found, await log.now(), _table.width(out)), out)
    elif wanted is None:
        out.print(f"No sessions. Hold one: {console.me()} demo, or {console.me()} up and {console.me()} call")
    else:
        out.print("No such session.")
    if more:
        console.hang("", Text(f"There are more: {console.me()} sessions -n {count * 5}", style="dim"), out)
    for session, why in rows.unreadable.items():
        console.hang("", Text(f"{session} can't be told: {why}", style="red"), out)


def sessions_table(rows: Sequence[Row], now: Micros, width: int) -> Table:
    """A row each; where `width` (columns) is small, without the agent if it is the same for all."""
    agents = {row.told.agent for row in rows}
    with_agent = width >= _ROOMY or len(agents) > 1
    made = _table.table(
        "session",
        *(["agent"] if with_agent else []),
        "caller",
        "started",
        "length",
        "turns",
        "p50 ms",
        "worst ms",
        "ended",
    )
    made.columns[0].no_wrap = made.columns[2 + with_agent].no_wrap = True
    for column in made.columns[3 + with_agent : 7 + with_agent]:
        column.justify, column.no_wrap = "right", True
    for row in rows:
        made.add_row(
            Text(row.told.session),
            *([_table.cell(row.told.agent)] if with_agent else []),
            _table.cell(", ".join(one.shown for one in row.told.people)),
            _table.moment(row.told.started_at, now, briefly=width < _ROOMY),
            _table.length(row.told.duration),
            str(row.told.turns),
            _ms(row.told.median),
            _ms(row.told.worst),
            _ended(row),
        )
    return made


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:,.0f}"


def _ended(row: Row) -> Text:
    """How it ended, or what goes on in it; what went wrong is said, too."""
    told = row.told
    how = words.ended(told.ended) if told.ended is not None else "open, orphaned" if row.orphaned else told.activity
    if told.failed:
        how += f", {told.failed} unanswered"
    return _table.cell(how, "red" if told.wrong or row.orphaned else "" if told.ended is not None else "green")
