"""`antiphon bench NAME`: run one benchmark and print its figures."""

from typing import Any

from rich.table import Table

from ops import console
from ops.bench import BENCHES, find


def bench(name: str, options: dict[str, Any], json: bool) -> None:
    if name == "list":
        for known, (_, what) in BENCHES.items():
            console.out.print(f"{known:<10} {what}")
        return
    if name not in BENCHES:
        console.fail(f"no benchmark {name!r}; there are {', '.join(BENCHES)}", console.USAGE)
    figures = console.run(lambda: find(name)(**options))
    if json:
        console.emit(figures)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in figures.items():
        if not isinstance(value, list):
            table.add_row(key, str(value))
    console.out.print(table)
