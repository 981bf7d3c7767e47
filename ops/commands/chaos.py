"""`antiphon chaos`: print what was killed and what the judge found."""

from collections.abc import Awaitable, Callable
from typing import Any

from rich.table import Table

from ops import console
from ops.chaos.rooms import RoomChaos
from ops.chaos.rooms import chaos as run_rooms
from ops.chaos.run import Chaos
from ops.chaos.run import chaos as run


async def chaos(options: Chaos, json: bool) -> bool:
    """True when there is no violation."""
    return await _tell(lambda say: run(options, say), json)


async def rooms(options: RoomChaos, json: bool) -> bool:
    """The same in LiveKit rooms."""
    return await _tell(lambda say: run_rooms(options, say), json)


async def _tell(work: Callable[[Callable[[str], None]], Awaitable[dict[str, Any]]], json: bool) -> bool:
    figures = await work((lambda _: None) if json else console.out.print)
    if json:
        console.emit(figures)
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for key, value in figures.items():
            if key != "first_violations":
                table.add_row(key, str(value))
        console.out.print(table)
        for line in figures["first_violations"]:
            console.out.print(f"  {line}", style="red", markup=False)
    return not figures["violations"]
