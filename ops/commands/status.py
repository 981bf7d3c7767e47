"""`antiphon status`: what runs here, process by process."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import typer

from ops import console
from ops.commands._looking import lightly
from ops.commands._options import Json

_STARTS = 60.0
"""Seconds within which a process that doesn't answer is taken for one that is being loaded, as after its restart."""


def status(json: Json = False) -> None:
    """Show what runs on this machine, process by process.

    Each is asked whether it can work; where its figures are stands beside it. A stage that has no worker, here or on another
    machine, or none that gives a sign of life, is told in red. Ends with 0 when all can work, 1 when something can't (yet), 3
    when nothing runs.

    Example: antiphon status
    """
    lightly()
    from ops.stack.here import data_folder, stack_in

    told = stack_in(data_folder())
    if told is None:
        if json:
            console.emit({"state": "stopped", "processes": []})
        else:
            console.out.print(f"Nothing runs in {data_folder()}; start it with: {console.me()} up", soft_wrap=True)
        raise typer.Exit(console.UNREACHABLE)
    with ThreadPoolExecutor(16) as asking:
        rows = list(asking.map(looked_at, told["processes"]))
    pools = _pools(told)
    unmanned = [line.stage for line in pools if line.bad]
    if json:
        console.emit(told | {"uptime": time.time() - told["started"], "processes": rows, "unmanned": unmanned})
    else:
        _show(told, rows, pools)
    if told["state"] != "running" or unmanned or any(row["state"] not in ("ready", "running") for row in rows):
        raise typer.Exit(console.FAILED)


def looked_at(row: dict[str, Any]) -> dict[str, Any]:
    """`state` as it is now: ready, running (it has no health page), not ready, starting, ended; `because`: why it isn't."""
    from ops.stack.condition import ask

    state, because, uptime = row["state"], "", time.time() - row["began"] if row["pid"] else 0.0
    if state == "ended":
        because = f"ended with {row['exit']}; it is being started again"
    elif row["health"]:
        seen = ask(row["health"])
        starts = state == "starting" or (seen.starting and not seen.answered and uptime < _STARTS)
        state = "ready" if seen.ready else "starting" if starts else "not ready"
        because = "" if starts and not seen.answered else seen.because
    return row | {"state": state, "because": because, "uptime": uptime}


class _Pool(NamedTuple):
    """What is to be said of a stage's workers. `bad`: it has none that was heard of."""

    stage: str
    line: str
    bad: bool


def _pools(told: dict[str, Any]) -> list[_Pool]:
    """Stages without workers, or with silent ones; nothing while the stack starts or stops."""
    from ops.stack.here import log_of
    from ops.stack.pools import has_none, silence, stages, unmanned_line, workers_line
    from schemas.config.settings import load
    from schemas.errors import SettingsError

    url = log_of(told) if told["state"] == "running" else None
    try:
        settings = load()
    except SettingsError:  # of what is to be started next; what runs has its own
        return []
    if not url:
        return []
    lease, found = settings.lease, []
    for seen in console.run(lambda: stages(settings, url)):
        if has_none(seen, lease):
            found.append(_Pool(seen.stage, unmanned_line(seen, lease), bad=True))
        elif silence(seen, lease):
            found.append(_Pool(seen.stage, f"{seen.stage}: {workers_line(seen, lease)}", bad=False))
    return found


def _show(told: dict[str, Any], rows: list[dict[str, Any]], pools: list[_Pool]) -> None:
    from rich.table import Table
    from rich.text import Text

    from ops.stack.models import models_line

    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(told["started"]))
    console.out.print(f"{told['state']} since {since}, pid {told['pid']}, in {told['folder']}", soft_wrap=True)
    if "api_url" in told and told["state"] == "running":
        console.out.print(f"open {told['api_url']}", soft_wrap=True)
    if told.get("models"):
        console.out.print(models_line(told["models"]), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("process", "state", "pid", "up", "restarts", "metrics"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        well = row["state"] in ("ready", "running")
        table.add_row(
            row["name"], row["state"], str(row["pid"] or "-"), _span(row["uptime"]) if row["pid"] else "-",
            str(row["restarts"]), row["metrics"] or "-", style="" if well else "yellow" if row["state"] == "starting" else "red",
        )  # fmt: skip
    console.out.print()
    console.out.print(table, soft_wrap=True)
    for number, pool in enumerate(pools):
        console.hang("" if number else "\n", Text(pool.line, style="red" if pool.bad else "yellow"))
    for row in rows:
        if row["because"]:
            console.hang(f"\n{row['name']}: ", row["because"])
            console.hang("", f"its log: {console.me()} logs {row['name']}")


def _span(seconds: float) -> str:
    """To the two units that matter."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if not minutes:
        return f"{int(seconds)} s"
    if not hours:
        return f"{minutes} m {int(seconds) % 60} s"
    return f"{hours} h {minutes % 60} m" if not days else f"{days} d {hours % 24} h"
