"""Tables and figures as the reading commands print them."""

from datetime import datetime

from rich.console import Console
from rich.table import Table

from schemas.clock import Micros

_UNCUT = 500
"""Columns where no terminal reads: a pipe gets what there is, uncut."""


def table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, padding=(0, 1), header_style="dim")


def show(made: Table, out: Console) -> None:
    out.print(made, width=None if out.is_terminal else max(out.width, _UNCUT))


def moment(at: Micros, now: Micros) -> str:
    """On this machine's clock: the time of a day, and the day where it is another than `now`'s."""
    begun, today = datetime.fromtimestamp(at / 1e6), datetime.fromtimestamp(now / 1e6)
    return begun.strftime("%H:%M:%S" if begun.date() == today.date() else "%b %d %H:%M")


def length(seconds: float) -> str:
    """`0:07`, `12:40`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:,.0f} ms"


def ago(seconds: float) -> str:
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} days ago"
