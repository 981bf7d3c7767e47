"""Tables and figures as the reading commands print them."""

from datetime import datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ops import console
from schemas.clock import Micros

_UNCUT = 500
"""Columns where no terminal reads: a pipe gets what there is, uncut."""


def table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, padding=(0, 1), header_style="dim")


def width(out: Console) -> int:
    return out.width if out.is_terminal else _UNCUT


def show(made: RenderableType, out: Console) -> None:
    to = out if out.is_terminal else console.terminal(file=out.file, width=_UNCUT)
    to.print(made)


def cell(text: str, style: str = "") -> Text:
    """What may be cut where the terminal is narrow, so that figures need not be."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def moment(at: Micros, now: Micros, *, briefly: bool = False) -> str:
    """On this machine's clock: the time of a day, `briefly` to the minute, and the day where it is another than `now`'s."""
    begun, today = datetime.fromtimestamp(at / 1e6), datetime.fromtimestamp(now / 1e6)
    return begun.strftime("%b %d %H:%M" if begun.date() != today.date() else "%H:%M" if briefly else "%H:%M:%S")


def begun(at: Micros) -> str:
    """The same to the second and whole: `2026-03-01 14:13:05 CET`."""
    return datetime.fromtimestamp(at / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def length(seconds: float) -> str:
    """`0:07`, `12:40`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:,.0f} ms"
