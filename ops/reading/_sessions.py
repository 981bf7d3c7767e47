"""`antiphon sessions`: which there are and were, a line each."""

import asyncio
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import console
from ops.reading import _table
from schemas.clock import Micros
from schemas.session import ends
from schemas.session.listing import Kept, Rows
from schemas.session.row import Row, Wanted, is_fork

_EVERY = 1.0
"""Seconds between two looks."""
_ROOMY = 100
"""Columns from which a table has room for seconds."""

_SPARED = ("p50 ms", "length", "turns", "caller", "started", "agent")
"""Columns that narrow terminals do without, the first of them first."""
_CUT = {"agent": 12, "caller": 10, "ended": len("hung up, 10 unanswered")}
"""Columns that may be cut, and to how much of them at least: what went wrong stands at the end of how it ended."""
_FIGURES = ("length", "turns", "p50 ms", "worst ms")
_WHOLE = 1_000


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
        from rich.live import Live  # nobody else waits for it

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
        print_rows(found, await log.now(), out)
    elif rows.unreadable:
        pass  # whether there are any nobody knows
    elif wanted is None:
        out.print(f"No sessions. Hold one: {console.me()} demo, or {console.me()} up and {console.me()} call")
    else:
        out.print("No such session.")
    if more:
        console.hang("", Text(f"There are more: {console.me()} sessions -n {count * 5}", style="dim"), out)
    for session, why in rows.unreadable.items():
        console.hang("", Text(f"{session} can't be told: {why}", style="red"), out)


def print_rows(rows: Sequence[Row], now: Micros, out: Console | None = None) -> None:
    out = out or console.out
    _table.show(sessions_table(rows, now, _table.width(out)), out)


def sessions_table(rows: Sequence[Row], now: Micros, width: int) -> Table:
    """A row each. Where `width` (columns) is small texts are cut, and what is told the least of a call is left out."""
    columns = {
        "session": [Text(row.told.session) for row in rows],
        "agent": [_table.cell(row.told.agent) for row in rows],
        "caller": [_table.cell(", ".join(one.shown for one in row.told.people)) for row in rows],
        "started": [Text(_table.moment(row.told.started_at, now, briefly=width < _ROOMY)) for row in rows],
        "length": [Text(_table.length(row.told.duration)) for row in rows],
        "turns": [Text(str(row.told.turns)) for row in rows],
        "p50 ms": [Text(_ms(row.told.median)) for row in rows],
        "worst ms": [_worst(row) for row in rows],
        "ended": [_ended(row) for row in rows],
    }
    for name in _SPARED:
        if _needed(columns) <= width:
            break
        del columns[name]
    made = _table.table(*columns)
    for column in made.columns:
        column.no_wrap = column.header not in _CUT
        column.justify = "right" if column.header in _FIGURES else "left"
    for cells in zip(*columns.values(), strict=True):
        made.add_row(*cells)
    return made


def _needed(columns: Mapping[str, Sequence[Text]]) -> int:
    """Columns of a terminal for these at the least, with two between each and the next."""
    widths = [
        min(max([len(name), *(cell.cell_len for cell in cells)]), _CUT.get(name, _WHOLE))
        for name, cells in columns.items()
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def _worst(row: Row) -> Text:
    """Of calls in which nobody who asked was answered there is no worst answer, which is worse."""
    told = row.told
    never = told.worst is None and (told.failed or told.unanswered)
    return Text("never", style="red") if never else Text(_ms(told.worst))


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:,.0f}"


def _ended(row: Row) -> Text:
    """How it ended, or what goes on in it; that it is a replay, and what went wrong, is said, too."""
    told = row.told
    how = told.activity if told.ended is None else ends.in_words(told.ended)
    if row.orphaned:
        how = "open, gateway is gone"
    how += " (fork)" if is_fork(told.session) else ""
    if count := told.failed + told.unanswered:
        how += f", {count} unanswered"
    return _table.cell(how, "red" if told.wrong or row.orphaned else "" if told.ended is not None else "green")
