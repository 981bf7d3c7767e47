"""`antiphon bench NAME`: run one benchmark and print its figures."""

from inspect import signature
from typing import Any

from rich.table import Table

from ops import console
from ops.bench import BENCHES, find


def bench(name: str, options: dict[str, Any], json: bool) -> None:
    if name == "list":
        if json:
            console.emit({known: what for known, (_, what) in BENCHES.items()})
            return
        for known, (_, what) in BENCHES.items():
            console.hang(f"{known:<11}", what)
        return
    if name not in BENCHES:
        console.fail(f"no benchmark {name!r}; there are {', '.join(BENCHES)}", console.USAGE)
    measure = find(name)
    unknown = sorted(set(options) - set(signature(measure).parameters))
    if unknown:
        console.fail(f"bench {name} has no option {', '.join(f'--{option}' for option in unknown)}", console.USAGE)
    figures = console.run(lambda: measure(**options))
    if json:
        console.emit(figures)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in figures.items():
        if not isinstance(value, list):
            table.add_row(key, str(value))
    console.out.print(table)
