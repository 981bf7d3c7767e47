"""`antiphon top`: queues, workers, gateways and open sessions, as they are now."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ops import console
from ops.reading import _table
from ops.reading._logs import Sessions
from ops.reading._sessions import sessions_table
from ops.stack.pools import has_none, who_is_silent
from schemas.bus import GatewaySeen, StageSeen
from schemas.clock import Micros
from schemas.session.listing import Rows
from schemas.session.row import Row, Wanted

_EVERY = 1.0
"""Seconds between two looks."""
_OPEN = Wanted(state="open")
_LATE = 1.0
"""Seconds a job may have waited before it is told in red."""


async def top(
    log: Sessions, *, count: int = 20, once: bool = False, json: bool = False, lease: float = 2.0,
    out: Console | None = None,
) -> None:  # fmt: skip
    """Show what runs, and go on with it each second until it is cancelled. `once`: only how it is now; `count`: open sessions at
    most; `lease`: LEASE, seconds."""
    out = out or console.out
    rows = Rows(log)
    if once or json:
        while True:
            seen = await _look(log, rows, count)
            if json:
                console.emit(seen.view())
            else:
                _table.show(seen.shown(_table.width(out), lease), out)
            if once:
                return
            await asyncio.sleep(_EVERY)
    from rich.live import Live  # nobody else waits for it

    with Live(console=out, auto_refresh=False, screen=out.is_terminal, vertical_overflow="crop") as live:
        while True:
            live.update((await _look(log, rows, count)).shown(out.width, lease), refresh=True)
            await asyncio.sleep(_EVERY)


class _Seen:
    def __init__(
        self, stages: Sequence[StageSeen], gateways: Sequence[GatewaySeen], rows: Sequence[Row], more: bool, now: Micros
    ) -> None:
        self.stages, self.gateways, self.rows, self.more, self.now = stages, gateways, rows, more, now

    def view(self) -> dict[str, Any]:
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "gateways": [asdict(gateway) for gateway in self.gateways],
            "sessions": [row.view() for row in self.rows],
            "more": self.more,
        }

    def shown(self, width: int, lease: float) -> Group:
        sessions = (
            [sessions_table(self.rows, self.now, width)] if self.rows else [Text("No open session.", style="dim")]
        )
        more = [Text("There are more: -n 100", style="dim")] if self.more else []
        return Group(_queues(self.stages, lease), Text(), _gateways(self.gateways), Text(), *sessions, *more)


async def _look(log: Sessions, rows: Rows, count: int) -> _Seen:
    stages, gateways = await asyncio.gather(log.stages(), log.gateways())
    found, more = await rows.latest(count, _OPEN)
    return _Seen(stages, gateways, found, more, await log.now())


def _queues(stages: Sequence[StageSeen], lease: float) -> Table:
    made = _table.table("stage", "waiting", "oldest", "in work", "workers", "done")
    for column in made.columns[1:]:
        column.justify = "right"
    for stage in stages:
        oldest = Text(f"{stage.oldest:.1f} s" if stage.queued else "–", style="red" if stage.oldest >= _LATE else "")
        manned = f"{len(stage.workers) or 'none'}{who_is_silent(stage, lease)}"
        workers = Text(manned, style="bold red" if has_none(stage, lease) else "")
        done = stage.added - stage.queued - stage.running
        made.add_row(stage.stage.upper(), str(stage.queued), oldest, str(stage.running), workers, f"{done:,}")
    return made


def _gateways(gateways: Sequence[GatewaySeen]) -> Table | Text:
    if not gateways:
        return Text("No gateway tells of itself.", style="bold red")
    made = _table.table("gateway", "sessions", "places", "rooms", "")
    for column in made.columns[1:3]:
        column.justify = "right"
    for one in gateways:
        made.add_row(
            Text(one.name),
            str(one.sessions),
            str(one.places),
            Text(", ".join(one.transports)),
            "draining" if one.draining else "",
        )
    return made
