"""`antiphon chaos`: print what was killed and what the judge found."""

from rich.table import Table

from ops import console
from ops.chaos.run import Chaos
from ops.chaos.run import chaos as run


async def chaos(options: Chaos, json: bool) -> bool:
    """True when there is no violation."""
    figures = await run(options, (lambda _: None) if json else console.out.print)
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
